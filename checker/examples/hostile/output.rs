//! Behaviours with output and descriptors.

use super::*;

/// Writes `block` to `fd` again and again, whatever comes of it.
pub fn print_forever(stage: &Stage, fd: RawFd, block: &[u8]) -> Result<()> {
    // SAFETY: only written to; ManuallyDrop, since the descriptor isn't ours to
    // close.
    let mut file = std::mem::ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
    while !stage.over() && stage.take_bytes(block.len()) {
        if file.write(block).is_err() {
            nap();
        }
    }
    stage.hold();
    Ok(())
}

pub fn print_without_end(stage: &Stage) -> Result<()> {
    print_forever(stage, 1, &b"all work and no play\n".repeat(3000))
}

pub fn print_stderr_without_end(stage: &Stage) -> Result<()> {
    print_forever(stage, 2, &b"error: all work and no play\n".repeat(3000))
}

pub fn print_long_line(stage: &Stage) -> Result<()> {
    print_forever(stage, 1, &[b'x'; 1 << 16])
}

/// Only a mebibyte, then on with the command: the text is to reach the report.
pub fn print_binary(_: &Stage) -> Result<()> {
    let bytes: Vec<u8> = (0..=255).collect();
    // Title, clear, colour, alternate screen, "what are you?", a hyperlink, a
    // clipboard.
    let controls = b"\x1b]0;hostile\x07\x1b[2J\x1b[31m\x1b[?1049h\x1b[c\x1b[6n\
        \x1b]8;;http://192.0.2.1/\x07here\x1b]8;;\x07\x1b]52;c;aG9zdGlsZQ==\x07";
    let block = [bytes.as_slice(), controls, b"\xe2\x80\xae\xed\xa0\x80\n"].concat();
    for fd in [1, 2] {
        // SAFETY: as in print_forever.
        let mut file = std::mem::ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
        for _ in 0..(1 << 20) / block.len() {
            let _ = file.write(&block);
        }
    }
    Ok(())
}

pub fn print_slowly(stage: &Stage) -> Result<()> {
    while !stage.over() {
        let _ = io::stdout()
            .write_all(b".")
            .and_then(|()| io::stdout().flush());
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

pub fn descriptors() -> Vec<RawFd> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else {
        return (0..1024).collect();
    };
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    entries.flatten().filter_map(number).collect()
}

pub fn close_descriptors(_: &Stage) -> Result<()> {
    for fd in descriptors() {
        // SAFETY: nothing here uses a descriptor any more; say() bears the error.
        unsafe { libc::close(fd) };
    }
    Ok(())
}

/// What is set on an open file or a terminal stays when the process is gone.
pub fn spoil_descriptors(_: &Stage) -> Result<()> {
    for fd in descriptors() {
        // SAFETY: descriptors by number; the terminal's modes are read before they
        // are set.
        unsafe {
            let flags = libc::O_NONBLOCK | libc::O_APPEND | libc::O_ASYNC;
            libc::fcntl(fd, libc::F_SETFL, flags);
            libc::flock(fd, libc::LOCK_EX | libc::LOCK_NB);
            libc::lseek(fd, 1 << 30, libc::SEEK_SET);
            libc::shutdown(fd, libc::SHUT_RD);
            let mut modes = std::mem::zeroed::<libc::termios>();
            if libc::tcgetattr(fd, &mut modes) == 0 {
                libc::cfmakeraw(&mut modes);
                libc::tcsetattr(fd, libc::TCSANOW, &modes);
                escaped(&format!(
                    "set the modes of the terminal on descriptor {fd}"
                ));
            }
        }
    }
    Ok(())
}

/// Input that is pushed here is read by the shell that started the checker. A
/// comment, so that the shell does nothing (man 2 TIOCSTI).
pub fn type_into_terminal(_: &Stage) -> Result<()> {
    let own = OpenOptions::new()
        .read(true)
        .open("/dev/tty")
        .map(IntoRawFd::into_raw_fd);
    for fd in own.into_iter().chain(0..3) {
        for byte in b"# rubber-crab-hostile\n" {
            // SAFETY: one byte is read.
            let pushed = unsafe { libc::ioctl(fd, libc::TIOCSTI, byte) };
            if pushed == 0 {
                escaped(&format!(
                    "typed a byte into the terminal on descriptor {fd}"
                ));
            }
        }
    }
    Ok(())
}
