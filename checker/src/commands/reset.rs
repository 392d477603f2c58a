//! `reset`: levels as the learner first found them.

use anyhow::Result;
use clap::Args;

use super::{diff, level_or_current, levels_of, swap};
use crate::author::sources;
use crate::progress::Progress;
use crate::status::Status;
use crate::text::say;
use crate::workspace;

#[derive(Debug, Args)]
pub struct Options {
    /// Number, name, or the beginning of a name; without one, the current level.
    #[arg(value_name = "LEVEL")]
    levels: Vec<String>,
    /// Don't ask.
    #[arg(long, short)]
    yes: bool,
}

pub fn reset(options: &Options) -> Result<Status> {
    let root = workspace::root()?;
    let mut progress = Progress::load();
    let levels = match &options.levels[..] {
        [] => vec![level_or_current(None, &progress)?],
        names => levels_of(names)?,
    };
    let mut changes = Vec::new();
    for level in levels {
        let mine = sources::learners(&root, level)?;
        let skeleton = sources::skeleton(&root, level)?;
        if mine == skeleton {
            say(&format!(
                "Level {} is as you first found it: nothing to lose.\n",
                level.folder()
            ));
            continue;
        }
        if !options.yes {
            say(&diff::against_skeleton(level, &mine, &skeleton));
        }
        say(&format!("What changes in level {}:\n", level.folder()));
        say(&swap::summary(level, &mine, &skeleton));
        changes.push((level, skeleton));
    }
    if changes.is_empty()
        || !swap::confirmed("Start over? A copy is kept.", options.yes)?
    {
        return Ok(Status::Success);
    }
    for (level, skeleton) in changes {
        let kept = swap::keep(&root, level)?;
        swap::put(&root, level, &skeleton, &kept)?;
        progress.start_over(level);
        say(&format!(
            "\nLevel {} is as you first found it.\n",
            level.folder()
        ));
        say(&swap::way_back(&root, level, &kept));
    }
    Ok(Status::Success)
}
