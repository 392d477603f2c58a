//! The commands, one file each.

pub mod book;
pub mod check;
pub mod completions;
pub mod diff;
pub mod grade;
pub mod hint;
pub mod image;
pub mod list;
pub mod own;
pub mod pictures;
pub mod reset;
pub mod solve;
pub mod status;
mod swap;
pub mod try_level;
pub mod variations;
pub mod which;
pub mod xray;

use anyhow::{Context, Result};

use crate::judge::Level;
use crate::progress::Progress;

/// The level of this name, or, without a name, the current one.
///
/// Errors: no level is meant, with the nearest names; or all have passed.
fn level_or_current(
    name: Option<&str>,
    progress: &Progress,
) -> Result<&'static Level> {
    match name {
        Some(name) => check::find(name),
        None => progress
            .current()
            .context("which level? All have passed: name one"),
    }
}

/// The levels of these names, each once. Errors: as above.
fn levels_of(names: &[String]) -> Result<Vec<&'static Level>> {
    let mut levels: Vec<&Level> = Vec::new();
    for name in names {
        let level = check::find(name)?;
        if levels.iter().all(|other| other.number != level.number) {
            levels.push(level);
        }
    }
    Ok(levels)
}
