//! Judging, some submissions at a time: each by a checker of its own, which is given an
//! order and answers with a line a level. Whatever becomes of one harms no other.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use report::{Judged, LevelInfo, Order, Outcome, Prepared, Verdict};

use crate::input::{self, Found, Taken};
use crate::store::{Basis, Kept, KeptLevel, Store, Whose};

/// The name by which a checker knows that it is to end with its caller.
const NAME: &str = "checker-errand";
/// No level takes longer than this; whoever is silent for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(1800);
/// A line is an outcome: some dozen checks. What the checker says otherwise is for
/// people. In bytes.
const LONGEST: usize = 16 << 20;
const KEPT_WORDS: usize = 4 << 10;

/// How submissions are judged.
pub struct Work<'a> {
    pub checker: PathBuf,
    pub prepared: Prepared,
    pub levels: Vec<LevelInfo>,
    /// How long one run of a program may take, in seconds.
    pub limit: u64,
    pub repeat: u32,
    pub handed_out: HandedOut,
    pub store: &'a Store,
}

/// The levels as they are handed out.
#[derive(Debug, Default)]
pub struct HandedOut {
    /// What they come to.
    pub kept: Kept,
    /// As [`Taken::sources`].
    sources: BTreeMap<String, String>,
}

impl Work<'_> {
    /// Judge them, `jobs` at a time. `told` hears of each, once it is done, with what is
    /// there now, and how many levels of it were judged this time.
    ///
    /// Errors: results can't be written. What stands in the way of one submission is
    /// said in its results.
    pub fn judge_all(
        &self,
        all: &[Found],
        jobs: usize,
        told: &(dyn Fn(&Found, &Kept, usize) + Sync),
    ) -> Result<()> {
        let next = Mutex::new(all.iter());
        let stop = AtomicBool::new(false);
        let work = || -> Result<()> {
            while !stop.load(Ordering::Relaxed) {
                let Some(found) = next.lock().ok().and_then(|mut all| all.next())
                else {
                    break;
                };
                let (kept, judged) = self.judge(found).inspect_err(|_| {
                    stop.store(true, Ordering::Relaxed);
                })?;
                told(found, &kept, judged);
            }
            Ok(())
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
            let ends = workers.into_iter().map(|worker| match worker.join() {
                Ok(end) => end,
                Err(_) => bail!("a thread panicked"),
            });
            ends.collect::<Vec<_>>().into_iter().collect()
        })
    }

    /// Judge what is missing of a submission. What is there of it then, and how many
    /// levels were judged.
    fn judge(&self, found: &Found) -> Result<(Kept, usize)> {
        let whose = Whose::Submission(&found.name);
        let place = self.store.workplace(whose)?;
        let skeleton = self.skeleton();
        let done = match found.take(&self.levels, &skeleton, &place.join("levels")) {
            Ok(taken) => {
                let settled = |number: &str| self.settled(number, &taken);
                self.judge_in(&place, whose, &taken, settled)?
            }
            Err(error) => {
                let reason = format!("{error:#}");
                let broken = |_: &str| {
                    let reason = reason.clone();
                    Some(Verdict::Broken { reason })
                };
                self.judge_in(&place, whose, &Taken::default(), broken)?
            }
        };
        remove(&place)?;
        Ok(done)
    }

    /// The levels as they are handed out.
    fn skeleton(&self) -> PathBuf {
        self.prepared.folder.join("skeleton/levels")
    }

    /// Judge the levels as they are handed out.
    pub fn judge_skeleton(&self) -> Result<HandedOut> {
        let place = self.store.workplace(Whose::Nobody)?;
        let skeleton = self.skeleton();
        let from = self.prepared.folder.join("skeleton");
        let found = input::find(&[from], None, &[], Path::new("."))?;
        let found = found.first().context("the levels as they are handed out")?;
        let taken = found.take(&self.levels, &skeleton, &place.join("levels"))?;
        let (kept, _) = self.judge_in(&place, Whose::Nobody, &taken, |_| None)?;
        remove(&place)?;
        Ok(HandedOut {
            kept,
            sources: taken.sources,
        })
    }

    /// The verdict on a level that needn't be judged: this machine can show it of
    /// nobody, or nobody has touched it.
    fn settled(&self, number: &str, taken: &Taken) -> Option<Verdict> {
        let given = self.handed_out.kept.levels.get(number);
        if let Some(Outcome {
            verdict: cannot @ Verdict::Cannot { .. },
            checks,
            ..
        }) = given.map(|level| &level.judged.outcome)
        {
            if checks.is_empty() {
                return Some(cannot.clone());
            }
        }
        let reason = match taken.sources.get(number) {
            Some(source) if self.handed_out.sources.get(number) == Some(source) => {
                "it is as it was handed out"
            }
            Some(_) => return None,
            None if taken.notes.is_empty() => "it was not handed in",
            None => "it was not handed in, or was left out: see the notes",
        };
        let reason = reason.into();
        Some(Verdict::Untouched { reason })
    }

    /// Judge what is missing, and isn't settled. What is there then, and how many levels
    /// were judged.
    fn judge_in(
        &self,
        place: &Path,
        whose: Whose,
        taken: &Taken,
        settled: impl Fn(&str) -> Option<Verdict>,
    ) -> Result<(Kept, usize)> {
        let basis = |number: &str| Basis {
            source: taken.sources.get(number).cloned().unwrap_or_default(),
            fingerprint: self.prepared.fingerprint.clone(),
            repeat: self.repeat,
        };
        let machine = &self.prepared.machine;
        let keep = |kept: &mut Kept, judged: Judged| {
            let number = judged.outcome.level.clone();
            let level = KeptLevel {
                basis: basis(&number),
                machine: machine.clone(),
                judged,
            };
            kept.levels.insert(number, level);
        };
        let before = self.store.kept(whose);
        let mut kept = before.clone();
        if let Whose::Nobody = whose {
            // What another machine shows of it says nothing about this one.
            kept.levels.retain(|_, level| level.machine == *machine);
        }
        kept.notes.clone_from(&taken.notes);
        let mut numbers = kept.missing(&self.levels, machine, basis);
        numbers.retain(|number| match settled(number) {
            Some(verdict) => {
                keep(&mut kept, self.unjudged(number, verdict));
                false
            }
            None => true,
        });
        if kept != before {
            self.store.keep(whose, &kept)?;
        }
        let judged = numbers.len();
        let order = Order {
            ready: self.prepared.folder.clone(),
            work: place.to_owned(),
            numbers,
            limit: self.limit,
            repeat: self.repeat,
        };
        self.carry_out(&order, |judged| {
            keep(&mut kept, judged);
            self.store.keep(whose, &kept)
        })?;
        Ok((kept, judged))
    }

    /// Let a checker judge what was ordered. A level that it says nothing of is broken.
    fn carry_out(
        &self,
        order: &Order,
        mut tell: impl FnMut(Judged) -> Result<()>,
    ) -> Result<()> {
        let mut missing = order.numbers.clone();
        // Where one level breaks the checker, the next may not.
        while !missing.is_empty() {
            let numbers = missing.clone();
            let order = Order {
                numbers,
                ..order.clone()
            };
            let reason = match Checker::start(&self.checker, &order) {
                Ok(mut checker) => {
                    while let Some(judged) = checker.next()? {
                        missing.retain(|number| *number != judged.outcome.level);
                        tell(judged)?;
                    }
                    checker.words()
                }
                Err(error) => format!("{error:#}"),
            };
            if !missing.is_empty() {
                let number = missing.remove(0);
                tell(self.unjudged(&number, Verdict::Broken { reason }))?;
            }
        }
        Ok(())
    }

    fn unjudged(&self, number: &str, verdict: Verdict) -> Judged {
        let level = self.levels.iter().find(|level| level.level == number);
        Judged {
            outcome: Outcome {
                level: number.into(),
                name: level.map_or(String::new(), |level| level.name.clone()),
                program: format!("level-{number}"),
                verdict,
                checks: Vec::new(),
                milliseconds: 0,
            },
            errors: Vec::new(),
            unsteady: Vec::new(),
        }
    }
}

fn remove(folder: &Path) -> Result<()> {
    fs::remove_dir_all(folder).with_context(|| format!("rm -r {}", folder.display()))
}

/// A call of this checker, which ends with us, however that comes.
pub fn call(checker: &Path, action: &str) -> Command {
    let mut command = Command::new(checker);
    command.arg0(NAME).args(["grader", action]);
    command
}

/// A checker at work on one order.
struct Checker {
    child: Child,
    lines: File,
    text: Vec<u8>,
    stuck: bool,
}

impl Checker {
    fn start(program: &Path, order: &Order) -> Result<Self> {
        let mut child = call(program, "judge")
            // What stops us isn't a fault of theirs: they end with us, and say nothing.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let lines = child.stdout.take().context("its standard output")?;
        let mut input = child.stdin.take().context("its standard input")?;
        // Who ends early says why itself.
        let _ = input.write_all(&serde_json::to_vec(order)?);
        let lines = File::from(std::os::fd::OwnedFd::from(lines));
        fcntl(&lines, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).context("fcntl")?;
        Ok(Self {
            child,
            lines,
            text: Vec::new(),
            stuck: false,
        })
    }

    /// Its next outcome; `None` when it says no more.
    fn next(&mut self) -> Result<Option<Judged>> {
        let begun = Instant::now();
        loop {
            if let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.text.drain(..=end).collect();
                return Ok(serde_json::from_slice(&line).ok());
            }
            let mut watched = [PollFd::new(self.lines.as_fd(), PollFlags::POLLIN)];
            match poll(&mut watched, PollTimeout::from(1000u16)) {
                Err(Errno::EINTR) => continue,
                polled => polled.context("poll")?,
            };
            let mut chunk = [0; 64 << 10];
            match self.lines.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(count) => self.text.extend(&chunk[..count]),
                Err(_) if begun.elapsed() > PATIENCE => self.stuck = true,
                Err(_) => {}
            }
            if self.stuck || self.text.len() > LONGEST {
                return Ok(None);
            }
        }
    }

    /// Why it said no more.
    fn words(mut self) -> String {
        if self.stuck {
            return format!("it was silent for {} seconds", PATIENCE.as_secs());
        }
        let mut words = Vec::new();
        if let Some(errors) = self.child.stderr.take() {
            let _ = errors.take(KEPT_WORDS as u64).read_to_end(&mut words);
        }
        let end = self.child.wait();
        let end = end.map_or_else(|error| error.to_string(), |end| end.to_string());
        let words = String::from_utf8_lossy(&words);
        format!("the checker ended early ({end}) {}", words.trim())
            .trim()
            .into()
    }
}

impl Drop for Checker {
    /// Its sandbox ends with it.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
