//! Trying something in a child process, so that nothing of it stays and nothing
//! hangs.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, alarm, pipe2, setpgid};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::belt::Refused;
use crate::sys;

/// How the step of a trial that hung begins.
pub const NO_ANSWER: &str = "no answer";

/// A step that did not work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The call, what it was called on, and the errno's own words.
    pub step: String,
    /// 0 where there is none.
    pub errno: i32,
    /// The signal that ended the child before it could say anything, or 0.
    pub signal: i32,
}

impl Failure {
    pub fn errno(&self) -> Errno {
        Errno::from_raw(self.errno)
    }

    pub fn is(&self, any: &[Errno]) -> bool {
        self.errno != 0 && any.contains(&self.errno())
    }

    pub fn from_refused(refused: &Refused) -> Self {
        let errno = refused.errno.map_or(0, |errno| errno as i32);
        Self {
            step: refused.step.clone(),
            errno,
            signal: 0,
        }
    }

    fn from_error(error: &anyhow::Error) -> Self {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return Self::from_refused(refused);
        }
        if let Some(failure) = error.downcast_ref::<Failure>() {
            return failure.clone();
        }
        let errno = error.chain().find_map(|cause| {
            let io = cause
                .downcast_ref::<io::Error>()
                .and_then(|e| e.raw_os_error());
            io.or(cause.downcast_ref::<Errno>().map(|errno| *errno as i32))
        });
        Self {
            step: say(error),
            errno: errno.unwrap_or(0),
            signal: 0,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        out.write_str(&self.step)
    }
}

impl std::error::Error for Failure {}

/// The calls, then the errno by its name, whichever library it came through.
fn say(error: &anyhow::Error) -> String {
    let last = error.root_cause();
    let Some(number) = last
        .downcast_ref::<io::Error>()
        .and_then(|e| e.raw_os_error())
    else {
        return format!("{error:#}");
    };
    let mut parts: Vec<String> = error.chain().map(ToString::to_string).collect();
    parts.pop();
    parts.push(Errno::from_raw(number).to_string());
    parts.join(": ")
}

/// Run `deed` in a child process and return what it makes. The child has no input
/// and no output, is killed after `limit` with all that it started (save what made
/// itself a session of its own), and dies when the checker does.
///
/// Errors: the deed's own, or that it hung or was killed.
pub fn trial<T>(
    limit: Duration,
    deed: impl FnOnce() -> Result<T>,
) -> Result<T, Failure>
where
    T: Serialize + DeserializeOwned,
{
    let begun = begin(limit, deed).context("start a trial");
    let (child, answer) = begun.map_err(|error| Failure::from_error(&error))?;
    let answered = listen(answer, limit);
    let _ = killpg(child, Signal::SIGKILL);
    let status = waitpid(child, None);
    let text = match (answered, status) {
        (Some(text), _) => text,
        (None, Ok(WaitStatus::Signaled(_, signal, _)))
            if signal != Signal::SIGKILL =>
        {
            return Err(Failure {
                step: format!("the trial was killed by {signal}"),
                errno: 0,
                signal: signal as i32,
            });
        }
        (None, _) => {
            let step = format!("{NO_ANSWER} within {} s", limit.as_secs());
            return Err(Failure {
                step,
                ..Failure::default()
            });
        }
    };
    serde_json::from_slice(&text).unwrap_or_else(|error| {
        let step = format!("a trial's answer can't be read: {error}");
        Err(Failure {
            step,
            ..Failure::default()
        })
    })
}

fn begin<T: Serialize>(
    limit: Duration,
    deed: impl FnOnce() -> Result<T>,
) -> Result<(Pid, OwnedFd)> {
    let (answer, theirs) = pipe2(OFlag::O_CLOEXEC).context("pipe2")?;
    match sys::fork().context("fork")? {
        ForkResult::Parent { child } => {
            // The child does it too: whoever is first.
            let _ = setpgid(child, child);
            Ok((child, answer))
        }
        ForkResult::Child => {
            // A panic must not unwind into what is the parent's business.
            let _ = catch_unwind(AssertUnwindSafe(|| perform(limit, deed, theirs)));
            sys::exit_now(1)
        }
    }
}

fn perform<T: Serialize>(
    limit: Duration,
    deed: impl FnOnce() -> Result<T>,
    answer: OwnedFd,
) {
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
    let _ = prctl::set_pdeathsig(Signal::SIGKILL);
    // That one is forgotten with every change of identity; this one isn't.
    sys::default_action(Signal::SIGALRM);
    alarm::set(limit.as_secs() as u32 + 2);
    if let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") {
        for number in 0..3 {
            let _ = sys::duplicate_to(&null, number);
        }
    }
    let done = deed().map_err(|error| Failure::from_error(&error));
    if let Ok(mut text) = serde_json::to_vec(&done) {
        text.push(b'\n');
        let _ = File::from(answer).write_all(&text);
    }
}

/// The child's answer: one line. `None` when it ends or hangs without one.
fn listen(answer: OwnedFd, limit: Duration) -> Option<Vec<u8>> {
    let start = Instant::now();
    let mut answer = File::from(answer);
    let mut text = Vec::new();
    while !text.ends_with(b"\n") {
        let left = limit.checked_sub(start.elapsed())?;
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut waiting = [PollFd::new(answer.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waiting, left) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(_) => return None,
        }
        let mut part = [0; 4096];
        match answer.read(&mut part) {
            Ok(0) | Err(_) => return None,
            Ok(length) => text.extend(&part[..length]),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    // A test harness has threads; what is forked here allocates little, and glibc
    // makes its allocator usable after fork.

    #[test]
    fn answers_come_back() {
        assert_eq!(trial(Duration::from_secs(60), || Ok(7)), Ok(7));
    }

    #[test]
    fn a_failure_keeps_its_errno() {
        let failed: Result<(), _> = trial(Duration::from_secs(60), || {
            std::fs::read("/nowhere").context("read /nowhere").map(drop)
        });
        let failed = failed.unwrap_err();
        assert_eq!(failed.errno(), Errno::ENOENT);
        assert_eq!(
            failed.step,
            "read /nowhere: ENOENT: No such file or directory"
        );
    }

    #[test]
    fn what_hangs_is_ended() {
        let start = Instant::now();
        let hung: Result<(), _> = trial(Duration::from_millis(50), || {
            loop {
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        assert!(hung.unwrap_err().step.starts_with("no answer within"));
        assert!(start.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn what_dies_says_how() {
        let died: Result<(), _> = trial(Duration::from_secs(60), || sys::fault());
        assert_eq!(died.unwrap_err().signal, Signal::SIGSEGV as i32);
    }
}
