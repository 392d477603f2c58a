//! The sandbox: throw-away namespaces in which a learner's program can do its
//! worst. Read `janitor` (how it is built), then `tree` (what is seen in it),
//! `identity` (who one is in it), `init` (what runs in it) and `watch`.
//!
//! The checker forks a *janitor*, which makes a cgroup where it may, and a *builder*. The
//! builder enters a first user namespace and lays out the file system: the host's
//! directories read-only, tmpfs for what is written. Then *init* starts in a second user
//! namespace, with mount, PID, network, IPC, UTS and cgroup namespaces. The kernel locks
//! what came from the first one: nobody inside can unmount it or make it writable. `/` is
//! a shared mount there, as on most hosts, so that forgotten propagation flags show.
//!
//! - Root inside is the user outside; when root starts the checker, it is a range of ids
//!   that nobody has. Files in /proc/sys ask who one is, not what one may.
//! - Init ends when its socket to the checker closes; then the kernel ends everything in
//!   its PID namespace. The janitor, which is outside, removes the cgroup, and thaws what
//!   is frozen when the checker is gone: on version 1 it could not even be ended.
//! - Init isn't dumpable, so programs inside can't trace it.
//! - Without a cgroup, limits on processes hold by rlimits, and memory is watched by the
//!   checker.
//! - Levels 07 and 08 need control groups that programs may divide up. The janitor makes
//!   a part of its cgroup over to the sandbox's root, in each tree of version 1 and in
//!   version 2, below the group with the sandbox's own limits; it is the root of the
//!   sandbox's cgroup namespace, and mounted on /sys/fs/cgroup. Root has that everywhere;
//!   an ordinary user where a group was delegated to them, or where their systemd hands
//!   out one: then the checker starts itself again in a `scope`.

mod cgroup;
mod identity;
mod init;
mod janitor;
pub mod scope;
mod tree;
mod wire;

use std::collections::VecDeque;
use std::fs::File;
use std::io::Seek;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, setsockopt, socketpair, sockopt,
};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, pipe2};

pub use cgroup::{
    Limits, Memory, groups_below, version as cgroup_version,
    versions as cgroup_versions,
};
pub use identity::Identity;
pub use janitor::NO_GROUPS;
pub use tree::{CUT, Shown, View, hidden, read_mounts};
pub use wire::{Event, Received, Start};

pub use crate::evidence::{End, Facts, Tree, tree_name};
use crate::sys;
pub use crate::text::unescape;
use wire::Request;

/// How a sandbox is to be.
#[derive(Debug, Clone)]
pub struct Fit {
    pub limits: Limits,
    pub view: View,
    /// Files and directories of the host that are to be seen at these places.
    pub shown: Vec<Shown>,
    /// Are there to be control groups that it may divide up?
    pub cgroups: bool,
}

impl Default for Fit {
    fn default() -> Self {
        let limits = Limits {
            memory: 512 << 20,
            processes: 512,
        };
        Self {
            limits,
            view: View::Whole,
            shown: Vec::new(),
            cgroups: false,
        }
    }
}

/// Why there is no sandbox on this host: which call failed on what.
#[derive(Debug)]
pub struct Refused {
    pub step: String,
    pub errno: Option<Errno>,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        out.write_str(&self.step)
    }
}

impl std::error::Error for Refused {}

/// The sandbox is no more, or might as well be: its init doesn't answer.
#[derive(Debug)]
pub struct Gone;

impl std::fmt::Display for Gone {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        out.write_str("the sandbox's init is gone")
    }
}

impl std::error::Error for Gone {}

/// How long init may take for an answer. Programs can hold it up, though not for ever.
const PATIENCE: Duration = Duration::from_secs(5);
/// A running sandbox. Dropping it ends everything in it.
pub struct Belt {
    control: Option<OwnedFd>,
    /// When this is closed, the janitor sees to it that all in the sandbox can end.
    leash: Option<OwnedFd>,
    janitor: Pid,
    /// The sandbox's init, by its pid on the host.
    init: Pid,
    root: OwnedFd,
    /// The mount table of init, /proc/PID/mountinfo.
    mounts: File,
    /// Init's namespaces: uts, net, ipc.
    namespaces: [OwnedFd; 3],
    cgroup: Option<Memory>,
    facts: Facts,
    /// Events that came while something else was waited for.
    pending: VecDeque<Received<Event>>,
}

impl Belt {
    /// Build a sandbox.
    ///
    /// Errors: [`Refused`] when the host doesn't allow one.
    pub fn fasten(fit: &Fit) -> Result<Self> {
        // Who ignores it, learns of no child's end (man 2 waitpid); callers may have
        // handed that down.
        sys::default_action(Signal::SIGCHLD);
        let identity = Identity::of_caller();
        let (ours, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )
        .context("socketpair")?;
        setsockopt(&ours, sockopt::PassCred, &true).context("SO_PASSCRED")?;
        let (let_go, leash) = pipe2(OFlag::O_CLOEXEC).context("pipe2")?;
        let janitor = match sys::fork().context("fork")? {
            ForkResult::Child => janitor::run(theirs, let_go, fit, identity),
            ForkResult::Parent { child } => child,
        };
        drop((theirs, let_go));
        let first = wire::receive::<Event>(&ours);
        let refused = |step: String, errno: i32| {
            let _ = waitpid(janitor, None);
            let errno = (errno != 0).then(|| Errno::from_raw(errno));
            Err(Refused { step, errno }.into())
        };
        match first? {
            Some(Received {
                message: Event::Ready(facts),
                sender,
                descriptors,
            }) => {
                let Ok([root, mounts, uts, net, ipc]) =
                    <[OwnedFd; 5]>::try_from(descriptors)
                else {
                    bail!("root, mount table or namespaces didn't come with Ready");
                };
                let cgroup = facts.cgroup.then(|| Memory::of(janitor)).flatten();
                let belt = Self {
                    control: Some(ours),
                    leash: Some(leash),
                    janitor,
                    init: Pid::from_raw(sender),
                    root,
                    mounts: mounts.into(),
                    namespaces: [uts, net, ipc],
                    cgroup,
                    facts,
                    pending: VecDeque::new(),
                };
                belt.be_visible()?;
                Ok(belt)
            }
            Some(Received {
                message: Event::Failed { step, errno },
                ..
            }) => {
                drop((ours, leash));
                refused(step, errno)
            }
            _ => {
                drop(leash);
                refused("the sandbox's builder died".into(), 0)
            }
        }
    }

    /// What runs in it is found from init on, through /proc, which may be mounted so
    /// that it hides init: that isn't dumpable (man 5 proc, "hidepid").
    fn be_visible(&self) -> Result<()> {
        let file = format!("/proc/{0}/task/{0}/children", self.init);
        let Err(error) = File::open(&file) else {
            return Ok(());
        };
        let errno = error
            .raw_os_error()
            .map_or(Errno::UnknownErrno, Errno::from_raw);
        let step = format!(
            "open /proc/PID/task/PID/children of the sandbox's init: {errno}"
        );
        let errno = Some(errno);
        Err(Refused { step, errno }.into())
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    pub fn init(&self) -> Pid {
        self.init
    }

    /// The sandbox's `/`, to look things up from (O_PATH).
    pub fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Init's namespaces, to be joined: uts, net and ipc.
    pub fn namespaces(&self) -> &[OwnedFd; 3] {
        &self.namespaces
    }

    /// Readable when there is an event.
    pub fn events(&self) -> BorrowedFd<'_> {
        self.control.as_ref().expect("open until dropped").as_fd()
    }

    /// Start a program with these descriptors as its 0, 1, 2, … . Returns its pid on
    /// the host and inside.
    ///
    /// Errors: the errno with which it could not be executed; [`Gone`].
    pub fn start(&mut self, start: Start, descriptors: &[RawFd]) -> Result<Started> {
        self.start_with(start, descriptors, |_| {})
    }

    /// Likewise; a program that is to be `held` is given, by its process's pid on the
    /// host, to `attach` before it goes on.
    pub fn start_with(
        &mut self,
        start: Start,
        descriptors: &[RawFd],
        attach: impl FnOnce(Pid),
    ) -> Result<Started> {
        let held = start.held;
        self.ask(&Request::Start(start), descriptors)?;
        if held {
            let held = self.expect(|event| {
                matches!(event, Event::Held { .. } | Event::NotStarted { .. })
            })?;
            if let Event::NotStarted { errno, .. } = held.message {
                return Err(Errno::from_raw(errno).into());
            }
            let process = Pid::from_raw(held.sender);
            attach(process);
            let _ = kill(process, Signal::SIGCONT);
        }
        let begun = self.expect(|event| {
            matches!(event, Event::Started { .. } | Event::NotStarted { .. })
        })?;
        match begun.message {
            Event::Started { pid } => Ok(Started {
                host: Pid::from_raw(begun.sender),
                inside: pid,
            }),
            Event::NotStarted { errno, .. } => Err(Errno::from_raw(errno).into()),
            _ => bail!("unexpected answer from the sandbox's init"),
        }
    }

    /// The mount table of the programs' caller, as in /proc/PID/mountinfo. A very long
    /// one is cut.
    pub fn mounts(&mut self) -> Result<String> {
        self.mounts.rewind().context("lseek mountinfo")?;
        read_mounts(&self.mounts).context("read mountinfo")
    }

    /// What the sandbox's cgroup says of its memory, if there is one.
    pub fn memory(&self) -> Option<&Memory> {
        self.cgroup.as_ref()
    }

    /// End every process in the sandbox but its init.
    ///
    /// Errors: [`Gone`].
    pub fn sweep(&mut self) -> Result<()> {
        self.ask(&Request::Sweep, &[])?;
        self.expect(|event| matches!(event, Event::Swept)).map(drop)
    }

    /// The next event; `None` when the sandbox is gone.
    pub fn next_event(&mut self) -> Result<Option<Received<Event>>> {
        match self.pending.pop_front() {
            Some(event) => Ok(Some(event)),
            None => wire::receive(&self.events()),
        }
    }

    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    fn ask(&self, request: &Request, descriptors: &[RawFd]) -> Result<()> {
        let sent = wire::send(&self.events(), request, descriptors);
        sent.map_err(|error| match error.downcast_ref::<Errno>() {
            Some(Errno::EPIPE | Errno::ECONNRESET) => Gone.into(),
            // Not the errno itself: that would be the program's.
            _ => anyhow!("{error:#}"),
        })
    }

    fn expect(&mut self, wanted: fn(&Event) -> bool) -> Result<Received<Event>> {
        let asked = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(asked.elapsed()).as_millis() as u16;
            let mut answer = [PollFd::new(self.events(), PollFlags::POLLIN)];
            match poll(&mut answer, PollTimeout::from(left)) {
                Err(Errno::EINTR) => continue,
                Ok(0) => bail!(Gone),
                polled => polled.context("poll")?,
            };
            let Some(received) = wire::receive::<Event>(&self.events())? else {
                bail!(Gone);
            };
            if wanted(&received.message) {
                return Ok(received);
            }
            self.pending.push_back(received);
        }
    }

    /// End the sandbox and wait until nothing of it is left; but not for ever: taking
    /// apart some ten thousand mounts takes the kernel long, and the janitor waits for
    /// that. Returns the signal that killed its init, if one did: reboot(2) inside does
    /// that.
    pub fn release(mut self) -> Option<i32> {
        self.end()
    }

    fn end(&mut self) -> Option<i32> {
        self.control.take()?;
        self.leash.take();
        // Nobody can stop init from leaving; but if it were stuck, this helps.
        let begun = Instant::now();
        loop {
            match waitpid(self.janitor, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) if begun.elapsed() > PATIENCE => {
                    return None;
                }
                Ok(WaitStatus::StillAlive) => {
                    if begun.elapsed() > PATIENCE / 2 {
                        sys::kill_now(self.init);
                    }
                    sleep(Duration::from_micros(300));
                }
                Ok(WaitStatus::Exited(_, status))
                    if status > janitor::INIT_KILLED =>
                {
                    return Some(status - janitor::INIT_KILLED);
                }
                _ => return None,
            }
        }
    }
}

impl Drop for Belt {
    fn drop(&mut self) {
        self.end();
    }
}

/// A program that was started in the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// Its pid on the host.
    pub host: Pid,
    /// Its pid inside.
    pub inside: i32,
}
