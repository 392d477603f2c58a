//! `own`: build later levels on the learner's own crate, not on the finished one.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;
use colored::Colorize;

use super::check::find;
use super::swap;
use crate::judge::Level;
use crate::judge::levels::ALL;
use crate::progress::Progress;
use crate::status::Status;
use crate::text::say;
use crate::workspace::{self, Whose};
use crate::{owner, state};

#[derive(Debug, Args)]
pub struct Options {
    /// Number, name, or the beginning of a name; without one, all are listed.
    level: Option<String>,
    /// Build on the finished level again.
    #[arg(long, requires = "level")]
    undo: bool,
    /// Don't ask.
    #[arg(long, short)]
    yes: bool,
}

/// Errors: nothing builds on that level.
pub fn own(options: &Options) -> Result<Status> {
    let root = workspace::root()?;
    let path = root.join("Cargo.toml");
    let manifest = fs::read_to_string(&path)
        .map_err(state::named)
        .with_context(|| format!("read {}", path.display()))?;
    let Some(name) = &options.level else {
        list(&manifest);
        return Ok(Status::Success);
    };
    let level = find(name)?;
    let whose = match options.undo {
        true => Whose::Solution,
        false => Whose::Learner,
    };
    let Some(there) = workspace::built_on(&manifest, level) else {
        bail!(
            "nothing builds on level {}: [workspace.dependencies] in Cargo.toml has \
             no line for it",
            level.folder()
        );
    };
    if there == whose {
        say(&format!("{} already.\n", claim(level, whose)));
        return Ok(Status::Success);
    }
    if whose == Whose::Learner && !Progress::load().is_passed(level) {
        let warning = format!(
            "Level {} hasn't passed yet: what is wrong there will be wrong in later \
             levels.",
            level.folder()
        );
        say(&format!("{}\n", warning.yellow()));
        if !swap::confirmed("Build on it all the same?", options.yes)? {
            return Ok(Status::Success);
        }
    }
    write(&path, &workspace::build_on(&manifest, level, whose))?;
    say(&format!("{}.\n", claim(level, whose)));
    if whose == Whose::Learner {
        say(&format!(
            "That goes for the later levels in solutions/, too.\n\
             To undo it: cargo checker own {} --undo\n",
            level.number
        ));
    }
    Ok(Status::Success)
}

/// `Later levels are built on your levels/05-uts-ns`
fn claim(level: &Level, whose: Whose) -> String {
    let mine = match whose {
        Whose::Learner => "your ",
        Whose::Solution => "",
    };
    let folder = whose.folder(level);
    format!("Later levels are built on {mine}{}", folder.display())
}

fn list(manifest: &str) {
    for level in ALL {
        let what = match workspace::built_on(manifest, level) {
            Some(whose @ Whose::Learner) => {
                format!("{}     {}", "yours".green(), whose.folder(level).display())
            }
            Some(whose @ Whose::Solution) => {
                format!("finished  {}", whose.folder(level).display())
            }
            None => "–         nothing builds on it".into(),
        };
        say(&format!("{}  {:<12} {what}\n", level.number, level.name));
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    let _owner = owner::in_place_of_owner(path);
    let draft = path.with_file_name(".Cargo.toml.new");
    state::replace(path, &draft, text.as_bytes())
}
