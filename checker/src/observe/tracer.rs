//! In which control groups is a process when it becomes the command, before its first
//! instruction? Only a tracer is there in that moment (man 2 ptrace,
//! PTRACE_EVENT_EXEC).

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::ptrace::{self, Options};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, pipe, write};

use super::groups;
use super::outside::{self, Own};
use crate::belt::Tree;
use crate::evidence::Grouped;
use crate::sys;

/// How long a process may take to stop itself.
const STOPPING: Duration = Duration::from_secs(5);
/// How long to wait for what the tracer has seen, in milliseconds.
const PATIENCE: u16 = 2000;

/// A process that traces a program, and whatever that starts, until one of them becomes
/// the command.
pub struct Tracer {
    process: Pid,
    answer: OwnedFd,
}

impl Tracer {
    /// Begin with this process, once it has stopped.
    ///
    /// Errors: the errno of PTRACE_SEIZE. EPERM where it is forbidden.
    pub fn attach(program: Pid, trees: &[Tree]) -> Result<Self> {
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
                let seized = ptrace::seize(program, options());
                let errno = seized.err().map_or(0, |errno| errno as i32);
                let _ = write(&tell, &errno.to_ne_bytes());
                if errno == 0 {
                    let found = Own::open().ok().and_then(|own| follow(&own, trees));
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

    fn end(self) {
        sys::kill_now(self.process);
        let _ = waitpid(self.process, None);
    }
}

fn options() -> Options {
    Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
}

/// Let all go on that stop, until one of them executes the probe. When this process
/// ends, the kernel lets go of all of them.
fn follow(own: &Own, trees: &[Tree]) -> Option<(i32, Vec<Grouped>)> {
    loop {
        // Not nix's own: to that, the stop of a real-time signal is an error.
        let (pid, status) = match sys::wait_for_any() {
            Ok(found) => found,
            Err(Errno::EINTR) => continue,
            Err(_) => return None,
        };
        if !libc::WIFSTOPPED(status) {
            continue;
        }
        let (event, signal) = (status >> 16, libc::WSTOPSIG(status));
        match event {
            libc::PTRACE_EVENT_EXEC if own.is_run_by(pid.as_raw()) => {
                let pid = pid.as_raw();
                return Some((pid, groups::of(pid, pid, trees)));
            }
            // Stopped by a signal, and stays so; or a new one begins.
            libc::PTRACE_EVENT_STOP if STOPS.contains(&signal) => {
                sys::listen_to(pid);
            }
            0 => sys::go_on(pid, signal),
            _ => sys::go_on(pid, 0),
        }
    }
}

/// The signals that stop a process.
const STOPS: [i32; 4] = [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
