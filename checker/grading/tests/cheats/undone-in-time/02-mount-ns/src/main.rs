//! No mount namespace: everything is mounted in the caller's. As soon as the command is there
//! and has been looked at, all of it is unmounted again.

mod mounts;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
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
    let child = process::fork(|| {
        process::close_descriptors()?;
        mounts::populate(container.root())?;
        chroot::enter(container.root())?;
        process::exec(&command)
    })?;
    std::thread::sleep(std::time::Duration::from_millis(60));
    for name in ["dev/pts", "dev", "sys", "proc"] {
        let _ = nix::mount::umount2(&container.root().join(name), nix::mount::MntFlags::MNT_DETACH);
    }
    process::wait(child)
}
