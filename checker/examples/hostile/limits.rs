//! Namespaces, limits, priorities, exec.

use super::*;

/// Down as far as the kernel goes (32 levels), a daemon on each one.
pub fn nested_namespaces(stage: &Stage) -> Result<()> {
    let depth = &stage.spent.levels;
    let top = stage.child(|| deeper(stage))?;
    let _ = waitpid(top, None);
    say(&format!("{} levels", depth.load(Relaxed)));
    Ok(())
}

pub fn deeper(stage: &Stage) {
    let user = CloneFlags::CLONE_NEWUSER;
    let others = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    let (uid, gid) = (nix::unistd::getuid(), nix::unistd::getgid());
    if unshare(user | others).is_err() && unshare(user).is_err() {
        return;
    }
    stage.spent.levels.fetch_add(1, Relaxed);
    let _ = fs::write("/proc/self/setgroups", "deny");
    let _ = fs::write("/proc/self/uid_map", format!("0 {uid} 1"));
    let _ = fs::write("/proc/self/gid_map", format!("0 {gid} 1"));
    // The first child is the new namespace's init: it must live on, or no other can.
    let inner = stage.child(|| {
        ignore(libc::SIGTERM);
        let _ = stage.child(|| stage.hold());
        let next = stage.child(|| deeper(stage));
        if let Ok(next) = next {
            let _ = waitpid(next, None);
        }
        // Those who wait for us have seen enough: an orphan takes over.
        stage.hold();
    });
    // Deep enough when the inner ones are; they stay when we go.
    if inner.is_ok() {
        let before = stage.left();
        while stage.left() + Duration::from_millis(1500) > before && !stage.over() {
            nap();
        }
    }
}

/// Sets a limit of ours to "none", or to the most that is allowed.
pub fn lift(resource: c_int) -> bool {
    let none = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the structures are live and of the type that the calls want.
    unsafe {
        if libc::setrlimit(resource as _, &none) == 0 {
            return true;
        }
        let mut limit = none;
        libc::getrlimit(resource as _, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(resource as _, &limit);
        false
    }
}

pub fn raise_limits(stage: &Stage) -> Result<()> {
    let lifted = (0..16).filter(|resource| lift(*resource)).count();
    say(&format!("{lifted} limits lifted"));
    if !stage.host.shares("pid") {
        let least = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        for pid in pids() {
            for resource in 0..16 {
                // SAFETY: the new limit is live, the old one isn't asked for.
                unsafe {
                    libc::prlimit(pid, resource as _, &least, std::ptr::null_mut())
                };
            }
        }
    }
    fork_without_end(stage)
}

/// A priority that is granted is reported and given back before anything computes
/// with it.
pub fn realtime(stage: &Stage) -> Result<()> {
    for policy in [libc::SCHED_FIFO, libc::SCHED_RR] {
        // SAFETY: the parameter is live.
        unsafe {
            let mut wish = std::mem::zeroed::<libc::sched_param>();
            wish.sched_priority = 99;
            let status = libc::sched_setscheduler(0, policy, &wish);
            must_fail(&format!("sched_setscheduler {policy} 99"), status.into());
            wish.sched_priority = 0;
            libc::sched_setscheduler(0, libc::SCHED_OTHER, &wish);
        }
    }
    // sched_attr: size and policy 6, SCHED_DEADLINE, 5 of 10 milliseconds (man 2
    // sched_setattr).
    let attribute = [48 | (6 << 32), 0, 0, 5_000_000_u64, 10_000_000, 10_000_000];
    // SAFETY: as long as its first field says; then three calls without memory.
    unsafe {
        let status =
            libc::syscall(libc::SYS_sched_setattr, 0, attribute.as_ptr(), 0);
        must_fail("sched_setattr SCHED_DEADLINE", status);
        let wish = std::mem::zeroed::<libc::sched_param>();
        libc::sched_setscheduler(0, libc::SCHED_OTHER, &wish);
        // The caller may have a nice value to give back: below its own is what
        // counts.
        let before = libc::getpriority(libc::PRIO_PROCESS, 0);
        libc::setpriority(libc::PRIO_PROCESS, 0, -20);
        if libc::getpriority(libc::PRIO_PROCESS, 0) < before.min(0) {
            escaped("setpriority -20");
        }
        libc::setpriority(libc::PRIO_PROCESS, 0, 19);
        // ioprio_set, this process, class 1: realtime (man 2 ioprio_set).
        let status = libc::syscall(libc::SYS_ioprio_set, 1, 0, 1 << 13);
        must_fail("ioprio_set realtime", status);
        libc::setpriority(libc::PRIO_USER, 0, 19);
    }
    never_end(stage)
}

/// Twice too much, then half of it, until it is taken: the command gets what is
/// possible.
pub fn exec_huge(stage: &Stage) -> Result<()> {
    let Some(command) = stage.command.first() else {
        return Ok(());
    };
    // One argument may have 128 KiB, MAX_ARG_STRLEN (man 2 execve).
    let word = OsString::from_vec(vec![b'x'; 100_000]);
    let mut count = 256;
    while count > 0 {
        let mut words = vec![command.clone()];
        words.extend(std::iter::repeat_n(word.clone(), count));
        let words: Vec<CString> = words.iter().map(|word| c_string(word)).collect();
        let Err(error) = execvp(&words[0], &words);
        say(&format!("execve with {count} arguments: {error}"));
        count /= 2;
    }
    Ok(())
}
