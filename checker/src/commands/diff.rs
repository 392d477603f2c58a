//! `diff`: the learner's level against the finished one.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use clap::Args;
use colored::Colorize;
use similar::TextDiff;

use super::level_or_current;
use crate::author::sources::{self, Sources};
use crate::judge::Level;
use crate::progress::Progress;
use crate::status::Status;
use crate::text::{escape, say};
use crate::workspace::{self, Whose};

#[derive(Debug, Args)]
pub struct Options {
    /// Number, name, or the beginning of a name; without one, the current level.
    level: Option<String>,
}

pub fn diff(options: &Options) -> Result<Status> {
    let root = workspace::root()?;
    let level = level_or_current(options.level.as_deref(), &Progress::load())?;
    let mine = sources::learners(&root, level)?;
    let finished = sources::finished(&root, level)?;
    let there = (Whose::Learner.folder(level), "yours");
    let other = (Whose::Solution.folder(level), "finished");
    let text = unified((&mine, &there.0, there.1), (&finished, &other.0, other.1));
    if text.is_empty() {
        say(&format!("{} is the finished level.\n", there.0.display()));
    } else {
        say(&text);
    }
    Ok(Status::Success)
}

/// What `reset` takes away (`-`) and puts there (`+`).
pub fn against_skeleton(
    level: &Level,
    mine: &Sources,
    skeleton: &Sources,
) -> String {
    let folder = Whose::Learner.folder(level);
    unified((mine, &folder, "yours"), (skeleton, &folder, "skeleton"))
}

/// The differences in unified format; empty if there are none.
fn unified(old: (&Sources, &Path, &str), new: (&Sources, &Path, &str)) -> String {
    let mut shown = String::new();
    for path in names(old.0, new.0) {
        let head = |(sources, folder, whose): (&Sources, &Path, &str)| match sources
            .contains_key(path)
        {
            true => format!("{}\t({whose})", folder.join(path).display()),
            false => format!("/dev/null\t({whose}: no such file)"),
        };
        let before = text(old.0, path);
        let after = text(new.0, path);
        let diff = TextDiff::from_lines(&before, &after);
        let mut diff = diff.unified_diff();
        let diff = diff.context_radius(3).header(&head(old), &head(new));
        shown.extend(diff.to_string().split_inclusive('\n').map(coloured));
    }
    shown
}

/// All files of both.
pub fn names<'a>(old: &'a Sources, new: &'a Sources) -> BTreeSet<&'a Path> {
    let names = old.keys().chain(new.keys());
    names.map(|path| path.as_path()).collect()
}

/// A file's text; empty if there is no such file.
pub fn text(sources: &Sources, path: &Path) -> String {
    let bytes = sources.get(path).map_or(&[][..], |bytes| bytes);
    String::from_utf8_lossy(bytes).into_owned()
}

fn coloured(line: &str) -> String {
    let (text, end) = match line.strip_suffix('\n') {
        Some(text) => (text, "\n"),
        None => (line, ""),
    };
    // In a file there may be what a terminal would obey.
    let text = text.split('\t').map(|part| escape(part.as_bytes()));
    let text = text.collect::<Vec<_>>().join("\t");
    let text = match text.chars().next() {
        _ if text.starts_with("--- ") || text.starts_with("+++ ") => text.bold(),
        Some('-') => text.red(),
        Some('+') => text.green(),
        Some('@') => text.cyan(),
        _ => text.normal(),
    };
    format!("{text}{end}")
}
