//! Daemons, and behaviours against other processes.

use super::*;

/// Goes on after the runtime: under a new pid every second, deaf, and writing.
pub fn detach_daemon(stage: &Stage) -> Result<()> {
    stage.daemon(|| {
        let _ = close_descriptors(stage);
        linger(stage);
    })
}

pub fn linger(stage: &Stage) {
    for signal in (1..32).filter(|signal| *signal != libc::SIGALRM) {
        ignore(signal);
    }
    let places = stage.places();
    for _ in 0..20 {
        for place in &places {
            let _ = stage.mark(place);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    if !stage.over() {
        let _ = stage.child(|| linger(stage));
    }
}

/// Who reads our output until its end waits for this daemon, too.
pub fn ignore_and_run(stage: &Stage) -> Result<()> {
    stage.daemon(|| stage.hold())
}

/// Would-be victims on the host are only asked whether they could be signalled.
pub fn ask_everyone(host: &Host) {
    for pid in pids() {
        if pid != getppid().as_raw() && kill(Pid::from_raw(pid), None).is_ok() {
            host.touched(&format!("process {pid} could be signalled"));
        }
    }
}

/// To all at once, then to each, last to those who count most.
pub fn signal_everyone(signal: c_int) {
    let parent = getppid();
    // A group of our own first: the one we share with our parent is a victim.
    let group = getpgrp().as_raw();
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
    let each = [
        vec![-1],
        pids(),
        vec![-group, -parent.as_raw(), parent.as_raw(), 1],
    ];
    let own = std::process::id() as i32;
    let others = |pid: &i32| *pid != 0 && pid.abs() != own;
    for pid in each.concat().into_iter().filter(others) {
        // SAFETY: no memory is involved.
        unsafe { libc::kill(pid, signal) };
    }
}

pub fn kill_everyone(stage: &Stage) -> Result<()> {
    if stage.host.shares("pid") {
        say("the processes may be the host's: none is killed");
        ask_everyone(&stage.host);
        return Ok(());
    }
    for signal in [libc::SIGTERM, libc::SIGKILL] {
        signal_everyone(signal);
    }
    Ok(())
}

pub fn stop_everyone(stage: &Stage) -> Result<()> {
    if stage.host.shares("pid") {
        say("the processes may be the host's: none is stopped");
        ask_everyone(&stage.host);
        return Ok(());
    }
    while !stage.over() {
        signal_everyone(libc::SIGSTOP);
        std::thread::sleep(Duration::from_millis(50).min(stage.left()));
    }
    // A stopped process can't end by its alarm.
    signal_everyone(libc::SIGCONT);
    Ok(())
}

/// Seizes all; whoever is seized dies with us (PTRACE_O_EXITKILL), unless it may be
/// the host's: then it is let go at once.
pub fn ptrace_everyone(stage: &Stage) -> Result<()> {
    let hosts = stage.host.shares("pid");
    let options: c_ulong = if hosts {
        0
    } else {
        libc::PTRACE_O_EXITKILL as c_ulong
    };
    let mut seized = 0;
    for pid in pids() {
        let nothing = std::ptr::null_mut::<c_void>();
        // SAFETY: no memory of ours is read or written.
        let done =
            unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, nothing, options) } == 0;
        if done && hosts {
            // The end of a tracer lets go as well: DETACH would need a stopped
            // tracee.
            stage
                .host
                .touched(&format!("process {pid} could be traced"));
        } else if done {
            // SAFETY: as above.
            unsafe { libc::ptrace(libc::PTRACE_INTERRUPT, pid, nothing, nothing) };
            seized += 1;
        }
    }
    say(&format!("{seized} processes halted"));
    if seized > 0 {
        stage.hold();
    }
    Ok(())
}

/// Ways that /proc opens into other processes' views.
pub fn escape_by_proc(stage: &Stage) -> Result<()> {
    for pid in pids() {
        let dir = PathBuf::from(format!("/proc/{pid}"));
        let descriptors =
            fs::read_dir(dir.join("fd")).into_iter().flatten().flatten();
        let ways = descriptors.map(|entry| entry.path());
        for way in ways.chain([dir.join("root"), dir.join("cwd")]) {
            let _ = stage.mark(&way);
            let _ = stage.mark(&way.join("../../../../../../tmp"));
        }
        for name in NAMESPACES {
            if join(&dir.join("ns").join(name)) && stage.host.shares(name) {
                stage.host.touched(&format!(
                    "joined the {name} namespace of process {pid}"
                ));
            }
        }
    }
    break_out(stage);
    Ok(())
}

pub fn join(path: &Path) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    // SAFETY: a descriptor; no memory.
    unsafe { libc::setns(file.as_raw_fd(), 0) == 0 }
}

/// The classic: a root below us, a working directory above it, and `..` to the top.
pub fn break_out(stage: &Stage) {
    let inner = PathBuf::from(format!("/tmp/{MARK}-root"));
    let _ = fs::create_dir(&inner);
    if nix::unistd::chroot(&inner).is_ok() {
        for _ in 0..64 {
            let _ = std::env::set_current_dir("..");
        }
        let _ = nix::unistd::chroot(".");
        for place in ["/", "/root", "/tmp", "/etc", "/var/tmp"] {
            let _ = stage.mark(Path::new(place));
        }
    }
}
