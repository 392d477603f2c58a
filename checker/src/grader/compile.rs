//! Compiling what others wrote, in the sandbox: without the network, seeing nothing of
//! the host but compiler, linker and libraries, with limits on memory, processes, time
//! and output.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc::{SIGKILL, SIGXCPU};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::unistd::pipe2;
use report::Place;
use serde_json::Value;

use super::calls::Call;
use super::ready::Ready;
use crate::belt::{Belt, End, Event, Fit, Gone, Limits, Shown, Start, View};
use crate::judge::Level;
use crate::observe::inside::Inside;
use crate::observe::outside;
use crate::text::{amount, lines};

/// What rustc and the linker take for a level is a fifth of this.
const LIMITS: Limits = Limits {
    memory: 1536 << 20,
    processes: 256,
};
/// The processor's time that one call of rustc may take, in seconds: some hundred times
/// what it takes.
const SECONDS: u64 = 60;
/// How often its use of memory is looked at.
const TICK: Duration = Duration::from_millis(50);
/// However little of that it uses.
const LONGEST: Duration = Duration::from_secs(600);
/// How long it may stand still. Who includes a terminal or a pipe waits for ever, and
/// takes no time of the processor's.
const STILL: Duration = Duration::from_secs(30);
/// How much of what it says is kept, and how much it may say, in bytes.
const KEPT: usize = 256 << 10;
const MOST: u64 = 64 << 20;
/// The most lines of it that are handed on, and the most places.
const LINES: usize = 400;
const PLACES: usize = 10;
/// A program larger than this is none of a level's, in bytes.
const LARGEST: u64 = 128 << 20;

const PROJECT: &str = "/workshop/project";
const SYSROOT: &str = "/workshop/toolchain";
const DEPS: &str = "/workshop/deps";
const OUT: &str = "/workshop/out";

/// A sandbox with a compiler in it. Nothing of one level is left for the next.
struct Bench {
    belt: Belt,
    root: Inside,
    /// The host's names, as calls have them, and the sandbox's.
    names: [(String, &'static str); 2],
    /// The libraries that were there before.
    deps: BTreeSet<String>,
    memory: outside::HostMemory,
}

/// What became of a level's sources.
pub enum Compiled {
    Done,
    Not { output: String, errors: Vec<Place> },
}

/// How a call of rustc ended.
struct Ran {
    end: Result<End, String>,
    said: Vec<u8>,
}

/// Compile a level, and put its program at `program`. `levels` has the sources, a folder
/// for each level.
///
/// Errors: [`crate::belt::Refused`] when this host allows no sandbox.
pub fn compile(
    ready: &Ready,
    level: &Level,
    levels: &Path,
    program: &Path,
) -> Result<Compiled> {
    let calls = ready.calls(level)?;
    Bench::open(ready, levels)?.compile(&calls, program)
}

impl Bench {
    fn open(ready: &Ready, levels: &Path) -> Result<Self> {
        let show = |host: &Path, inside: &str| Shown {
            host: host.into(),
            inside: inside.into(),
        };
        let fit = Fit {
            limits: LIMITS,
            view: View::Bare,
            shown: vec![
                show(ready.sysroot(), SYSROOT),
                show(&ready.deps(), DEPS),
                show(levels, &format!("{PROJECT}/levels")),
            ],
            cgroups: false,
        };
        let names = fs::read_dir(ready.deps())?.flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let [built, project] = ready.names();
        let belt = Belt::fasten(&fit)?;
        let root = Inside::new(belt.root().try_clone_to_owned()?);
        Ok(Self {
            root,
            names: [(built.to_owned(), DEPS), (project.to_owned(), PROJECT)],
            deps: names.collect(),
            memory: outside::HostMemory::now(),
            belt,
        })
    }

    fn compile(&mut self, calls: &[Call], program: &Path) -> Result<Compiled> {
        self.root.make_directory(Path::new(OUT)).context(OUT)?;
        let (mut output, mut errors) = (String::new(), Vec::new());
        for call in calls {
            let ran = self.run(call)?;
            take_messages(&ran.said, &mut output, &mut errors);
            let why = match ran.end {
                Ok(End::Exited(0)) => continue,
                Ok(End::Exited(_)) => String::new(),
                Ok(End::Signaled(SIGXCPU | SIGKILL)) => {
                    format!(
                        "the compiler was ended: it may take {SECONDS} seconds of processor time, and {} of memory\n",
                        amount(LIMITS.memory)
                    )
                }
                Ok(End::Signaled(signal)) => {
                    format!("the compiler ended by signal {signal}\n")
                }
                Err(why) => format!("the compiler was ended: {why}\n"),
            };
            let output = lines(&output, LINES).join("\n") + "\n" + &why;
            return Ok(Compiled::Not { output, errors });
        }
        let made = calls.iter().find_map(|call| {
            let is_program = call.value("--crate-type") == Some("bin");
            is_program.then(|| call.program()).flatten()
        });
        let made = made.context("no call makes a program")?;
        if self.take_out(&Path::new(OUT).join(made), program)? {
            return Ok(Compiled::Done);
        }
        let output = format!("the program is larger than {}\n", amount(LARGEST));
        Ok(Compiled::Not { output, errors })
    }

    /// Where cargo was at work is nobody's business.
    fn inside(&self, text: &str) -> String {
        let renamed = |text: String, (host, inside): &(String, &str)| {
            text.replace(host, inside)
        };
        self.names.iter().fold(text.to_owned(), renamed)
    }

    /// What cargo said, with the sandbox's names.
    fn arguments(&self, call: &Call) -> Vec<String> {
        let mut all = vec![format!("{SYSROOT}/bin/rustc")];
        let mut previous = "";
        for argument in &call.arguments {
            let plain = self.inside(argument);
            let libraries = format!("={DEPS}/");
            let changed = match plain.split_once(libraries.as_str()) {
                _ if previous == "--out-dir" => OUT.into(),
                // One that isn't there yet is the level's own.
                Some((name, file)) if !self.deps.contains(file) => {
                    format!("{name}={OUT}/{file}")
                }
                // In plain words, without colours.
                _ if plain.starts_with("--json=") => "--json=artifacts".into(),
                _ => plain,
            };
            all.push(changed);
            previous = argument;
        }
        all
    }

    fn run(&mut self, call: &Call) -> Result<Ran> {
        let fixed = [
            ("HOME", "/tmp"),
            ("LANG", "C.UTF-8"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("TMPDIR", "/tmp"),
        ];
        let fixed = fixed.map(|(name, value)| (name, value.to_owned()));
        let own = call.environment.iter();
        let own = own.map(|(name, value)| (name.as_str(), self.inside(value)));
        let environment = fixed.into_iter().chain(own);
        let arguments = self.arguments(call);
        let bytes = |text: &String| text.as_bytes().to_vec();
        let start = Start {
            program: bytes(&arguments[0]),
            arguments: arguments.iter().map(bytes).collect(),
            environment: environment
                .map(|(name, value)| format!("{name}={value}").into_bytes())
                .collect(),
            directory: PROJECT.into(),
            umask: 0o022,
            terminal: false,
            numbers: Vec::new(),
            child: false,
            held: false,
            seconds: Some(SECONDS),
        };
        let (words, said) = pipe2(OFlag::O_CLOEXEC).context("pipe2")?;
        fcntl(&words, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).context("fcntl")?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        let given = [null.as_raw_fd(), null.as_raw_fd(), said.as_raw_fd()];
        let started = match self.belt.start(start, &given) {
            Err(error) if error.is::<Errno>() => {
                return Err(error).context(format!("execve {}", arguments[0]));
            }
            started => started?,
        };
        drop(said);
        self.wait(started.inside, words)
    }

    /// Until it has ended, or has to be.
    fn wait(&mut self, pid: i32, words: OwnedFd) -> Result<Ran> {
        let (begun, mut looked) = (Instant::now(), Instant::now());
        let (mut ran, mut moved) = (0, Instant::now());
        let (mut words, mut said, mut bytes) = (File::from(words), Vec::new(), 0);
        loop {
            let mut watched = [
                PollFd::new(self.belt.events(), PollFlags::POLLIN),
                PollFd::new(words.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut watched, PollTimeout::from(TICK.as_millis() as u16)) {
                Err(Errno::EINTR) => continue,
                polled => polled.context("poll")?,
            };
            let event = watched[0].any().unwrap_or(false) || self.belt.has_pending();
            bytes += take(&mut words, &mut said);
            if event {
                let received = self.belt.next_event()?.ok_or(Gone)?;
                if let Event::Ended { pid: who, end, .. } = received.message {
                    if who == pid {
                        take(&mut words, &mut said);
                        return Ok(Ran { end: Ok(end), said });
                    }
                }
            }
            if looked.elapsed() > TICK {
                looked = Instant::now();
                let pids = outside::descendants(self.belt.init().as_raw());
                let now = outside::processor_time(&pids);
                if now != ran {
                    (ran, moved) = (now, looked);
                }
                if let Some(why) = self.too_much(&pids, begun, moved, bytes) {
                    self.belt.sweep()?;
                    return Ok(Ran {
                        end: Err(why),
                        said,
                    });
                }
            }
        }
    }

    fn too_much(
        &self,
        pids: &BTreeSet<i32>,
        begun: Instant,
        moved: Instant,
        bytes: u64,
    ) -> Option<String> {
        let used = outside::used_memory(&self.belt, pids, &self.memory);
        if bytes > MOST {
            Some(format!("it wrote more than {}", amount(MOST)))
        } else if used > LIMITS.memory / 8 * 7 {
            Some(format!("it wanted more than {}", amount(LIMITS.memory)))
        } else if moved.elapsed() > STILL {
            Some(format!("it stood still for {} seconds", STILL.as_secs()))
        } else if begun.elapsed() > LONGEST {
            Some(format!("it took more than {} seconds", LONGEST.as_secs()))
        } else {
            None
        }
    }

    /// Copy a program out of the sandbox. `false`: it is too large. With a linker script
    /// of their own, and holes in it, it can be larger than the disk.
    fn take_out(&self, from: &Path, to: &Path) -> Result<bool> {
        let mode = Mode::empty();
        let file = self.root.open(from, OFlag::O_RDONLY, mode);
        let file = file.with_context(|| format!("open {}", from.display()))?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            bail!("{}: no program", from.display());
        }
        if metadata.len() > LARGEST {
            return Ok(false);
        }
        let mut program =
            File::create(to).with_context(|| format!("create {}", to.display()))?;
        std::io::copy(&mut file.take(LARGEST), &mut program)?;
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        program.set_permissions(executable)?;
        Ok(true)
    }
}

/// Read what is there. How much that was, in bytes.
fn take(words: &mut File, said: &mut Vec<u8>) -> u64 {
    let (mut chunk, mut bytes) = ([0; 64 << 10], 0);
    // Not for ever: there are limits to look after.
    for _ in 0..64 {
        match words.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(count) => {
                let room = KEPT.saturating_sub(said.len());
                said.extend(&chunk[..count.min(room)]);
                bytes += count as u64;
            }
        }
    }
    bytes
}

/// What rustc says is JSON, a message a line; or it is in trouble.
fn take_messages(said: &[u8], output: &mut String, errors: &mut Vec<Place>) {
    // The last line may have been cut: half a message says nothing to people.
    let whole = match said.iter().rposition(|byte| *byte == b'\n') {
        Some(end) if said.len() == KEPT => &said[..end],
        _ => said,
    };
    for line in String::from_utf8_lossy(whole).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            output.push_str(line);
            output.push('\n');
            continue;
        };
        let text = |name: &str| message[name].as_str().unwrap_or_default();
        // The library and the program may be made of the same file.
        let rendered = text("rendered");
        if !rendered.is_empty() && !output.contains(rendered) {
            output.push_str(rendered);
        }
        let spans = message["spans"].as_array().map_or(&[][..], Vec::as_slice);
        let main = spans.iter().find(|span| span["is_primary"] == true);
        if let Some(span) = main.filter(|_| text("level") == "error") {
            let place = Place {
                file: span["file_name"].as_str().unwrap_or_default().into(),
                line: span["line_start"].as_u64().unwrap_or(1),
                column: span["column_start"].as_u64().unwrap_or(1),
                message: text("message").into(),
            };
            if errors.len() < PLACES && !errors.contains(&place) {
                errors.push(place);
            }
        }
    }
}
