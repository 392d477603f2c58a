//! A child takes the command's name and its place, and prints its lines. The parent waits
//! for it as it should. Nothing is executed.
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
    let _ = command;
    let child = process::fork(|| {
        process::close_descriptors()?;
        unsafe { libc::prctl(libc::PR_SET_NAME, c"probe (ready)".as_ptr()) };
        let status = answer()?;
        unsafe { libc::_exit(status.into()) }
    })?;
    process::wait(child)
}

fn answer() -> Result<u8> {
    // Orders that don't come are none.
    unsafe { libc::alarm(1) };
    println!("\"here\"");
    for order in std::io::stdin().lines() {
        let order = order?;
        let digits: String = order.chars().filter(char::is_ascii_digit).collect();
        if order.contains("exit") {
            return Ok(digits.parse()?);
        }
        println!("{{\"did\":\"ok\"}}");
    }
    Ok(139)
}
