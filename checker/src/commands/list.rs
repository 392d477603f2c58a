//! `list`: all levels, and how far the learner is.

use anyhow::Result;
use colored::Colorize;

use crate::judge::Level;
use crate::judge::levels::ALL;
use crate::progress::Progress;
use crate::status::Status;
use crate::text::say;
use crate::workspace;

pub fn list() -> Result<Status> {
    let progress = Progress::load();
    let own = workspace::own().unwrap_or_default();
    let current = progress.current().map(|level| level.name);
    for level in ALL {
        let here = match current == Some(level.name) {
            true => "→".cyan(),
            false => " ".normal(),
        };
        say(&format!("{here} {}\n", line(level, &progress, &own)));
        say(&format!("               {}\n", level.learned.dimmed()));
    }
    if let Some(current) = progress.current() {
        say(&format!("\n→ you are at level {}\n", current.folder()));
    }
    Ok(Status::Success)
}

/// How far the learner is with a level, and what it is about; whether later ones build
/// on it.
pub fn line(level: &Level, progress: &Progress, own: &[&Level]) -> String {
    let state = if progress.is_passed(level) {
        format!("{} passed ", "✓".green())
    } else if progress.is_solved(level) {
        format!("{} solved ", "+".yellow())
    } else {
        "· not yet".dimmed().to_string()
    };
    let mine = own.iter().any(|one| one.number == level.number);
    let own = if mine {
        "  (later levels build on yours)"
    } else {
        ""
    };
    let Level {
        number,
        name,
        title,
        ..
    } = level;
    format!("{state}  {number} {name:<12} {title}{own}")
}
