//! Behaviours against the observer.

use super::*;

/// Lines that make a checker look for the probe: among many processes, again and
/// again.
pub fn answer_without_end(stage: &Stage) -> Result<()> {
    let count = (0..400)
        .take_while(|_| stage.child(|| stage.hold()).is_ok())
        .count();
    say(&format!("{count} processes to look through"));
    print_forever(stage, 1, &b"\"here\"\n".repeat(2000))
}

pub fn stop_itself(stage: &Stage) -> Result<()> {
    let _ = kill(Pid::this(), nix::sys::signal::SIGSTOP);
    stage.hold();
    Ok(())
}

/// What is started beside us is stopped before it has become a program. What we
/// start ourselves comes first.
pub fn stop_newcomers(stage: &Stage) -> Result<()> {
    if stage.host.shares("pid") {
        say("the processes may be the host's: none is stopped");
        return Ok(());
    }
    stage.daemon(|| {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(50) {
            nap();
        }
        let known = pids();
        while !stage.over() {
            let newcomers = pids().into_iter().filter(|pid| !known.contains(pid));
            for pid in newcomers {
                // SAFETY: no memory is involved.
                unsafe { libc::kill(pid, libc::SIGSTOP) };
            }
        }
    })
}

/// Such parents sleep so deeply that only SIGKILL reaches them.
pub fn wait_in_vfork(stage: &Stage) -> Result<()> {
    for _ in 0..20 {
        let _ = stage.child(pause_in_vfork);
    }
    pause_in_vfork();
    Ok(())
}

pub fn pause_in_vfork() {
    // vfork in its bare form: the parent goes on when the child is gone.
    let flags = libc::CLONE_VFORK as c_long | libc::SIGCHLD as c_long;
    // SAFETY: without CLONE_VM, so that the child has memory of its own, as after a
    // fork; it calls nothing but the kernel.
    unsafe {
        if libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) == 0 {
            libc::alarm(LONGEST as u32);
            libc::pause();
            libc::_exit(0);
        }
    }
}

pub fn orphan_without_end(stage: &Stage) -> Result<()> {
    stage.daemon(|| {
        ignore(libc::SIGCHLD);
        while !stage.over() {
            let _ = stage.child(|| drop(stage.child(|| ())));
            nap();
        }
    })
}

/// A new limit of 0 for the first process of our PID namespace.
pub fn limit_init(stage: &Stage, resource: c_int) {
    if stage.host.shares("pid") {
        return say("pid 1 may be the host's: it is spared");
    }
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the limit is live, the old one isn't asked for.
    unsafe { libc::prlimit(1, resource as _, &none, std::ptr::null_mut()) };
}

pub fn starve_init(stage: &Stage) -> Result<()> {
    limit_init(stage, libc::RLIMIT_NOFILE as c_int);
    Ok(())
}

pub fn expire_init(stage: &Stage) -> Result<()> {
    limit_init(stage, libc::RLIMIT_CPU as c_int);
    Ok(())
}

/// Each doubles what is there, by propagation. To tell where a mount is, the kernel
/// climbs down all that are below it.
pub fn stack_mounts(stage: &Stage) -> Result<()> {
    stage.enter_mounts()?;
    let place = Path::new("/tmp/stack");
    let _ = fs::create_dir(place);
    mount_tmpfs(place, "size=64k").context("mount tmpfs on /tmp/stack")?;
    let bind = || {
        let (from, flags) = (Some(place), MsFlags::MS_BIND);
        mount(from, place, None::<&str>, flags, None::<&str>)
    };
    let made = (0..13).take_while(|_| !stage.over() && bind().is_ok());
    say(&format!("{} mounts", made.count()));
    Ok(())
}

/// Whoever closes the last copy of such a socket waits for its data to be taken
/// (SO_LINGER, man 7 socket).
pub fn send_lingering(stage: &Stage) -> Result<()> {
    if stage.host.shares("net") {
        say("the network may be the host's: it is left alone");
        return Ok(());
    }
    raise_loopback();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("bind")?;
    let address = listener.local_addr().context("getsockname")?;
    for _ in 0..20 {
        let Ok(mut socket) = TcpStream::connect(address) else {
            break;
        };
        let _ = socket.set_nonblocking(true);
        while socket.write(&[0; 1 << 16]).is_ok_and(|count| count > 0) {}
        let _ = socket.set_nonblocking(false);
        let linger = libc::linger {
            l_onoff: 1,
            l_linger: LONGEST as c_int,
        };
        // SAFETY: the option is live and as long as is said.
        unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                (&raw const linger).cast(),
                size_of::<libc::linger>() as libc::socklen_t,
            )
        };
        let rights = [socket.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&rights)];
        let text = [IoSlice::new(b"x")];
        let _ = sendmsg::<()>(1, &text, &rights, MsgFlags::MSG_NOSIGNAL, None);
        // Ours was not the last copy. If it is, this process ends without waiting.
        std::mem::forget(socket);
    }
    stage.hold();
    Ok(())
}

/// `ip link set lo up`
pub fn raise_loopback() {
    // SAFETY: the request is live, zeroed, and of the type that the call wants.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0);
        let mut request = std::mem::zeroed::<libc::ifreq>();
        for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
            *to = *from as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
        libc::ioctl(socket, libc::SIOCSIFFLAGS as _, &raw const request);
        libc::close(socket);
    }
}

/// Never mapped, and on its way between sockets: no process's size shows it.
pub fn hide_memory(stage: &Stage) -> Result<()> {
    let mut kept = Vec::new();
    let block = vec![1; STEP];
    while stage.take_bytes(STEP) {
        match memfd() {
            Some(file) if (&file).write_all(&block).is_ok() => kept.push(file),
            _ => break,
        }
    }
    let mut sockets = Vec::new();
    while let Ok(pair) = std::os::unix::net::UnixDatagram::pair() {
        let _ = pair.0.set_nonblocking(true);
        while stage.take_bytes(1 << 16) && pair.0.send(&block[..1 << 16]).is_ok() {}
        sockets.push(pair);
    }
    let (files, pairs) = (kept.len(), sockets.len());
    say(&format!("{files} files and {pairs} pairs of sockets"));
    stage.hold();
    Ok(())
}

/// KEY_SPEC_SESSION_KEYRING (man 2 keyctl).
pub const SESSION: i32 = -3;
pub const KEY_LOST: u8 = 98;

/// Is the key there that a test has put into our session?
pub fn has_key() -> bool {
    let (search, none): (c_int, c_int) = (10, 0); // KEYCTL_SEARCH
    let (kind, name) = (c"user".as_ptr(), c"rubber-crab-bait".as_ptr());
    // SAFETY: numbers, and C strings that live as long as the program.
    unsafe {
        libc::syscall(libc::SYS_keyctl, search, SESSION, kind, name, none) >= 0
    }
}

/// Whoever is in a session has its keys (man 7 session-keyring). Only with the test's
/// own key in it is it cleared: then no others are there.
pub fn clear_keys(_: &Stage) -> Result<()> {
    if has_key() {
        escaped("found a key of the caller's session");
        let clear: c_int = 7; // KEYCTL_CLEAR
        // SAFETY: numbers only.
        unsafe { libc::syscall(libc::SYS_keyctl, clear, SESSION) };
    }
    Ok(())
}

/// A new session with one key in it; then the command, and a look at the key.
pub fn with_key(command: &[OsString]) -> Result<u8> {
    let join: c_int = 1; // KEYCTL_JOIN_SESSION_KEYRING
    let (kind, name) = (c"user".as_ptr(), c"rubber-crab-bait".as_ptr());
    let nameless = std::ptr::null::<c_void>();
    // SAFETY: numbers, C strings, a null pointer as man 2 keyctl has it, and one byte.
    unsafe {
        libc::syscall(libc::SYS_keyctl, join, nameless);
        libc::syscall(libc::SYS_add_key, kind, name, name, 1_usize, SESSION);
    }
    if !has_key() {
        bail!("this host has no keys");
    }
    let status = std::process::Command::new(&command[0])
        .args(&command[1..])
        .status()
        .with_context(|| format!("start {}", command[0].to_string_lossy()))?;
    match has_key() {
        true => Ok(status.code().unwrap_or(255) as u8),
        false => Ok(KEY_LOST),
    }
}

/// Between the look at a file and the opening of it, it becomes a link to the host's.
pub fn swap_links(stage: &Stage) -> Result<()> {
    stage.daemon(|| {
        let _ = close_descriptors(stage);
        let dirs = [stage.container_dir.as_path(), Path::new("/tmp")];
        for dir in dirs.into_iter().filter(|dir| !stage.host.owns(dir)) {
            let _ = fs::write(dir.join("file"), "plain");
            let _ = symlink("/etc/passwd", dir.join("link"));
        }
        while !stage.over() {
            for dir in dirs.into_iter().filter(|dir| !stage.host.owns(dir)) {
                exchange(&dir.join("file"), &dir.join("link"));
            }
        }
    })
}

pub fn exchange(one: &Path, other: &Path) {
    let (one, other) = (c_string(one.as_os_str()), c_string(other.as_os_str()));
    let here = libc::AT_FDCWD;
    // SAFETY: two C strings, both live.
    unsafe {
        libc::renameat2(
            here,
            one.as_ptr(),
            here,
            other.as_ptr(),
            libc::RENAME_EXCHANGE,
        )
    };
}

/// As text, each of these bytes takes five, and each level repeats those above it.
pub fn long_names(stage: &Stage) -> Result<()> {
    let places: [&Path; 3] = [
        &stage.container_dir,
        Path::new("/tmp"),
        Path::new("/dev/shm"),
    ];
    for place in places.into_iter().filter(|place| !stage.host.owns(place)) {
        let name = OsString::from_vec(vec![1; 255]);
        if std::env::set_current_dir(place).is_err() {
            continue;
        }
        for _ in 0..30 {
            let _ = fs::create_dir(&name);
            let _ = std::env::set_current_dir(&name);
        }
        for number in 0..5000 {
            let mut name = vec![2; 250];
            name.extend(format!("{number}").bytes());
            let made = fs::write(OsString::from_vec(name), [3; 256]);
            if made.is_err() || stage.over() {
                break;
            }
        }
    }
    std::env::set_current_dir("/").context("chdir /")
}

/// What a terminal would obey, where the kernel doesn't escape it.
pub fn strange_names(stage: &Stage) -> Result<()> {
    stage.enter_mounts()?;
    let place = Path::new("/tmp/\x1b[31mred\x1b]0;hostile\x07");
    let _ = fs::create_dir(place);
    let _ = mount_tmpfs(place, "size=64k");
    stage.daemon(|| {
        let _ = nix::sys::prctl::set_name(c"\x1b[31m\x1b]0;bad\x07");
        let _ = close_descriptors(stage);
        stage.hold();
    })
}
