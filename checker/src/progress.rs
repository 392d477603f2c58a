//! What a learner has done so far, in one file that a person can read.
//!
//! It is `progress.json` in the state folder, and holds for all checkouts of a user:
//! levels go by their names, which never change, not by number or folder. Each change
//! is made to what the file holds at that moment, under a lock, and replaces the file
//! in one step. What a newer version has written there stays.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::author::sources;
use crate::judge::levels::ALL;
use crate::judge::{Level, Outcome, Verdict};
use crate::{owner, state, workspace};

const FILE: &str = "progress.json";
/// Written first, with the lock held; then it takes the file's place.
const DRAFT: &str = "progress.json.new";
const LOCK: &str = "progress.lock";

/// Raised when older checkers can't understand the file any more.
const VERSION: u32 = 1;

/// A lock is held for as long as a small file takes to write.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many steps a level's hints have.
pub const HINTS: u32 = 3;

/// The file's text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Book {
    version: u32,
    /// The name of the level that was chosen last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    current: Option<String>,
    /// By the level's name.
    #[serde(default)]
    levels: BTreeMap<String, Entry>,
    /// Of a newer version.
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            version: VERSION,
            current: None,
            levels: BTreeMap::new(),
            more: Map::new(),
        }
    }
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    /// It has passed once, by the learner's own work.
    #[serde(default, skip_serializing_if = "is_default")]
    passed: bool,
    /// The last hint that was shown; 0 for none.
    #[serde(default, skip_serializing_if = "is_default")]
    hint: u32,
    /// The title of the exercise that was next then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exercise: Option<String>,
    /// `solve` put the finished level there.
    #[serde(default, skip_serializing_if = "is_default")]
    solved: bool,
    /// Of a newer version.
    #[serde(flatten)]
    more: Map<String, Value>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A learner's progress, as it was when it was last read or changed. Every change is
/// saved at once; where that can't be done, it is said once, and all goes on without.
#[derive(Debug, Default)]
pub struct Progress {
    book: Book,
    told: bool,
}

impl Progress {
    /// Never fails: without a file, or with one that can't be read, nothing is known.
    /// What is wrong with it is said on stderr.
    pub fn load() -> Self {
        let mut progress = Self::default();
        match state::folder().and_then(|folder| open(&folder)) {
            Ok(book) => progress.book = book.unwrap_or_default(),
            Err(error) => progress.tell(&error),
        }
        progress
    }

    /// Has the level passed, by the learner's own work?
    pub fn is_passed(&self, level: &Level) -> bool {
        self.entry(level)
            .is_some_and(|entry| entry.passed && !entry.solved)
    }

    /// The level that was chosen last, otherwise the first that hasn't passed. None
    /// when all have.
    pub fn current(&self) -> Option<&'static Level> {
        let chosen = self.book.current.as_deref().and_then(by_name);
        let undone = || ALL.iter().find(|level| !self.is_passed(level)).copied();
        chosen.or_else(undone)
    }

    /// From now on this level is the current one.
    pub fn choose(&mut self, level: &Level) {
        self.change(|book| book.current = Some(level.name.into()));
    }

    /// The hint to show next, 1 to 3, when this exercise is the next one. After the last
    /// comes the last; for another exercise, the first again.
    pub fn next_hint(&self, level: &Level, exercise: Option<&str>) -> u32 {
        let same = |entry: &&Entry| entry.exercise.as_deref() == exercise;
        let shown = self.entry(level).filter(same).map_or(0, |entry| entry.hint);
        shown.saturating_add(1).min(HINTS)
    }

    /// A hint was shown, when this exercise was the next one.
    pub fn note_hint(&mut self, level: &Level, exercise: Option<&str>, step: u32) {
        self.change(|book| {
            let entry = book.levels.entry(level.name.into()).or_default();
            if entry.exercise.as_deref() != exercise {
                (entry.exercise, entry.hint) = (exercise.map(String::from), 0);
            }
            entry.hint = entry.hint.max(step);
        });
    }

    /// Did `solve` put the finished level there?
    pub fn is_solved(&self, level: &Level) -> bool {
        self.entry(level).is_some_and(|entry| entry.solved)
    }

    /// The learner's own level was judged, in this workspace. Once passed it stays so,
    /// until it is started over. The finished level in its place proves nothing.
    pub fn note(&mut self, outcome: &Outcome) {
        let Some(level) = by_name(&outcome.name) else {
            return;
        };
        if outcome.verdict != Verdict::Pass {
            return;
        }
        let root = workspace::root();
        let finished = root.is_ok_and(|root| sources::is_finished(&root, level));
        self.change(|book| {
            let entry = book.levels.entry(level.name.into()).or_default();
            if !(entry.solved && finished) {
                entry.passed = true;
                entry.solved = false;
            }
        });
    }

    /// `solve` puts the finished level there.
    pub fn note_solved(&mut self, level: &Level) {
        self.change(|book| {
            let entry = book.levels.entry(level.name.into()).or_default();
            entry.solved = true;
        });
    }

    /// It couldn't be put there: as before.
    pub fn take_back_solved(&mut self, level: &Level, before: bool) {
        self.change(|book| {
            let entry = book.levels.entry(level.name.into()).or_default();
            entry.solved = before;
        });
    }

    /// The level is as it was in the beginning: not passed, no hints shown.
    pub fn start_over(&mut self, level: &Level) {
        self.change(|book| {
            let more = book.levels.remove(level.name).unwrap_or_default().more;
            if !more.is_empty() {
                let entry = Entry {
                    more,
                    ..Entry::default()
                };
                book.levels.insert(level.name.into(), entry);
            }
        });
    }

    fn entry(&self, level: &Level) -> Option<&Entry> {
        self.book.levels.get(level.name)
    }

    fn change(&mut self, edit: impl Fn(&mut Book)) {
        match save(&self.book, &edit) {
            Ok(book) => self.book = book,
            Err(error) => {
                edit(&mut self.book);
                self.tell(&error);
            }
        }
    }

    fn tell(&mut self, error: &anyhow::Error) {
        if !self.told {
            eprintln!("note: progress isn't saved: {error:#}");
        }
        self.told = true;
    }
}

fn by_name(name: &str) -> Option<&'static Level> {
    ALL.iter().find(|level| level.name == name).copied()
}

/// Change what the file holds now. `known` stands in for a file that is corrupt.
fn save(known: &Book, edit: impl Fn(&mut Book)) -> Result<Book> {
    let folder = state::folder()?;
    let _owner = owner::in_place_of_owner(&folder);
    let _lock = lock(&folder)?;
    let there = match read(&folder.join(FILE))? {
        Found::Book(book) => Some(book),
        Found::Nothing => None,
        Found::Corrupt(why) => {
            set_aside(&folder, &why)?;
            Some(known.clone())
        }
    };
    let mut book = there.clone().unwrap_or_default();
    edit(&mut book);
    let unchanged = there.is_some_and(|there| there == book);
    if !unchanged || !folder.join(FILE).exists() {
        let mut text = serde_json::to_string_pretty(&book)?;
        text.push('\n');
        // It may be a link to where somebody keeps such files.
        let path = folder.join(FILE);
        let path = path.canonicalize().unwrap_or(path);
        state::replace(&path, &path.with_file_name(DRAFT), text.as_bytes())?;
    }
    Ok(book)
}

/// Read the file, and set it aside if it is corrupt.
fn open(folder: &Path) -> Result<Option<Book>> {
    let _owner = owner::in_place_of_owner(folder);
    let path = folder.join(FILE);
    match read(&path)? {
        Found::Book(book) => Ok(Some(book)),
        Found::Nothing => Ok(None),
        Found::Corrupt(_) => {
            let _lock = lock(folder)?;
            // Another checker may have done that meanwhile.
            match read(&path)? {
                Found::Book(book) => return Ok(Some(book)),
                Found::Corrupt(why) => set_aside(folder, &why)?,
                Found::Nothing => {}
            }
            Ok(None)
        }
    }
}

enum Found {
    Nothing,
    Book(Book),
    /// Why it is no progress file.
    Corrupt(String),
}

/// Errors: it can't be read, or was written by a version that is too new.
fn read(path: &Path) -> Result<Found> {
    if fs::metadata(path).is_ok_and(|about| !about.is_file()) {
        bail!("{}: is no plain file", path.display());
    }
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Found::Nothing);
        }
        Err(error) => {
            return Err(state::named(error))
                .with_context(|| format!("read {}", path.display()));
        }
    };
    let value: Value = match serde_json::from_slice(&text) {
        Ok(value) => value,
        Err(error) => return Ok(Found::Corrupt(error.to_string())),
    };
    let newer = value["version"].as_u64() > Some(VERSION.into());
    match serde_json::from_value(value) {
        Ok(book) => Ok(Found::Book(book)),
        Err(_) if newer => bail!(
            "{}: a newer Rubber Crab wrote this; update this one (git pull)",
            path.display()
        ),
        Err(error) => Ok(Found::Corrupt(error.to_string())),
    }
}

/// Rename a file that makes no sense, so that a person can look at it. The lock is held.
fn set_aside(folder: &Path, why: &str) -> Result<()> {
    let path = folder.join(FILE);
    let free = |number: u32| -> Option<PathBuf> {
        let aside = folder.join(format!("{FILE}.corrupt-{number}"));
        (!aside.exists()).then_some(aside)
    };
    let aside = (1..).find_map(free).context("no free name")?;
    fs::rename(&path, &aside)
        .map_err(state::named)
        .with_context(|| format!("rename {}, which is corrupt", path.display()))?;
    eprintln!(
        "note: {} was corrupt ({why}); it is kept as {}, and progress starts anew",
        path.display(),
        aside.display()
    );
    Ok(())
}

/// One checker at a time. The folder is made if it isn't there.
fn lock(folder: &Path) -> Result<Flock<File>> {
    fs::create_dir_all(folder)
        .map_err(state::named)
        .with_context(|| format!("mkdir {}", folder.display()))?;
    let path = folder.join(LOCK);
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(state::named)
        .with_context(|| format!("open {}", path.display()))?;
    let begun = Instant::now();
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            // A checker that was stopped with Ctrl-Z may hold it: no reason to hang.
            Err((again, Errno::EWOULDBLOCK)) if begun.elapsed() < PATIENCE => {
                file = again;
                sleep(Duration::from_millis(5));
            }
            Err((_, errno)) => {
                return Err(errno)
                    .with_context(|| format!("flock {}", path.display()));
            }
        }
    }
}
