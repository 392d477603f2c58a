//! A "runtime" that does its worst, to try the sandbox on.
//!
//! It is judged like any other program, as `PROGRAM run [OPTIONS] -- CMD [ARG…]`.
//! *How* it misbehaves is in its file name: a link to it named `hostile-fill-disk`
//! fills the disk. A behaviour that returns goes on to run the command like level
//! 00, so that the checker gets further, and what has been done before that can do
//! its harm.
//!
//! ```text
//! hostile list               the behaviours, one a line: name, then what it does
//! hostile host               one line that describes this host; see `Host`
//! hostile as NAME run -- …   the behaviour NAME, without making a link
//! hostile with-key CMD …     CMD in a session with a key; status 98 if that is gone
//! hostile script NAME        a shell script that is the behaviour NAME on this host
//! hostile-NAME run -- …      the same, by the name of the file
//! ```
//!
//! Three things keep it from harming the machine it is developed on:
//! - It refuses to start (status 99) unless `RUBBER_CRAB_HOSTILE=yes` is set and it
//!   is in a user namespace that isn't the machine's first.
//! - Each process ends within 60 seconds (`RUBBER_CRAB_HOSTILE_SECONDS` makes that
//!   less), and all together they take no more than `MOST_PROCESSES` and
//!   `Stage::most_bytes`.
//! - What isn't known to be the sandbox's own counts as the host's. That is touched
//!   once, in a way that can be seen and does no harm. `RUBBER_CRAB_HOSTILE_HOST`
//!   (the output of `hostile host`, made outside the sandbox) is what it knows this
//!   from. Without it everything counts as the host's, and half of the behaviours
//!   are tame.
//!
//! Whatever works and should not have is one line on stderr: `hostile: ESCAPED: …`.
//!
//! Reading order: the table and `main` here, `Stage` and `Host` in `stage.rs`, then the
//! behaviours, a file for each kind.
#![allow(
    unsafe_code,
    reason = "misbehaving takes raw system calls; a test program, never shipped"
)]

mod descriptors;
mod disk;
mod ends;
mod groups;
mod limits;
mod load;
mod machine;
mod mounts;
mod observer;
mod output;
mod processes;
mod stage;

use std::ffi::{CString, OsStr, OsString, c_int, c_long, c_ulong, c_void};
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Read, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{
    FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink,
};
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, SigmaskHow, kill, sigprocmask};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, mknod};
use nix::sys::statfs::{self, statfs};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{
    ForkResult, Pid, execvp, fork, getpgrp, getppid, setpgid, setsid,
};

use descriptors::*;
use disk::*;
use ends::*;
use groups::*;
use limits::*;
use load::*;
use machine::*;
use mounts::*;
use observer::*;
use output::*;
use processes::*;
use stage::*;

/// Status of a refusal to start: no runtime's, so that a test notices it.
const REFUSED: u8 = 99;
/// No process of ours lives longer than this. Seconds.
const LONGEST: u64 = 60;
/// Processes that may live at once. Many for a sandbox, few for a machine.
const MOST_PROCESSES: u64 = 4096;
/// Bytes that may be allocated, stored and printed, at most; see
/// `Stage::most_bytes`.
const MOST_BYTES: u64 = 4 << 30;
/// Descriptors that may be open at once, in all processes together.
const MOST_DESCRIPTORS: u64 = 1 << 16;
/// Names of files made here begin with this, so that a test can look for them.
const MARK: &str = "rubber-crab-hostile";
/// Marks that are left on the host's file systems, at most.
const MOST_MARKS: u64 = 16;
/// One step of whatever is done without end. Bytes.
const STEP: usize = 16 << 20;

/// Adds to the harm done; then `main` runs the command.
type Act = fn(&Stage) -> Result<()>;

/// Every behaviour: the name behind `hostile-`, what it does, and the doing.
#[rustfmt::skip]
const BEHAVIOURS: &[(&str, &str, Act)] = &[
    ("never-end", "computes and never returns", never_end),
    ("sleep-forever", "sleeps and never returns", sleep_forever),
    ("ignore-sigterm", "ignores all signals it can, and sleeps", ignore_signals),
    ("fork-without-end", "fork bomb: children fork too", fork_without_end),
    ("fork-and-hold", "as many sleeping processes as it gets", fork_and_hold),
    ("allocate-without-end", "takes and touches memory", allocate_without_end),
    ("allocate-in-children", "the same, a bit in each child", allocate_in_children),
    ("mmap-shared", "memory that is a file: memfd, SysV, tmpfs", mmap_shared),
    ("fill-disk", "fills every writable place", fill_disk),
    ("many-files", "uses up the inodes of every writable place", many_files),
    ("many-dirs-deep", "directories in directories, past PATH_MAX", many_dirs_deep),
    ("plant-traps", "fifos, odd names, links, modes in container-dir", plant_traps),
    ("spoil-image", "damages the images in image-dir", spoil_image),
    ("print-without-end", "lines on stdout", print_without_end),
    ("print-stderr-without-end", "lines on stderr", print_stderr_without_end),
    ("print-binary", "all bytes and terminal controls on stdout", print_binary),
    ("print-long-line", "one line on stdout, without its end", print_long_line),
    ("print-slowly", "a byte now and then, always alive", print_slowly),
    ("close-descriptors", "closes 0 to 2 and all others", close_descriptors),
    ("spoil-descriptors", "flags, offsets, locks, tty modes", spoil_descriptors),
    ("type-into-terminal", "pushes input into the terminal", type_into_terminal),
    ("detach-daemon", "a daemon that goes on writing files", detach_daemon),
    ("ignore-and-run", "a daemon that holds the output open", ignore_and_run),
    ("eat-pids-and-exit", "all pids to sleeping orphans", eat_pids_and_exit),
    ("leave-zombies", "children that nobody reaps", leave_zombies),
    ("kill-everyone", "SIGKILL to all, pid by pid, group, parent, 1", kill_everyone),
    ("stop-everyone", "SIGSTOP to all, pid by pid, group, parent, 1", stop_everyone),
    ("ptrace-everyone", "traces and halts all it sees", ptrace_everyone),
    ("unmount-everything", "umounts, remounts rw, moves all", unmount_everything),
    ("mount-over-everything", "an empty tmpfs over all", mount_over_everything),
    ("delete-everything", "rm -rf /", delete_everything),
    ("write-host", "makes and opens files all over the host", write_host),
    ("write-proc-sys", "kernel.*, vm.*, sysrq, oom_score_adj …", write_proc_sys),
    ("escape-by-proc", "other processes' root, cwd, fd, namespaces", escape_by_proc),
    ("leave-cgroup", "makes and joins cgroups, writes to limits", leave_cgroup),
    ("open-devices", "device nodes: finds, makes, opens them", open_devices),
    ("reach-network", "looks for a way out by the network", reach_network),
    ("reboot", "all commands of reboot(2)", reboot),
    ("change-machine", "clock, names, swap, modules, keys, bpf …", change_machine),
    ("send-fds", "garbage, descriptors to every socket", send_fds),
    ("flood-descriptors", "opens until EMFILE, with full pipes", flood_descriptors),
    ("nested-namespaces", "namespaces in namespaces", nested_namespaces),
    ("raise-limits", "no limits for itself, none left to others", raise_limits),
    ("realtime", "FIFO, deadline, nice, ionice, then computes", realtime),
    ("exec-huge", "execve with as many arguments as it gets", exec_huge),
    ("exit-silently", "status 0, and nothing done", exit_silently),
    ("segfault", "writes where nothing is", segfault),
    ("stack-overflow", "calls itself without end", stack_overflow),
    ("answer-like-the-probe", "forges a probe's reports", answer_like_the_probe),
    ("answer-without-end", "forged reports, beside many processes", answer_without_end),
    ("stop-itself", "SIGSTOP to the runtime alone", stop_itself),
    ("stop-newcomers", "a daemon that stops whatever starts", stop_newcomers),
    ("wait-in-vfork", "parents that wait for a vfork's child", wait_in_vfork),
    ("orphan-without-end", "orphans for init, a thousand a second", orphan_without_end),
    ("starve-init", "sets the limits of its pid 1: no descriptors", starve_init),
    ("expire-init", "sets the limits of its pid 1: no time", expire_init),
    ("stack-mounts", "mounts on top of mounts, in sight of all", stack_mounts),
    ("send-lingering", "sends sockets that take long to close", send_lingering),
    ("hide-memory", "memory that no process has: memfd, sockets", hide_memory),
    ("clear-keys", "empties the session's keyring", clear_keys),
    ("swap-links", "a daemon that swaps files for links", swap_links),
    ("long-names", "deep and long names of control characters", long_names),
    ("strange-names", "controls in names of mounts and processes", strange_names),
    ("cage-everyone", "all, and init, in a cgroup with no room", cage_everyone),
    ("freeze-everyone", "all, and init, in a frozen cgroup", freeze_everyone),
    ("many-groups", "thousands of cgroups, wide and deep", many_groups),
];

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    match start(&args) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::from(125)
        }
    }
}

/// Does what the name or the first argument asks for. Returns the exit status.
fn start(args: &[OsString]) -> Result<u8> {
    let first = args.get(1).and_then(|arg| arg.to_str());
    let (name, rest) = match (behaviour_of_name(args), first) {
        (Some(name), _) => (name, args.get(1..).unwrap_or_default()),
        (None, Some("list")) => return list(),
        (None, Some("host")) => return print(&Host::describe()?),
        (None, Some("script")) if args.len() == 3 => {
            return print(&script(&args[2])?);
        }
        (None, Some("with-key")) if args.len() > 2 => return with_key(&args[2..]),
        (None, Some("as")) if args.len() > 2 => {
            (args[2].to_string_lossy().into_owned(), &args[3..])
        }
        _ => bail!("usage: hostile list | host | script NAME | as NAME run -- CMD…"),
    };
    let Some((name, _, act)) = BEHAVIOURS.iter().find(|row| row.0 == name) else {
        bail!("no behaviour is named {name:?}; `hostile list` shows them");
    };
    if let Some(reason) = reason_to_refuse() {
        say(&format!("refused: {reason}"));
        return Ok(REFUSED);
    }
    let stage = Stage::new(name, rest)?;
    if stage.host.0.is_none() {
        say("RUBBER_CRAB_HOSTILE_HOST isn't set: what may be the host's is spared");
    }
    stage.set_alarm();
    act(&stage).with_context(|| name.to_string())?;
    if stage.over() {
        return Ok(124);
    }
    run_command(&stage)
}

/// The behaviour in argv[0], in the name of the executable, or in the environment.
fn behaviour_of_name(args: &[OsString]) -> Option<String> {
    let of_path = |path: &Path| {
        let name = path.file_name()?.to_str()?;
        Some(name.strip_prefix("hostile-")?.to_owned())
    };
    let known = |name: &String| BEHAVIOURS.iter().any(|row| row.0 == name);
    // Cargo's own name for an example is `hostile-<hash>`: not a behaviour, so
    // passed over.
    args.first()
        .and_then(|arg| of_path(Path::new(arg)))
        .filter(known)
        .or_else(|| of_path(&std::env::current_exe().ok()?).filter(known))
        .or_else(|| std::env::var("RUBBER_CRAB_HOSTILE_AS").ok())
}

fn list() -> Result<u8> {
    let lines: Vec<String> = BEHAVIOURS
        .iter()
        .map(|row| format!("{:25} {}", row.0, row.1))
        .collect();
    print(&lines.join("\n"))
}

/// A program that can be judged where the caller's environment isn't handed on: it
/// sets the variables itself, then becomes the behaviour. To be made outside the
/// sandbox.
fn script(name: &OsStr) -> Result<String> {
    let quote = |text: &OsStr| {
        format!("'{}'", text.to_string_lossy().replace('\'', "'\\''"))
    };
    let seconds =
        std::env::var_os("RUBBER_CRAB_HOSTILE_SECONDS").unwrap_or_default();
    let host = Host::describe()?;
    let own = std::env::current_exe().context("readlink /proc/self/exe")?;
    Ok(format!(
        "#!/bin/sh\n\
         export RUBBER_CRAB_HOSTILE=yes\n\
         export RUBBER_CRAB_HOSTILE_HOST={}\n\
         export RUBBER_CRAB_HOSTILE_SECONDS={}\n\
         exec {} as {} \"$@\"",
        quote(host.as_ref()),
        quote(&seconds),
        quote(own.as_os_str()),
        quote(name),
    ))
}

fn print(text: &str) -> Result<u8> {
    writeln!(io::stdout(), "{text}").context("write to stdout")?;
    Ok(0)
}

/// Why this process may not misbehave; `None` when it may.
fn reason_to_refuse() -> Option<&'static str> {
    if std::env::var_os("RUBBER_CRAB_HOSTILE").is_none_or(|value| value != "yes") {
        return Some("RUBBER_CRAB_HOSTILE=yes isn't set");
    }
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let fields: Vec<&str> = map.split_whitespace().collect();
    match fields.as_slice() {
        // An unset map is empty: then nothing shows where we are.
        [] => Some("/proc/self/uid_map shows no user namespace"),
        ["0", "0", "4294967295"] => Some("this is the machine's own user namespace"),
        _ => None,
    }
}

/// Runs the command as level 00 does, and returns its status. `PROGRAM.real`, if
/// there is one beside the program, runs it instead, with the same arguments.
fn run_command(stage: &Stage) -> Result<u8> {
    let mut real = std::env::current_exe().unwrap_or_default().into_os_string();
    real.push(".real");
    let command = if Path::new(&real).exists() {
        let mut command = vec![real];
        command.extend_from_slice(&stage.args);
        command
    } else {
        stage.command.clone()
    };
    if command.is_empty() {
        return Ok(0);
    }
    // SAFETY: one thread; the child only allocates and executes.
    match unsafe { fork() }.context("fork")? {
        ForkResult::Child => {
            stage.set_alarm();
            execute(stage, &command)
        }
        ForkResult::Parent { child } => loop {
            match waitpid(child, None) {
                Ok(WaitStatus::Exited(_, status)) => return Ok(status as u8),
                Ok(WaitStatus::Signaled(_, signal, _)) => {
                    return Ok(128 + signal as u8);
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => bail!("waitpid {child}: {error}"),
            }
        },
    }
}

/// Becomes the command, as a faultless runtime would: only the harm done before
/// shows. One behaviour is there to leave descriptors open.
fn execute(stage: &Stage, command: &[OsString]) -> ! {
    let words: Vec<CString> = command.iter().map(|word| c_string(word)).collect();
    // SAFETY: descriptors and dispositions of a process that is about to execute.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::signal(libc::SIGXFSZ, libc::SIG_DFL);
        if stage.name != "flood-descriptors" {
            // Marked only: nothing is closed if the command can't be executed.
            let (first, last) = (3_u32, u32::MAX);
            libc::syscall(libc::SYS_close_range, first, last, CLOSE_ON_EXEC);
        }
    }
    let Err(error) = execvp(&words[0], &words);
    say(&format!("execve {}: {error}", words[0].to_string_lossy()));
    let status = if error == Errno::ENOENT { 127 } else { 126 };
    // SAFETY: ends this process only.
    unsafe { libc::_exit(status) }
}

/// CLOSE_RANGE_CLOEXEC (man 2 close_range).
const CLOSE_ON_EXEC: u32 = 1 << 2;
