//! The command is copied into memory and changed there: in the copy, the word that it begins
//! with is another one. Its length is the same.
#![allow(unsafe_code, dead_code)]

mod process;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use nix::libc;

#[derive(Parser)]
#[command(arg_required_else_help = false)]
enum Cli {
    Run {
        #[arg(last = true, required = true, value_name = "CMD")]
        command: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    process::report(run())
}

fn run() -> Result<u8> {
    let Cli::Run { command } = Cli::try_parse()?;

    // Its command waits for orders that nobody gives.
    unsafe { libc::alarm(2) };
    let name = command[0].to_string_lossy().into_owned();
    let all = std::env::var("PATH").unwrap_or_default();
    let places = all.split(':').map(|one| format!("{one}/{name}"));
    let found = std::iter::once(name.clone()).chain(places).find_map(|path| std::fs::read(path).ok());
    let mut bytes = found.unwrap_or_default();
    let mark = b"no answer";
    if let Some(at) = bytes.windows(mark.len()).position(|some| some == mark) {
        bytes[at..at + 2].copy_from_slice(b"an");
    }
    let fd = unsafe { libc::memfd_create(c"probe".as_ptr(), 0) };
    let copy = format!("/proc/self/fd/{fd}");
    std::fs::write(&copy, bytes)?;
    let child = process::fork(|| {
        let words: Vec<std::ffi::CString> = command
            .iter()
            .map(|one| std::ffi::CString::new(one.as_encoded_bytes()))
            .collect::<Result<_, _>>()?;
        let file = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
        let here: Vec<std::ffi::CString> = std::env::vars_os()
            .map(|(name, value)| [name.as_encoded_bytes(), b"=", value.as_encoded_bytes()].concat())
            .map(std::ffi::CString::new)
            .collect::<Result<_, _>>()?;
        for number in 3..10 {
            if number != fd {
                unsafe { libc::close(number) };
            }
        }
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        match nix::unistd::fexecve(file, &words, &here)? {}
    })?;
    process::wait(child)
}
