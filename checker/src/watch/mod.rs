//! The workshop: the level you are at, judged every time you save, on one screen.
//!
//! Read `Workshop::go` (what can happen), then `press` (what the keys do). `screen`
//! says what stands there, `changes` when something was saved, `errand` runs the
//! checker's own commands beside, so that any of them can be ended at any moment.

mod changes;
mod lines;
pub mod screen;

use std::ffi::OsStr;
use std::io::{IsTerminal, stdin, stdout};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use colored::Colorize;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, read};

use crate::commands::list;
use crate::commands::status::status;
use crate::errand::{self, Errand, Said};
use crate::foreground::{self, Next, nobody_says_fg};
use crate::judge::levels::ALL;
use crate::judge::{Level, Outcome, Verdict};
use crate::keys::{Key, keys};
use crate::lesson;
use crate::progress::Progress;
use crate::render::json;
use crate::status::Status;
use crate::sys;
use crate::terminal::{
    ENTER_SCREEN, LEAVE_SCREEN, RawTerminal, Signals, TERMINAL_SIGNALS, show,
};
use crate::workspace::{self, Whose};
use changes::Changes;
use screen::{Page, Size};

/// The workshop in a terminal; without one, a report of how things stand.
///
/// Errors: there is no project around, or the terminal is gone.
pub fn workshop() -> Result<Status> {
    if !stdin().is_terminal() || !stdout().is_terminal() {
        return status();
    }
    match std::env::var("TERM").as_deref() {
        Ok("dumb" | "") | Err(_) => lines::go(),
        Ok(_) => Workshop::open()?.go(),
    }
}

struct Workshop {
    level: &'static Level,
    progress: Progress,
    changes: Changes,
    signals: Signals,
    terminal: RawTerminal,
    size: Size,
    /// What was last judged, and the compiler's warnings.
    judged: Option<(Outcome, String)>,
    judging: Option<Errand>,
    /// Why there is no verdict.
    trouble: Vec<String>,
    /// What was built, once it passes: `xray` draws it.
    picture: Vec<String>,
    drawing: Option<Errand>,
    view: View,
    above: usize,
    /// What is said in the last line until the next key.
    notice: Option<String>,
    /// Is something being pasted? It may be longer than what is read at once.
    pasting: bool,
    /// Was the last key a `d`, and has the learner been told that it shows the solution?
    warned: bool,
    /// Are all failures explained?
    in_full: bool,
    /// What is on the screen.
    shown: Vec<String>,
}

/// What fills the screen.
enum View {
    Verdict,
    /// A command's output, or its name while it runs.
    Text(Vec<String>),
    Waiting(&'static str, Errand),
    /// All levels; this one is chosen.
    List(usize),
}

impl Workshop {
    fn open() -> Result<Self> {
        let root = workspace::root()?;
        let progress = Progress::load();
        let level = progress.current().unwrap_or(ALL[ALL.len() - 1]);
        let signals = [&TERMINAL_SIGNALS[..], &[Signal::SIGCHLD]].concat();
        let signals = Signals::hold(&signals)?;
        let folders: Vec<_> =
            ALL.iter().map(|one| Whose::Learner.folder(one)).collect();
        Ok(Self {
            level,
            progress,
            changes: Changes::watch(&root, &folders),
            signals,
            terminal: RawTerminal::take()?,
            size: size(),
            judged: None,
            judging: None,
            trouble: Vec::new(),
            picture: Vec::new(),
            drawing: None,
            view: View::Verdict,
            above: 0,
            notice: None,
            pasting: false,
            warned: false,
            in_full: false,
            shown: Vec::new(),
        })
    }

    fn go(mut self) -> Result<Status> {
        enter()?;
        if self.changes.polls() {
            self.notice = Some(POLLED.into());
        }
        let left = self.begin().and_then(|()| self.stay());
        let _ = show(LEAVE_SCREEN);
        self.terminal.calm(false);
        drop(self);
        left.map(|()| Status::Success)
    }

    fn stay(&mut self) -> Result<()> {
        loop {
            self.draw()?;
            self.wait()?;
            if let Next::Leave = self.take_signals()? {
                return Ok(());
            }
            if let Next::Leave = self.take_keys()? {
                return Ok(());
            }
            if self.changes.changed() {
                self.begin()?;
            }
            self.take_results();
        }
    }

    /// Until something happens.
    fn wait(&self) -> Result<()> {
        let stdin = stdin();
        let mut fds = vec![stdin.as_fd(), self.signals.as_fd()];
        fds.extend(self.changes.fd());
        let errands = self.judging.iter().chain(&self.drawing);
        fds.extend(errands.flat_map(Errand::fds));
        if let View::Waiting(_, errand) = &self.view {
            fds.extend(errand.fds());
        }
        let mut fds: Vec<PollFd> = fds
            .into_iter()
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        // The seconds are counted on the screen.
        let tick = self.judging.as_ref().map(|_| Duration::from_secs(1));
        let due = [tick, self.changes.due()].into_iter().flatten().min();
        let timeout = due.map_or(PollTimeout::NONE, |due| {
            let milliseconds = due.as_millis() as u16;
            PollTimeout::from(milliseconds.saturating_add(1))
        });
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno).context("poll"),
        }
    }

    fn take_signals(&mut self) -> Result<Next> {
        while let Some(signal) = self.signals.next() {
            match signal {
                Signal::SIGWINCH => self.size = size(),
                Signal::SIGTSTP => self.stop()?,
                // The caller's shell has used the terminal in the meantime.
                Signal::SIGCONT => self.come_back()?,
                // An errand's: its pipes say more.
                Signal::SIGCHLD => {}
                _ => return Ok(Next::Leave),
            }
        }
        Ok(Next::Stay)
    }

    /// Ctrl-Z: the terminal is the shell's, until it says `fg`.
    fn stop(&mut self) -> Result<()> {
        if nobody_says_fg() {
            self.notice = Some("Ctrl-Z needs a shell that can say fg".into());
            return Ok(());
        }
        let _ = show(LEAVE_SCREEN);
        self.terminal.calm(false);
        self.terminal.pause();
        kill(Pid::this(), Signal::SIGSTOP).context("kill(SIGSTOP)")
    }

    fn come_back(&mut self) -> Result<()> {
        self.terminal.resume()?;
        enter()?;
        self.size = size();
        self.shown.clear();
        Ok(())
    }

    fn take_keys(&mut self) -> Result<Next> {
        let mut chunk = [0; 256];
        let stdin = stdin();
        let mut ready = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        if poll(&mut ready, PollTimeout::ZERO) != Ok(1) {
            return Ok(Next::Stay);
        }
        let count = match read(&stdin, &mut chunk) {
            Ok(0) => return Ok(Next::Leave),
            Ok(count) => count,
            Err(Errno::EINTR | Errno::EAGAIN) => return Ok(Next::Stay),
            // The terminal is gone.
            Err(_) => return Ok(Next::Leave),
        };
        for key in keys(&chunk[..count], &mut self.pasting) {
            if let Next::Leave = self.press(key)? {
                return Ok(Next::Leave);
            }
            // What was typed after these was meant for who had the terminal.
            if matches!(key, Key::Letter('t' | 'e')) {
                break;
            }
        }
        Ok(Next::Stay)
    }

    fn press(&mut self, key: Key) -> Result<Next> {
        self.notice = None;
        if key != Key::Letter('d') {
            self.warned = false;
        }
        let page = screen::room(self.size).max(2) - 1;
        match (key, &mut self.view) {
            (Key::Control('c' | 'd'), _) | (Key::Letter('q'), View::Verdict) => {
                return Ok(Next::Leave);
            }
            (Key::Control('z'), _) => self.stop()?,
            (Key::Control('l'), _) => self.shown.clear(),
            (Key::Escape | Key::Letter('q'), _) => self.show_verdict(),
            (Key::Up | Key::Letter('k'), View::List(chosen)) => {
                *chosen = chosen.saturating_sub(1);
            }
            (Key::Down | Key::Letter('j'), View::List(chosen)) => {
                *chosen = (*chosen + 1).min(ALL.len() - 1);
            }
            (Key::Letter(digit @ '0'..='9'), View::List(chosen)) => {
                let wanted = format!("0{digit}");
                let found = ALL.iter().position(|level| level.number == wanted);
                *chosen = found.unwrap_or(*chosen);
            }
            (Key::Enter, View::List(chosen)) => {
                let chosen = ALL[*chosen];
                self.move_to(chosen)?;
            }
            (Key::Up | Key::Letter('k'), _) => self.scroll(-1),
            (Key::Down | Key::Letter('j') | Key::Enter, _) => self.scroll(1),
            (Key::PageUp | Key::Letter('b'), _) => self.scroll(-(page as isize)),
            (Key::PageDown | Key::Letter(' '), _) => self.scroll(page as isize),
            (Key::Letter('n'), _) => self.next(true)?,
            (Key::Letter('N'), _) => self.next(false)?,
            (Key::Letter('h'), _) => self.ask("hint")?,
            (Key::Letter('x'), _) => self.ask("xray")?,
            (Key::Letter('d'), _) => self.compare()?,
            (Key::Letter('t'), _) => return self.try_it(),
            (Key::Letter('v'), _) => {
                self.in_full = !self.in_full;
                self.show_verdict();
            }
            (Key::Letter('e'), _) => return self.edit(),
            (Key::Letter('r'), _) => self.begin()?,
            (Key::Letter('l'), _) => {
                let here =
                    ALL.iter().position(|one| one.number == self.level.number);
                self.turn_to(View::List(here.unwrap_or(0)));
            }
            (Key::Letter('?'), _) => self.turn_to(View::Text(screen::help())),
            _ => {}
        }
        Ok(Next::Stay)
    }

    fn turn_to(&mut self, view: View) {
        self.view = view;
        self.above = 0;
    }

    fn show_verdict(&mut self) {
        self.turn_to(View::Verdict);
    }

    fn scroll(&mut self, lines: isize) {
        let page = self.page();
        let lowest = screen::lowest(&page, self.size);
        self.above = self.above.saturating_add_signed(lines).min(lowest);
    }

    /// To the level after this one, if this one is done.
    fn next(&mut self, careful: bool) -> Result<()> {
        let Some(next) = lesson::next_level(self.level) else {
            self.notice = Some("this is the last level".into());
            return Ok(());
        };
        if careful && !self.is_done() {
            let level = self.level.number;
            self.notice =
                Some(format!("{level} doesn't pass yet; N goes on anyway"));
            return Ok(());
        }
        self.move_to(next)
    }

    fn is_done(&self) -> bool {
        let passes =
            |(outcome, _): &(Outcome, String)| outcome.verdict == Verdict::Pass;
        self.judged.as_ref().is_some_and(passes)
            || self.progress.is_passed(self.level)
    }

    fn move_to(&mut self, level: &'static Level) -> Result<()> {
        self.level = level;
        self.progress.choose(level);
        self.shown.clear();
        (self.judged, self.in_full) = (None, false);
        self.trouble.clear();
        self.show_verdict();
        self.begin()
    }

    /// Build and judge what is there now. Whatever was under way is old.
    fn begin(&mut self) -> Result<()> {
        (self.judging, self.drawing) = (None, None);
        let arguments = ["check", self.level.number, "--json"];
        self.judging = Some(Errand::begin(&arguments, self.size.columns)?);
        Ok(())
    }

    /// What another command says of this level.
    fn said_by(&self, command: &str) -> Result<Errand> {
        Errand::begin(&[command, self.level.number], self.size.columns)
    }

    /// Show it.
    fn ask(&mut self, command: &'static str) -> Result<()> {
        let errand = self.said_by(command)?;
        self.turn_to(View::Waiting(command, errand));
        Ok(())
    }

    /// The finished level is shown to who has passed, or asks once more.
    fn compare(&mut self) -> Result<()> {
        if self.is_done() || self.warned {
            return self.ask("diff");
        }
        self.warned = true;
        self.notice = Some(screen::SPOILS.into());
        Ok(())
    }

    fn take_results(&mut self) {
        if let Some(said) = self.judging.as_mut().and_then(Errand::advance) {
            self.judging = None;
            self.take_verdict(said);
        }
        if let Some(said) = self.drawing.as_mut().and_then(Errand::advance) {
            self.drawing = None;
            self.picture = said.output.lines().map(String::from).collect();
        }
        if let View::Waiting(_, errand) = &mut self.view {
            if let Some(Said { output, words }) = errand.advance() {
                let text = format!("{words}{output}");
                let lines = text.lines().map(String::from).collect();
                self.turn_to(View::Text(lines));
            }
        }
    }

    fn take_verdict(&mut self, said: Said) {
        // What it has noted there, another process has written.
        self.progress = Progress::load();
        // If it has said something on stderr, that stands on the screen.
        self.shown.clear();
        self.picture.clear();
        self.trouble.clear();
        match json::read(&said.output) {
            Some(outcome) => {
                if outcome.verdict == Verdict::Pass {
                    self.drawing = self.said_by("xray").ok();
                }
                self.judged = Some((outcome, said.words));
                if let View::Verdict = self.view {
                    self.above = 0;
                }
            }
            None => {
                self.trouble = said.words.lines().map(String::from).collect();
                self.judged = None;
            }
        }
    }

    /// A command that has the terminal to itself for a while.
    fn lend(&mut self, command: &mut Command) -> Result<Next> {
        let _ = show(LEAVE_SCREEN);
        self.terminal.calm(false);
        self.terminal.pause();
        let (ended, next) = foreground::lend(command, &self.signals)?;
        if let Next::Stay = next {
            self.come_back()?;
        }
        // The last line of what it said is gone from the screen.
        self.notice = ended.notice();
        Ok(next)
    }

    fn try_it(&mut self) -> Result<Next> {
        let unbuilt = |(outcome, _): &(Outcome, String)| {
            matches!(outcome.verdict, Verdict::Unbuilt { .. })
        };
        if self.judged.as_ref().is_some_and(unbuilt) {
            self.show_verdict();
            self.notice = Some("nothing to try: it doesn't compile".into());
            return Ok(Next::Stay);
        }
        self.lend(&mut errand::command(&["try", self.level.number]))
    }

    fn edit(&mut self) -> Result<Next> {
        let root = match workspace::root() {
            Ok(root) => root,
            Err(error) => {
                self.notice = Some(format!("nothing to edit: {error:#}"));
                return Ok(Next::Stay);
            }
        };
        let (file, line) = match lesson::next_step(&root, self.level) {
            Some(step) => (step.file, step.line),
            None => (Whose::Learner.folder(self.level).join("src/main.rs"), 1),
        };
        let editor = ["VISUAL", "EDITOR"]
            .iter()
            .find_map(|name| std::env::var(name).ok())
            .filter(|editor| !editor.trim().is_empty())
            .unwrap_or("vi".into());
        // It may have arguments: `code --wait`.
        let mut words = editor.split_whitespace();
        let program = words.next().unwrap_or("vi");
        let mut command = Command::new(program);
        command.args(words);
        // These take the line to begin on.
        let name = Path::new(program).file_name().and_then(OsStr::to_str);
        let known = ["emacs", "kak", "nano", "nvim", "vi", "vim"];
        if name.is_some_and(|name| known.contains(&name)) {
            command.arg(format!("+{line}"));
        }
        command.arg(root.join(file));
        self.lend(&mut command)
    }

    fn page(&self) -> Page {
        let lines = match &self.view {
            View::Verdict => self.verdict(),
            View::Text(lines) => lines.clone(),
            View::Waiting(command, _) => vec![format!("{command} …")],
            View::List(chosen) => self.list(*chosen),
        };
        let above = match self.view {
            View::List(chosen) => screen::to_see(&lines, chosen, self.size),
            _ => self.above,
        };
        Page { lines, above }
    }

    fn verdict(&self) -> Vec<String> {
        let (mut lines, mut said) = (self.trouble.clone(), Vec::new());
        if let Some((outcome, warnings)) = &self.judged {
            lines = screen::verdict(outcome, self.size.columns, self.in_full);
            said = warnings.lines().map(String::from).collect();
        }
        if let Ok(root) = workspace::root() {
            let passes = self.judged.as_ref().map(|(outcome, _)| &outcome.verdict);
            match passes {
                Some(Verdict::Pass) => {
                    let way = lesson::farewell(&root, self.level, true);
                    let (built, rest) = way.split_at(2);
                    // What is news comes first; what held by its name is known.
                    let names = lines.split_off(1);
                    lines.extend(built.iter().chain(&self.picture).cloned());
                    lines.extend(rest.iter().chain(&names).cloned());
                }
                _ => {
                    lines.push(String::new());
                    let compiles = !matches!(passes, Some(Verdict::Unbuilt { .. }));
                    lines.extend(lesson::directions(&root, self.level, compiles));
                }
            }
        }
        // The compiler's warnings are long, and can wait.
        if !said.is_empty() {
            lines.push(String::new());
            lines.append(&mut said);
        }
        lines
    }

    fn list(&self, chosen: usize) -> Vec<String> {
        let own = workspace::own().unwrap_or_default();
        let line = |(index, level): (usize, &&Level)| {
            let mark = if index == chosen { "▸" } else { " " };
            format!("{mark} {}", list::line(level, &self.progress, &own))
        };
        let mut lines: Vec<String> = ALL.iter().enumerate().map(line).collect();
        lines.push(String::new());
        lines
            .push("↑ ↓ or a digit chooses, Enter goes there, Esc stays here".into());
        lines
    }

    fn draw(&mut self) -> Result<()> {
        let passed = |level: &Level| self.progress.is_passed(level);
        let mut head = screen::head(self.level, &passed);
        if let Some(errand) = &self.judging {
            let seconds = errand.begun.elapsed().as_secs();
            let busy = match seconds {
                0 => "judging …".to_owned(),
                seconds => format!("judging … {seconds} s"),
            };
            head = format!("{head}  {}", busy.yellow());
        } else if let (Some((outcome, _)), false) =
            (&self.judged, matches!(self.view, View::Verdict))
        {
            head = format!("{head}  {} (Esc shows it)", screen::short(outcome));
        }
        let foot = match &self.notice {
            Some(notice) => notice.bold().to_string(),
            None => screen::keys(self.size.columns),
        };
        let window = screen::window(&head, &self.page(), &foot, self.size);
        if window == self.shown {
            return Ok(());
        }
        let mut text = String::from("\x1b[?25l\x1b[H");
        for (index, line) in window.iter().enumerate() {
            if index > 0 {
                text.push_str("\r\n");
            }
            text.push_str(line);
            text.push_str("\x1b[0m\x1b[K");
        }
        text.push_str("\x1b[J");
        show(text.as_bytes()).context("write to the terminal")?;
        self.shown = window;
        Ok(())
    }
}

/// What is said where the file system has no news.
const POLLED: &str =
    "this file system doesn't tell of changes: looking every second";

/// The screen is ours; what is pasted comes with a mark, since it is no keys.
fn enter() -> Result<()> {
    let bytes = [ENTER_SCREEN, b"\x1b[?2004h"].concat();
    show(&bytes).context("write to the terminal")
}

/// The size of the window on standard output.
pub fn size() -> Size {
    let size = sys::window_size(&stdout()).ok();
    let (columns, rows) =
        size.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into()));
    // Some terminals don't know.
    match (columns, rows) {
        (0, _) | (_, 0) => Size {
            columns: 80,
            rows: 24,
        },
        (columns, rows) => Size { columns, rows },
    }
}
