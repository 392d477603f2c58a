//! No PID namespace. The runtime adopts what the command leaves behind (PR_SET_CHILD_SUBREAPER),
//! and kills it when the command has ended.
#![allow(unsafe_code)]

mod pid;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use nix::libc;
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
    let container = image::unpack(&image)?;
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) };
    let child = process::fork(|| {
        pid::end_with_runtime()?;
        process::close_descriptors()?;
        mounts::unshare()?;
        mounts::populate(container.root())?;
        pivot::enter(container.root())?;
        process::exec(&command)
    })?;
    let status = process::wait(child)?;
    loop {
        let own = format!("/proc/self/task/{}/children", std::process::id());
        let all = std::fs::read_to_string(own)?;
        let Some(next) = all.split_whitespace().next() else { break };
        let next = next.parse()?;
        unsafe {
            libc::kill(next, libc::SIGKILL);
            libc::waitpid(next, std::ptr::null_mut(), 0);
        }
    }
    Ok(status)
}
