//! The checker's own commands, in a process beside: they can be ended at any moment,
//! and the screen stays alive meanwhile.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::unistd::{Pid, pipe2};

use crate::belt::scope;

/// The most that is kept of what it says, in bytes.
const MOST: usize = 4 << 20;

/// What a checker is called that ends with the one that started it.
const NAME: &str = "checker-errand";

/// Is this process an errand of the workshop's?
pub fn is_one() -> bool {
    scope::called() == NAME
}

/// If it is: end when the checker that wants it has ended, however that came.
pub fn end_with_caller() {
    if is_one() {
        let _ = prctl::set_pdeathsig(Signal::SIGKILL);
        // That one may block signals. Programs are to have them as usual.
        let _ = SigSet::empty().thread_set_mask();
    }
}

/// `cargo checker` with these arguments: it ends with us.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(NAME).args(arguments);
    command
}

/// One that has no terminal, for a window of so many columns.
fn aside(arguments: &[&str], columns: usize) -> Command {
    let mut command = command(arguments);
    command
        .env("COLUMNS", columns.to_string())
        .stdin(Stdio::null())
        // So that cargo and rustc can be ended with it.
        .process_group(0);
    if colored::control::SHOULD_COLORIZE.should_colorize() {
        command.env("CLICOLOR_FORCE", "1");
    } else {
        command.env_remove("CLICOLOR_FORCE").env("NO_COLOR", "1");
    }
    command
}

/// A command that is under way.
pub struct Errand {
    child: Child,
    output: Stream,
    words: Stream,
    pub begun: Instant,
}

/// What a command has said.
pub struct Said {
    pub output: String,
    /// On standard error: the compiler's warnings, or what went wrong.
    pub words: String,
}

impl Errand {
    /// Start it for a window of so many columns, with pipes in place of the terminal.
    ///
    /// Errors: no process can be started.
    pub fn begin(arguments: &[&str], columns: usize) -> Result<Self> {
        let mut command = aside(arguments, columns);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("start the checker")?;
        let output = Stream::new(child.stdout.take().context("stdout")?.into())?;
        let words = Stream::new(child.stderr.take().context("stderr")?.into())?;
        Ok(Self::of(child, output, words))
    }

    /// Likewise; what it says on standard error stands in its output, as on a terminal.
    pub fn begin_as_one(arguments: &[&str], columns: usize) -> Result<Self> {
        let (output, end) = pipe2(OFlag::O_CLOEXEC).context("pipe")?;
        let mut command = aside(arguments, columns);
        command.stdout(end.try_clone().context("dup")?).stderr(end);
        let child = command.spawn().context("start the checker")?;
        let words = Stream {
            pipe: None,
            bytes: Vec::new(),
        };
        Ok(Self::of(child, Stream::new(output)?, words))
    }

    fn of(child: Child, output: Stream, words: Stream) -> Self {
        Self {
            child,
            output,
            words,
            begun: Instant::now(),
        }
    }

    /// Readable when there is news.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let pipes = [&self.output.pipe, &self.words.pipe];
        pipes.into_iter().flatten().map(|pipe| pipe.as_fd())
    }

    /// Read what is there. All of it, once the command has ended.
    pub fn advance(&mut self) -> Option<Said> {
        self.output.read();
        self.words.read();
        if self.output.pipe.is_some() {
            return None;
        }
        let _ = self.child.wait();
        self.words.read();
        Some(Said {
            output: String::from_utf8_lossy(&self.output.bytes).into_owned(),
            words: String::from_utf8_lossy(&self.words.bytes).into_owned(),
        })
    }
}

impl Drop for Errand {
    /// End it, with cargo and rustc. The sandbox ends with the checker in it.
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        let _ = killpg(Pid::from_raw(self.child.id() as i32), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

struct Stream {
    /// Never blocks; `None` when it has ended.
    pipe: Option<File>,
    bytes: Vec<u8>,
}

impl Stream {
    fn new(pipe: OwnedFd) -> Result<Self> {
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .context("fcntl(F_SETFL)")?;
        Ok(Self {
            pipe: Some(pipe.into()),
            bytes: Vec::new(),
        })
    }

    fn read(&mut self) {
        let mut chunk = [0; 65536];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut chunk) {
                Ok(0) => self.pipe = None,
                Ok(count) => {
                    let room = MOST.saturating_sub(self.bytes.len());
                    self.bytes.extend_from_slice(&chunk[..count.min(room)]);
                }
                Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                    Some(Errno::EINTR) => {}
                    Some(Errno::EAGAIN) => return,
                    _ => self.pipe = None,
                },
            }
        }
    }
}
