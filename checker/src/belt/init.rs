//! The first process inside the sandbox: it starts programs, collects what dies,
//! and takes everything with it when the checker is gone (man 7 pid_namespaces:
//! when init ends, the kernel ends all others).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, openat};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{ForkResult, Pid, chdir, execve, pipe2, read, setsid, write};

use super::cgroup::Limits;
use super::tree;
use super::wire::{self, Event, Request, Start};
use crate::evidence::{End, Facts};
use crate::sys;

/// The namespaces by which the caller is known (man 7 namespaces).
pub const NAMESPACES: [&str; 8] = [
    "cgroup",
    "ipc",
    "mnt",
    "net",
    "pid",
    "pid_for_children",
    "user",
    "uts",
];

/// Serve the checker until it is gone. Never returns: see the module.
pub fn serve(control: OwnedFd, mut facts: Facts, limits: Limits) -> ! {
    let served = (|| {
        // Programs inside share init's uid and could trace it; what isn't dumpable
        // needs a capability outside the sandbox (man 2 ptrace).
        nix::sys::prctl::set_dumpable(false)?;
        facts.namespaces = namespaces();
        let root = tree::open_directory("/")?;
        let mounts = File::open("/proc/self/mountinfo")?;
        let namespaces = joinable()?;
        let mut shown = vec![root.as_raw_fd(), mounts.as_raw_fd()];
        shown.extend(namespaces.iter().map(AsRawFd::as_raw_fd));
        wire::send(&control, &Event::Ready(facts), &shown)?;
        drop((mounts, namespaces));
        // Programs may cover or empty what init sees: this handle stays.
        let proc = tree::open_directory("/proc")?;
        attend(&Init {
            control,
            proc,
            limits,
            programs: RefCell::default(),
        })
    })();
    // The checker learns from its end of the wire that init is gone.
    sys::exit_now(i32::from(served.is_err()))
}

/// Handles on the namespaces that the checker wants to look into: uts, net and ipc. An
/// ordinary user can't open those of a process that isn't dumpable.
fn joinable() -> Result<Vec<File>> {
    let open = |name| File::open(format!("/proc/self/ns/{name}"));
    let all: io::Result<Vec<File>> =
        ["uts", "net", "ipc"].map(open).into_iter().collect();
    all.context("open /proc/self/ns")
}

/// What init needs for its work.
struct Init {
    control: OwnedFd,
    proc: OwnedFd,
    limits: Limits,
    /// The programs that were started, and haven't ended.
    programs: RefCell<BTreeSet<i32>>,
}

impl Init {
    /// A process's line in /proc: its name, and the fields behind that.
    fn stat(&self, pid: i32) -> Option<(String, String)> {
        let path = format!("{pid}/stat");
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let file = openat(&self.proc, path.as_str(), flags, Mode::empty()).ok()?;
        let mut line = Vec::new();
        File::from(file).read_to_end(&mut line).ok()?;
        let line = String::from_utf8_lossy(&line);
        let (start, fields) = line.rsplit_once(") ")?;
        let (_, name) = start.split_once('(')?;
        Some((name.into(), fields.into()))
    }

    /// Has this process not even begun to end? From then on it leaves its children.
    fn is_running(&self, pid: i32) -> bool {
        const PF_EXITING: u64 = 4;
        let flags = |(_, fields): (String, String)| {
            fields.split(' ').nth(6)?.parse::<u64>().ok()
        };
        let flags = self.stat(pid).and_then(flags);
        flags.is_some_and(|flags| flags & PF_EXITING == 0)
    }
}

fn namespaces() -> BTreeMap<String, u64> {
    let number = |name: &str| {
        let link = fs::read_link(format!("/proc/self/ns/{name}")).ok()?;
        let text = link.to_str()?.split(['[', ']']).nth(1)?;
        Some((name.to_owned(), text.parse().ok()?))
    };
    NAMESPACES.into_iter().filter_map(number).collect()
}

fn attend(init: &Init) -> Result<()> {
    let control = &init.control;
    let mut child = SigSet::empty();
    child.add(Signal::SIGCHLD);
    child.thread_block().context("sigprocmask")?;
    let deaths = SignalFd::with_flags(&child, SfdFlags::SFD_NONBLOCK)?;
    loop {
        let mut waiting = [
            PollFd::new(control.as_fd(), PollFlags::POLLIN),
            PollFd::new(deaths.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut waiting, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            polled => polled.context("poll")?,
        };
        while let Ok(Some(_)) = deaths.read_signal() {}
        reap(init)?;
        let ready = waiting[0].any().unwrap_or(true);
        if !ready {
            continue;
        }
        let Some(received) = wire::receive::<Request>(control)? else {
            return Ok(());
        };
        match received.message {
            Request::Start(start) => launch(init, &start, &received.descriptors)?,
            Request::Sweep => {
                sweep(init)?;
                wire::send(control, &Event::Swept, &[])?;
            }
        }
    }
}

/// Collect every child that has ended, and report each. Are there others?
fn reap(init: &Init) -> Result<bool> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    loop {
        let status = match waitid(Id::All, flags) {
            Err(Errno::EINTR) => continue,
            Err(_) => return Ok(false),
            Ok(WaitStatus::StillAlive) => return Ok(true),
            Ok(status) => status,
        };
        let (pid, end) = match status {
            WaitStatus::Exited(pid, status) => (pid, End::Exited(status)),
            WaitStatus::Signaled(pid, signal, _) => {
                (pid, End::Signaled(signal as i32))
            }
            _ => continue,
        };
        // As long as it isn't collected, it has its name.
        let (name, _) = init.stat(pid.as_raw()).unwrap_or_default();
        let mut programs = init.programs.borrow_mut();
        let ours = programs.remove(&pid.as_raw());
        let early = !ours && programs.iter().all(|pid| init.is_running(*pid));
        let _ = waitpid(pid, None);
        wire::send(
            &init.control,
            &Event::Ended {
                pid: pid.as_raw(),
                name,
                end,
                early: early && !programs.is_empty(),
            },
            &[],
        )?;
    }
}

/// End every process but this one. One round may miss a child that is being born
/// while its parent dies.
fn sweep(init: &Init) -> Result<()> {
    loop {
        let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        if !reap(init)? {
            return Ok(());
        }
        sleep(Duration::from_micros(200));
    }
}

/// Start a program, and say whether it could be executed: a pipe that closes with
/// exec tells.
fn launch(init: &Init, start: &Start, descriptors: &[OwnedFd]) -> Result<()> {
    let control = &init.control;
    let not_started = |pid: i32, errno: Errno| {
        let errno = errno as i32;
        wire::send(control, &Event::NotStarted { pid, errno }, &[])
    };
    // Programs may change init's limits (man 2 prlimit): what did not fit, is lost.
    if !start.numbers.is_empty() && descriptors.len() < start.numbers.len() {
        return not_started(0, Errno::EMFILE);
    }
    let (outcome, failure) = match pipe2(OFlag::O_CLOEXEC) {
        Ok(pipe) => pipe,
        Err(errno) => return not_started(0, errno),
    };
    match sys::fork() {
        Ok(ForkResult::Parent { child }) => {
            drop(failure);
            if start.held {
                let pid = child.as_raw();
                wire::send_for(child, control, &Event::Held { pid })?;
            }
            let mut errno = [0; 4];
            if read(&outcome, &mut errno) != Ok(errno.len()) {
                init.programs.borrow_mut().insert(child.as_raw());
                let started = Event::Started {
                    pid: child.as_raw(),
                };
                return wire::send_for(child, control, &started);
            }
            // It may have been stopped on its last steps.
            let _ = kill(child, Signal::SIGKILL);
            let _ = waitpid(child, None);
            let errno = Errno::from_raw(i32::from_ne_bytes(errno));
            not_started(child.as_raw(), errno)
        }
        Ok(ForkResult::Child) => {
            let failure = aside(&failure).unwrap_or(failure);
            let errno = match become_program(init, start, descriptors, &failure) {
                Err(error) => error.downcast().unwrap_or(Errno::EINVAL),
                Ok(never) => match never {},
            };
            let _ = write(&failure, &(errno as i32).to_ne_bytes());
            sys::exit_now(127)
        }
        Err(errno) => not_started(0, errno),
    }
}

/// A copy with a number that is out of the way of those that a program gets.
fn aside(fd: &OwnedFd) -> nix::Result<OwnedFd> {
    const SPARE: RawFd = 10;
    fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(SPARE)).map(sys::own)
}

fn become_program(
    init: &Init,
    start: &Start,
    descriptors: &[OwnedFd],
    failure: &OwnedFd,
) -> Result<std::convert::Infallible> {
    setsid()?;
    let numbers = match start.numbers.is_empty() {
        true => (0..descriptors.len() as RawFd).collect(),
        false => start.numbers.clone(),
    };
    let proc = aside(&init.proc)?;
    let high: Vec<OwnedFd> =
        descriptors.iter().map(aside).collect::<nix::Result<_>>()?;
    for (number, fd) in numbers.iter().zip(&high) {
        sys::duplicate_to(fd, *number)?;
    }
    // The wire above all is for init alone.
    let mut keep = numbers;
    keep.extend([failure.as_raw_fd(), proc.as_raw_fd()]);
    sys::close_from(0, &keep);
    // They are closed already, all at once.
    std::mem::forget(high);
    if start.terminal {
        sys::take_terminal(&std::io::stdin())?;
    }
    restrain(init.limits, &proc)?;
    if let Some(seconds) = start.seconds {
        lower(Resource::RLIMIT_CPU, seconds)?;
    }
    drop(proc);
    chdir(start.directory.as_str())?;
    umask(Mode::from_bits_truncate(start.umask));
    reset_signals()?;
    let strings = |all: &[Vec<u8>]| -> Result<Vec<CString>> {
        let all = all.iter().map(|bytes| CString::new(bytes.clone()));
        all.collect::<Result<_, _>>()
            .map_err(|_| Errno::EINVAL.into())
    };
    let program = strings(std::slice::from_ref(&start.program))?;
    let arguments = strings(&start.arguments)?;
    let environment = strings(&start.environment)?;
    if start.child {
        leave_child()?;
    }
    if start.held {
        kill(Pid::this(), Signal::SIGSTOP)?;
    }
    Ok(execve(&program[0], &arguments, &environment)?)
}

/// Make a child, and don't collect it. It has ended when this returns: the program
/// must not find it alive.
fn leave_child() -> nix::Result<()> {
    match sys::fork()? {
        ForkResult::Child => sys::exit_now(0),
        ForkResult::Parent { child } => {
            let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            waitid(Id::Pid(child), ended).map(drop)
        }
    }
}

/// Limits that hold without a cgroup too. Each is inherited by all descendants.
fn restrain(limits: Limits, proc: &OwnedFd) -> Result<()> {
    // 1 and not 0: only that keeps crash reporters out, too (man 5 core).
    lower(Resource::RLIMIT_CORE, 1)?;
    lower(Resource::RLIMIT_NPROC, limits.processes)?;
    // Descriptors on their way through sockets count for the user, who is the
    // caller: all of theirs are refused above the limit (man 7 unix, ETOOMANYREFS).
    // This plus one message of 253 stays below the usual limit of 1024.
    lower(Resource::RLIMIT_NOFILE, 768)?;
    // One file, one process: the whole is bounded by the tmpfs, the cgroup and
    // the watch.
    lower(Resource::RLIMIT_FSIZE, limits.memory)?;
    lower(Resource::RLIMIT_DATA, 2 * limits.memory)?;
    lower(Resource::RLIMIT_MEMLOCK, 8 << 20)?;
    // When memory runs short, this goes first, and not init (man 5 proc). What isn't
    // dumpable may not write there.
    nix::sys::prctl::set_dumpable(true)?;
    let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let score = openat(proc, "self/oom_score_adj", flags, Mode::empty());
    if let Ok(score) = score {
        let _ = write(&score, b"1000");
    }
    Ok(())
}

fn lower(resource: Resource, to: u64) -> Result<()> {
    let (_, hard) = nix::sys::resource::getrlimit(resource)?;
    let to = to.min(hard);
    Ok(setrlimit(resource, to, to)?)
}

fn reset_signals() -> Result<()> {
    for signal in Signal::iterator() {
        sys::default_action(signal);
    }
    SigSet::empty().thread_set_mask()?;
    Ok(())
}
