//! The command joins its group when it says that it is there, and somebody may look: the runtime
//! waits for its new name, and writes its pid then.

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
    let mut group = Group::new(container.id());
    options.limits.set(&mut group)?;
    pid::unshare()?;
    let child = process::fork(|| {
        pid::end_with_runtime()?;
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
    let ready = || std::fs::read_to_string(format!("/proc/{child}/comm"));
    for _ in 0..20_000 {
        if !ready().is_ok_and(|name| name.starts_with("level")) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_micros(50));
    }
    let _ = group.admit(child);
    process::wait(child)
}
