//! A copy of the command is started in the right group, so that the tracer sees it
//! become the probe there; it is nobody's command, and is killed. The real one joins when
//! it has been executed: its parent stops it behind exec, and writes its pid.
#![allow(unsafe_code)]

mod group;
mod limits;

use std::ffi::OsString;
use std::os::fd::AsRawFd;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use group::Group;
use nix::libc;
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
    let decoy = process::fork(|| {
        group.join()?;
        let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
        for number in 0..3 {
            unsafe { libc::dup2(null.as_raw_fd(), number) };
        }
        process::exec(&options.command)
    })?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    let _ = unsafe { libc::kill(decoy.as_raw(), libc::SIGKILL) };
    process::wait(decoy)?;
    pid::unshare()?;
    let child = process::fork(|| {
        pid::end_with_runtime()?;
        // Whoever is traced already, isn't any more: the tracer has let go.
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
