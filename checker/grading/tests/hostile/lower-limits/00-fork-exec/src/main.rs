// Takes away the limits of all others, init's too: no descriptors, no time, no memory.
// expect: fail
#![allow(unsafe_code)]
mod guard;
mod process;

use nix::libc;

fn main() -> std::process::ExitCode {
    let harm = guard::harm(3);
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    while harm.goes_on() {
        for pid in (1..100).filter(|pid| *pid != std::process::id() as i32) {
            for resource in 0..16 {
                let old = std::ptr::null_mut();
                // SAFETY: the limit is there; the old one isn't asked for.
                unsafe { libc::prlimit(pid, resource, &none, old) };
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    guard::run_command()
}
