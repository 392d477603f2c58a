//! Judging, some submissions at a time: each by a checker of its own, which is given an
//! order and answers with a line a level. Whatever becomes of one harms no other.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
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

use crate::input::{Found, Taken};
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
    pub store: &'a Store,
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
        let taken = found.take(&self.levels, &place.join("levels"));
        let taken = taken.unwrap_or_else(|error| Taken {
            sources: BTreeMap::new(),
            notes: vec![format!("{error:#}")],
        });
        let done = self.judge_in(&place, whose, taken)?;
        remove(&place)?;
        Ok(done)
    }

    /// Judge the levels as they are handed out.
    pub fn judge_skeleton(&self) -> Result<Kept> {
        let place = self.store.workplace(Whose::Nobody)?;
        remove(&place.join("levels"))?;
        let from = self.prepared.folder.join("skeleton/levels");
        symlink(&from, place.join("levels"))
            .with_context(|| format!("symlink {}", from.display()))?;
        let (kept, _) = self.judge_in(&place, Whose::Nobody, Taken::default())?;
        remove(&place)?;
        Ok(kept)
    }

    fn judge_in(
        &self,
        place: &Path,
        whose: Whose,
        taken: Taken,
    ) -> Result<(Kept, usize)> {
        let basis = |number: &str| Basis {
            source: taken.sources.get(number).cloned().unwrap_or_default(),
            fingerprint: self.prepared.fingerprint.clone(),
            repeat: self.repeat,
        };
        let machine = &self.prepared.machine;
        let mut kept = self.store.kept(whose);
        let missing = kept.missing(&self.levels, machine, basis);
        if kept.notes != taken.notes {
            kept.notes.clone_from(&taken.notes);
            self.store.keep(whose, &kept)?;
        }
        let order = Order {
            ready: self.prepared.folder.clone(),
            work: place.to_owned(),
            numbers: missing.clone(),
            limit: self.limit,
            repeat: self.repeat,
        };
        self.carry_out(&order, |judged| {
            let number = judged.outcome.level.clone();
            let level = KeptLevel {
                basis: basis(&number),
                machine: machine.clone(),
                judged,
            };
            kept.levels.insert(number, level);
            self.store.keep(whose, &kept)
        })?;
        Ok((kept, missing.len()))
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
                tell(self.broken(&number, reason))?;
            }
        }
        Ok(())
    }

    fn broken(&self, number: &str, reason: String) -> Judged {
        let level = self.levels.iter().find(|level| level.level == number);
        Judged {
            outcome: Outcome {
                level: number.into(),
                name: level.map_or(String::new(), |level| level.name.clone()),
                program: format!("level-{number}"),
                verdict: Verdict::Broken { reason },
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
