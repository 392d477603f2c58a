// Traces and halts whoever it sees, and reads and writes their memory.
// expect: fail
#![allow(unsafe_code)]
mod guard;
mod process;

use std::fs::OpenOptions;

use nix::libc;

fn main() -> std::process::ExitCode {
    guard::harm(5);
    for pid in (1..400).filter(|pid| *pid != std::process::id() as i32) {
        // SAFETY: numbers.
        let seized = unsafe { libc::ptrace(libc::PTRACE_ATTACH, pid, 0, 0) };
        let memory = format!("/proc/{pid}/mem");
        let opened = OpenOptions::new().read(true).write(true).open(memory);
        if seized == 0 || opened.is_ok() {
            eprintln!("traced {pid}");
        }
    }
    guard::run_command()
}
