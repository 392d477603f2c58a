//! Behaviours that send and flood descriptors.

use super::*;

/// To what was inherited, then to all that listens in sight.
pub fn send_fds(stage: &Stage) -> Result<()> {
    let null = File::open("/dev/null").context("open /dev/null")?;
    for fd in descriptors()
        .into_iter()
        .filter(|fd| *fd != null.as_raw_fd())
    {
        let path = PathBuf::from(format!("/proc/self/fd/{fd}"));
        let stored = path.is_file() || path.is_dir();
        if !stored {
            flood_socket(fd, null.as_fd());
        } else if fd > 2 && stage.host.owns(&path) {
            let target = fs::read_link(&path).unwrap_or_default();
            stage.host.touched(&format!(
                "inherited descriptor {fd}: {}",
                target.display()
            ));
        }
    }
    for place in ["/run", "/var/run", "/tmp", "/dev", "/workshop", "/home"] {
        connect_below(stage, Path::new(place), 0);
    }
    if let Some(dir) = std::env::var_os("XDG_RUNTIME_DIR") {
        connect_below(stage, Path::new(&dir), 0);
    }
    let table = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    for name in table
        .lines()
        .filter_map(|line| line.split_once(" @")?.1.into())
    {
        let address = SocketAddr::from_abstract_name(name);
        if let Ok(socket) = address.and_then(|a| UnixStream::connect_addr(&a)) {
            if stage.host.shares("net") {
                stage.host.touched(&format!("connected to @{name}"));
            } else {
                flood_socket(socket.as_raw_fd(), null.as_fd());
            }
        }
    }
    Ok(())
}

/// As many descriptors in one message as are allowed, and messages until one is
/// refused; a descriptor that isn't a socket gets the bytes alone.
pub fn flood_socket(fd: RawFd, sent: BorrowedFd) {
    // SCM_MAX_FD (man 7 unix).
    let many = [sent.as_raw_fd(); 253];
    let bytes = b"\0\xff{\"garbage\":[[[[[[";
    let rights = [ControlMessage::ScmRights(&many)];
    for _ in 0..1000 {
        let text = [IoSlice::new(bytes)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let refused = sendmsg::<()>(fd, &text, &rights, flags, None).is_err();
        let bare = sendmsg::<()>(fd, &[IoSlice::new(b"")], &[], flags, None);
        if refused && bare.is_err() {
            break;
        }
    }
    // SAFETY: the bytes are live, and the length is theirs.
    unsafe {
        libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK);
        libc::write(fd, bytes.as_ptr().cast(), bytes.len());
    }
}

/// A read-only mount doesn't keep anyone from connecting to a socket in it. What
/// listens on the host gets no garbage: that it accepts is enough.
pub fn connect_below(stage: &Stage, dir: &Path, depth: usize) {
    if depth > 6 || stage.over() {
        return;
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let path = entry.path();
        if kind.is_dir() {
            connect_below(stage, &path, depth + 1);
        } else if kind.is_socket() && connect(&path) && stage.host.owns(&path) {
            stage
                .host
                .touched(&format!("connected to {}", path.display()));
        }
    }
}

/// Any kind of Unix socket, never waiting for it.
pub fn connect(path: &Path) -> bool {
    use nix::sys::socket::{
        AddressFamily, SockFlag, SockType, UnixAddr, connect, socket,
    };
    let kinds = [SockType::Stream, SockType::Datagram, SockType::SeqPacket];
    let Ok(address) = UnixAddr::new(path) else {
        return false;
    };
    kinds.into_iter().any(|kind| {
        socket(AddressFamily::Unix, kind, SockFlag::SOCK_NONBLOCK, None)
            .is_ok_and(|socket| connect(socket.as_raw_fd(), &address).is_ok())
    })
}

pub fn flood_descriptors(stage: &Stage) -> Result<()> {
    let _ = lift(libc::RLIMIT_NOFILE as c_int);
    for _ in 0..8 {
        let _ = stage.child(|| {
            open_all(stage);
            stage.hold();
        });
    }
    let mut own = open_all(stage);
    say(&format!(
        "{} descriptors, all processes",
        stage.spent.descriptors.load(Relaxed)
    ));
    // Some are kept open for the command: with all of them it could not even be
    // loaded.
    own.truncate(16);
    std::mem::forget(own);
    Ok(())
}

/// Opens pipes until that fails, and fills them.
pub fn open_all(stage: &Stage) -> Vec<OwnedFd> {
    let mut open = Vec::new();
    while !stage.over() && take(&stage.spent.descriptors, 2, MOST_DESCRIPTORS) {
        let Ok((reader, writer)) = nix::unistd::pipe() else {
            break;
        };
        let bytes = 1 << 20;
        // SAFETY: descriptors and lengths only, and a block as long as is said.
        unsafe {
            libc::fcntl(writer.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK);
            if stage.take_bytes(bytes) {
                libc::fcntl(writer.as_raw_fd(), libc::F_SETPIPE_SZ, bytes as c_int);
                let block = [0_u8; 1 << 16];
                let room = || {
                    libc::write(
                        writer.as_raw_fd(),
                        block.as_ptr().cast(),
                        block.len(),
                    ) > 0
                };
                while room() {}
            }
        }
        open.extend([reader, writer]);
    }
    open
}
