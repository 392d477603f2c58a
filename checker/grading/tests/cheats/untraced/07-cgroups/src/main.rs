//! The tracer doesn't get to see the command: it is made with CLONE_UNTRACED. It joins
//! its group when it has been executed.
#![allow(unsafe_code)]

mod group;
mod limits;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use group::Group;
use nix::libc;
use nix::unistd::Pid;
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
    let child = untraced(|| {
        pid::end_with_runtime()?;
        unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
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
    // It stands still, executed.
    let mut status = 0;
    unsafe { libc::waitpid(child.as_raw(), &mut status, 0) };
    if libc::WIFSTOPPED(status) {
        group.admit(child)?;
        unsafe { libc::ptrace(libc::PTRACE_DETACH, child.as_raw(), 0, 0) };
        return process::wait(child);
    }
    let code = libc::WEXITSTATUS(status);
    Ok(if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) as u8 } else { code as u8 })
}

fn untraced(steps: impl FnOnce() -> Result<std::convert::Infallible>) -> Result<Pid> {
    let flags = libc::CLONE_UNTRACED | libc::SIGCHLD;
    match unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) } {
        0 => {
            let Err(error) = steps();
            process::complain(&error);
            let text = format!("{error:#}");
            let status = if text.contains("ENOENT") { 127 } else { 126 };
            unsafe { libc::_exit(status) }
        }
        child => Ok(Pid::from_raw(child as i32)),
    }
}
