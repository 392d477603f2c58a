//! A command that has the terminal to itself for a while, as from a shell.

use std::io::stdin;
use std::os::fd::AsFd;
use std::process::Command;

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{FlushArg, tcflush};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getsid};

use crate::terminal::Signals;

/// Is there more to come?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Stay,
    Leave,
}

/// How a command ended.
pub enum Ended {
    Exited(i32),
    Killed(Signal),
    /// It never began: why.
    NotStarted(String),
}

impl Ended {
    /// What is to be said of it, unless it went well.
    pub fn notice(&self) -> Option<String> {
        match self {
            Self::Exited(0) => None,
            Self::Exited(status) => Some(format!("it ended with status {status}")),
            Self::Killed(signal) => Some(format!("it was ended by {signal}")),
            Self::NotStarted(why) => Some(why.clone()),
        }
    }
}

/// Run a command, and wait for its end. When it is stopped (Ctrl-Z in an editor), so are
/// we: the shell's `fg` lets both go on. Who wants to end us means both. What was typed
/// and nobody has read was meant for the command.
///
/// The caller has given the terminal its usual settings. `signals` are held, SIGCHLD
/// among them. Errors: waitpid or kill failed.
pub fn lend(command: &mut Command, signals: &Signals) -> Result<(Ended, Next)> {
    let program = command.get_program().to_string_lossy().into_owned();
    let ended = match signals.released(|| command.spawn()) {
        Ok(child) => accompany(Pid::from_raw(child.id() as i32), signals)?,
        Err(error) => {
            let why = format!("can't start {program}: {error}");
            (Ended::NotStarted(why), Next::Stay)
        }
    };
    let _ = tcflush(stdin(), FlushArg::TCIFLUSH);
    Ok(ended)
}

fn accompany(child: Pid, signals: &Signals) -> Result<(Ended, Next)> {
    let mut next = Next::Stay;
    loop {
        let mut ready = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        let patience = match next {
            Next::Stay => PollTimeout::NONE,
            Next::Leave => PollTimeout::from(2000u16),
        };
        if poll(&mut ready, patience) == Ok(0) {
            let _ = kill(child, Signal::SIGKILL);
        }
        while let Some(signal) = signals.next() {
            // Ctrl-C and the like are its own.
            if let Signal::SIGTERM | Signal::SIGHUP = signal {
                next = Next::Leave;
                let _ = kill(child, signal);
            }
        }
        let flags = WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED;
        let ended = match waitpid(child, Some(flags)).context("waitpid")? {
            WaitStatus::Stopped(..) if nobody_says_fg() => {
                let _ = kill(child, Signal::SIGCONT);
                continue;
            }
            WaitStatus::Stopped(..) => {
                kill(Pid::this(), Signal::SIGSTOP).context("kill(SIGSTOP)")?;
                continue;
            }
            WaitStatus::Exited(_, status) => Ended::Exited(status),
            WaitStatus::Signaled(_, signal, _) => Ended::Killed(signal),
            _ => continue,
        };
        return Ok((ended, next));
    }
}

/// Is there no shell to continue us? A terminal's first program has none.
pub fn nobody_says_fg() -> bool {
    getsid(None) == Ok(Pid::this())
}
