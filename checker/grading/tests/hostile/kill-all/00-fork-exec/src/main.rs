// Kills everybody, by all means.
// expect: fail
#![allow(unsafe_code)]
mod guard;
mod process;

use nix::libc::{SIGKILL, getppid, kill};

fn main() -> std::process::ExitCode {
    guard::harm(5);
    // SAFETY: numbers.
    unsafe {
        kill(-1, SIGKILL);
        kill(1, SIGKILL);
        kill(getppid(), SIGKILL);
        for pid in 2..2000 {
            if pid != std::process::id() as i32 {
                kill(pid, SIGKILL);
            }
        }
    }
    guard::run_command()
}
