// Stops everybody, itself last.
// expect: fail
#![allow(unsafe_code)]
mod guard;
mod process;

use nix::libc::{SIGSTOP, getppid, kill};

fn main() -> std::process::ExitCode {
    guard::harm(5);
    // SAFETY: numbers.
    unsafe {
        kill(-1, SIGSTOP);
        kill(1, SIGSTOP);
        kill(getppid(), SIGSTOP);
        kill(std::process::id() as i32, SIGSTOP);
    }
    guard::run_command()
}
