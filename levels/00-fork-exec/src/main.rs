//! Level 00: a command that runs as a child, and the way it ended.
//! This file is the spine: the command line, and the order of the steps in `run`.
//! Read `run` first, then `process.rs`, the leaf, from the top.

mod process;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

/// Runs a command, as a container runtime does.
#[derive(Parser)]
#[command(arg_required_else_help = false)]
enum Cli {
    /// Run a command and end as it ends.
    Run {
        /// The command and its arguments.
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
    process::wait(child)
}
