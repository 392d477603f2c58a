//! `author verify`: do the checks catch what is wrong, and pass what is right?

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use super::check::{judge, level_program, prepare, unjudged};
use super::levels_of;
use crate::author::variations::{self, Need, Variation};
use crate::judge::levels::ALL;
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
    /// Only variations that need this of the machine, and exercises left undone.
    #[arg(long, value_name = "NEED", value_enum)]
    needs: Option<Need>,
    /// Build them, and judge nothing.
    #[arg(long)]
    build_only: bool,
    /// Judge what `--build-only` has built: on a machine without cargo, say.
    #[arg(long, conflicts_with = "build_only")]
    built: bool,
    /// How long a run may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    limit: u64,
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
    /// What this machine lacks for it; it was not judged then.
    skipped: Option<String>,
    /// What a learner would read.
    diagnosis: String,
}

/// Build every variation, judge it, and compare with what it says it breaks.
///
/// Errors: the catalogue doesn't fit the solutions, or cargo can't be started.
pub fn verify(options: &Options) -> Result<Status> {
    let root = workspace::root()?;
    let levels = levels_of(&options.levels)?;
    prepare(if levels.is_empty() { ALL } else { &levels });
    let all = variations::load(&root, &variations::levels(&levels))?;
    let mut chosen: Vec<&Variation> = all.iter().collect();
    if let Some(text) = &options.only {
        chosen.retain(|variation| variation.name.contains(text.as_str()));
    }
    if let Some(need) = options.needs {
        chosen.retain(|one| one.needs == Some(need) || one.breaks.is_none());
    }
    let mut builds = match options.built {
        true => built(&variations::target()?, &chosen),
        false => variations::build(&root, &levels, &all, &chosen)?,
    };
    if options.build_only {
        return Ok(tell_builds(&builds));
    }
    let limit = Duration::from_secs(options.limit);
    let mut shown = Vec::new();
    for variation in chosen {
        let build = builds.remove(&variation.package()).context("not built")?;
        let lacks = variation.needs.filter(|need| !need.is_met());
        let one = match (lacks, &build) {
            (Some(need), Build::Done(_)) => {
                skip(variation, format!("it shows on {need} only"))
            }
            _ => {
                let outcome = outcome(variation, build, limit);
                match &outcome.verdict {
                    Verdict::Cannot { reason, .. } if outcome.checks.is_empty() => {
                        skip(variation, format!("cannot: {reason}"))
                    }
                    _ => show(variation, &outcome),
                }
            }
        };
        if !options.json {
            say(&line(&one));
        }
        shown.push(one);
    }
    if options.json {
        say(&format!("{}\n", serde_json::to_string_pretty(&shown)?));
    }
    let skipped = shown.iter().filter(|one| one.skipped.is_some()).count();
    let right = shown.iter().filter(|one| one.right).count();
    let judged = shown.len() - skipped;
    eprint!("{right} of {judged} variations are judged as they should be");
    match skipped {
        0 => eprintln!(),
        _ => eprintln!("; {skipped} skipped"),
    }
    Ok(if right == judged {
        Status::Success
    } else {
        Status::Failure
    })
}

/// What lies in the target directory from an earlier call.
fn built(target: &Path, chosen: &[&Variation]) -> BTreeMap<String, Build> {
    let one = |variation: &&Variation| {
        let path = target.join("debug").join(variation.package());
        let build = match path.is_file() {
            true => Build::Done(path),
            false => Build::Not(Verdict::Unbuilt {
                output: "not built: first use --build-only\n".into(),
            }),
        };
        (variation.package(), build)
    };
    chosen.iter().map(one).collect()
}

fn tell_builds(builds: &BTreeMap<String, Build>) -> Status {
    let mut status = Status::Success;
    for (package, build) in builds {
        if let Build::Not(verdict) = build {
            let (Verdict::Unbuilt { output: why }
            | Verdict::Cannot { reason: why, .. }) = verdict
            else {
                continue;
            };
            say(&format!("✗ {package}\n{why}\n"));
            status = Status::Failure;
        }
    }
    eprintln!("{} variations to build", builds.len());
    status
}

/// What is said of one.
fn line(one: &Shown) -> String {
    let Shown { level, name, .. } = one;
    if let Some(reason) = &one.skipped {
        return format!("– {level} {name:<32} skipped: {reason}\n");
    }
    let mark = if one.right { "✓" } else { "✗" };
    let broken = one.broken.join(" ");
    let mut text = format!("{mark} {level} {name:<32} {broken}\n");
    if !one.right {
        let wanted = one.breaks.as_ref().map(|breaks| breaks.join(" "));
        let wanted = wanted.unwrap_or("anything".into());
        text += &format!("    {}: should break {wanted:?}\n", one.title);
        text += &format!("{}\n", one.diagnosis);
    }
    text
}

fn outcome(variation: &Variation, build: Build, limit: Duration) -> Outcome {
    let name = format!("level-{}", variation.level.number);
    match build {
        Build::Done(path) => {
            judge(variation.level, &level_program(&name, path, limit), None)
        }
        Build::Not(verdict) => unjudged(variation.level, &name, verdict),
    }
}

/// One that can't show itself on this machine: why.
fn skip(variation: &Variation, reason: String) -> Shown {
    Shown {
        level: variation.level.number.into(),
        name: variation.name.clone(),
        title: variation.title.clone(),
        breaks: variation.breaks.clone(),
        broken: Vec::new(),
        right: false,
        skipped: Some(reason),
        diagnosis: String::new(),
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
        any_language: false,
    };
    Shown {
        level: variation.level.number.into(),
        name: variation.name.clone(),
        title: variation.title.clone(),
        breaks: variation.breaks.clone(),
        broken,
        right: judged && as_said,
        skipped: None,
        diagnosis: without_passes(&terminal::outcome(&outcome, style)),
    }
}

/// What holds needs no words here.
fn without_passes(text: &str) -> String {
    let kept = text.lines().filter(|line| !line.starts_with("  ✓"));
    kept.map(|line| format!("{line}\n")).collect()
}
