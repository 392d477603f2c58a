//! No quota. The runtime stops the command's processes and lets them go on, so that they run for
//! a part of the time only, as cpulimit does it.
#![allow(unsafe_code)]

mod cpu;

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
    let container = image::unpack(&options.image)?;
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
        mounts::populate(container.root())?;
        pivot::enter(container.root())?;
        unsafe { libc::setpgid(0, 0) };
        process::exec(&options.command)
    })?;
    if !options.cpu.is_limited() {
        return process::wait(child);
    }
    let (child, mut status, mut turn) = (child.as_raw(), 0, 0);
    while unsafe { libc::waitpid(child, &mut status, 1) } == 0 {
        turn += 1;
        unsafe { libc::kill(-child, if turn % 10 == 0 { 18 } else { 19 }) };
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let signal = status & 0x7f;
    Ok(if signal > 0 {
        128 + signal
    } else {
        status >> 8
    } as u8)
}

mod libc {
    use std::ffi::c_void;
    unsafe extern "C" {
        pub fn kill(pid: i32, signal: i32) -> i32;
        pub fn waitpid(pid: i32, status: *mut i32, flags: i32) -> i32;
        pub fn read(fd: i32, to: *mut c_void, most: usize) -> isize;
        pub fn sendmsg(fd: i32, message: *const c_void, flags: i32) -> isize;
        pub fn nice(more: i32) -> i32;
        pub fn sched_setaffinity(pid: i32, size: usize, mask: *const u64) -> i32;
        pub fn setpgid(pid: i32, group: i32) -> i32;
    }
}
