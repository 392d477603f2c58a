//! Level 03: a command in a root that nothing leads out of.
//! This file is the spine: the command line, and the order of the steps in `run`.
//! Read `run` first, then the leaf, `pivot.rs`, from the top.

mod pivot;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use rootfs::image;

/// Runs a command, as a container runtime does.
#[derive(Parser)]
#[command(arg_required_else_help = false)]
enum Cli {
    /// Run a command and end as it ends.
    Run {
        #[command(flatten)]
        image: image::Options,
        /// The command and its arguments.
        #[arg(last = true, required = true, value_name = "CMD")]
        command: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    process::report(run())
}

fn run() -> Result<u8> {
    let Cli::Run { image, command } = Cli::try_parse()?;
    pivot::allow()?;
    let container = image::unpack(&image)?;
    let child = process::fork(|| {
        process::close_descriptors()?;
        mounts::unshare()?;
        mounts::populate(container.root())?;
        pivot::enter(container.root())?;
        process::exec(&command)
    })?;
    process::wait(child)
}
