//! `author verify`: do the checks catch what is wrong, and pass what is right?

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use super::check::{find, judge, level_program};
use crate::author::variations::{self, Variation};
use crate::judge::{Finding, Outcome, Verdict};
use crate::render::terminal;
use crate::status::Status;
use crate::text::say;
use crate::workspace::{self, Build};

#[derive(Debug, Args)]
pub struct Options {
    /// The levels; all, if none is named.
    #[arg(value_name = "LEVEL")]
    levels: Vec<String>,
    /// Only variations whose names contain this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Print what each variation breaks, and its diagnosis, as JSON.
    #[arg(long)]
    json: bool,
}

/// What became of one variation.
#[derive(Serialize)]
struct Shown {
    level: String,
    name: String,
    title: String,
    /// What it should break; null when anything will do.
    breaks: Option<Vec<String>>,
    broken: Vec<String>,
    /// As it should be?
    right: bool,
    /// What a learner would read.
    diagnosis: String,
}

/// Build every variation, judge it, and compare with what it says it breaks.
///
/// Errors: the catalogue doesn't fit the solutions, or cargo can't be started.
pub fn verify(options: &Options) -> Result<Status> {
    let root = workspace::root()?;
    let levels: Vec<_> = options
        .levels
        .iter()
        .map(|name| find(name))
        .collect::<Result<_>>()?;
    let mut all = variations::load(&root, &variations::levels(&levels))?;
    if let Some(text) = &options.only {
        all.retain(|variation| variation.name.contains(text.as_str()));
    }
    let target = std::env::current_exe()?;
    let target = target.ancestors().nth(2).context("the target directory")?;
    // A folder for each choice of levels: several may be verified at once.
    let numbers: Vec<&str> = levels.iter().map(|level| level.number).collect();
    let folder = target
        .join("variations")
        .join(format!("of-{}", numbers.join("-")));
    variations::write(&root, &folder, &all)?;
    let packages: Vec<String> = all.iter().map(Variation::package).collect();
    let mut builds = workspace::build_in(&folder, target, &packages)?;
    let mut shown = Vec::new();
    for variation in &all {
        let build = builds.remove(&variation.package()).context("not built")?;
        let outcome = outcome(variation, build);
        let one = show(variation, &outcome);
        if !options.json {
            let mark = if one.right { "✓" } else { "✗" };
            let broken = one.broken.join(" ");
            say(&format!("{mark} {} {:<32} {broken}\n", one.level, one.name));
            if !one.right {
                let wanted = one
                    .breaks
                    .clone()
                    .map_or("anything".into(), |b| b.join(" "));
                say(&format!("    {}: should break {wanted:?}\n", one.title));
                say(&format!("{}\n", one.diagnosis));
            }
        }
        shown.push(one);
    }
    if options.json {
        say(&format!("{}\n", serde_json::to_string_pretty(&shown)?));
    }
    let right = shown.iter().filter(|one| one.right).count();
    eprintln!(
        "{right} of {} variations are judged as they should be",
        shown.len()
    );
    Ok(if right == shown.len() {
        Status::Success
    } else {
        Status::Failure
    })
}

fn outcome(variation: &Variation, build: Build) -> Outcome {
    let name = format!("level-{}", variation.level.number);
    match build {
        Build::Done(path) => judge(
            variation.level,
            &level_program(&name, path, Duration::from_secs(10)),
            None,
        ),
        Build::Failed(output) => Outcome {
            level: variation.level.number.into(),
            name: variation.level.name.into(),
            program: name,
            verdict: Verdict::Unbuilt { output },
            checks: Vec::new(),
            milliseconds: 0,
        },
    }
}

fn show(variation: &Variation, outcome: &Outcome) -> Shown {
    let fails = |finding: &Finding| matches!(finding, Finding::Fail(_));
    let broken: Vec<String> = outcome
        .checks
        .iter()
        .filter(|check| fails(&check.finding))
        .map(|check| check.id.clone())
        .collect();
    let judged = matches!(outcome.verdict, Verdict::Pass | Verdict::Fail);
    let as_said = match &variation.breaks {
        Some(breaks) => {
            breaks.len() == broken.len()
                && breaks.iter().all(|id| broken.contains(id))
        }
        None => !broken.is_empty(),
    };
    let outcome = Outcome {
        milliseconds: 0,
        ..outcome.clone()
    };
    let style = terminal::Style {
        // Numbers of many lengths would wrap differently from run to run.
        width: 1000,
        verbose: true,
    };
    Shown {
        level: variation.level.number.into(),
        name: variation.name.clone(),
        title: variation.title.clone(),
        breaks: variation.breaks.clone(),
        broken,
        right: judged && as_said,
        diagnosis: without_passes(&terminal::outcome(&outcome, style)),
    }
}

/// What holds needs no words here.
fn without_passes(text: &str) -> String {
    let kept = text.lines().filter(|line| !line.starts_with("  ✓"));
    kept.map(|line| format!("{line}\n")).collect()
}
