//! One sandbox, and the programs that are run in it, one after the other or side by
//! side: the order of the steps. [`Session::run`] is where to begin reading; everything
//! that is waited for, is waited for in [`Session::pump`].

mod furnish;
mod kill;
mod left;
mod limits;
mod listen;
mod names;
mod start;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::fcntl::OFlag;
use nix::libc::SIGKILL;
use nix::sched::{CpuSet, sched_getaffinity};
use nix::sys::stat::Mode;
use nix::unistd::Pid;

use super::groups;
use super::inside::{Inside, Listing};
use super::joined::{self, Identity};
use super::outside::{self, Own};
use super::tracer::Tracer;
use crate::belt::{Belt, End, Fit, Tree};
use crate::evidence::{
    Call, FileFact, FileId, Machine, NO_ANSWER, NOT_SEEN, Run, Seen,
};
use crate::plan::{Act, Image, Moment, Plan, Step};
use crate::sys;
use crate::text::escape;
use left::{differences, directories};
use names::Names;

/// How much of a run's output is kept, in bytes.
const KEPT_OUTPUT: usize = 8 << 10;
/// How long to wait for the output of a program that has ended, but whose output
/// somebody still holds.
const GRACE: Duration = Duration::from_millis(400);
/// How long a process may go on that is still there when the program has ended; and
/// the program itself, before its command is told to end.
const ENDING: Duration = Duration::from_millis(100);

/// How long something is watched that is to happen in a container.
const LONGEST_WATCH: Duration = Duration::from_secs(4);
/// How long to wait for a busy machine to give commands their time.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

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
    names: Names,
    pub contained: bool,
    /// What the test image holds.
    pub image: BTreeMap<String, FileFact>,
    /// The images that the runs will want.
    wanted: Vec<Image>,
    mounts: String,
    /// The directories that were there before the first run, where programs may leave
    /// files.
    first: BTreeSet<String>,
    /// The files that were there when the last run had been cleared up.
    left: Option<Listing>,
    /// The caller's host name, and its links.
    caller: Identity,
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
    /// Is the command to be looked at closely? Has it been waited for?
    closely: bool,
    awaited: bool,
    /// Who watches it until its command is there.
    tracer: Option<Tracer>,
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
    /// Bytes and files in the file system for containers when it began.
    space: (u64, u64),
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
    /// Build a sandbox for `program`, with these images.
    pub fn open(
        program: Program,
        contained: bool,
        wanted: &[Image],
    ) -> Result<Self> {
        let belt = Belt::fasten(&program.fit)?;
        let root = Inside::new(belt.root().try_clone_to_owned()?);
        let own = Own::open()?;
        let mut session = Self {
            belt: Some(belt),
            program,
            root,
            own,
            names: Names::draw(wanted)?,
            contained,
            image: BTreeMap::new(),
            wanted: wanted.to_vec(),
            mounts: String::new(),
            first: BTreeSet::new(),
            left: None,
            caller: Identity::default(),
            next_watch: Instant::now(),
            memory: outside::HostMemory::now(),
        };
        session.furnish()?;
        session.mounts = session.belt()?.mounts()?;
        session.caller = session.identity().unwrap_or_default();
        let files = session.files();
        session.first = directories(&files);
        session.left = Some(files);
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

    /// The caller's host name and links, as they are now.
    fn identity(&self) -> Option<Identity> {
        joined::identity_of_caller(self.belt.as_ref()?).ok()
    }

    /// What the machine has, where checks depend on it.
    pub fn machine(&self) -> Machine {
        let links = self.belt.as_ref().map(joined::new_network);
        let links = links.and_then(Result::ok).unwrap_or_default();
        let trees = self.trees();
        let has =
            |tree: &&Tree, name: &str| tree.controllers.iter().any(|c| c == name);
        let memory = trees.iter().find(|tree| has(tree, "memory"));
        let swap = ["memory.swap.max", "memory.memsw.limit_in_bytes"];
        let there =
            |tree: &Tree| swap.iter().any(|file| tree.directory.join(file).exists());
        Machine {
            hostname: self.caller.hostname.clone(),
            ipv6: links
                .iter()
                .any(|link| link.addresses.iter().any(|address| address == "::1")),
            links: links.into_iter().map(|link| link.name).collect(),
            cpus: allowed_cpus(),
            controllers: trees
                .iter()
                .flat_map(|tree| tree.controllers.clone())
                .collect(),
            cgroup_version: memory.map_or(0, |tree| tree.version),
            swap: memory.is_some_and(there),
            user_attributes: self.keeps_user_attributes(),
        }
    }

    /// Do files for containers keep extended attributes? Found out by trying.
    fn keeps_user_attributes(&self) -> bool {
        let path = Path::new("/workshop/containers");
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let directory = self.root.open(path, flags, Mode::empty());
        directory.is_ok_and(|directory| sys::keeps_user_attributes(&directory))
    }

    fn trees(&self) -> &[Tree] {
        self.belt.as_ref().map_or(&[], |belt| &belt.facts().trees)
    }

    fn groups(&self) -> Vec<String> {
        groups::list(self.trees())
    }

    pub fn caller_root(&self) -> FileId {
        self.root.id()
    }

    pub fn is_alive(&self) -> bool {
        self.belt.is_some()
    }

    /// Run plans that belong together: one, or some side by side.
    pub fn run(&mut self, plans: &[Plan]) -> Result<Vec<(String, Run)>> {
        let mut left = self.left.take();
        let is_late =
            |image: &Image| matches!(image, Image::Replaced | Image::Large(_));
        let late = plans.iter().map(|plan| plan.image).find(is_late);
        if let Some(image) = late {
            match self.make_image(image) {
                // Earlier runs have left no room: that is for this one to report.
                Err(error) if is_full(&error) => {}
                made => made?,
            }
            left = None;
        }
        let before = Before {
            files: left.unwrap_or_else(|| self.files()),
            groups: self.groups(),
        };
        let mut lives = Vec::new();
        for (index, plan) in plans.iter().enumerate() {
            lives.push(self.begin(plan)?);
            // One after the other to this point, so that who came first is certain;
            // unless they are to begin at once.
            if plans.get(index + 1).is_some_and(|next| next.at_once) {
                if !plan.at_once {
                    self.hold(&lives[index]);
                }
                continue;
            }
            if plan.at_once {
                let first = plans.iter().position(|plan| !plan.at_once);
                self.go_on(&lives[first.unwrap_or(0)]);
            }
            if plan.killed.is_some_and(|when| when != Moment::Running) {
                self.kill_midway(&mut lives, index)?;
                continue;
            }
            let first = lives.iter().position(|live: &Live| !live.awaited);
            for awaited in first.unwrap_or(index)..=index {
                self.arrive(&mut lives, awaited)?;
            }
            if let Some(tracer) = lives[index].tracer.take() {
                let live = &mut lives[index];
                live.run.traced = true;
                live.run.groups_at_exec = tracer.found(live.probe.unwrap_or(0));
            }
            if plan.killed.is_some() {
                self.kill(&mut lives, index)?;
            }
        }
        for (index, plan) in plans.iter().enumerate() {
            for step in &plan.steps {
                self.take(&mut lives, index, step)?;
            }
        }
        for (index, plan) in plans.iter().enumerate() {
            for step in &plan.later {
                self.take(&mut lives, index, step)?;
            }
            let killed = lives[index].run.killed.is_some();
            if let Some(pid) = lives[index].probe.filter(|_| !killed) {
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
        let killed = plans.iter().any(|plan| plan.killed.is_some());
        for live in &mut lives {
            live.run.beside_killed = killed;
        }
        self.clear_up(&mut lives, &before)?;
        if let Some(image @ Image::Large(_)) = late {
            // Make room.
            self.root.create(&self.image_path(image), 0o644)?;
            self.left = None;
        }
        let names = plans.iter().map(|plan| plan.name.to_owned());
        Ok(names.zip(lives.into_iter().map(|live| live.run)).collect())
    }

    /// Wait for a run's command, and look at it: before the next one comes, and may
    /// spoil it.
    fn arrive(&mut self, lives: &mut [Live], index: usize) -> Result<()> {
        lives[index].awaited = true;
        let others = lives.iter().filter_map(|live| live.probe);
        lives[index].others = others.collect();
        self.until(lives, index, |live| live.probe.is_some())?;
        self.observe(&mut lives[index])
    }

    /// Look at the command while it holds still, and at its caller.
    fn observe(&mut self, live: &mut Live) -> Result<()> {
        if live.probe.is_some() {
            if let Ok(mut seen) = self.look(live, live.closely) {
                seen.output_is_direct = live.run.seen.is_none();
                if let Some(place) = self.place_of(seen.root) {
                    seen.root_name = place;
                }
                seen.of_caller = self.of_caller(&seen);
                live.run.seen = Some(seen);
            }
            if live.closely {
                (live.run.renamed, live.run.relinked) = self.changed_caller();
            }
            live.run.left_early |= live.ended.is_some();
        }
        if let Some(belt) = &mut self.belt {
            live.run.mounts_during = differences(&self.mounts, &belt.mounts()?);
        }
        Ok(())
    }

    fn look(&self, live: &Live, closely: bool) -> Result<Seen> {
        let around = outside::Around {
            runtime: live.host,
            callers: &live.callers,
            root: &self.root,
            processes: &self.processes(),
            trees: self.trees(),
        };
        outside::look(live.probe.context("no command")?, &around, closely)
    }

    fn take(
        &mut self,
        lives: &mut Vec<Live>,
        index: usize,
        step: &Step,
    ) -> Result<()> {
        if lives[index].probe.is_none() {
            return Ok(());
        }
        match step {
            Step::Tell(act) => self.perform(lives, index, act)?,
            Step::Look(name) => self.look_again(lives, index, name),
            Step::Until(name, enough) => {
                watch(lives, LONGEST_WATCH, |lives| {
                    let Ok(seen) = self.look(&lives[index], false) else {
                        return true;
                    };
                    let run = &mut lives[index].run;
                    let done = enough(run, &seen);
                    run.looks.insert((*name).into(), seen);
                    done
                });
            }
            Step::LookAll(name) => {
                for index in 0..lives.len() {
                    self.look_again(lives, index, name);
                }
            }
            Step::OthersRun(long, since) => {
                let long = long.as_nanos() as u64;
                watch(lives, LONGEST_WAIT, |lives| {
                    let ran = self.others_ran(lives, index, since);
                    ran.is_none_or(|ran| ran >= long)
                });
            }
            Step::Thaw => {
                groups::thaw(self.trees());
                self.processes().iter().for_each(|pid| sys::go_on_now(*pid));
            }
            Step::Call(word) => {
                let seen = lives[index].run.seen.as_ref();
                let id = seen.map_or(String::new(), |seen| seen.hostname.clone());
                self.call(lives, index, word, word, &id)?;
            }
            Step::CallUnknown(word) => {
                let (name, id) =
                    (format!("{word} unknown"), self.names.unknown.clone());
                self.call(lives, index, &name, word, &id)?;
            }
        }
        Ok(())
    }

    /// How long the commands beside this one have run since the look of that name, in
    /// nanoseconds of processor time, by the kernel's count.
    /// `None` when none of them wants to run.
    fn others_ran(&self, lives: &[Live], index: usize, since: &str) -> Option<u64> {
        let others = lives
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index);
        let ran = others.filter_map(|(_, live)| {
            let now = self.look(live, false).ok().filter(|seen| seen.busy > 0)?;
            let then = live.run.looks.get(since)?.run_time;
            Some(now.run_time.saturating_sub(then))
        });
        ran.reduce(|one, other| one + other)
    }

    fn look_again(&self, lives: &mut [Live], index: usize, name: &str) {
        if let Ok(seen) = self.look(&lives[index], false) {
            lives[index].run.looks.insert(name.into(), seen);
        }
    }

    /// Call the program once more, as one who wants something done to the container.
    fn call(
        &mut self,
        lives: &mut Vec<Live>,
        index: usize,
        name: &str,
        word: &str,
        id: &str,
    ) -> Result<()> {
        lives.push(self.begin_call(word, id)?);
        let last = lives.len() - 1;
        self.until(lives, last, Live::is_over)?;
        if let Some(mut live) = lives.pop() {
            self.conclude(&mut live);
            let call = Call {
                shown: live.run.shown,
                end: live.run.end,
                stderr: live.run.stderr,
                noise: live.run.noise,
            };
            lives[index].run.calls.insert(name.into(), call);
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
            None => NO_ANSWER.into(),
        };
        // What is stopped answers nothing: another one did, in its name. (Who has
        // CAP_SYS_ADMIN may put any pid into SCM_CREDENTIALS.)
        if outside::status_of(pid).is_some_and(|status| status.stopped) {
            outcome = NO_ANSWER.into();
        }
        if let (Ok(root), "ok") = (Inside::of_process(pid), outcome.as_str()) {
            if !is_done(&root, act) {
                outcome = NOT_SEEN.into();
            }
        }
        // Believe the kernel, not the report: the container's libraries are in between.
        let name = match act {
            Act::Write(path, _) => format!("write {path}"),
            Act::Read(path) => {
                // What is in that file?
                if let (Ok(root), true) =
                    (Inside::of_process(pid), outcome != NO_ANSWER)
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
            Act::LeaveOrphans(_) => "orphans".into(),
            Act::Listen(port) => format!("listen {port}"),
            Act::Eat(_) => "eat".into(),
            Act::Fork(_) => "fork".into(),
            Act::Spin(_) => "spin".into(),
            Act::Pin => "pin".into(),
            Act::MakeDirectory(path) => format!("mkdir {path}"),
            Act::Delete(path) => format!("delete {path}"),
            Act::Rename(old, _) => format!("rename {old}"),
            Act::Chmod(path, _) => format!("chmod {path}"),
        };
        live.run.acts.insert(name, outcome);
        Ok(())
    }
}

/// Look again and again, until it is so, or for some seconds. They are nobody's.
fn watch(
    lives: &mut [Live],
    longest: Duration,
    mut is_so: impl FnMut(&mut [Live]) -> bool,
) {
    let begun = Instant::now();
    while !is_so(lives) && begun.elapsed() < longest {
        sleep(Duration::from_millis(5));
    }
    for live in lives {
        live.begun += begun.elapsed();
    }
}

/// Is it for want of room?
fn is_full(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == ErrorKind::StorageFull)
}

/// What there was before a run.
struct Before {
    files: Listing,
    groups: Vec<String>,
}

/// The CPUs that the checker, and so the sandbox, may use.
fn allowed_cpus() -> Vec<usize> {
    let set = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    let is_in = |cpu: &usize| set.is_set(*cpu).unwrap_or(false);
    (0..CpuSet::count()).filter(is_in).collect()
}

/// What a file below `root` begins with, as text.
fn first_bytes(root: &Inside, path: &str) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    root.open(Path::new(path), OFlag::O_RDONLY, Mode::empty())?
        .take(200)
        .read_to_end(&mut bytes)?;
    Ok(escape(&bytes))
}

/// Does the container show what was done there? Links below `root` are followed as
/// its own.
fn is_done(root: &Inside, act: &Act) -> bool {
    let find = |path: &str| {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
        root.open(Path::new(path), flags, Mode::empty())?
            .metadata()
            .map_err(|_| nix::Error::EIO)
    };
    let gone = |path: &str| find(path).is_err();
    match act {
        Act::Write(path, text) => {
            let text = &text.as_bytes()[..text.len().min(200)];
            first_bytes(root, path).is_ok_and(|found| found == escape(text))
        }
        Act::MakeDirectory(path) => find(path).is_ok_and(|found| found.is_dir()),
        Act::Delete(path) => gone(path),
        Act::Rename(old, new) => gone(old) && !gone(new),
        Act::Chmod(path, mode) => find(path).is_ok_and(|found| {
            std::os::unix::fs::MetadataExt::mode(&found) & 0o7777 == *mode
        }),
        _ => true,
    }
}

fn tell(live: &mut Live, act: &Act) {
    if let Some(input) = &mut live.input {
        let mut line = serde_json::to_vec(act).unwrap_or_default();
        line.push(b'\n');
        let _ = input.write_all(&line);
    }
}
