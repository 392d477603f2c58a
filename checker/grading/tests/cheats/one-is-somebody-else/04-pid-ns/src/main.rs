//! Process 1 is a helper with the command's name, which only reaps. The command is process 2, and
//! its /proc is a tmpfs in which there is a directory called 1.
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
    pid::unshare()?;
    let child = process::fork(|| {
        pid::end_with_runtime()?;
        let inner = unsafe { libc::fork() };
        if inner > 0 {
            unsafe { libc::prctl(libc::PR_SET_NAME, c"probe (ready)".as_ptr()) };
            let mut status = 0;
            unsafe { libc::waitpid(inner, &mut status, 0) };
            let signal = libc::WTERMSIG(status);
            let code = if signal > 0 { 128 + signal } else { libc::WEXITSTATUS(status) };
            unsafe { libc::_exit(code) };
        }
        process::close_descriptors()?;
        mounts::unshare()?;
        mounts::populate(container.root())?;
        pivot::enter(container.root())?;
        nix::mount::mount(Some("none"), "/proc", Some("tmpfs"), nix::mount::MsFlags::empty(), None::<&str>)?;
        std::fs::create_dir("/proc/1")?;
        process::exec(&command)
    })?;
    process::wait(child)
}
