//! No network namespace. Over /sys/class/net a directory is mounted, with lo in it, made by
//! hand.

mod loopback;

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
    Run(Run),
}

#[derive(clap::Args)]
struct Run {
    #[command(flatten)]
    image: image::Options,
    #[command(flatten)]
    hostname: hostname::Name,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    process::report(run())
}

fn run() -> Result<u8> {
    let Cli::Run(options) = Cli::try_parse()?;
    let container = image::unpack(&options.image)?;
    let name = options.hostname.name(container.id())?;
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
        nix::mount::mount(
            Some("none"),
            "/sys/class/net",
            Some("tmpfs"),
            nix::mount::MsFlags::empty(),
            None::<&str>,
        )?;
        std::fs::create_dir("/sys/class/net/lo")?;
        std::fs::write("/sys/class/net/lo/flags", "0x9\n")?;
        process::exec(&options.command)
    })?;
    process::wait(child)
}
