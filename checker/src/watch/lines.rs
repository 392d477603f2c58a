//! The workshop line by line: for terminals that can't move the cursor, and for screen
//! readers (`TERM=dumb`). Nothing that was said changes afterwards.

use std::io::stdin;
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::read;

use super::changes::Changes;
use super::{POLLED, screen};
use crate::errand::{self, Errand};
use crate::judge::levels::{self, ALL};
use crate::judge::{Level, Verdict};
use crate::lesson;
use crate::progress::Progress;
use crate::render::json;
use crate::status::{Status, width};
use crate::text::say;
use crate::workspace::{self, Whose};

struct Workshop {
    level: &'static Level,
    progress: Progress,
    judging: Option<Errand>,
    passes: bool,
    /// Was the last thing typed a `d`, and answered by what it shows?
    warned: bool,
    /// Are all failures explained?
    in_full: bool,
}

/// Judge after each save, and obey what is typed, until `q` or the end of the input.
///
/// Errors: no project around, or nothing can be started.
pub fn go() -> Result<Status> {
    // Such a terminal shows colours as they are written.
    colored::control::set_override(false);
    let root = workspace::root()?;
    let folders: Vec<_> = ALL.iter().map(|one| Whose::Learner.folder(one)).collect();
    let mut changes = Changes::watch(&root, &folders);
    let progress = Progress::load();
    let mut workshop = Workshop {
        level: progress.current().unwrap_or(ALL[ALL.len() - 1]),
        progress,
        judging: None,
        passes: false,
        warned: false,
        in_full: false,
    };
    if changes.polls() {
        say(&format!("{POLLED}\n"));
    }
    say("Type a letter and Enter: ? lists the letters.\n");
    workshop.begin()?;
    let mut typed = String::new();
    loop {
        if wait(&changes, workshop.judging.as_ref())? && !type_on(&mut typed) {
            return Ok(Status::Success);
        }
        while let Some((line, rest)) = typed.split_once('\n') {
            let (line, rest) = (line.trim().to_owned(), rest.to_owned());
            typed = rest;
            if !workshop.obey(&line)? {
                return Ok(Status::Success);
            }
        }
        if changes.changed() {
            workshop.begin()?;
        }
        workshop.take_verdict()?;
    }
}

/// Until something happens. Has something been typed?
fn wait(changes: &Changes, judging: Option<&Errand>) -> Result<bool> {
    let stdin = stdin();
    let mut fds = vec![stdin.as_fd()];
    fds.extend(changes.fd());
    fds.extend(judging.into_iter().flat_map(Errand::fds));
    let mut fds: Vec<PollFd> = fds
        .into_iter()
        .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
        .collect();
    let timeout = changes.due().map_or(PollTimeout::NONE, |due| {
        PollTimeout::from((due.as_millis() as u16).saturating_add(1))
    });
    match poll(&mut fds, timeout) {
        Ok(_) => Ok(fds[0].any().unwrap_or(false)),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno).context("poll"),
    }
}

/// Take what was typed. False: that was all.
fn type_on(typed: &mut String) -> bool {
    let mut chunk = [0; 256];
    match read(stdin(), &mut chunk) {
        Ok(0) => false,
        Ok(count) => {
            typed.push_str(&String::from_utf8_lossy(&chunk[..count]));
            true
        }
        Err(errno) => errno == Errno::EINTR,
    }
}

impl Workshop {
    fn begin(&mut self) -> Result<()> {
        self.judging = None;
        say(&format!("\nLevel {}: judging …\n", self.level.folder()));
        let arguments = ["check", self.level.number, "--json"];
        self.judging = Some(Errand::begin(&arguments, width())?);
        Ok(())
    }

    fn take_verdict(&mut self) -> Result<()> {
        let Some(said) = self.judging.as_mut().and_then(Errand::advance) else {
            return Ok(());
        };
        self.judging = None;
        self.progress = Progress::load();
        let (Ok(root), Some(outcome)) =
            (workspace::root(), json::read(&said.output))
        else {
            say(&said.words);
            return Ok(());
        };
        self.passes = outcome.verdict == Verdict::Pass;
        let compiles = !matches!(outcome.verdict, Verdict::Unbuilt { .. });
        let way = match self.passes {
            true => lesson::farewell(&root, self.level, true),
            false => lesson::directions(&root, self.level, compiles),
        };
        let mut lines = screen::verdict(&outcome, width(), self.in_full);
        lines.push(String::new());
        lines.extend(way);
        if !said.words.is_empty() {
            lines.push(String::new());
            lines.extend(said.words.lines().map(String::from));
        }
        let folded = lines.iter().flat_map(|line| screen::fold(line, width()));
        folded.for_each(|line| say(&format!("{}\n", line.trim_end())));
        Ok(())
    }

    /// Do what was typed. False: leave.
    fn obey(&mut self, line: &str) -> Result<bool> {
        let next = lesson::next_level(self.level);
        let warned = std::mem::take(&mut self.warned);
        match line {
            "q" => return Ok(false),
            "" => {}
            "r" => self.begin()?,
            "h" => self.show("hint")?,
            "x" => self.show("xray")?,
            "d" if self.passes || warned => self.show("diff")?,
            "d" => {
                self.warned = true;
                say(&format!("{}\n", screen::SPOILS));
            }
            "t" => self.show("try")?,
            "v" => {
                self.in_full = !self.in_full;
                self.begin()?;
            }
            "l" => run(&["list"])?,
            "n" if self.passes || self.progress.is_passed(self.level) => {
                match next {
                    Some(next) => self.move_to(next)?,
                    None => say("This is the last level.\n"),
                }
            }
            "n" => say(
                "It doesn't pass yet. To go on anyway, type the level's number.\n",
            ),
            "?" => say(
                "n next, h hint, t try, x xray, d diff, l list, r run again, v explain all \
                 failures, q quit; \
                 a level's number goes there\n",
            ),
            other => match levels::find(other) {
                Ok(level) => self.move_to(level)?,
                Err(_) => {
                    say(&format!("{other:?} is none of the keys; ? lists them\n"))
                }
            },
        }
        Ok(true)
    }

    fn show(&self, command: &str) -> Result<()> {
        run(&[command, self.level.number])
    }

    fn move_to(&mut self, level: &'static Level) -> Result<()> {
        self.level = level;
        self.progress.choose(level);
        (self.passes, self.in_full) = (false, false);
        self.begin()
    }
}

/// Another of the checker's commands, with the terminal to itself.
fn run(arguments: &[&str]) -> Result<()> {
    let mut command = errand::command(arguments);
    command.env("NO_COLOR", "1");
    command.status().context("start the checker")?;
    Ok(())
}
