//! A demo on a terminal, played by keys. It scrolls as a shell's session does: nothing
//! that was shown is lost, whatever the window's size, and a command has the terminal
//! as from a shell. Lists have a screen of their own.
//!
//! Read `Stage::obey` (what the keys do), then `forward` (a step's life).

use std::collections::VecDeque;
use std::env;
use std::io::{IsTerminal, stdin, stdout};
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result};
use colored::Colorize;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, read};

use super::line::Line;
use super::{KEYS, Show, Step, head};
use crate::errand;
use crate::foreground::{Ended, Next, lend, nobody_says_fg};
use crate::keys::{Key, keys};
use crate::status::Status;
use crate::terminal::{
    self, ENTER_SCREEN, LEAVE_SCREEN, RawTerminal, Signals, TERMINAL_SIGNALS,
};
use crate::watch::screen::{Size, cut, fold};
use crate::watch::size;

/// How long it takes to type a letter, and a whole command at most, in milliseconds.
const LETTER: u64 = 25;
const COMMAND: u64 = 1500;
/// What a mistake is chosen by. The others turn the page, or leave.
const LETTERS: &str = "acdefghijklmorstuvwxyz";

/// Can a demo be played by keys here?
pub fn has_terminal() -> bool {
    stdin().is_terminal() && stdout().is_terminal()
}

/// Does this terminal take plain text only, and send whole lines: a letter and Enter?
pub fn is_simple() -> bool {
    matches!(env::var("TERM").as_deref(), Ok("dumb" | "") | Err(_))
}

/// Play it until the presenter leaves.
///
/// Errors: the terminal is gone. It has its settings back then, as in every other case.
pub fn perform(show: &Show) -> Result<Status> {
    let signals = [&TERMINAL_SIGNALS[..], &[Signal::SIGCHLD]].concat();
    let signals = Signals::hold(&signals)?;
    let mut stage = Stage {
        show,
        terminal: match is_simple() {
            true => None,
            false => Some(RawTerminal::take()?),
        },
        signals,
        keys: VecDeque::new(),
        pasting: false,
        at: 0,
        line: show.steps[0].line.clone(),
        state: State::Begun,
        open: false,
        resized: false,
    };
    let left = stage.go();
    let _ = stage.end_line();
    left.map(|()| Status::Success)
}

struct Stage<'a> {
    show: &'a Show,
    // Signals may end the checker only when the terminal has its settings back: fields
    // are dropped in their order.
    terminal: Option<RawTerminal>,
    signals: Signals,
    /// Pressed, and not yet obeyed.
    keys: VecDeque<Key>,
    pasting: bool,
    /// The step, and its command: the slide's, or the same with a mistake.
    at: usize,
    line: Line,
    state: State,
    /// Does the cursor stand behind a prompt?
    open: bool,
    /// Has the window got another size since a list was put there?
    resized: bool,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The slide's heading is there.
    Begun,
    /// The command stands behind the prompt.
    Typed,
    Ran,
}

/// How an entry of a list is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Letter,
    Number,
    /// There is nothing to choose.
    Nothing,
}

impl Stage<'_> {
    fn go(&mut self) -> Result<()> {
        self.turn_page()?;
        self.tell(match self.terminal {
            Some(_) => "Space goes on, b goes back, ? shows the keys",
            None => "Enter goes on; a letter and Enter does more: ? shows all",
        })?;
        self.print("\n")?;
        self.show_step()?;
        while let Some(key) = self.key()? {
            if let Next::Leave = self.obey(key)? {
                break;
            }
        }
        Ok(())
    }

    fn obey(&mut self, key: Key) -> Result<Next> {
        match key {
            Key::Control('c' | 'd') | Key::Letter('q') => return Ok(Next::Leave),
            Key::Letter(' ' | 'n') | Key::Enter | Key::Right | Key::PageDown => {
                return self.forward();
            }
            Key::Letter('b' | 'p') | Key::Left | Key::PageUp => self.back()?,
            Key::Letter('r') => {
                if self.state != State::Typed {
                    self.put_command()?;
                }
                return self.run();
            }
            Key::Letter('m') => self.choose_mistake()?,
            Key::Letter('s') => return self.aside("try"),
            Key::Letter('x') => return self.aside("xray"),
            Key::Letter('l') => self.choose_step()?,
            Key::Letter('g') => self.ask_for_step()?,
            Key::Letter('0') | Key::Home => self.begin(0)?,
            Key::Letter('?') => {
                let keys: Vec<String> = KEYS.lines().map(String::from).collect();
                self.choose(&keys, By::Nothing)?;
            }
            Key::Control('z') => self.stop()?,
            Key::Control('l') => {
                self.turn_page()?;
                self.show_step()?;
            }
            _ => {}
        }
        Ok(Next::Stay)
    }

    fn step(&self) -> &Step {
        &self.show.steps[self.at]
    }

    /// The next thing that is to happen.
    fn forward(&mut self) -> Result<Next> {
        let steps = &self.show.steps;
        match (self.state, steps.get(self.at + 1)) {
            (State::Begun, _) => self.type_command()?,
            (State::Typed, _) => return self.run(),
            (State::Ran, Some(next)) if next.slide == self.step().slide => {
                self.take(self.at + 1);
                self.type_command()?;
            }
            (State::Ran, Some(_)) => self.begin(self.at + 1)?,
            (State::Ran, None) => {
                self.tell("this was the last step: 0 starts over, q leaves")?;
                self.prompt()?;
            }
        }
        Ok(Next::Stay)
    }

    /// To the beginning of this step, or of the one before.
    fn back(&mut self) -> Result<()> {
        match self.state {
            State::Begun => self.begin(self.at.saturating_sub(1)),
            _ => self.begin(self.at),
        }
    }

    /// To the beginning of a step, on a page of its own.
    fn begin(&mut self, at: usize) -> Result<()> {
        self.turn_page()?;
        self.take(at);
        self.show_step()
    }

    fn take(&mut self, at: usize) {
        self.at = at;
        self.line = self.step().line.clone();
        self.state = State::Begun;
    }

    /// An empty window: what was there scrolls away, and isn't lost.
    fn turn_page(&mut self) -> Result<()> {
        self.end_line()?;
        match self.terminal {
            Some(_) => self.print(&format!("{}\x1b[H", "\n".repeat(size().rows))),
            None => self.print("\n"),
        }
    }

    /// Where we are, and what is already typed.
    fn show_step(&mut self) -> Result<()> {
        let head = head(self.show, self.at).join("\n");
        self.print(&format!("{head}\n\n"))?;
        self.show_line()
    }

    fn show_line(&mut self) -> Result<()> {
        match self.state {
            State::Typed => self.put_command(),
            _ => self.prompt(),
        }
    }

    /// A prompt, as of a shell. On a simple terminal keys are seen: there it comes with
    /// its command.
    fn prompt(&mut self) -> Result<()> {
        if self.terminal.is_some() {
            self.print("$ ")?;
            self.open = true;
        }
        Ok(())
    }

    /// The command at once.
    fn put_command(&mut self) -> Result<()> {
        self.state = State::Typed;
        if !self.open {
            self.print("$ ")?;
        }
        self.print(&self.line.text)?;
        self.open = self.terminal.is_some();
        if !self.open {
            self.print("\n")?;
        }
        Ok(())
    }

    /// Type the command, letter by letter; a key puts the rest there at once.
    fn type_command(&mut self) -> Result<()> {
        self.state = State::Typed;
        if self.terminal.is_none() {
            return self.put_command();
        }
        if !self.open {
            self.prompt()?;
        }
        let text = self.line.text.clone();
        let count = text.chars().count().max(1) as u64;
        let letter = Duration::from_millis(LETTER.min(COMMAND / count));
        for (at, character) in text.char_indices() {
            self.print(character.encode_utf8(&mut [0; 4]))?;
            if !self.look(Some(letter))? {
                self.keys.push_front(Key::Control('c'));
            }
            let key = match self.keys.pop_front() {
                None => continue,
                Some(key) => key,
            };
            if let Key::Control(_) = key {
                self.keys.push_front(key);
            }
            self.print(&text[at + character.len_utf8()..])?;
            break;
        }
        Ok(())
    }

    fn run(&mut self) -> Result<Next> {
        self.end_line()?;
        self.state = State::Ran;
        let line = self.line.clone();
        self.lend_terminal(&line.arguments())
    }

    /// A shell in the container (`try`), or its picture (`xray`): of the finished level,
    /// or with the mistake that this step's command has.
    fn aside(&mut self, command: &str) -> Result<Next> {
        let level = self.show.level;
        let which = match (&self.line.mistake, self.line.is_of(level)) {
            (Some(name), Ok(())) => format!("--mistake {name}"),
            _ => "--solution".into(),
        };
        let text = format!("{command} {} {which}", level.number);
        self.end_line()?;
        self.print(&format!("$ cargo checker {text}\n"))?;
        let arguments: Vec<&str> = text.split(' ').collect();
        self.lend_terminal(&arguments)
    }

    /// Run the checker with these arguments. It has the terminal.
    fn lend_terminal(&mut self, arguments: &[&str]) -> Result<Next> {
        // What was typed before is no answer to what comes.
        self.keys.clear();
        if let Some(terminal) = &self.terminal {
            terminal.pause();
        }
        let mut command = errand::command(arguments);
        // Everything is built: cargo needn't say so.
        command.env("CARGO_TERM_QUIET", "true");
        if self.terminal.is_none() {
            command.env("NO_COLOR", "1");
        }
        let (ended, next) = lend(&mut command, &self.signals)?;
        if next == Next::Leave {
            return Ok(next);
        }
        if let Some(terminal) = &self.terminal {
            terminal.resume()?;
        }
        self.print("\n")?;
        match ended {
            // It has said so itself.
            Ended::Exited(_) => {}
            other => self.tell(&other.notice().unwrap_or_default())?,
        }
        self.show_line()?;
        Ok(Next::Stay)
    }

    /// The same command with a mistake: it is typed below.
    fn choose_mistake(&mut self) -> Result<()> {
        let level = self.show.level;
        if let Err(error) = self.step().line.is_of(level) {
            self.tell(&format!("{error:#}"))?;
            return self.show_line();
        }
        let mistakes = &self.show.mistakes;
        let entries: Vec<String> = mistakes
            .iter()
            .map(|one| format!("{}  {}", one.title, one.name.dimmed()))
            .collect();
        let Some(chosen) = self.choose(&entries, By::Letter)? else {
            return Ok(());
        };
        // What was typed stays above.
        self.end_line()?;
        self.line = self
            .step()
            .line
            .with_mistake(level, &mistakes[chosen].name)?;
        self.type_command()
    }

    fn choose_step(&mut self) -> Result<()> {
        let entry = |(at, step): (usize, &Step)| {
            let mark = if at == self.at { "▸" } else { " " };
            let title = match &*step.title {
                "" => self.show.level.title,
                title => title,
            };
            format!("{mark} {title}  {}", step.line.text.dimmed())
        };
        let entries: Vec<String> =
            self.show.steps.iter().enumerate().map(entry).collect();
        match self.choose(&entries, By::Number)? {
            Some(at) => self.begin(at),
            None => Ok(()),
        }
    }

    fn ask_for_step(&mut self) -> Result<()> {
        self.end_line()?;
        let count = self.show.steps.len();
        self.print(&format!("step 1 to {count}: "))?;
        let chosen = self.number(count, 0)?;
        self.print("\n")?;
        match chosen {
            Some(at) => self.begin(at),
            None => self.show_line(),
        }
    }

    /// Show a list on a screen of its own. Returns the entry that was chosen.
    fn choose(&mut self, entries: &[String], by: By) -> Result<Option<usize>> {
        let screen = |sequence: &[u8]| match self.terminal {
            Some(_) => terminal::show(sequence).context("write to the terminal"),
            None => Ok(()),
        };
        screen(ENTER_SCREEN)?;
        let chosen = self.turn_pages(entries, by);
        match self.terminal {
            Some(_) => {
                terminal::show(LEAVE_SCREEN).context("write to the terminal")?
            }
            None => self.show_line()?,
        }
        chosen
    }

    fn turn_pages(&mut self, entries: &[String], by: By) -> Result<Option<usize>> {
        let (mut first, mut before) = (0, Vec::new());
        loop {
            let next = self.show_page(entries, first, by)?;
            while self.keys.is_empty() && !self.resized {
                if !self.look(None)? {
                    self.keys.push_back(Key::Control('c'));
                }
            }
            let Some(key) = self.keys.pop_front() else {
                continue;
            };
            match (key, by) {
                // Not for the list.
                (Key::Control(_), _) => {
                    self.keys.push_front(key);
                    return Ok(None);
                }
                (Key::Escape | Key::Letter('q'), _) => return Ok(None),
                (Key::Letter(digit @ '1'..='9'), By::Number) => {
                    return self.number(entries.len(), value(digit));
                }
                (Key::PageUp | Key::Left | Key::Letter('b' | 'p'), _) => {
                    first = before.pop().unwrap_or(0);
                }
                (Key::Letter(' ' | 'n'), _)
                | (Key::PageDown | Key::Right | Key::Enter, _) => {
                    if next < entries.len() {
                        before.push(first);
                        first = next;
                    } else if by == By::Nothing {
                        return Ok(None);
                    } else {
                        (first, before) = (0, Vec::new());
                    }
                }
                (Key::Letter(letter), By::Letter) => {
                    let at = LETTERS.find(letter).map(|at| first + at);
                    if at.is_some_and(|at| at < next) {
                        return Ok(at);
                    }
                }
                _ => {}
            }
        }
    }

    /// Put a page of a list there. Returns the first entry of the next one.
    fn show_page(
        &mut self,
        entries: &[String],
        first: usize,
        by: By,
    ) -> Result<usize> {
        self.resized = false;
        let size = size();
        let (lines, next) = page(entries, first, by, size);
        let how = match by {
            By::Letter => "a letter chooses  ",
            By::Number => "a number goes there  ",
            By::Nothing => "",
        };
        let many = first > 0 || next < entries.len();
        let more = if many { "Space: more  " } else { "" };
        let foot = format!("{more}{how}Esc: back").dimmed().to_string();
        let foot = cut(&foot, size.columns.saturating_sub(1));
        let (clear, end) = match self.terminal {
            Some(_) => ("\x1b[H\x1b[J", " "),
            None => ("", "\n"),
        };
        self.print(&format!("{clear}{}\n{foot}{end}", lines.join("\n")))?;
        Ok(next)
    }

    /// A number up to `count`, of which `typed` is the beginning, as an index.
    fn number(&mut self, count: usize, mut typed: usize) -> Result<Option<usize>> {
        // With a further digit it would be too large: it is whole.
        while typed == 0 || typed * 10 <= count {
            match self.key()? {
                Some(Key::Letter(digit @ '0'..='9')) => {
                    typed = typed * 10 + value(digit);
                }
                Some(Key::Enter) => break,
                None | Some(Key::Escape | Key::Letter('q')) => return Ok(None),
                Some(key @ Key::Control(_)) => {
                    self.keys.push_front(key);
                    return Ok(None);
                }
                Some(_) => {}
            }
        }
        Ok((1..=count).contains(&typed).then(|| typed - 1))
    }

    /// The next key; none: it is time to leave.
    fn key(&mut self) -> Result<Option<Key>> {
        loop {
            if let Some(key) = self.keys.pop_front() {
                return Ok(Some(key));
            }
            if !self.look(None)? {
                return Ok(None);
            }
        }
    }

    /// Wait for keys and signals, as long as this. False: it is time to leave.
    fn look(&mut self, patience: Option<Duration>) -> Result<bool> {
        let stdin = stdin();
        let mut ready = [
            PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
        ];
        let timeout = patience.map_or(PollTimeout::NONE, |patience| {
            PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut ready, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("poll"),
        }
        let pressed = ready[0].any().unwrap_or(false);
        while let Some(signal) = self.signals.next() {
            match signal {
                Signal::SIGCHLD => {}
                Signal::SIGWINCH => self.resized = true,
                Signal::SIGTSTP => self.stop()?,
                // The caller's shell has used the terminal in the meantime.
                Signal::SIGCONT => {
                    if let Some(terminal) = &self.terminal {
                        terminal.resume()?;
                    }
                    self.show_step()?;
                }
                _ => return Ok(false),
            }
        }
        Ok(!pressed || self.take_keys())
    }

    /// Read what was pressed. False: there is nobody who presses keys any more.
    fn take_keys(&mut self) -> bool {
        let mut chunk = [0; 256];
        let count = match read(stdin(), &mut chunk) {
            Err(Errno::EINTR | Errno::EAGAIN) => return true,
            Ok(0) | Err(_) => return false,
            Ok(count) => count,
        };
        if self.terminal.is_some() {
            self.keys.extend(keys(&chunk[..count], &mut self.pasting));
            return true;
        }
        let line = String::from_utf8_lossy(&chunk[..count]);
        match line.trim() {
            "" => self.keys.push_back(Key::Enter),
            letters => self.keys.extend(letters.chars().map(Key::Letter)),
        }
        true
    }

    /// Ctrl-Z: the terminal is the shell's, until it says `fg`.
    fn stop(&mut self) -> Result<()> {
        if nobody_says_fg() {
            return Ok(());
        }
        self.end_line()?;
        if let Some(terminal) = &self.terminal {
            terminal.pause();
        }
        kill(Pid::this(), Signal::SIGSTOP).context("kill(SIGSTOP)")
    }

    /// The cursor to where a line begins. A prompt with nothing behind it goes away.
    fn end_line(&mut self) -> Result<()> {
        if self.open {
            self.open = false;
            return match self.state {
                State::Typed => self.print("\n"),
                _ => self.print("\r\x1b[K"),
            };
        }
        Ok(())
    }

    /// Something for the presenter, on a line of its own.
    fn tell(&mut self, words: &str) -> Result<()> {
        self.end_line()?;
        let lines = fold(&words.dimmed().to_string(), size().columns);
        self.print(&format!("{}\n", lines.join("\n")))
    }

    fn print(&self, text: &str) -> Result<()> {
        let text = match self.terminal {
            // In raw mode, a line feed moves down and nothing else.
            Some(_) => text.replace('\n', "\r\n"),
            None => text.to_owned(),
        };
        terminal::show(text.as_bytes()).context("write to the terminal")
    }
}

fn value(digit: char) -> usize {
    digit.to_digit(10).map_or(0, |digit| digit as usize)
}

/// As many entries as the window has room for, at least one, and the next one's index.
fn page(
    entries: &[String],
    first: usize,
    by: By,
    size: Size,
) -> (Vec<String>, usize) {
    // The last line says what can be pressed.
    let room = size.rows.saturating_sub(1).max(1);
    let mut lines: Vec<String> = Vec::new();
    let mut next = first;
    for (index, entry) in entries.iter().enumerate().skip(first) {
        let label = match by {
            By::Letter => match LETTERS.chars().nth(index - first) {
                Some(letter) => format!("{letter}  "),
                None => break,
            },
            By::Number => format!("{:>2} ", index + 1),
            By::Nothing => String::new(),
        };
        let folded = fold(&format!("{label}{entry}"), size.columns);
        if !lines.is_empty() && lines.len() + folded.len() > room {
            break;
        }
        lines.extend(folded);
        next = index + 1;
    }
    // One that is larger than the window: its beginning.
    lines.truncate(room);
    (lines, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_on_a_page() {
        let entries: Vec<String> = (0..60)
            .map(|n| format!("entry {n} {}", "x ".repeat(n)))
            .collect();
        for by in [By::Letter, By::Number, By::Nothing] {
            for (rows, columns) in [(24, 80), (12, 40), (5, 20), (1, 1)] {
                let (mut first, mut pages) = (0, 0);
                while first < entries.len() {
                    let size = Size { columns, rows };
                    let (lines, next) = page(&entries, first, by, size);
                    assert!(next > first);
                    let fits = lines.len() < rows.max(2);
                    assert!(fits, "{rows}×{columns}: {lines:?}");
                    (first, pages) = (next, pages + 1);
                }
                assert!(pages > 1);
            }
        }
    }
}
