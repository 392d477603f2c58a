//! Level 09: one image, many containers. A container runtime.
//! This file is the spine: the command line, and the order of the steps in `start`.
//! Read `start` first, then the leaf, `overlay.rs`, from the top.

mod overlay;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use cgroups::group::Group;
use cgroups::limits;
use clap::Parser;
use rootfs::image;

/// Runs a command, as a container runtime does.
#[derive(Parser)]
#[command(arg_required_else_help = false)]
enum Cli {
    /// Run a command and end as it ends.
    Run(Run),
    /// Stop a container where it is.
    Pause { id: String },
    /// Let a paused container go on.
    Unpause { id: String },
}

#[derive(clap::Args)]
struct Run {
    #[command(flatten)]
    image: image::Options,
    #[command(flatten)]
    cache: overlay::Cache,
    #[command(flatten)]
    hostname: hostname::Name,
    #[command(flatten)]
    limits: limits::Limits,
    #[command(flatten)]
    cpu: cpu::Share,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    process::report(run())
}

fn run() -> Result<u8> {
    match Cli::try_parse()? {
        Cli::Run(options) => return start(&options),
        Cli::Pause { id } => cpu::freeze(&id)?,
        Cli::Unpause { id } => cpu::thaw(&id)?,
    }
    Ok(0)
}

fn start(options: &Run) -> Result<u8> {
    options.limits.check()?;
    options.cpu.check()?;
    let (container, layers) = overlay::prepare(&options.image, &options.cache)?;
    let name = options.hostname.name(container.id())?;
    let mut group = Group::new(container.id());
    options.limits.set(&mut group)?;
    options.cpu.set(&mut group)?;
    cpu::allow_pause(&mut group);
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
        overlay::mount(&layers, container.root())?;
        mounts::populate(container.root())?;
        pivot::enter(container.root())?;
        process::exec(&options.command)
    })?;
    process::wait(child)
}
