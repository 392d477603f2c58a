//! `hint`: one step at a time; it never changes anything.

use anyhow::{Context, Result, bail};
use clap::Args;

use super::check::find;
use crate::status::Status;
use crate::text::say;
use crate::workspace::{self, Whose};

#[derive(Debug, Args)]
pub struct Options {
    level: String,
    /// 1: the concept; 2: the call and where it goes; 3: the code, almost.
    #[arg(default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3))]
    step: u32,
}

pub fn hint(options: &Options) -> Result<Status> {
    let level = find(&options.level)?;
    let path = workspace::root()?
        .join(Whose::Learner.folder(level))
        .join("HINTS.md");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("read {}", path.display()))?;
    let Some(step) = steps(&text).nth(options.step as usize - 1) else {
        bail!("{} has no step {}", path.display(), options.step);
    };
    say(&format!("Level {}, {}\n", level.folder(), step.trim_end()));
    match options.step {
        3 => say(&format!(
            "\nThat was the last hint. The finished level is in {}.\n",
            Whose::Solution.folder(level).display()
        )),
        step => say(&format!(
            "\nMore: cargo checker hint {} {}\n",
            level.number,
            step + 1
        )),
    }
    Ok(Status::Success)
}

/// The sections of a file of hints: each begins with `## `.
fn steps(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n## ").skip(1)
}
