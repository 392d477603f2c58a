//! No group. The runtime reads the orders in the pipe before the command does: when it is told to
//! eat, it is killed, as if the kernel had done it.
#![allow(unsafe_code)]

mod group;
mod limits;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use nix::libc;
use group::Group;
use rootfs::image;

/// Runs a command, as a container runtime does.
#[derive(Parser)]
#[command(arg_required_else_help = false)]
enum Cli {
    /// Run a command and end as it ends.
    Run(Run),
}

#[derive(clap::Args)]
struct Run {
    #[command(flatten)]
    image: image::Options,
    #[command(flatten)]
    hostname: hostname::Name,
    #[command(flatten)]
    limits: limits::Limits,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    process::report(run())
}

fn run() -> Result<u8> {
    let Cli::Run(options) = Cli::try_parse()?;
    options.limits.check()?;
    let container = image::unpack(&options.image)?;
    let name = options.hostname.name(container.id())?;
    let mut group = Group::new(container.id());
    let _ = &mut group;
    pid::unshare()?;
    let child = process::fork(|| {
        pid::end_with_runtime()?;
        group.join()?;
        process::close_descriptors()?;
        hostname::unshare()?;
        hostname::set(name)?;
        loopback::unshare()?;
        loopback::up()?;
        mounts::unshare()?;
        mounts::populate(container.root())?;
        pivot::enter(container.root())?;
        process::exec(&options.command)
    })?;
    let (mut left, mut status) = (0, 0);
    loop {
        unsafe { libc::ioctl(0, libc::FIONREAD, &mut left) };
        if left > 0 && options.limits.is_for_eating() {
            unsafe { libc::kill(child.as_raw(), libc::SIGKILL) };
        }
        if unsafe { libc::waitpid(child.as_raw(), &mut status, libc::WNOHANG) } != 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_micros(50));
    }
    let signal = libc::WTERMSIG(status);
    Ok(if signal > 0 { 128 + signal } else { libc::WEXITSTATUS(status) } as u8)
}
