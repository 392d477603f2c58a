//! Recognizes submissions among entries.
//!
//! A submission is a folder with `levels/NN-name/src`, or with `NN-name/src`. Whatever is
//! below one belongs to it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;

use anyhow::Result;

use super::entry::{End, Entry, Kind, Visitor};
use super::{archive, limits, take};

/// Folders that hold no work: builds, histories, the finished levels, what macOS adds.
const SKIPPED: [&str; 5] =
    ["target", ".git", "node_modules", "solutions", "__MACOSX"];

pub type Parts = Vec<OsString>;

#[derive(Default)]
pub struct Lookout {
    /// Folders that hold levels, and the names of their levels' folders.
    levels: BTreeMap<Parts, BTreeSet<OsString>>,
    /// Archives that were not opened.
    pub archives: BTreeSet<Parts>,
    /// Archives that were opened on the way, what is in them, and how that ended.
    pub opened: BTreeMap<Parts, (Lookout, End)>,
    /// How many more of them may be opened on the way.
    may_open: usize,
    /// The folders at the top, and what else there stands for a student's work.
    pub children: BTreeSet<OsString>,
    /// The same in the only folder at the top, while there is no other.
    pub grandchildren: BTreeSet<OsString>,
    /// What can't be looked at, and why.
    pub troubles: Vec<(Parts, String)>,
}

/// A recognized submission.
pub struct Root {
    /// The submission's folder.
    pub path: Parts,
    /// The folder with its levels: the same one, or `levels` in it.
    pub levels: Parts,
    pub folders: Vec<OsString>,
}

impl Lookout {
    /// One that looks into so many archives, too, while their content is at hand.
    pub fn that_opens(archives: usize) -> Self {
        Self {
            may_open: archives,
            ..Self::default()
        }
    }

    /// The submissions, sorted. One inside another isn't one.
    pub fn roots(&self) -> Vec<Root> {
        let mut roots: BTreeMap<Parts, &Parts> = BTreeMap::new();
        for levels in self.levels.keys() {
            // In order: a folder comes before those in it, so `levels` wins.
            roots.insert(submission(levels).to_vec(), levels);
        }
        let inside = |path: &Parts| {
            (0..path.len()).any(|count| roots.contains_key(&path[..count]))
        };
        roots
            .iter()
            .filter(|(path, _)| !inside(path))
            .map(|(path, levels)| Root {
                path: path.clone(),
                levels: levels.to_vec(),
                folders: self.levels[*levels].iter().cloned().collect(),
            })
            .collect()
    }

    /// What is amiss below a folder, as notes with the way from there.
    pub fn notes(&self, below: &[OsString]) -> Vec<String> {
        self.notes_if(below, |path| path.starts_with(below))
    }

    /// What is amiss in a submission's folder with levels, or on the way to it.
    pub fn notes_on(&self, levels: &[OsString]) -> Vec<String> {
        self.notes_if(submission(levels), |path| {
            path.starts_with(levels) || levels.starts_with(path)
        })
    }

    fn notes_if(
        &self,
        from: &[OsString],
        wanted: impl Fn(&Parts) -> bool,
    ) -> Vec<String> {
        let troubles = self.troubles.iter();
        troubles
            .filter(|(path, _)| wanted(path))
            .map(|(path, why)| take::about(take::within(path, from), why))
            .collect()
    }

    fn note(&mut self, parts: &[OsString], why: String) {
        if self.troubles.len() < limits::REMEMBERED {
            self.troubles.push((parts.to_vec(), why));
        }
    }

    /// Remember whose folder an entry is in. `itself`: it would be one's at the top, too.
    fn child(&mut self, parts: &[OsString], itself: bool) {
        let whose = match itself {
            true => parts,
            false => &parts[..parts.len().saturating_sub(1)],
        };
        let [first, rest @ ..] = whose else { return };
        remember(&mut self.children, first);
        match rest.first() {
            _ if self.children.len() > 1 => self.grandchildren.clear(),
            Some(second) => remember(&mut self.grandchildren, second),
            None => {}
        }
    }

    /// Remember the level that something in its `src` shows to be one.
    fn level(&mut self, at: usize, entry: &Entry) {
        let source = entry.parts.len() == at + 2;
        if source && entry.kind != Kind::Folder {
            let why = format!("it is {}: left out", entry.kind.words());
            return self.note(entry.parts, why);
        }
        let known = self.levels.contains_key(&entry.parts[..at]);
        if !known && self.levels.len() >= limits::REMEMBERED {
            return;
        }
        let levels = self.levels.entry(entry.parts[..at].to_vec()).or_default();
        // There are a hundred numbers. More of them, and none could be chosen anyway.
        if levels.len() < 1000 && !levels.contains(&entry.parts[at]) {
            levels.insert(entry.parts[at].clone());
        }
    }

    /// An archive: open it, or remember it.
    fn archive(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<()> {
        let parts = entry.parts;
        if self.archives.contains(parts) || self.opened.contains_key(parts) {
            self.note(parts, "it is there more than once: one is read".to_owned());
        } else if self.may_open > 0 {
            self.may_open -= 1;
            let mut inside = Self::default();
            let end = match archive::unpack(content)? {
                Ok(file) => open(&file, &mut inside)?,
                Err(why) => End::Damaged(why),
            };
            self.opened.insert(parts.to_vec(), (inside, end));
        } else if self.archives.len() < limits::REMEMBERED {
            self.archives.insert(parts.to_vec());
        }
        Ok(())
    }
}

fn remember(names: &mut BTreeSet<OsString>, name: &OsString) {
    let hidden = name.as_bytes().starts_with(b".");
    if !hidden && names.len() < limits::REMEMBERED {
        names.insert(name.clone());
    }
}

fn open(file: &File, inside: &mut Lookout) -> Result<End> {
    archive::read(file, inside)
}

impl Visitor for Lookout {
    fn enter(&mut self, parts: &[OsString]) -> bool {
        let Some((name, above)) = parts.split_last() else {
            return true;
        };
        let source =
            name == "src" && above.last().is_some_and(|above| is_level(above));
        if skipped(name) || source || parts.len() > limits::DEPTH + 2 {
            return false;
        }
        // In a submission that is already known, only its levels are of interest.
        let known = (0..=above.len()).rev().find(|count| {
            self.levels.contains_key(&parts[..*count])
                || self.levels.contains_key(&with_levels(&parts[..*count]))
        });
        match known {
            Some(count) => {
                let here = count == above.len() && self.levels.contains_key(above);
                here && is_level(name)
            }
            None => true,
        }
    }

    fn visit(
        &mut self,
        entry: &Entry,
        content: &mut dyn Read,
    ) -> Result<ControlFlow<()>> {
        let parts = entry.parts;
        let Some(name) = parts.last().filter(|_| entry.bad.is_none()) else {
            return Ok(ControlFlow::Continue(()));
        };
        if parts.iter().any(|part| skipped(part)) {
            return Ok(ControlFlow::Continue(()));
        }
        let unread = entry.kind == Kind::File && archive::is_unread(name);
        let itself =
            unread || matches!(entry.kind, Kind::Folder | Kind::SymbolicLink);
        self.child(parts, itself);
        if let Some(at) = level_at(parts) {
            self.level(at, entry);
            return Ok(ControlFlow::Continue(()));
        }
        if parts.len() > limits::DEPTH {
            return Ok(ControlFlow::Continue(()));
        }
        let archive = archive::stem(name).is_some();
        let awaited =
            archive || name == "levels" || is_level(name) || parts.len() == 1;
        match entry.kind {
            Kind::File if archive => self.archive(entry, content)?,
            Kind::File if unread => {
                let why = "only .zip, .tar, .tar.gz and .tgz are read".to_owned();
                self.note(parts, why);
            }
            Kind::File | Kind::Folder => {}
            kind if awaited => {
                self.note(parts, format!("it is {}: left out", kind.words()));
            }
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    fn trouble(&mut self, parts: &[OsString], why: String) {
        self.note(parts, why);
    }
}

/// Where in a path a level's folder is, one with `src` in it.
fn level_at(parts: &[OsString]) -> Option<usize> {
    (0..parts.len().saturating_sub(1))
        .take(limits::DEPTH + 2)
        .find(|at| is_level(&parts[*at]) && parts[at + 1] == "src")
}

/// `NN` or `NN-…`
pub fn is_level(name: &OsStr) -> bool {
    let name = name.as_bytes();
    let digits = name.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits == 2 && (name.len() == 2 || name[2] == b'-')
}

fn skipped(name: &OsStr) -> bool {
    SKIPPED.iter().any(|skipped| name == *skipped)
}

/// The submission of a folder with levels.
pub fn submission(levels: &[OsString]) -> &[OsString] {
    match levels.split_last() {
        Some((name, above)) if name == "levels" => above,
        _ => levels,
    }
}

fn with_levels(folder: &[OsString]) -> Parts {
    let mut parts = folder.to_vec();
    parts.push("levels".into());
    parts
}
