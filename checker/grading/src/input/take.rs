//! Takes what is judged of a submission: regular files below a level's `src`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use report::LevelInfo;
use sha2::{Digest, Sha256};

use super::entry::{End, Entry, Kind, Visitor, join, shown};
use super::lookout::{is_level, submission};
use super::names::hex;
use super::{Found, Taken, limits};

/// A visitor that writes what is wanted to a folder.
pub struct Taker {
    /// The submission's folder with levels.
    top: Vec<OsString>,
    /// Its levels, by their folders.
    levels: BTreeMap<OsString, Level>,
    into: PathBuf,
    /// Bytes read so far.
    bytes: u64,
    notes: Notes,
}

/// A level that is taken.
struct Level {
    number: String,
    /// The folder's real name.
    name: String,
    /// The manifest that it is compiled with, where that is known.
    manifest: Option<Vec<u8>>,
    /// The files' paths below `src`, and the SHA-256 of their contents.
    files: BTreeMap<String, Vec<u8>>,
}

impl Taker {
    /// One that takes these levels of a submission, as far as it has them. `ours`: as
    /// they are handed out.
    pub fn new(
        found: &Found,
        levels: &[LevelInfo],
        ours: &Path,
        into: &Path,
    ) -> Result<Self> {
        std::fs::create_dir_all(into)
            .with_context(|| format!("make the folder {}", into.display()))?;
        let mut taker = Self {
            top: found.levels.clone(),
            levels: BTreeMap::new(),
            into: into.to_owned(),
            bytes: 0,
            notes: Notes::default(),
        };
        for note in &found.notes {
            taker.notes.add(note.clone());
        }
        for level in levels {
            taker.choose(level, &found.folders, ours);
        }
        Ok(taker)
    }

    /// Which of the folders is this level's? The one with its name, or the only one
    /// with its number.
    fn choose(&mut self, level: &LevelInfo, folders: &[OsString], ours: &Path) {
        let name = format!("{}-{}", level.level, level.name);
        let mut same: Vec<&OsString> = folders
            .iter()
            .filter(|folder| is_level(folder))
            .filter(|folder| numbered(folder, &level.level))
            .collect();
        if let Some(exact) = same.iter().position(|folder| **folder == *name) {
            same = vec![same[exact]];
        }
        match same.as_slice() {
            [] => {}
            [folder] => {
                let level = Level {
                    number: level.level.clone(),
                    manifest: std::fs::read(ours.join(&name).join("Cargo.toml"))
                        .ok(),
                    name,
                    files: BTreeMap::new(),
                };
                self.levels.insert((*folder).clone(), level);
            }
            [one, other, ..] => {
                let count = same.len();
                let (one, other) = (shown(one), shown(other));
                let why = format!(
                    "{count} folders could be {name}, none is called that: left out \
                     ({one}, {other}, …)"
                );
                let levels = self.top.clone();
                self.amiss(&levels, &why);
            }
        }
    }

    /// Is there anything to look for?
    pub fn wants_something(&self) -> bool {
        !self.levels.is_empty()
    }

    /// What was taken. If the place turned out to be damaged, nothing was.
    pub fn finish(mut self, end: End) -> Result<Taken> {
        match end {
            End::Whole => self.say_what_is_empty(),
            End::Stopped(why) => {
                self.notes.first(format!("not read to its end: {why}"));
            }
            End::Damaged(why) => {
                self.notes.first(format!("can't be read: {why}"));
                self.discard()?;
            }
        }
        let levels = self.levels.into_values();
        Ok(Taken {
            sources: levels
                .filter(|level| !level.files.is_empty())
                .map(|level| (level.number, digest(&level.files)))
                .collect(),
            notes: self.notes.lines(),
        })
    }

    fn say_what_is_empty(&mut self) {
        let levels = self.levels.iter();
        let empty = levels.filter(|(_, level)| level.files.is_empty());
        let empty: Vec<OsString> = empty.map(|(folder, _)| folder.clone()).collect();
        for folder in empty {
            self.amiss_in(&folder, "src", "there is no file in it");
        }
    }

    /// Note what is amiss with an entry.
    fn amiss(&mut self, parts: &[OsString], why: &str) {
        let path = within(parts, submission(&self.top));
        self.notes.add(about(path, why));
    }

    /// Note what is amiss with something in a level's folder.
    fn amiss_in(&mut self, folder: &OsStr, name: &str, why: &str) {
        let mut parts = self.top.clone();
        parts.push(folder.into());
        parts.extend(name.split('/').map(OsString::from));
        self.amiss(&parts, why);
    }

    fn discard(&mut self) -> Result<()> {
        for level in self.levels.values_mut() {
            if !std::mem::take(&mut level.files).is_empty() {
                let folder = self.into.join(&level.name);
                std::fs::remove_dir_all(&folder)
                    .with_context(|| format!("remove {}", folder.display()))?;
            }
        }
        Ok(())
    }

    /// A path as a level's folder and what is below its `src`.
    fn source<'a>(
        &self,
        parts: &'a [OsString],
    ) -> Option<(&'a OsString, Source<'a>)> {
        let rest = parts.strip_prefix(self.top.as_slice())?;
        let (folder, rest) = rest.split_first()?;
        let (source, rest) = rest.split_first()?;
        let level = self.levels.contains_key(folder) && source == "src";
        level.then_some((folder, Source(rest)))
    }

    /// Is it something beside a level's `src` that cargo would heed? What, and why it
    /// isn't taken.
    fn heeded(
        &mut self,
        entry: &Entry,
        content: &mut dyn Read,
    ) -> Option<(OsString, &'static str, String)> {
        let rest = entry.parts.strip_prefix(self.top.as_slice())?;
        let (folder, rest) = rest.split_first()?;
        let level = self.levels.get(folder)?;
        let name = rest.first()?;
        let (name, why) = match (name.to_str()?, rest.len()) {
            ("Cargo.toml", 1) if entry.kind == Kind::File => {
                let ours = level.manifest.clone()?;
                let why = match self.read(entry, content) {
                    Ok(theirs) if same_text(&theirs, &ours) => None,
                    Ok(_) => Some(CHANGED.to_owned()),
                    Err(why) => why,
                };
                ("Cargo.toml", why?)
            }
            ("Cargo.toml", 1) => ("Cargo.toml", CHANGED.to_owned()),
            ("build.rs", 1) => ("build.rs", "it is a build script: left out".into()),
            (".cargo", _) => (".cargo", "it would change cargo: left out".into()),
            _ => return None,
        };
        Some((folder.clone(), name, why))
    }

    /// Is this a level's folder, but not a folder any more?
    fn is_swapped(&self, entry: &Entry) -> bool {
        match entry.parts.strip_prefix(self.top.as_slice()) {
            Some([folder]) => {
                entry.kind != Kind::Folder && self.levels.contains_key(folder)
            }
            _ => false,
        }
    }

    /// Take a file, or say why not.
    fn file(
        &mut self,
        folder: &OsString,
        name: String,
        entry: &Entry,
        content: &mut dyn Read,
    ) -> Result<Option<String>> {
        let Some(level) = self.levels.get(folder) else {
            return Ok(None);
        };
        let again = level.files.contains_key(&name);
        let path = self.into.join(&level.name).join("src").join(&name);
        if !again && level.files.len() >= limits::FILES {
            let why = format!("only the first {} files are taken", limits::FILES);
            self.amiss_in(folder, "src", &why);
            return Ok(None);
        }
        if !again && conflicts(&level.files, &name) {
            return Ok(Some(
                "a file and a folder have the same name: left out".to_owned(),
            ));
        }
        let content = match self.read(entry, content) {
            Ok(content) => content,
            Err(why) => return Ok(why),
        };
        if !write(&path, &content, again)? {
            return Ok(Some("another file has the same name: left out".to_owned()));
        }
        if let Some(level) = self.levels.get_mut(folder) {
            let digest = Sha256::digest(&content).to_vec();
            level.files.insert(name, digest);
        }
        Ok(
            again
                .then(|| "it is there more than once: the last is taken".to_owned()),
        )
    }

    /// A file's content, or why it isn't read, if that wasn't said yet.
    fn read(
        &mut self,
        entry: &Entry,
        content: &mut dyn Read,
    ) -> Result<Vec<u8>, Option<String>> {
        let too_large = || {
            let most = limits::FILE >> 10;
            Some(format!("it is larger than {most} KiB: left out"))
        };
        if entry.size > limits::FILE {
            return Err(too_large());
        }
        if self.bytes + entry.size > limits::TOTAL {
            let most = limits::TOTAL >> 20;
            self.notes
                .add(format!("more than {most} MiB: the rest is left out"));
            return Err(None);
        }
        let mut bytes = Vec::new();
        let result = content.take(limits::FILE + 1).read_to_end(&mut bytes);
        self.bytes += bytes.len() as u64;
        match result {
            Err(error) => {
                let why = shown(error.to_string());
                Err(Some(format!("it can't be read: {why}: left out")))
            }
            Ok(_) if bytes.len() as u64 > limits::FILE => Err(too_large()),
            Ok(_) => Ok(bytes),
        }
    }
}

/// The part of a path below `src`.
struct Source<'a>(&'a [OsString]);

impl Source<'_> {
    /// Cargo would make a program of each file in there.
    fn is_program(&self) -> bool {
        self.0.first().is_some_and(|first| first == "bin")
    }

    /// As a path that can safely be written and compiled, or what is wrong with it.
    fn name(&self) -> Result<String, &'static str> {
        let path = join(self.0);
        let Some(path) = path.to_str() else {
            return Err("its name is not UTF-8: left out");
        };
        if path.chars().any(char::is_control) {
            return Err("its name has control characters: left out");
        }
        if path.len() > limits::PATH || self.0.len() > limits::SOURCE_DEPTH {
            return Err("its path is too long: left out");
        }
        Ok(path.to_owned())
    }
}

impl Visitor for Taker {
    fn enter(&mut self, parts: &[OsString]) -> bool {
        let Some(rest) = parts.strip_prefix(self.top.as_slice()) else {
            return false;
        };
        match rest {
            [] => true,
            [folder] => self.levels.contains_key(folder),
            [folder, source, rest @ ..] => {
                self.levels.contains_key(folder)
                    && source == "src"
                    && !Source(rest).is_program()
                    && rest.len() < limits::SOURCE_DEPTH
            }
        }
    }

    fn visit(
        &mut self,
        entry: &Entry,
        content: &mut dyn Read,
    ) -> Result<ControlFlow<()>> {
        if let Some(bad) = entry.bad {
            if entry.parts.starts_with(submission(&self.top))
                && entry.kind != Kind::Folder
            {
                self.amiss(entry.parts, &format!("{bad}: left out"));
            }
            return Ok(ControlFlow::Continue(()));
        }
        let Some((folder, source)) = self.source(entry.parts) else {
            if self.is_swapped(entry) {
                let why = format!("it is {}: left out", entry.kind.words());
                self.amiss(entry.parts, &why);
            } else if let Some((folder, name, why)) = self.heeded(entry, content) {
                self.amiss_in(&folder, name, &why);
            }
            return Ok(ControlFlow::Continue(()));
        };
        if source.is_program() {
            let why = "cargo would make more programs of it: left out";
            self.amiss_in(folder, "src/bin", why);
            return Ok(ControlFlow::Continue(()));
        }
        let why = match (entry.kind, source.name()) {
            (Kind::Folder, _) => {
                let deep = source.0.len() >= limits::SOURCE_DEPTH;
                deep.then(|| "it is too deep: left out".to_owned())
            }
            (Kind::File, Ok(name)) if !name.is_empty() => {
                self.file(folder, name, entry, content)?
            }
            (Kind::File, Err(why)) => Some(why.to_owned()),
            (kind, _) => Some(format!("it is {}: left out", kind.words())),
        };
        if let Some(why) = why {
            self.amiss(entry.parts, &why);
        }
        Ok(ControlFlow::Continue(()))
    }

    fn trouble(&mut self, parts: &[OsString], why: String) {
        self.amiss(parts, &why);
    }
}

/// Why a changed manifest isn't taken.
const CHANGED: &str = "it isn't as it was handed out: left out";

/// The same lines? Git and editors may change how lines end.
fn same_text(one: &[u8], other: &[u8]) -> bool {
    fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
        let lines = text.trim_ascii_end().split(|byte| *byte == b'\n');
        lines.map(<[u8]>::trim_ascii_end)
    }
    lines(one).eq(lines(other))
}

/// The way from a folder to what is in it. To the folder itself: its name.
pub fn within<'a>(parts: &'a [OsString], folder: &[OsString]) -> &'a [OsString] {
    match parts.strip_prefix(folder) {
        None => parts,
        Some([]) => &parts[parts.len().saturating_sub(1)..],
        Some(rest) => rest,
    }
}

/// A note on one file.
pub fn about(parts: &[OsString], why: &str) -> String {
    match parts {
        [] => why.to_owned(),
        _ => format!("{}: {why}", shown(join(parts))),
    }
}

/// `05` is the number of `05` and `05-…`.
fn numbered(folder: &OsStr, number: &str) -> bool {
    let folder = folder.to_string_lossy();
    let rest = folder.strip_prefix(number);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Is there a file where this one needs a folder, or the other way round?
fn conflicts(files: &BTreeMap<String, Vec<u8>>, name: &str) -> bool {
    let above = name
        .match_indices('/')
        .any(|(at, _)| files.contains_key(&name[..at]));
    let folder = format!("{name}/");
    let from = (Bound::Included(folder.clone()), Bound::Unbounded);
    let below = files.range::<String, _>(from).next();
    above || below.is_some_and(|(other, _)| other.starts_with(&folder))
}

/// Write a file. `false`: there is another one by that name, on a file system that
/// takes two names for the same.
fn write(path: &Path, content: &[u8], again: bool) -> Result<bool> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("make the folder {}", folder.display()))?;
    }
    let mut options = OpenOptions::new();
    options.write(true).truncate(again).create_new(!again);
    let mut file = match options.open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        file => file.with_context(|| format!("make {}", path.display()))?,
    };
    file.write_all(content)
        .with_context(|| format!("write {}", path.display()))?;
    Ok(true)
}

/// The SHA-256 over names and contents: each name with its length before it, and the
/// content's own SHA-256 after it.
fn digest(files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut hash = Sha256::new();
    for (name, content) in files {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update(content);
    }
    hex(&hash.finalize())
}

/// Notes: each once, and not too many.
#[derive(Default)]
struct Notes {
    lines: Vec<String>,
    known: BTreeSet<String>,
    more: u64,
}

impl Notes {
    fn add(&mut self, note: String) {
        if self.known.contains(&note) {
            return;
        }
        if self.lines.len() + 1 >= limits::NOTES {
            self.more += 1;
            return;
        }
        self.known.insert(note.clone());
        self.lines.push(note);
    }

    /// What is to be read first.
    fn first(&mut self, note: String) {
        if self.lines.len() + 1 >= limits::NOTES {
            self.lines.pop();
            self.more += 1;
        }
        self.lines.insert(0, note);
    }

    fn lines(mut self) -> Vec<String> {
        if self.more > 0 {
            self.lines.push(format!("… and {} more", self.more));
        }
        self.lines
    }
}
