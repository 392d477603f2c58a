//! `check`: build, run, judge, tell.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::which::{Built, mistaken};
use crate::belt::{Fit, Refused, Shown, scope};
use crate::errand;
use crate::evidence::Evidence;
use crate::judge::levels::{self, ALL};
use crate::judge::{Finding, Judgement, Level, Outcome, Verdict};
use crate::lesson::{self, next_level};
use crate::observe::{Program, observe};
use crate::progress::Progress;
use crate::render::{json, terminal};
use crate::status::Status;
use crate::text::say;
use crate::workspace::{self, Build, Whose};

#[derive(Debug, Args)]
pub struct Options {
    /// The levels to judge: number, name, or the beginning of a name.
    #[arg(value_name = "LEVEL")]
    levels: Vec<String>,
    /// Judge every level.
    #[arg(long)]
    all: bool,
    /// Judge the finished levels in solutions/ instead of yours.
    #[arg(long, conflicts_with = "bin")]
    pub solutions: bool,
    /// Judge this executable instead: any language, if it keeps the contract.
    #[arg(long, value_name = "PROGRAM")]
    bin: Option<PathBuf>,
    /// Judge the finished level with this mistake: a name from checker/variations.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["all", "bin", "solutions"])]
    pub mistake: Option<String>,
    /// A level that this host can't show counts as failed.
    #[arg(long)]
    strict: bool,
    /// Print one JSON report instead of text.
    #[arg(long)]
    json: bool,
    /// Explain every failure, not only the first of a level.
    #[arg(long, short)]
    verbose: bool,
    /// How long one run of the program may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    limit: u64,
    /// Also write down what was seen, as JSON, in this file.
    #[arg(long, value_name = "FILE", hide = true)]
    evidence: Option<PathBuf>,
}

/// Judge, and print the verdicts.
///
/// Errors: wrong usage, or no project around.
pub fn check(options: &Options) -> Result<Status> {
    let levels = chosen(options)?;
    prepare(&levels);
    let own_work =
        options.bin.is_none() && options.mistake.is_none() && !options.solutions;
    let limit = Duration::from_secs(options.limit);
    let outcomes = match (&options.bin, &options.mistake) {
        (_, Some(name)) => {
            let [level] = levels[..] else {
                bail!("--mistake {name}: of which level? Name one");
            };
            vec![match mistaken(level, name, limit)? {
                Built::Program(program) => {
                    judge(level, &program, options.evidence.as_deref())
                }
                Built::Nothing(outcome) => outcome,
            }]
        }
        (Some(program), None) => {
            let program = own_program(program, limit)?;
            levels
                .iter()
                .map(|level| judge(level, &program, options.evidence.as_deref()))
                .collect()
        }
        (None, None) => {
            let whose = match options.solutions {
                true => Whose::Solution,
                false => Whose::Learner,
            };
            judge_all(&levels, whose, limit, options.evidence.as_deref())?
        }
    };
    if own_work {
        remember(&levels, &outcomes);
    }
    if options.json {
        say(&json::render(&outcomes, crate::status::kernel()));
    } else {
        let style = terminal::Style {
            width: crate::status::width(),
            verbose: options.verbose,
            any_language: options.bin.is_some(),
        };
        for outcome in &outcomes {
            say(&terminal::outcome(outcome, style));
        }
        if outcomes.len() > 1 {
            say(&terminal::summary(&outcomes));
        } else if own_work && outcomes[0].verdict == Verdict::Pass {
            let way = lesson::farewell(&workspace::root()?, levels[0], false);
            say(&format!("\n{}\n", way.join("\n")));
        }
    }
    Ok(Status::of(&outcomes, options.strict))
}

/// Where levels need control groups that can't be made here, go where they can.
pub fn prepare(levels: &[&Level]) {
    if levels.iter().any(|level| level.groups) {
        scope::enter_if_needed(Fit::default().limits);
    }
}

/// Note what the learner's levels came to. Who asks for a single one is at that level,
/// and when it passes, at the next one to do.
fn remember(levels: &[&'static Level], outcomes: &[Outcome]) {
    let mut progress = Progress::load();
    let before = progress.current().map(|level| level.number);
    for outcome in outcomes {
        progress.note(outcome);
    }
    let ([level], [outcome]) = (levels, outcomes) else {
        return;
    };
    if outcome.verdict != Verdict::Pass {
        progress.choose(level);
    } else if before == Some(level.number) && !errand::is_one() {
        // In the workshop there is a key for that.
        let later =
            std::iter::successors(next_level(level), |level| next_level(level));
        let undone = later.into_iter().find(|one| !progress.is_passed(one));
        if let Some(undone) = undone {
            progress.choose(undone);
        }
    }
}

/// The levels to judge. Errors: none is named, or one that there isn't.
pub fn chosen(options: &Options) -> Result<Vec<&'static Level>> {
    if options.all {
        if !options.levels.is_empty() {
            bail!("either --all or LEVEL, not both");
        }
        return Ok(ALL.to_vec());
    }
    if options.levels.is_empty() {
        bail!("which level? Name one, or say --all");
    }
    super::levels_of(&options.levels)
}

/// The level of this name. Errors: none is meant; with the nearest ones.
pub fn find(name: &str) -> Result<&'static Level> {
    match levels::find(name) {
        Ok(level) => Ok(level),
        Err(_) if name.parse::<u32>().is_ok() => {
            bail!(
                "no level {name}: there are {} to {}",
                ALL[0].number,
                ALL[ALL.len() - 1].number
            )
        }
        Err(near) if near.is_empty() => {
            bail!("no level {name:?}: `cargo checker list` shows all")
        }
        Err(near) => bail!("no level {name:?}: did you mean {}?", near.join(" or ")),
    }
}

/// Build and judge levels of this project.
pub fn judge_all(
    levels: &[&Level],
    whose: Whose,
    limit: Duration,
    evidence: Option<&Path>,
) -> Result<Vec<Outcome>> {
    let root = workspace::root()?;
    let packages: Vec<String> =
        levels.iter().map(|level| whose.package(level)).collect();
    let mut builds = workspace::build(&root, &packages)?;
    let mut outcomes = Vec::new();
    for (level, package) in levels.iter().zip(packages) {
        let outcome = match builds
            .remove(&package)
            .context("a package without a build")?
        {
            Build::Done(path) => {
                judge(level, &level_program(&package, path, limit), evidence)
            }
            Build::Not(verdict) => unjudged(level, &package, verdict),
        };
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// The outcome of a program that was never run.
pub fn unjudged(level: &Level, program: &str, verdict: Verdict) -> Outcome {
    Outcome {
        level: level.number.into(),
        name: level.name.into(),
        program: program.into(),
        verdict,
        checks: Vec::new(),
        milliseconds: 0,
    }
}

/// A level's program: it is shown in the sandbox under its package's name.
pub fn level_program(
    package: &str,
    executable: PathBuf,
    limit: Duration,
) -> Program {
    let inside = Path::new("/workshop/bin").join(package);
    let shown = vec![Shown {
        host: executable,
        inside: inside.clone(),
    }];
    let fit = Fit {
        shown,
        ..Fit::default()
    };
    Program {
        name: package.into(),
        path: inside,
        fit,
        limit,
    }
}

/// Somebody's own program: it stays where it is, with what lies beside it.
pub fn own_program(path: &Path, limit: Duration) -> Result<Program> {
    let path = std::path::absolute(path)?;
    let name = path
        .file_name()
        .context("--bin needs a file's name")?
        .to_string_lossy();
    if !path.exists() {
        bail!("{}: no such file", path.display());
    }
    if path.is_dir() {
        bail!("{}: is a directory; --bin takes a program", path.display());
    }
    let mut shown = Vec::new();
    for path in [path.clone(), path.canonicalize()?] {
        let folder = path.parent().unwrap_or(Path::new("/"));
        // All of /tmp would cover the sandbox's own.
        let seen = match folder.components().count() > 2 {
            true => folder,
            false => path.as_path(),
        };
        shown.push(Shown {
            host: seen.into(),
            inside: seen.into(),
        });
    }
    let name = name.into_owned();
    Ok(Program {
        name,
        path,
        fit: Fit {
            shown,
            ..Fit::default()
        },
        limit,
    })
}

/// Say why there is nothing to see.
pub fn excuse(outcome: &Outcome) -> Status {
    let because = match outcome.verdict {
        Verdict::Fail => "its command never started",
        Verdict::Unbuilt { .. } => "it doesn't compile",
        Verdict::Cannot { .. } => "this host can't show it",
        _ => "the checker is at fault",
    };
    say(&format!("nothing to see yet: {because}\n"));
    let style = terminal::Style {
        width: crate::status::width(),
        verbose: false,
        any_language: false,
    };
    say(&terminal::outcome(outcome, style));
    match outcome.verdict {
        Verdict::Broken { .. } => Status::Broken,
        _ => Status::Failure,
    }
}

/// Observe and judge one program.
pub fn judge(level: &Level, program: &Program, evidence: Option<&Path>) -> Outcome {
    let begun = Instant::now();
    let (verdict, checks) = match observe(level, program) {
        Ok(seen) => {
            if let Some(path) = evidence {
                if let Err(error) = write(path, &seen) {
                    eprintln!("write {}: {error:#}", path.display());
                }
            }
            let checks = level.judge(&seen);
            (verdict(&checks), checks)
        }
        Err(error) => (no_verdict(&error, level), Vec::new()),
    };
    Outcome {
        level: level.number.into(),
        name: level.name.into(),
        program: program.name.clone(),
        verdict,
        checks,
        milliseconds: begun.elapsed().as_millis() as u64,
    }
}

/// Evidence may be long: it isn't put together in memory first.
fn write(path: &Path, seen: &Evidence) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    serde_json::to_writer_pretty(&mut file, seen)?;
    Ok(file.flush()?)
}

fn verdict(checks: &[Judgement]) -> Verdict {
    let cannot = checks.iter().find_map(|check| match &check.finding {
        Finding::Cannot { reason, cure, .. } => Some(Verdict::Cannot {
            reason: reason.clone(),
            cure: cure.clone(),
        }),
        _ => None,
    });
    let fails = |check: &Judgement| {
        matches!(check.finding, Finding::Fail(_) | Finding::Waits { .. })
    };
    match checks.iter().any(fails) {
        true => Verdict::Fail,
        false => cannot.unwrap_or(Verdict::Pass),
    }
}

/// Without evidence: can this host not do it, or is the checker at fault?
pub fn no_verdict(error: &anyhow::Error, level: &Level) -> Verdict {
    match error.downcast_ref::<Refused>() {
        Some(refused) => {
            let (reason, cure) = crate::doctor::explain(refused, level.number);
            Verdict::Cannot { reason, cure }
        }
        None => Verdict::Broken {
            reason: format!("{error:#}"),
        },
    }
}
