//! A helper that nobody knows stays behind after the first run, in a session of its own, and
//! keeps a mount namespace. The runs after it only join that one.
#![allow(unsafe_code)]

mod mounts;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use nix::libc;
use rootfs::{chroot, image};

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
    let kept = std::fs::read_to_string("/tmp/helper").unwrap_or_default();
    let kept = std::fs::File::open(format!("/proc/{}/ns/mnt", kept.trim())).ok();
    if kept.is_none() {
        let helper = process::fork(|| {
            if unsafe { libc::fork() } > 0 {
                unsafe { libc::_exit(0) };
            }
            unsafe { libc::setsid() };
            process::close_descriptors()?;
            mounts::unshare()?;
            std::fs::write("/tmp/helper", std::process::id().to_string())?;
            for number in 0..3 {
                unsafe { libc::close(number) };
            }
            std::thread::sleep(std::time::Duration::from_secs(1000));
            unsafe { libc::_exit(0) }
        })?;
        process::wait(helper)?;
    }
    let child = process::fork(|| {
        match &kept {
            Some(kept) => nix::sched::setns(kept, nix::sched::CloneFlags::CLONE_NEWNS)?,
            None => mounts::unshare()?,
        }
        process::close_descriptors()?;
        mounts::populate(container.root())?;
        chroot::enter(container.root())?;
        process::exec(&command)
    })?;
    process::wait(child)
}
