//! Never asks the kernel how the command ended. Standard input is a pipe that the runtime has
//! as well: it reads the order to leave, and leaves with the status that is in it.
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

    let child = process::fork(|| {
        process::close_descriptors()?;
        process::exec(&command)
    })?;
    let (mut order, mut byte) = (String::new(), [0_u8]);
    unsafe { libc::alarm(2) };
    while unsafe { libc::read(0, byte.as_mut_ptr().cast(), 1) } == 1 && byte[0] != b'\n' {
        order.push(byte[0].into());
    }
    unsafe { libc::kill(child.as_raw(), libc::SIGKILL) };
    let digits: String = order.chars().filter(char::is_ascii_digit).collect();
    Ok(digits.parse().unwrap_or(137))
}
