//! `solve`: the finished level in place of the learner's.

use anyhow::Result;
use clap::Args;

use super::{level_or_current, swap};
use crate::author::sources;
use crate::progress::Progress;
use crate::status::Status;
use crate::text::say;
use crate::workspace;

#[derive(Debug, Args)]
pub struct Options {
    /// Number, name, or the beginning of a name; without one, the current level.
    level: Option<String>,
    /// Don't ask.
    #[arg(long, short)]
    yes: bool,
}

pub fn solve(options: &Options) -> Result<Status> {
    let root = workspace::root()?;
    let mut progress = Progress::load();
    let level = level_or_current(options.level.as_deref(), &progress)?;
    let mine = sources::learners(&root, level)?;
    let finished = sources::finished(&root, level)?;
    if mine == finished {
        say(&format!(
            "Level {} is the finished one already: nothing was changed.\n",
            level.folder()
        ));
        return Ok(Status::Success);
    }
    say(&format!("The finished level {}:\n", level.folder()));
    say(&swap::summary(level, &mine, &finished));
    let question = "Put it in place of yours? A copy is kept.";
    if !swap::confirmed(question, options.yes)? {
        return Ok(Status::Success);
    }
    let kept = swap::keep(&root, level)?;
    let before = progress.is_solved(level);
    // First: whatever happens next, it isn't taken for the learner's work.
    progress.note_solved(level);
    let put = swap::put(&root, level, &finished, &kept);
    if put.is_err() && sources::learners(&root, level).is_ok_and(|now| now == mine) {
        progress.take_back_solved(level, before);
    }
    put?;
    say(&format!(
        "\nLevel {} is the finished one now. It doesn't count as passed until you \
         change it.\n",
        level.folder()
    ));
    say(&swap::way_back(&root, level, &kept));
    say(&format!(
        "To start over: cargo checker reset {}\n",
        level.number
    ));
    Ok(Status::Success)
}
