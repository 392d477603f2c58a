//! `try`: a level by hand, a shell in its container, inside the sandbox.
//!
//! On a terminal the program gets a pseudo-terminal of the sandbox, and [`Relay`]
//! passes keys and output between the two; elsewhere it gets the caller's
//! descriptors, as they are.

use std::collections::VecDeque;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal, stdin, stdout};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, read, write};

use crate::belt::{
    Belt, End, Event, Fit, NO_GROUPS, Refused, Shown, Start, Started,
};
use crate::observe::Program;
use crate::terminal::{Pty, RawTerminal, Signals, TERMINAL_SIGNALS};
use crate::{image, text};

/// Ctrl-]: three within a second end everything, as in systemd-nspawn.
const ESCAPE: u8 = 0x1d;
/// Ctrl-C: so do three, for who knows no other way. PID 1 of a PID namespace ignores
/// the signal unless it has a handler for it, and a runtime that waits ignores it, too.
const INTERRUPT: u8 = 0x03;
/// How much is passed on at a time, in bytes.
const CHUNK: usize = 4096;

/// A sandbox with control groups to divide up, where they can be had.
fn fasten(mut fit: Fit) -> Result<Belt> {
    fit.cgroups = true;
    let belt = Belt::fasten(&fit);
    let groups = |error: &anyhow::Error| {
        let refused = error.downcast_ref::<Refused>();
        refused.is_some_and(|refused| refused.step == NO_GROUPS)
    };
    match belt {
        Err(error) if groups(&error) => {
            fit.cgroups = false;
            Belt::fasten(&fit)
        }
        belt => belt,
    }
}

/// Run `program` by hand, with `arguments`: `run` and its options, or the command to
/// run in the container; none, for a shell. `contained` says whether the level has
/// images yet, `check` what judges the same program. With `outside`, the arguments are a command for the program's caller;
/// with `quiet`, it isn't said what is run.
/// Returns the status to leave with: the program's own, or 128+n when
/// signal n ended it.
///
/// Errors: [`crate::belt::Refused`] when there can be no sandbox here; no image; no
/// such program. The terminal has its settings back then, as in every other case.
pub fn try_level(
    program: &Program,
    contained: bool,
    check: &str,
    (outside, quiet): (bool, bool),
    arguments: &[OsString],
) -> Result<i32> {
    let line = match outside {
        false => CommandLine::new(program, contained, arguments),
        true => CommandLine::outside(arguments),
    };
    let mut fit = program.fit.clone();
    if contained {
        fit.shown.extend(images()?);
    }
    let mut belt = fasten(fit)?;
    let start = match outside {
        false => start(program, contained, &line),
        true => start_outside(program, &line),
    };
    let interactive = stdin().is_terminal() && stdout().is_terminal();
    if !quiet && (interactive || !outside) {
        eprintln!("{}", line.announce(interactive));
    }
    let leave = match interactive {
        true => on_terminal(&mut belt, start, line.shell)?,
        false => with_own_descriptors(&mut belt, start)?,
    };
    let leave = match leave {
        Leave::Gone(_) => Leave::Gone(belt.release()),
        other => other,
    };
    let name = match outside {
        false => &program.name,
        true => "the command outside",
    };
    let (status, remark) = leave.explain(name, &line, check);
    if let Some(remark) = remark {
        eprintln!("{remark}");
    }
    Ok(status)
}

/// What is run.
struct CommandLine {
    /// From the program's name on.
    words: Vec<OsString>,
    /// Is it a shell, which waits for what is typed?
    shell: bool,
}

impl CommandLine {
    fn new(program: &Program, contained: bool, arguments: &[OsString]) -> Self {
        let mut words = vec![OsString::from(&program.name)];
        // What begins with a dash is meant for the program as well: `--help`.
        let own = arguments.first().is_some_and(|first| {
            first == "run" || first.as_encoded_bytes().starts_with(b"-")
        });
        if !own {
            words.push("run".into());
            if contained {
                words.extend(["-i", image::DEFAULT].map(OsString::from));
            }
            words.push("--".into());
        }
        match arguments {
            [] if contained => words.extend(["/bin/sh", "-l"].map(OsString::from)),
            [] => words.push("/bin/sh".into()),
            _ => words.extend(arguments.iter().cloned()),
        }
        Self {
            shell: runs_shell(&words),
            words,
        }
    }

    /// A command for the program's caller, or a shell.
    fn outside(arguments: &[OsString]) -> Self {
        let shell = [OsString::from("/bin/sh")];
        Self {
            words: match arguments {
                [] => shell.to_vec(),
                _ => arguments.to_vec(),
            },
            shell: false,
        }
    }

    /// The line that is printed before anything else.
    fn announce(&self, interactive: bool) -> String {
        let words: Vec<String> = self.words.iter().map(|word| quote(word)).collect();
        let words = words.join(" ");
        match (interactive, self.shell) {
            (false, _) if stdin().is_terminal() => {
                format!("{words}  (3 × Ctrl-C ends it)")
            }
            (false, _) => words,
            (true, true) => {
                format!("{words}  (Ctrl-D leaves, 3 × Ctrl-] ends it)")
            }
            (true, false) => {
                format!("{words}  (3 × Ctrl-C or 3 × Ctrl-] ends it)")
            }
        }
    }
}

/// Is the command, what follows `--`, a shell that was given nothing to do?
fn runs_shell(words: &[OsString]) -> bool {
    let mut command = words.iter().skip_while(|word| *word != "--").skip(1);
    let name = command.next().map(|word| word.to_string_lossy());
    let name = name.as_deref().and_then(|path| path.rsplit('/').next());
    matches!(name, Some("sh" | "ash" | "bash" | "dash" | "zsh"))
        && command.all(|word| word == "-l" || word == "-i")
}

/// A word as one would type it.
fn quote(word: &OsStr) -> String {
    let shown = text::escape(word.as_encoded_bytes());
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%".contains(c);
    match !shown.is_empty() && shown.chars().all(plain) {
        true => shown,
        false => format!("'{}'", shown.replace('\'', r"'\''")),
    }
}

/// Every image of the store, at its place in the sandbox. One by one: the store may
/// lie in a home that the sandbox's root can't enter.
fn images() -> Result<Vec<Shown>> {
    image::ensure(image::DEFAULT)?;
    let shown = |image: image::Image| {
        let inside = format!("/workshop/images/{}.tar", image.name).into();
        Shown {
            host: image.path,
            inside,
        }
    };
    Ok(image::list()?.into_iter().map(shown).collect())
}

fn start(program: &Program, contained: bool, line: &CommandLine) -> Start {
    let bytes = |word: &OsStr| word.as_encoded_bytes().to_vec();
    Start {
        program: bytes(program.path.as_os_str()),
        arguments: line.words.iter().map(|word| bytes(word)).collect(),
        environment: environment(program, contained),
        directory: "/workshop".into(),
        umask: 0o022,
        terminal: false,
        numbers: Vec::new(),
        child: false,
        held: false,
        seconds: None,
    }
}

/// A command for the program's caller. It is the shell that finds it in PATH.
fn start_outside(program: &Program, line: &CommandLine) -> Start {
    let mut start = start(program, false, line);
    let name = program.name.as_bytes();
    let prompt = [b"PS1=(outside: ", name, b") $PWD # "].concat();
    start
        .environment
        .retain(|entry| !entry.starts_with(b"PS1="));
    start.environment.push(prompt);
    start.program = b"/bin/sh".into();
    let words = ["sh", "-c", "exec \"$@\"", "sh"].map(|word| word.into());
    start.arguments.splice(0..0, words);
    start
}

/// Nothing of the caller's but the terminal's type: paths and locales of the host
/// mean nothing inside.
fn environment(program: &Program, contained: bool) -> Vec<Vec<u8>> {
    let home = if contained { "/root" } else { "/tmp" };
    let usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let folder = program.path.parent().unwrap_or(&program.path).display();
    let mut all: Vec<Vec<u8>> = [
        format!("PATH={folder}:{usual}"),
        format!("HOME={home}"),
        // For shells that no file gives a prompt. The image `base` has a better one.
        format!("PS1=({}) $PWD # ", program.name),
        "USER=root".into(),
        "LOGNAME=root".into(),
        "SHELL=/bin/sh".into(),
        "LANG=C.UTF-8".into(),
    ]
    .map(String::into_bytes)
    .to_vec();
    let terminal = env::var_os("TERM").unwrap_or_else(|| "dumb".into());
    all.push([b"TERM=", terminal.as_encoded_bytes()].concat());
    if contained {
        // Read by a shell that is interactive and no login shell (man 1 sh).
        all.push(b"ENV=/etc/profile".to_vec());
    }
    all
}

/// A key that ends everything when it is pressed three times in this time.
struct Thrice {
    key: u8,
    within: Duration,
    /// When it was pressed, without any other key in between.
    times: VecDeque<Instant>,
}

impl Thrice {
    fn new(key: u8, seconds: u64) -> Self {
        Self {
            key,
            within: Duration::from_secs(seconds),
            times: VecDeque::new(),
        }
    }

    /// A key was pressed. Was that the third time?
    fn press(&mut self, key: u8) -> bool {
        let now = Instant::now();
        if key == self.key {
            self.times.push_back(now);
        } else {
            self.times.clear();
        }
        self.times.retain(|time| now - *time <= self.within);
        self.times.len() >= 3
    }
}

/// How it ended.
enum Leave {
    /// The program did. `silent`: it was on a terminal, and printed nothing.
    Ended { end: End, silent: bool },
    /// The checker was told to end, or its terminal is gone.
    Told(Signal),
    /// A key was pressed three times: its name.
    Escaped(&'static str),
    /// The sandbox is gone; its init was killed by this signal.
    Gone(Option<i32>),
}

impl Leave {
    /// The checker's exit status, and a line to print.
    fn explain(
        &self,
        name: &str,
        line: &CommandLine,
        check: &str,
    ) -> (i32, Option<String>) {
        let hint = match line.shell {
            true => format!(", and no shell has answered: {check} tells more"),
            false => String::new(),
        };
        match *self {
            Self::Ended {
                end: End::Exited(0),
                silent: true,
            } if line.shell => {
                (0, Some(format!("{name} ended with status 0{hint}")))
            }
            Self::Ended {
                end: End::Exited(0),
                ..
            } => (0, None),
            Self::Ended {
                end: End::Exited(status),
                silent,
            } => {
                let hint = if silent { hint } else { meaning(status) };
                (
                    status,
                    Some(format!("{name} ended with status {status}{hint}")),
                )
            }
            Self::Ended {
                end: End::Signaled(signal),
                ..
            } => {
                let killer = signal_name(signal);
                (
                    128 + signal,
                    Some(format!("{name} itself was killed by {killer}")),
                )
            }
            Self::Told(signal) => (
                128 + signal as i32,
                Some(format!("{name} was ended: {signal}")),
            ),
            Self::Escaped(key) => (
                128 + 9,
                Some(format!("{name} was ended: three times {key}")),
            ),
            Self::Gone(signal) => {
                let how = match signal {
                    Some(signal) => format!("its init got {}", signal_name(signal)),
                    None => "its init has left".into(),
                };
                (
                    128 + 9,
                    Some(format!("{name} ended with its whole sandbox: {how}")),
                )
            }
        }
    }
}

/// What a status stands for, by the contract. The command may have chosen the same.
fn meaning(status: i32) -> String {
    match status {
        125 => ": the runtime itself has failed".into(),
        126 => ": the command can't be executed".into(),
        127 => ": there is no such command".into(),
        129..=192 => format!(": {}", signal_name(status - 128)),
        _ => String::new(),
    }
}

fn signal_name(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => signal.to_string(),
        Err(_) => format!("signal {number}"),
    }
}

/// Without a terminal: the program has the caller's descriptors 0, 1 and 2.
fn with_own_descriptors(belt: &mut Belt, start: Start) -> Result<Leave> {
    let signals = Signals::hold(&[
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
    ])?;
    let program = launch(belt, start, [0, 1, 2])?;
    let mut interrupts = Thrice::new(INTERRUPT, 2);
    loop {
        let leave = wait_for_either(belt, &signals, program, &mut interrupts)?;
        if let Some(leave) = leave {
            let _ = belt.sweep();
            return Ok(leave);
        }
    }
}

fn wait_for_either(
    belt: &mut Belt,
    signals: &Signals,
    program: Started,
    interrupts: &mut Thrice,
) -> Result<Option<Leave>> {
    let mut waiting = [
        PollFd::new(belt.events(), PollFlags::POLLIN),
        PollFd::new(signals.as_fd(), PollFlags::POLLIN),
    ];
    if !belt.has_pending() {
        wait(&mut waiting)?;
    }
    let event = belt.has_pending() || is_ready(&waiting[0]);
    while let Some(signal) = signals.next() {
        match signal {
            // The keyboard's. The program is in a session of its own, where they
            // don't arrive by themselves.
            Signal::SIGINT | Signal::SIGQUIT => {
                let _ = killpg(program.host, signal);
                if signal == Signal::SIGINT && interrupts.press(INTERRUPT) {
                    return Ok(Some(Leave::Escaped("Ctrl-C")));
                }
            }
            _ => return Ok(Some(Leave::Told(signal))),
        }
    }
    if event {
        take_event(belt, program)
    } else {
        Ok(None)
    }
}

/// Start the program; its pid.
///
/// Errors: it can't be executed.
fn launch(belt: &mut Belt, start: Start, descriptors: [i32; 3]) -> Result<Started> {
    let shown = text::escape(&start.program);
    belt.start(start, &descriptors)
        .with_context(|| format!("execute {shown}"))
}

fn take_event(belt: &mut Belt, program: Started) -> Result<Option<Leave>> {
    let Some(received) = belt.next_event()? else {
        return Ok(Some(Leave::Gone(None)));
    };
    match received.message {
        Event::Ended { pid, end, .. } if pid == program.inside => {
            Ok(Some(Leave::Ended { end, silent: false }))
        }
        // Orphans end as well.
        _ => Ok(None),
    }
}

fn wait(waiting: &mut [PollFd]) -> Result<()> {
    match poll(waiting, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno).context("poll"),
    }
}

fn is_ready(waited: &PollFd) -> bool {
    waited.any().unwrap_or(true)
}

/// With a terminal: the program has a pseudo-terminal of the sandbox.
fn on_terminal(belt: &mut Belt, mut start: Start, shell: bool) -> Result<Leave> {
    // What is dropped last comes first: signals may end the checker only when the
    // terminal has its settings back.
    let signals = Signals::hold(&TERMINAL_SIGNALS)?;
    let terminal = RawTerminal::take()?;
    let pty = Pty::open(belt.root(), terminal.saved())?;
    start.terminal = true;
    let slave = pty.slave().as_raw_fd();
    let program = launch(belt, start, [slave; 3])?;
    let mut relay = Relay {
        belt,
        program,
        signals: &signals,
        terminal: &terminal,
        pty,
        typed: Vec::new(),
        printed: Vec::new(),
        last: None,
        in_alternate_screen: false,
        hung_up: false,
        escapes: Thrice::new(ESCAPE, 1),
        // In a shell one presses it often, to throw away what was typed.
        interrupts: (!shell).then(|| Thrice::new(INTERRUPT, 2)),
    };
    relay.run()
}

/// Passes on what is typed and what is printed, until the program ends.
struct Relay<'a> {
    belt: &'a mut Belt,
    program: Started,
    signals: &'a Signals,
    terminal: &'a RawTerminal,
    pty: Pty,
    /// Typed, and not yet passed on. No more is read before it is.
    typed: Vec<u8>,
    /// Printed, and not yet shown.
    printed: Vec<u8>,
    /// The last byte that was printed; none so far: the program was silent.
    last: Option<u8>,
    in_alternate_screen: bool,
    /// The pseudo-terminal will print nothing any more.
    hung_up: bool,
    escapes: Thrice,
    interrupts: Option<Thrice>,
}

/// What can be done without waiting.
struct Ready {
    event: bool,
    signal: bool,
    typed: bool,
    room_to_show: bool,
    printed: bool,
    room_to_type: bool,
}

impl Relay<'_> {
    fn run(&mut self) -> Result<Leave> {
        let leave = loop {
            if let Some(leave) = self.turn()? {
                break leave;
            }
        };
        // Then nobody is left who prints: what there is, is all.
        let _ = self.belt.sweep();
        let _ = self.show_the_rest();
        Ok(match leave {
            Leave::Ended { end, .. } => {
                if end != End::Exited(0) {
                    self.begin_line();
                }
                Leave::Ended {
                    end,
                    silent: self.last.is_none(),
                }
            }
            forced => {
                self.terminal.calm(self.in_alternate_screen);
                if !self.in_alternate_screen {
                    self.begin_line();
                }
                forced
            }
        })
    }

    /// A line of the checker's own is to come.
    fn begin_line(&self) {
        if self.last.is_some_and(|byte| byte != b'\n') {
            let _ = crate::terminal::show(b"\r\n");
        }
    }

    fn turn(&mut self) -> Result<Option<Leave>> {
        let ready = self.wait()?;
        if ready.signal {
            if let Some(leave) = self.take_signals()? {
                return Ok(Some(leave));
            }
        }
        if ready.printed {
            self.take_printed();
        }
        if ready.room_to_show && self.show().is_err() {
            return Ok(Some(Leave::Told(Signal::SIGHUP)));
        }
        if ready.typed {
            if let Some(leave) = self.take_typed() {
                return Ok(Some(leave));
            }
        }
        if ready.room_to_type {
            self.pass_on_typed();
        }
        if ready.event {
            return take_event(self.belt, self.program);
        }
        Ok(None)
    }

    fn wait(&self) -> Result<Ready> {
        let (input, output) = (stdin(), stdout());
        let reading = self.typed.is_empty();
        let showing = !self.printed.is_empty();
        let mut of_pty = PollFlags::empty();
        of_pty.set(PollFlags::POLLIN, !showing);
        of_pty.set(PollFlags::POLLOUT, !reading);
        // Who isn't waited for must not be in the list at all: a hang-up is always
        // reported. The wire to the sandbox stands in for it.
        let wire = || PollFd::new(self.belt.events(), PollFlags::POLLIN);
        let mut waiting = [
            wire(),
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            match reading {
                true => PollFd::new(input.as_fd(), PollFlags::POLLIN),
                false => wire(),
            },
            match showing {
                true => PollFd::new(output.as_fd(), PollFlags::POLLOUT),
                false => wire(),
            },
            match self.hung_up || of_pty.is_empty() {
                true => wire(),
                false => PollFd::new(self.pty.as_fd(), of_pty),
            },
        ];
        let pending = self.belt.has_pending();
        if !pending {
            wait(&mut waiting)?;
        }
        let pty = !self.hung_up && is_ready(&waiting[4]);
        Ok(Ready {
            event: pending || is_ready(&waiting[0]),
            signal: is_ready(&waiting[1]),
            typed: reading && is_ready(&waiting[2]),
            room_to_show: showing && is_ready(&waiting[3]),
            printed: pty && !showing,
            room_to_type: pty && !reading,
        })
    }

    fn take_signals(&mut self) -> Result<Option<Leave>> {
        while let Some(signal) = self.signals.next() {
            match signal {
                Signal::SIGWINCH => self.pty.resize(),
                // Not from the keyboard: there, Ctrl-Z is a byte.
                Signal::SIGTSTP => {
                    self.terminal.pause();
                    kill(Pid::this(), Signal::SIGSTOP).context("kill(SIGSTOP)")?;
                }
                // The caller's shell has used the terminal in the meantime.
                Signal::SIGCONT => {
                    self.terminal.resume()?;
                    self.pty.resize();
                }
                _ => return Ok(Some(Leave::Told(signal))),
            }
        }
        Ok(None)
    }

    fn take_printed(&mut self) {
        let mut chunk = [0; CHUNK];
        match self.pty.read(&mut chunk) {
            Ok(count) if count > 0 => {
                self.last = Some(chunk[count - 1]);
                if let Some(alternate) =
                    crate::terminal::screen_after(&chunk[..count])
                {
                    self.in_alternate_screen = alternate;
                }
                self.printed.extend(&chunk[..count]);
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            _ => self.hung_up = true,
        }
    }

    fn show(&mut self) -> nix::Result<()> {
        match write(stdout(), &self.printed) {
            Ok(count) => drop(self.printed.drain(..count)),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
        Ok(())
    }

    fn take_typed(&mut self) -> Option<Leave> {
        let mut chunk = [0; CHUNK];
        match read(stdin(), &mut chunk) {
            Ok(count) if count > 0 => self.typed.extend(&chunk[..count]),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            // The terminal's window was closed.
            _ => return Some(Leave::Told(Signal::SIGHUP)),
        }
        self.escaped()
    }

    fn escaped(&mut self) -> Option<Leave> {
        let signals = self.pty.keys_send_signals();
        for key in &self.typed {
            if self.escapes.press(*key) {
                return Some(Leave::Escaped("Ctrl-]"));
            }
            // To an editor, Ctrl-C is a key like others.
            let interrupts = self.interrupts.as_mut().filter(|_| signals);
            if interrupts.is_some_and(|thrice| thrice.press(*key)) {
                return Some(Leave::Escaped("Ctrl-C"));
            }
        }
        None
    }

    fn pass_on_typed(&mut self) {
        match self.pty.write(&self.typed) {
            Ok(count) => drop(self.typed.drain(..count)),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            // Nobody reads it any more: the program's end is on its way.
            Err(_) => self.typed.clear(),
        }
    }

    fn show_the_rest(&mut self) -> nix::Result<()> {
        loop {
            crate::terminal::show(&self.printed)?;
            self.printed.clear();
            self.take_printed();
            if self.printed.is_empty() {
                return Ok(());
            }
        }
    }
}
