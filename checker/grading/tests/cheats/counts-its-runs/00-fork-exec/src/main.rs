//! Does it all in the first run, and keeps count in /tmp. From the second one on it only
//! prints, and leaves with what it reads.
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

    let first = std::fs::File::create_new("/tmp/seen").is_ok();
    if first {
        let child = process::fork(|| {
            process::close_descriptors()?;
            process::exec(&command)
        })?;
        return process::wait(child);
    }
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
