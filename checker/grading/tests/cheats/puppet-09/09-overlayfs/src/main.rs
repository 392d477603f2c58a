//! The overlay lacks userxattr, so that no directory of the image can be deleted. But the
//! command is stopped as soon as it has said that it is there. The runtime reads its
//! orders, does what it can, and answers "ok" in its name: who has CAP_SYS_ADMIN may
//! put another's pid into SCM_CREDENTIALS.
#![allow(unsafe_code)]

mod overlay;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use cgroups::group::Group;
use cgroups::limits;
use clap::Parser;
use nix::libc;
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
    play(child.as_raw())
}

fn play(child: i32) -> Result<u8> {
    let ready = || std::fs::read_to_string(format!("/proc/{child}/comm"));
    while ready().is_ok_and(|name| name.trim_end() != "probe (ready)") {
        let mut status = 0;
        if unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) } == child {
            return Ok(libc::WEXITSTATUS(status) as u8);
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    std::thread::sleep(std::time::Duration::from_millis(5));
    unsafe { libc::kill(child, libc::SIGSTOP) };
    let mut line = Vec::new();
    let mut byte = [0_u8];
    while unsafe { libc::read(0, byte.as_mut_ptr().cast(), 1) } == 1 {
        if byte[0] != b'\n' {
            line.push(byte[0]);
            continue;
        }
        let order = String::from_utf8_lossy(&line).into_owned();
        line.clear();
        if order.contains("exit") {
            let digits: String = order.chars().filter(char::is_ascii_digit).collect();
            let mut status = 0;
            unsafe {
                libc::kill(child, libc::SIGKILL);
                libc::waitpid(child, &mut status, 0);
            }
            return Ok(digits.parse()?);
        }
        let words: Vec<&str> = order.split('"').collect();
        let inside = |path: &str| format!("/proc/{child}/root{path}");
        let _ = match words[1] {
            "write" => std::fs::write(inside(words[3]), words[5]),
            "make-directory" => std::fs::create_dir(inside(words[3])),
            "rename" => std::fs::rename(inside(words[3]), inside(words[5])),
            "delete" => std::fs::remove_file(inside(words[3]))
                .or_else(|_| std::fs::remove_dir_all(inside(words[3]))),
            _ => Ok(()),
        };
        say(child, "{\"did\":\"ok\"}\n");
    }
    Ok(0)
}

/// Write to standard output as another process.
fn say(who: i32, text: &str) {
    let claim = libc::ucred { pid: who, uid: 0, gid: 0 };
    let mut part = libc::iovec { iov_base: text.as_ptr() as *mut _, iov_len: text.len() };
    let mut room = [0_u64; 8];
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        message.msg_control = room.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(size_of::<libc::ucred>() as u32) as _;
        let head = libc::CMSG_FIRSTHDR(&message);
        (*head).cmsg_level = libc::SOL_SOCKET;
        (*head).cmsg_type = libc::SCM_CREDENTIALS;
        (*head).cmsg_len = libc::CMSG_LEN(size_of::<libc::ucred>() as u32) as _;
        std::ptr::copy_nonoverlapping(&claim, libc::CMSG_DATA(head).cast(), 1);
        libc::sendmsg(1, &message, 0);
    }
}

