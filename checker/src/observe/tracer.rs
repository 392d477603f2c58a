//! What happens in moments that are over before anybody else can look (man 2 ptrace). In
//! which control groups is a process when it becomes the command, before its first
//! instruction? What is there when a program is killed right after its first rename?

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::ptrace::{self, Options};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, pipe, write};

use super::groups;
use super::outside::{self, Own};
use crate::belt::Tree;
use crate::evidence::Grouped;
use crate::sys::{self, AtCall};

/// How long a process may take to stop itself.
const STOPPING: Duration = Duration::from_secs(5);
/// How long to wait for what the tracer has seen, in milliseconds.
const PATIENCE: u16 = 2000;

/// What a tracer waits for.
#[derive(Debug)]
pub enum Goal {
    /// One of them becomes the command (PTRACE_EVENT_EXEC).
    Exec,
    /// One of them has renamed something: all of them are killed then.
    Rename,
    /// The file system that this is on has so many bytes in use: likewise.
    Filled(File, u64),
}

/// A process that traces a program, and whatever that starts, until it has reached its
/// goal, or one of them becomes the command.
pub struct Tracer {
    process: Pid,
    answer: OwnedFd,
}

impl Tracer {
    /// Begin with this process, once it has stopped.
    ///
    /// Errors: the errno of PTRACE_SEIZE. EPERM where it is forbidden.
    pub fn attach(program: Pid, trees: &[Tree], goal: Goal) -> Result<Self> {
        let begun = Instant::now();
        let stopped = || {
            outside::status_of(program.as_raw()).is_none_or(|status| status.stopped)
        };
        while !stopped() && begun.elapsed() < STOPPING {
            sleep(Duration::from_micros(100));
        }
        let (answer, tell) = pipe().context("pipe")?;
        match sys::fork().context("fork")? {
            ForkResult::Child => {
                drop(answer);
                let seized = ptrace::seize(program, options(&goal));
                let errno = seized.err().map_or(0, |errno| errno as i32);
                let _ = write(&tell, &errno.to_ne_bytes());
                if errno == 0 {
                    let watch = |own| Watch {
                        own,
                        trees,
                        goal,
                        program,
                    };
                    let found = Own::open().ok().and_then(|own| watch(own).follow());
                    let text = serde_json::to_vec(&found).unwrap_or_default();
                    let _ = write(&tell, &text);
                }
                sys::exit_now(0)
            }
            ForkResult::Parent { child } => {
                drop(tell);
                let mut errno = [0; 4];
                let mut answer = File::from(answer);
                let read = answer.read_exact(&mut errno);
                let tracer = Self {
                    process: child,
                    answer: answer.into(),
                };
                match (read, i32::from_ne_bytes(errno)) {
                    (Ok(()), 0) => Ok(tracer),
                    (_, errno) => {
                        tracer.end();
                        Err(Errno::from_raw(errno)).context("ptrace(PTRACE_SEIZE)")
                    }
                }
            }
        }
    }

    /// The groups of this command at exec. Called when the command is there; the tracer
    /// has let go of everything by then, or never will. `None`: another process was the
    /// first to execute it, or this one has kept out of sight (CLONE_UNTRACED).
    pub fn found(self, command: i32) -> Option<Vec<Grouped>> {
        let mut told = [PollFd::new(self.answer.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut told, PATIENCE);
        sys::kill_now(self.process);
        let mut text = Vec::new();
        let answer = self.answer.try_clone().ok()?;
        // The tracer has ended: nobody else holds the other end.
        let _ = waitpid(self.process, None);
        File::from(answer).read_to_end(&mut text).ok()?;
        let found: Option<(i32, Vec<Grouped>)> =
            serde_json::from_slice(&text).ok()?;
        let (pid, groups) = found?;
        (pid == command).then_some(groups)
    }

    /// Has it come to its end?
    pub fn is_done(&self) -> bool {
        let mut told = [PollFd::new(self.answer.as_fd(), PollFlags::POLLIN)];
        poll(&mut told, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// Let all go on, whatever it waits for.
    pub fn end(self) {
        sys::kill_now(self.process);
        let _ = waitpid(self.process, None);
    }
}

fn options(goal: &Goal) -> Options {
    let all = Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC;
    match goal {
        Goal::Exec => all,
        Goal::Rename | Goal::Filled(..) => all | Options::PTRACE_O_TRACESYSGOOD,
    }
}

/// What a tracer knows.
struct Watch<'a> {
    own: Own,
    trees: &'a [Tree],
    goal: Goal,
    program: Pid,
}

impl Watch<'_> {
    /// Let all go on that stop, until one of them executes the probe: the groups of that
    /// one; or until the goal is reached. When this process ends, the kernel lets go of
    /// all of them.
    fn follow(&self) -> Option<(i32, Vec<Grouped>)> {
        let mut calls = BTreeMap::new();
        let mut all = BTreeSet::new();
        loop {
            // Not nix's own: to that, the stop of a real-time signal is an error.
            let (pid, status) = match sys::wait_for_any() {
                Ok(found) => found,
                Err(Errno::EINTR) => continue,
                Err(_) => return None,
            };
            if !libc::WIFSTOPPED(status) {
                // Its number may soon be another process's.
                all.remove(&pid);
                continue;
            }
            all.insert(pid);
            let (event, signal) = (status >> 16, libc::WSTOPSIG(status));
            match event {
                libc::PTRACE_EVENT_EXEC if self.own.is_run_by(pid.as_raw()) => {
                    let pid = pid.as_raw();
                    return Some((pid, groups::of(pid, pid, self.trees)));
                }
                // Stopped by a signal, and stays so; or a new one begins.
                libc::PTRACE_EVENT_STOP if STOPS.contains(&signal) => {
                    sys::listen_to(pid);
                }
                0 if signal == AT_A_CALL => {
                    if self.is_reached(pid, &mut calls) {
                        // The program last: with its end this process may end, too.
                        let program = all.take(&self.program);
                        all.into_iter().chain(program).for_each(sys::kill_now);
                        return None;
                    }
                    self.let_go_on(pid, 0);
                }
                0 => self.let_go_on(pid, signal),
                _ => self.let_go_on(pid, 0),
            }
        }
    }

    /// Now that this process is at a call?
    fn is_reached(&self, pid: Pid, calls: &mut BTreeMap<Pid, i64>) -> bool {
        match &self.goal {
            Goal::Exec => false,
            Goal::Rename => has_renamed(pid, calls),
            Goal::Filled(place, bytes) => outside::space(place).0 >= *bytes,
        }
    }

    fn let_go_on(&self, pid: Pid, signal: i32) {
        match self.goal {
            Goal::Exec => sys::go_on(pid, signal),
            Goal::Rename | Goal::Filled(..) => sys::go_on_to_call(pid, signal),
        }
    }
}

/// The signals that stop a process.
const STOPS: [i32; 4] = [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
/// What stands for a signal when a process stops at a system call, or after one
/// (PTRACE_O_TRACESYSGOOD).
const AT_A_CALL: i32 = libc::SIGTRAP | 0x80;
/// The system calls that give something another name.
const RENAMES: [i64; 2] = [libc::SYS_renameat, libc::SYS_renameat2];

/// Is this process at the end of a call that has renamed something? `calls` keeps what
/// each has begun.
fn has_renamed(pid: Pid, calls: &mut BTreeMap<Pid, i64>) -> bool {
    match sys::at_call(pid) {
        Some(AtCall::Begins(call)) => {
            calls.insert(pid, call);
            false
        }
        Some(AtCall::Ends { failed }) => {
            let call = calls.remove(&pid);
            !failed && call.is_some_and(is_rename)
        }
        None => false,
    }
}

fn is_rename(call: i64) -> bool {
    // Not all architectures have it.
    #[cfg(target_arch = "x86_64")]
    if call == libc::SYS_rename {
        return true;
    }
    RENAMES.contains(&call)
}
