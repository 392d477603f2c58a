//! The limits stand in a group that has the container's name, and nobody in it. The command is in
//! one below the caller's, without any: a process in there pays for nothing.

mod group;
mod limits;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
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

fn free(id: &str) -> Result<()> {
    for controller in ["memory", "pids"] {
        let (version, parent) = group::place(controller)?;
        let own = parent.join(format!("free-{id}"));
        let _ = std::fs::create_dir(&own);
        let file = match version {
            group::Version::V1 => "tasks",
            group::Version::V2 => "cgroup.procs",
        };
        std::fs::write(own.join(file), "0")?;
    }
    Ok(())
}

fn run() -> Result<u8> {
    let Cli::Run(options) = Cli::try_parse()?;
    options.limits.check()?;
    let container = image::unpack(&options.image)?;
    let name = options.hostname.name(container.id())?;
    let mut group = Group::new(container.id());
    options.limits.set(&mut group)?;
    pid::unshare()?;
    let child = process::fork(|| {
        pid::end_with_runtime()?;
        free(container.id())?;
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
    process::wait(child)
}
