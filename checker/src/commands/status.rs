//! No command: where am I, and what is next?

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use colored::Colorize;

use super::check::{judge_all, prepare};
use crate::author::sources;
use crate::judge::levels::ALL;
use crate::judge::{Level, Outcome, Verdict};
use crate::progress::Progress;
use crate::render::terminal;
use crate::status::{Status, width};
use crate::text::say;
use crate::workspace::{self, Whose};

/// Judge the levels in their order, and show the first one that isn't done.
pub fn status() -> Result<Status> {
    prepare(ALL);
    say(&format!(
        "{}  rebuild Docker from scratch, in Rust\n\n",
        "Rubber Crab".bold()
    ));
    let outcomes = judge_all(ALL, Whose::Learner, Duration::from_secs(10), None)?;
    let mut progress = Progress::load();
    for outcome in &outcomes {
        progress.note(outcome);
    }
    for (level, outcome) in ALL.iter().zip(&outcomes) {
        say(&format!(
            "  {} {}  {:<12} {}\n",
            mark(level, outcome),
            level.number,
            level.name,
            level.title
        ));
    }
    say("\n");
    let style = terminal::Style {
        width: width(),
        verbose: false,
        any_language: false,
    };
    let cannot =
        |outcome: &Outcome| matches!(outcome.verdict, Verdict::Cannot { .. });
    let judged = || ALL.iter().zip(&outcomes).filter(|(_, one)| !cannot(one));
    let undone = judged().find(|(_, one)| one.verdict != Verdict::Pass);
    // What can't be shown here is nobody's turn; but it can be cured.
    let hidden = outcomes.iter().find(|one| cannot(one));
    let Some((level, outcome)) = undone else {
        match hidden {
            Some(outcome) => say(&terminal::outcome(outcome, style)),
            None => say("All levels pass. Have a look at solutions/ to compare.\n"),
        }
        return Ok(Status::of(&outcomes, false));
    };
    if let Some(passed_over) = hidden.filter(|one| *one.level < *level.number) {
        say(&terminal::outcome(passed_over, style));
        say("\n");
    }
    say(&terminal::outcome(outcome, style));
    let folder = Whose::Learner.folder(level);
    let folder = folder.display();
    say(&format!("\nYour turn: level {}\n", level.number));
    say(&format!("  1. read   {folder}/README.md\n"));
    say(&format!(
        "  2. edit   {folder}/src/   (look for EXERCISE)\n"
    ));
    say(&format!(
        "  3. check  cargo checker check {}\n",
        level.number
    ));
    say(&format!(
        "  stuck?    cargo checker hint {}\n",
        level.number
    ));
    Ok(Status::of(&outcomes, false))
}

/// Is the level as the learner first found it?
fn is_untouched(level: &Level) -> bool {
    let same = |root: PathBuf| -> Result<bool> {
        Ok(sources::learners(&root, level)? == sources::skeleton(&root, level)?)
    };
    workspace::root().and_then(same).unwrap_or(false)
}

fn mark(level: &Level, outcome: &Outcome) -> String {
    match &outcome.verdict {
        Verdict::Untouched { .. } => "· not yet".dimmed().to_string(),
        Verdict::Fail if is_untouched(level) => "· not yet".dimmed().to_string(),
        Verdict::Pass => format!("{} pass   ", "✓".green()),
        Verdict::Fail => format!("{} fail   ", "✗".red()),
        Verdict::Unbuilt { .. } => format!("{} unbuilt", "✗".red()),
        Verdict::Cannot { .. } => format!("{} cannot ", "–".yellow()),
        Verdict::Broken { .. } => format!("{} broken ", "!".magenta()),
    }
}
