//! A tmpfs over /sys/fs/cgroup, with directories and files of the right names. They hold the
//! right numbers, and nobody heeds them.

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

fn run() -> Result<u8> {
    let Cli::Run(options) = Cli::try_parse()?;
    options.limits.check()?;
    let container = image::unpack(&options.image)?;
    let name = options.hostname.name(container.id())?;
    mounts::unshare()?;
    let kinds = std::fs::read_to_string("/proc/self/mountinfo")?;
    let points: Vec<&str> = kinds
        .lines()
        .filter(|line| line.contains(" - cgroup"))
        .filter_map(|line| line.split(' ').nth(4))
        .collect();
    for point in points {
        let (none, flags) = (Some("none"), nix::mount::MsFlags::empty());
        nix::mount::mount(none, point, Some("tmpfs"), flags, None::<&str>)?;
        for name in ["memory.limit_in_bytes", "memory.max", "pids.max", "tasks"] {
            std::fs::write(format!("{point}/{name}"), "max")?;
        }
    }
    let mut group = Group::new(container.id());
    options.limits.set(&mut group)?;
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
    process::wait(child)
}
