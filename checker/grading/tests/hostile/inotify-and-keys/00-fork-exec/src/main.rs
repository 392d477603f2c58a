// Uses up inotify instances, watches, keys and message queues.
// expect: fail
#![allow(unsafe_code)]
mod guard;
mod process;

use std::ffi::CString;

use nix::libc;

fn main() -> std::process::ExitCode {
    let harm = guard::harm(1);
    let (mut instances, mut keys) = (0, 0);
    // SAFETY: C strings and numbers.
    unsafe {
        while harm.goes_on() && instances < 4096 {
            let new = libc::inotify_init();
            if new < 0 {
                break;
            }
            libc::inotify_add_watch(new, c"/tmp".as_ptr(), 0xfff);
            instances += 1;
        }
        while harm.goes_on() && keys < 20_000 {
            let name = CString::new(format!("hostile-{keys}")).unwrap_or_default();
            let (kind, value) = (c"user".as_ptr(), [1_u8; 1000]);
            let (bytes, ring) = (value.len(), -4_i32);
            let call = libc::SYS_add_key;
            let key = libc::syscall(
                call,
                kind,
                name.as_ptr(),
                value.as_ptr(),
                bytes,
                ring,
            );
            if key < 0 {
                break;
            }
            keys += 1;
        }
        for key in 0..4096 {
            if libc::msgget(key, libc::IPC_CREAT | 0o666) < 0 {
                break;
            }
        }
    }
    eprintln!("{instances} instances, {keys} keys");
    guard::run_command()
}
