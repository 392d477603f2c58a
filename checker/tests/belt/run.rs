//! Running many checkers, some at a time, and what becomes of their processes. One
//! thread does all of it: whoever is nobody's child is a stray of one that has ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::prctl;
use nix::sys::signal::{self, SigHandler, Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

/// What is left of an ended checker may take this long to end as well.
const LEAVING: Duration = Duration::from_secs(3);
/// No checker takes this long, whatever it judges: the limit for one run of the program
/// is 2 s, no level has more than 14 runs, and the machine may be busy.
const LONGEST: Duration = Duration::from_secs(60);

/// A checker to run.
pub struct Job {
    pub name: String,
    pub command: Command,
    /// Send it this signal after this time.
    pub signal: Option<(Duration, Signal)>,
}

/// How one ended.
pub struct Done {
    pub name: String,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    /// The most memory it had, in bytes.
    pub peak: u64,
}

impl Done {
    /// Everything, for people.
    pub fn told(&self) -> String {
        let Self { name, status, .. } = self;
        format!("{name}: {status}\n{}{}", self.stdout, self.stderr)
    }

    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }
}

/// One test at a time: what is no child of a checker's, is a stray. Makes this process
/// the parent of all orphans among its descendants (man 2 PR_SET_CHILD_SUBREAPER).
pub fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    prctl::set_child_subreaper(true).expect("PR_SET_CHILD_SUBREAPER");
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM] {
        has_its_usual_effect(signal);
    }
    turn
}

/// Who started the tests may have it ignored (`nohup`, `&` in a script), and a
/// checker would inherit that.
#[allow(unsafe_code)]
fn has_its_usual_effect(signal: Signal) {
    // SAFETY: no handler is installed.
    unsafe { signal::signal(signal, SigHandler::SigDfl) }.expect("signal");
}

struct Running {
    name: String,
    child: Child,
    signal: Option<(Duration, Signal)>,
    begun: Instant,
    peak: u64,
}

/// Run all jobs, `most` at a time. Their output goes to files in `folder`.
///
/// Panics when a checker hangs, or leaves processes behind.
pub fn all(jobs: Vec<Job>, most: usize, folder: &Path) -> Vec<Done> {
    let mut waiting = VecDeque::from(jobs);
    let mut running: Vec<Running> = Vec::new();
    let mut strays = Strays::default();
    let mut done = Vec::new();
    while !waiting.is_empty() || !running.is_empty() || !strays.are_gone() {
        while running.len() < most && !waiting.is_empty() {
            running.extend(waiting.pop_front().map(|job| begin(job, folder)));
        }
        for mut one in std::mem::take(&mut running) {
            one.look();
            match one.child.try_wait().expect("waitpid") {
                Some(status) => done.push(one.ended(status, folder)),
                None => running.push(one),
            }
        }
        let known = running.iter().map(|one| one.child.id()).collect();
        let last = done.last().map_or("", |one: &Done| one.name.as_str());
        strays.look(&known, last);
        sleep(Duration::from_millis(4));
    }
    done
}

fn begin(job: Job, folder: &Path) -> Running {
    let Job {
        name,
        mut command,
        signal,
    } = job;
    let file = |kind: &str| {
        let path = folder.join(format!("{kind} of {name}"));
        File::create(path).expect("a file for output")
    };
    // A job that says where its output goes does so in its own shell.
    command.stdout(file("stdout")).stderr(file("stderr"));
    let child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let begun = Instant::now();
    Running {
        name,
        child,
        signal,
        begun,
        peak: 0,
    }
}

/// None outlives a test that fails.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn look(&mut self) {
        let pid = Pid::from_raw(self.child.id() as i32);
        self.peak = self.peak.max(peak_memory(self.child.id()));
        let age = self.begun.elapsed();
        if let Some((_, signal)) = self.signal.take_if(|(when, _)| age >= *when) {
            // It is a child of ours that nobody has waited for: it is the one meant.
            kill(pid, signal).expect("kill");
        }
        let name = &self.name;
        assert!(
            age < LONGEST,
            "{name}: the checker hangs: no end after {LONGEST:?}"
        );
    }

    fn ended(self, status: ExitStatus, folder: &Path) -> Done {
        let (name, peak) = (self.name.clone(), self.peak);
        let text = |kind: &str| {
            let bytes = fs::read(folder.join(format!("{kind} of {name}")));
            String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
        };
        let (stdout, stderr) = (text("stdout"), text("stderr"));
        Done {
            name,
            status,
            stdout,
            stderr,
            peak,
        }
    }
}

/// VmHWM of this program's own memory, in bytes. 0 before it is executed, and when it
/// has ended.
fn peak_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status"));
    let status = status.unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number
        .and_then(|number| number.parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}

/// Children that came to this process when their parents ended, and since when.
#[derive(Default)]
struct Strays(BTreeMap<u32, Instant>);

impl Strays {
    fn are_gone(&self) -> bool {
        self.0.is_empty()
    }

    /// Collect those that have ended. Panics when one stays.
    fn look(&mut self, known: &BTreeSet<u32>, last: &str) {
        let strays: BTreeSet<u32> = children().difference(known).copied().collect();
        self.0.retain(|pid, _| strays.contains(pid));
        for pid in strays {
            let gone =
                waitpid(Pid::from_raw(pid as i32), Some(WaitPidFlag::WNOHANG));
            if !matches!(gone, Ok(nix::sys::wait::WaitStatus::StillAlive)) {
                self.0.remove(&pid);
                continue;
            }
            let since = *self.0.entry(pid).or_insert_with(Instant::now);
            assert!(
                since.elapsed() < LEAVING,
                "{LEAVING:?} after its checker's end ({last}?) there is still:\n{}",
                describe(pid)
            );
        }
    }
}

fn describe(pid: u32) -> String {
    let file = |name: &str| {
        let bytes = fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    format!("process {pid}: {}\n{}", file("cmdline"), file("status"))
}

/// The pids of this process's children.
fn children() -> BTreeSet<u32> {
    let threads = fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let lists = threads.filter_map(|thread| {
        fs::read_to_string(thread.path().join("children")).ok()
    });
    let all = lists.collect::<Vec<_>>().join(" ");
    all.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// Is there such a process, and is it no descendant of ours?
pub fn is_somebody_elses(pid: u32) -> bool {
    let parent = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold anything, brackets too.
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    let mut line = std::iter::successors(parent(pid), |pid| parent(*pid)).peekable();
    line.peek().is_some() && !line.any(|pid| pid == std::process::id())
}
