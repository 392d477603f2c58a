// Memory that no process has: of memfd, of pipes, and in files of its own tmpfs.
// expect: fail
#![allow(unsafe_code)]
mod guard;
mod process;

use std::fs::File;
use std::io::Write;
use std::os::fd::FromRawFd;

use nix::libc;

fn main() -> std::process::ExitCode {
    let harm = guard::harm(3);
    let (block, mut kept) = (vec![1_u8; 1 << 20], Vec::new());
    // SAFETY: names are C strings, numbers are the kernel's.
    unsafe {
        libc::unshare(libc::CLONE_NEWNS);
        let (kind, place) = (c"tmpfs".as_ptr(), c"/tmp".as_ptr());
        let size = c"size=100%".as_ptr().cast();
        libc::mount(kind, place, kind, 0, size);
        for number in 0.. {
            if !harm.bytes(3 << 20) {
                break;
            }
            let memfd = libc::memfd_create(c"hidden".as_ptr(), 0);
            if memfd >= 0 {
                kept.push(File::from_raw_fd(memfd));
            }
            kept.extend(File::create(format!("/tmp/hidden-{number}")));
            let mut ends = [0; 2];
            if libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK) == 0 {
                libc::fcntl(ends[1], libc::F_SETPIPE_SZ, 1 << 20);
                kept.extend(ends.map(|end| File::from_raw_fd(end)));
            }
            for file in kept.iter().rev().take(4) {
                let _ = (&*file).write(&block);
            }
        }
    }
    harm.hold();
    guard::run_command()
}
