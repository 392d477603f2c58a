//! Behaviours that take time, processes and memory.

use super::*;

pub fn never_end(stage: &Stage) -> Result<()> {
    while !stage.over() {
        std::hint::spin_loop();
    }
    Ok(())
}

pub fn sleep_forever(stage: &Stage) -> Result<()> {
    stage.hold();
    Ok(())
}

/// All but SIGALRM, which ends the play.
pub fn ignore_signals(stage: &Stage) -> Result<()> {
    let mut all = SigSet::all();
    all.remove(nix::sys::signal::SIGALRM);
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&all), None).context("sigprocmask")?;
    for signal in (1..=64).filter(|signal| *signal != libc::SIGALRM) {
        ignore(signal);
    }
    stage.hold();
    Ok(())
}

pub fn fork_without_end(stage: &Stage) -> Result<()> {
    while !stage.over() {
        let forked = stage.child(|| {
            let _ = fork_without_end(stage);
        });
        if forked.is_err() {
            // Hundreds that try every millisecond would keep the whole machine busy
            // with timers alone.
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

/// Forks sleepers until that fails. Returns how many there are.
pub fn sleepers(stage: &Stage) -> usize {
    let mut count = 0;
    while !stage.over() && stage.child(|| stage.hold()).is_ok() {
        count += 1;
    }
    count
}

pub fn fork_and_hold(stage: &Stage) -> Result<()> {
    say(&format!("{} children", sleepers(stage)));
    stage.hold();
    Ok(())
}

pub fn eat_pids_and_exit(stage: &Stage) -> Result<()> {
    say(&format!("{} orphans", sleepers(stage)));
    std::process::exit(0)
}

pub fn leave_zombies(stage: &Stage) -> Result<()> {
    let made = (0..100).take_while(|_| stage.child(|| ()).is_ok()).count();
    say(&format!("{made} zombies"));
    Ok(())
}

/// Takes a step of memory and touches it. False when it isn't given.
pub fn allocate(stage: &Stage) -> bool {
    if !stage.take_bytes(STEP) {
        return false;
    }
    let memory = map(libc::MAP_PRIVATE, STEP);
    if let Ok(memory) = memory {
        touch(memory, STEP);
    }
    memory.is_ok()
}

pub fn allocate_without_end(stage: &Stage) -> Result<()> {
    let steps =
        std::iter::repeat_with(|| allocate(stage)).take_while(|given| *given);
    say(&format!("{} MiB", (steps.count() * STEP) >> 20));
    stage.hold();
    Ok(())
}

pub fn allocate_in_children(stage: &Stage) -> Result<()> {
    while !stage.over() {
        let forked = stage.child(|| {
            let _ = (0..4).all(|_| allocate(stage));
            stage.hold();
        });
        if forked.is_err() || stage.spent.bytes.load(Relaxed) >= stage.most_bytes {
            nap();
        }
    }
    Ok(())
}

/// Memory that no process's own size shows: it stays until the last user is gone,
/// or, with SysV, until the namespace is.
pub fn mmap_shared(stage: &Stage) -> Result<()> {
    let place = own_tmpfs(stage);
    let mut kept = Vec::new();
    let mut round = 0;
    while !stage.over() && stage.take_bytes(STEP) {
        let memory = match round % 4 {
            0 => map(libc::MAP_SHARED, STEP).ok(),
            1 => sysv_segment(stage),
            2 => memfd().and_then(|file| map_whole(file, &mut kept)),
            _ => place.as_ref().and_then(|dir| {
                let path = dir.join(format!("{MARK}-{round}"));
                map_whole(File::create_new(path).ok()?, &mut kept)
            }),
        };
        if let Some(memory) = memory {
            touch(memory, STEP);
        }
        round += 1;
    }
    say(&format!("{} MiB asked for", (round * STEP) >> 20));
    stage.hold();
    Ok(())
}

pub fn memfd() -> Option<File> {
    // SAFETY: the name is a C string; the descriptor is new and ours.
    unsafe {
        let fd = libc::memfd_create(c"hostile".as_ptr(), 0);
        (fd >= 0).then(|| File::from_raw_fd(fd))
    }
}

pub fn map_whole(file: File, kept: &mut Vec<File>) -> Option<*mut c_void> {
    // Written, not only lengthened: a hole in a full tmpfs is SIGBUS when touched.
    (&file).write_all(&vec![1; STEP]).ok()?;
    let memory = map_file(file.as_raw_fd(), libc::MAP_SHARED, STEP);
    kept.push(file);
    // With memory short, pages of the file are there already; nothing more is taken.
    memory.ok()
}

pub fn sysv_segment(stage: &Stage) -> Option<*mut c_void> {
    // In the host's IPC namespace it would stay for ever: one page is enough to be
    // seen.
    let hosts = stage.host.shares("ipc");
    if hosts && !take(&stage.spent.marks, MOST_MARKS, MOST_MARKS) {
        return None;
    }
    let bytes = if hosts { 4096 } else { STEP };
    // SAFETY: a new segment at an address of the kernel's choice.
    unsafe {
        let id = libc::shmget(libc::IPC_PRIVATE, bytes, libc::IPC_CREAT | 0o600);
        let memory = libc::shmat(id, std::ptr::null(), 0);
        (id >= 0 && memory as isize != -1 && !hosts).then_some(memory)
    }
}

/// A tmpfs mounted by ourselves, without a size of its own.
pub fn own_tmpfs(stage: &Stage) -> Option<PathBuf> {
    stage.enter_mounts().ok()?;
    let place = ["/mnt", "/media", "/srv", "/tmp"].map(PathBuf::from);
    let place = place.into_iter().find(|place| place.is_dir())?;
    mount_tmpfs(&place, "size=100%").ok()?;
    Some(place)
}
