//! `author pictures`: the lessons' pictures, made from the finished levels.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::check::{level_program, prepare};
use super::levels_of;
use super::xray::{Drawn, draw};
use crate::author::variations;
use crate::judge::{Finding, Judgement, Level, Verdict};
use crate::picture::svg;
use crate::status::Status;
use crate::text::say;
use crate::workspace::{self, Build, Whose};

/// How long one run of a finished level may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Judge these finished levels, or all, and draw them. With `check` nothing is written: it fails
/// when a picture in levels/ is another one.
///
/// Errors: no project around, a finished level that doesn't pass, or a file that can't
/// be read or written.
pub fn pictures(names: &[String], check: bool) -> Result<Status> {
    let levels = variations::levels(&levels_of(names)?);
    prepare(&levels);
    let root = workspace::root()?;
    let package = |level: &&Level| Whose::Solution.package(level);
    let packages: Vec<String> = levels.iter().map(package).collect();
    let mut builds = workspace::build(&root, &packages)?;
    let mut status = Status::Success;
    for (level, package) in levels.iter().zip(packages) {
        let Some(Build::Done(program)) = builds.remove(&package) else {
            bail!("{package} doesn't compile");
        };
        let program = level_program(&package, program, LIMIT);
        let drawn = match draw(level, &program) {
            Drawn::Picture(picture, judgements) => {
                let bad = |judgement: &&Judgement| {
                    !matches!(judgement.finding, Finding::Pass)
                };
                if let Some(bad) = judgements.iter().find(bad) {
                    let Finding::Cannot { reason, .. } = &bad.finding else {
                        bail!("{package}: {} doesn't hold", bad.id);
                    };
                    skip(level, reason);
                    continue;
                }
                svg::render(&picture)
            }
            Drawn::Nothing(outcome) => match outcome.verdict {
                Verdict::Cannot { reason, .. } => {
                    skip(level, &reason);
                    continue;
                }
                _ => bail!("{package}: its command never started"),
            },
        };
        let path = Path::new("levels").join(level.folder()).join("picture.svg");
        if let Some(drift) = put(&root, &path, &drawn, check)? {
            say(&drift);
            if check {
                status = Status::Failure;
            }
        }
    }
    Ok(status)
}

/// This host can't show all of a level: its picture may be another one here.
fn skip(level: &Level, reason: &str) {
    say(&format!("skipped: level {}: {reason}\n", level.number));
}

/// Write a picture, or only look, and say so if it was another one.
fn put(
    root: &Path,
    path: &Path,
    drawn: &str,
    check: bool,
) -> Result<Option<String>> {
    let place = root.join(path);
    let path = path.display();
    if fs::read_to_string(&place).is_ok_and(|there| there == drawn) {
        return Ok(None);
    }
    if check {
        return Ok(Some(format!(
            "out of date: {path}; `cargo checker author pictures` draws it anew\n"
        )));
    }
    fs::write(&place, drawn).with_context(|| format!("write {path}"))?;
    Ok(Some(format!("drawn: {path}\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_is_out_of_date_is_named_and_drawn() {
        let name = format!("pictures-{}", std::process::id());
        let root = std::env::temp_dir().join(name);
        fs::create_dir(&root).unwrap();
        let put = |check| put(&root, "one.svg".as_ref(), "<svg/>", check).unwrap();
        let there = || fs::read_to_string(root.join("one.svg")).ok();
        assert!(put(true).is_some_and(|drift| drift.contains("one.svg")));
        assert_eq!(there(), None, "to check writes nothing");
        assert!(put(false).is_some());
        assert_eq!(there().as_deref(), Some("<svg/>"));
        assert_eq!(put(true), None);
        fs::write(root.join("one.svg"), "<svg>").unwrap();
        assert!(put(true).is_some());
        fs::remove_dir_all(&root).unwrap();
    }
}
