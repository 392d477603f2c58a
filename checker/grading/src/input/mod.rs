//! What was handed in: finding submissions, and taking from them what is judged. They
//! may be hostile: nothing is followed, believed or run, and all of it is limited
//! (`limits`).
//!
//! A *place* is a folder, an archive or a Git commit. Each is read by a walker of its
//! own (`folder`, `archive` with `tar` and `zip`, `git`), which shows everything it meets
//! as an [`entry::Entry`] to a visitor: to `lookout`, which recognizes submissions, or to
//! `take`, which writes the files that are judged. `look` makes candidates of one
//! argument, `list` reads the list file, and `names` tells all of them apart. A class is
//! the same in a folder and in an archive of that folder.

mod archive;
mod entry;
mod folder;
mod git;
mod limits;
mod list;
mod look;
mod lookout;
mod names;
mod take;
mod tar;
mod zip;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;
use report::LevelInfo;

pub use names::key;

/// A submission, found but not yet read.
#[derive(Debug, Clone)]
pub struct Found {
    /// Unique among those found together. May hold any character: escape it as the
    /// output asks, and use [`key`] for file names.
    pub name: String,
    place: Place,
    /// The way from the place to the folder that holds the levels' folders.
    levels: Vec<OsString>,
    /// The levels' folders: those in it that begin with two digits and have a `src`.
    folders: Vec<OsString>,
    /// What was already seen to be amiss.
    notes: Vec<String>,
}

/// Where a submission is.
#[derive(Debug, Clone)]
enum Place {
    /// Below this folder.
    Folder(PathBuf),
    /// In an archive: a file some components below a folder. With `inner`, in an archive
    /// inside that archive.
    Archive {
        base: PathBuf,
        file: Vec<OsString>,
        inner: Option<Vec<OsString>>,
    },
    /// In a commit, by its full object name.
    Commit { repository: PathBuf, commit: String },
    /// Nowhere: nothing to be judged was found, and the notes say why.
    Nowhere,
}

/// What was taken from a submission.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// For each level with at least one file, by its number: the SHA-256, in hex, over
    /// the names and contents of its files.
    pub sources: BTreeMap<String, String>,
    /// What was left out, and why: a line each, `PATH: why`, with the way from the
    /// submission's folder. At most 20, without control characters.
    pub notes: Vec<String>,
}

/// Find the submissions in folders and archives, in those that a list file names, and
/// in Git: `git` holds branches, tags, commits, ranges (`A..B`) and patterns of branches
/// (`refs/heads/students/*`) of `repository`.
///
/// They are sorted by name, and each place is there once. One that can't be read is
/// found, too: without levels, and with a note. Errors are the instructor's own: a path
/// or a revision that isn't there, a list that makes no sense.
pub fn find(
    arguments: &[PathBuf],
    list: Option<&Path>,
    git: &[String],
    repository: &Path,
) -> Result<Vec<Found>> {
    let lines = list.map(list::read).transpose()?.unwrap_or_default();
    let alone = arguments.len() + lines.len() == 1;
    let mut candidates = Vec::new();
    for argument in arguments {
        candidates.extend(look::into(argument, alone, alone)?);
    }
    for line in lines {
        candidates.extend(line.candidates(alone)?);
    }
    for revision in git {
        candidates.extend(git::find(repository, revision)?);
    }
    names::settle(candidates)
}

impl Found {
    /// Write the files of these levels to `into/NN-name/src/…`. `into` is a private
    /// folder that is empty or not there yet; in `ours` are the levels as they are
    /// handed out, `NN-name/Cargo.toml`.
    ///
    /// What can't be read or isn't wanted is left out, with a note. An error is one of
    /// this side: `into` can't be written to, `git` can't be started.
    pub fn take(
        &self,
        levels: &[LevelInfo],
        ours: &Path,
        into: &Path,
    ) -> Result<Taken> {
        let mut taker = take::Taker::new(self, levels, ours, into)?;
        if !taker.wants_something() {
            return taker.finish(entry::End::Whole);
        }
        let end = match &self.place {
            Place::Folder(base) => folder::walk(base, &self.levels, &mut taker)?,
            Place::Archive { base, file, inner } => {
                archive::walk(base, file, inner.as_deref(), &mut taker)?
            }
            Place::Commit { repository, commit } => {
                git::walk(repository, commit, &mut taker)?
            }
            Place::Nowhere => entry::End::Whole,
        };
        taker.finish(end)
    }
}
