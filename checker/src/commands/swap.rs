//! What `reset` and `solve` share: they put other sources in place of the learner's.
//! First they say what goes, and ask; then they keep a copy.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use colored::Colorize;

use super::diff::{names, text};
use crate::author::lines;
use crate::author::sources::{self, Sources};
use crate::judge::Level;
use crate::state;
use crate::text::say;
use crate::workspace::Whose;

/// How many lines of each file go, and how many come.
pub fn summary(level: &Level, mine: &Sources, wanted: &Sources) -> String {
    let folder = Whose::Learner.folder(level);
    let mut summary = String::new();
    for path in names(mine, wanted) {
        if mine.get(path) == wanted.get(path) {
            continue;
        }
        let (gone, new) = lines::count(&text(mine, path), &text(wanted, path));
        let file = match (mine.contains_key(path), wanted.contains_key(path)) {
            (true, false) => "  (the file goes)",
            (false, _) => "  (the file comes back)",
            _ => "",
        };
        let path = folder.join(path);
        summary += &format!("  {}  -{gone} +{new} lines{file}\n", path.display());
    }
    summary
}

/// Does the learner say yes? Only a `y` is a yes.
///
/// Errors: there is nobody to ask, and `--yes` wasn't said.
pub fn confirmed(question: &str, yes: bool) -> Result<bool> {
    if yes {
        return Ok(true);
    }
    let mut out = std::io::stdout();
    if !std::io::stdin().is_terminal() || !out.is_terminal() {
        bail!("nothing was changed: without a terminal this needs --yes");
    }
    write!(out, "{} [y/N] ", question.bold())?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .context("read from stdin")?;
    let yes = matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
    if !yes {
        say("Nothing was changed.\n");
    }
    Ok(yes)
}

/// Keep a copy of what the learner has written. Returns its folder.
///
/// Errors: there is no place for it. Then nothing should be changed.
pub fn keep(root: &Path, level: &Level) -> Result<PathBuf> {
    let folder = root.join(Whose::Learner.folder(level));
    state::keep(level, &folder, &["Cargo.toml", "src"]).context(
        "nothing was changed, as no copy of your work can be kept \
         (XDG_STATE_HOME can name a folder for it)",
    )
}

/// Put `wanted` in place of the learner's sources, of which `kept` is a copy.
pub fn put(root: &Path, level: &Level, wanted: &Sources, kept: &Path) -> Result<()> {
    sources::put(root, level, wanted)
        .with_context(|| format!("your work is kept in {}", kept.display()))
}

/// Where the copy is, and how it comes back.
pub fn way_back(root: &Path, level: &Level, kept: &Path) -> String {
    let mut folder = Whose::Learner.folder(level);
    if std::env::current_dir().is_ok_and(|here| here != root) {
        folder = root.join(folder);
    }
    // Not `cp -a`: with old times, cargo would take the program for built.
    format!(
        "Your work is kept in {}\nTo get it back: cp -r {} {}\n",
        kept.display(),
        quoted(&kept.join(".")),
        quoted(&folder),
    )
}

/// For a shell.
fn quoted(path: &Path) -> String {
    let path = path.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "/._-+,@".contains(c);
    match path.chars().all(plain) {
        true => path.into_owned(),
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}
