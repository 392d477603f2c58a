//! One sandbox, and the programs that are run in it, one after the other or side by
//! side: the order of the steps. [`Session::run`] is where to begin reading; everything
//! that is waited for, is waited for in [`Session::pump`].

mod furnish;
mod left;
mod limits;
mod listen;
mod start;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::fcntl::OFlag;
use nix::libc::SIGKILL;
use nix::sys::stat::Mode;
use nix::unistd::Pid;

use super::inside::Inside;
use super::outside::{self, Own};
use super::plan::{Hostile, Plan};
use crate::belt::{Belt, End, Fit};
use crate::evidence::{FileFact, FileId, Run};
use crate::probe::Act;
use crate::sys;
use crate::text::escape;
use furnish::nonce;
use left::differences;

/// How much of a run's output is kept, in bytes.
const KEPT_OUTPUT: usize = 8 << 10;
/// How long to wait for the output of a program that has ended, but whose output
/// somebody still holds.
const GRACE: Duration = Duration::from_millis(400);
/// How long a process may go on that is still there when the program has ended; and
/// the program itself, before its command is told to end.
const ENDING: Duration = Duration::from_millis(100);

/// The program that is judged.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its name in messages.
    pub name: String,
    /// Where it is in the sandbox.
    pub path: PathBuf,
    /// The folder it is started in.
    pub fit: Fit,
    /// How long a run may take.
    pub limit: Duration,
}

/// A sandbox with everything in it that runs need.
pub struct Session {
    belt: Option<Belt>,
    program: Program,
    root: Inside,
    /// To recognise the probe by.
    own: Own,
    nonce: String,
    pub contained: bool,
    /// What the test image holds.
    pub image: BTreeMap<String, FileFact>,
    hostile: Vec<Hostile>,
    mounts: String,
    /// When memory is looked at next, and what the host had at the beginning.
    next_watch: Instant,
    memory: outside::HostMemory,
}

/// A run that is under way.
struct Live {
    run: Run,
    host: i32,
    inside: i32,
    input: Option<File>,
    output: Option<OwnedFd>,
    errors: Option<File>,
    /// The caller's descriptors, to compare the command's with.
    callers: Vec<(i32, FileId)>,
    /// Is the command to be looked at closely?
    closely: bool,
    /// Unfinished lines of each writer.
    lines: BTreeMap<i32, Vec<u8>>,
    printed: u64,
    noise: Vec<u8>,
    stderr: Vec<u8>,
    /// The probe's pid on the host, once it has been recognised.
    probe: Option<i32>,
    /// The probes of those that it runs beside.
    others: Vec<i32>,
    reports: Vec<String>,
    /// When a line was last taken for a forgery, and the probe last looked for in
    /// vain. Both take time, and programs can ask for it with every line they print.
    doubted: Option<Instant>,
    searched: Option<Instant>,
    /// How many processes had been ended for want of memory when it began.
    kills: u64,
    begun: Instant,
    ended: Option<(End, Instant)>,
}

impl Live {
    fn is_over(&self) -> bool {
        match self.ended {
            None => false,
            Some((_, when)) => self.output.is_none() || when.elapsed() > GRACE,
        }
    }
}

impl Session {
    /// Build a sandbox for `program`.
    pub fn open(
        program: Program,
        contained: bool,
        hostile: &[Hostile],
    ) -> Result<Self> {
        let belt = Belt::fasten(&program.fit)?;
        let root = Inside::new(belt.root().try_clone_to_owned()?);
        let own = Own::open()?;
        let mut session = Self {
            belt: Some(belt),
            program,
            root,
            own,
            nonce: nonce()?,
            contained,
            image: BTreeMap::new(),
            hostile: hostile.to_vec(),
            mounts: String::new(),
            next_watch: Instant::now(),
            memory: outside::HostMemory::now(),
        };
        session.furnish()?;
        session.mounts = session.belt()?.mounts()?;
        Ok(session)
    }

    fn belt(&mut self) -> Result<&mut Belt> {
        self.belt.as_mut().context("the sandbox is gone")
    }

    pub fn facts(&self) -> crate::belt::Facts {
        self.belt
            .as_ref()
            .map(|belt| belt.facts().clone())
            .unwrap_or_default()
    }

    pub fn caller_mounts(&self) -> Vec<crate::evidence::Mount> {
        crate::evidence::Mount::table(&self.mounts)
    }

    pub fn caller_root(&self) -> FileId {
        self.root.id()
    }

    pub fn is_alive(&self) -> bool {
        self.belt.is_some()
    }

    /// Run plans that belong together: one, or some side by side.
    pub fn run(&mut self, plans: &[Plan]) -> Result<Vec<(String, Run)>> {
        let before = self.files();
        let mut lives = Vec::new();
        for plan in plans {
            let mut live = self.begin(plan)?;
            live.others =
                lives.iter().filter_map(|live: &Live| live.probe).collect();
            lives.push(live);
            // One after the other to this point: who came first is certain.
            let last = lives.len() - 1;
            self.until(&mut lives, last, |live| live.probe.is_some())?;
            // Before the next one comes, and may spoil it.
            if let Some(live) = lives.last_mut() {
                self.observe(live)?;
            }
        }
        for (index, plan) in plans.iter().enumerate() {
            for act in &plan.acts {
                self.perform(&mut lives, index, act)?;
            }
        }
        for (index, plan) in plans.iter().enumerate() {
            for act in &plan.later {
                self.perform(&mut lives, index, act)?;
            }
            if let Some(pid) = lives[index].probe {
                self.let_wait(&mut lives, index)?;
                self.take_events(&mut lives)?;
                lives[index].run.left_early |= lives[index].ended.is_some();
                lives[index].run.told = Some(plan.told);
                match plan.told {
                    End::Exited(status) => {
                        tell(&mut lives[index], &Act::Exit(status))
                    }
                    End::Signaled(SIGKILL) => sys::kill_now(Pid::from_raw(pid)),
                    End::Signaled(_) => tell(&mut lives[index], &Act::Fault),
                }
            }
            lives[index].input = None;
            self.until(&mut lives, index, Live::is_over)?;
        }
        self.clear_up(&mut lives, &before)?;
        let names = plans.iter().map(|plan| plan.name.to_owned());
        Ok(names.zip(lives.into_iter().map(|live| live.run)).collect())
    }

    /// Look at the command while it holds still, and at its caller.
    fn observe(&mut self, live: &mut Live) -> Result<()> {
        if let Some(pid) = live.probe {
            if let Ok(mut seen) =
                outside::look(pid, live.host, &live.callers, live.closely)
            {
                seen.output_is_direct = live.run.seen.is_none();
                if let Some(place) = self.place_of(seen.root) {
                    seen.root_name = place;
                }
                live.run.seen = Some(seen);
            }
            live.run.left_early |= live.ended.is_some();
        }
        if let Some(belt) = &mut self.belt {
            live.run.mounts_during = differences(&self.mounts, &belt.mounts()?);
        }
        Ok(())
    }

    /// Before the command ends, the program gets the time to show what it does until
    /// then: to wait, or to leave.
    fn let_wait(&mut self, lives: &mut [Live], index: usize) -> Result<()> {
        let host = lives[index].host;
        let begun = Instant::now();
        self.pump(lives, index, |live| {
            let waits =
                || outside::status_of(host).is_some_and(|s| !s.busy && !s.zombie);
            live.ended.is_some() || waits() || begun.elapsed() > ENDING
        })
    }

    fn perform(
        &mut self,
        lives: &mut [Live],
        index: usize,
        act: &Act,
    ) -> Result<()> {
        let Some(pid) = lives[index].probe else {
            return Ok(());
        };
        let known = lives[index].reports.len();
        tell(&mut lives[index], act);
        self.until(lives, index, |live| live.reports.len() > known)?;
        let live = &mut lives[index];
        let mut outcome = match live.reports.get(known) {
            Some(outcome) => outcome.clone(),
            None => "no answer".into(),
        };
        // Believe the kernel, not the report: the container's libraries are in between.
        let name = match act {
            Act::Write(path, _) => format!("write {path}"),
            Act::Read(path) => {
                // What is in that file?
                if let (Ok(root), true) =
                    (Inside::of_process(pid), outcome != "no answer")
                {
                    outcome = first_bytes(&root, path)
                        .unwrap_or_else(|error| sys::errno_name(&error));
                }
                format!("read {path}")
            }
            Act::BreakOut => {
                // Where is its root now?
                let root = Inside::of_process(pid).map(|root| root.id());
                let before = live.run.seen.as_ref().map(|seen| seen.root);
                outcome = match root {
                    Ok(now) if now == self.root.id() => {
                        "reached the caller's root".into()
                    }
                    Ok(now) if Some(now) == before => "stayed inside".into(),
                    Ok(_) if outcome == "ok" => "reached another root".into(),
                    _ => outcome,
                };
                "break-out".into()
            }
            Act::UseDevices => "devices".into(),
            Act::OpenTerminal => "terminal".into(),
            Act::Exit(_) | Act::Fault => "end".into(),
        };
        live.run.acts.insert(name, outcome);
        Ok(())
    }
}

/// What a file below `root` begins with, as text.
fn first_bytes(root: &Inside, path: &str) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    root.open(Path::new(path), OFlag::O_RDONLY, Mode::empty())?
        .take(200)
        .read_to_end(&mut bytes)?;
    Ok(escape(&bytes))
}

fn tell(live: &mut Live, act: &Act) {
    if let Some(input) = &mut live.input {
        let mut line = serde_json::to_vec(act).unwrap_or_default();
        line.push(b'\n');
        let _ = input.write_all(&line);
    }
}
