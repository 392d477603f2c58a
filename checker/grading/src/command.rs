//! `grade`: find submissions, judge them, report.

use std::collections::BTreeSet;
use std::env;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::thread::available_parallelism;

use anyhow::{Context, Result, anyhow, bail};
use clap::Parser;
use report::{Finding, LevelInfo, Prepared, SCHEMA, Verdict};

use crate::input::{self, Found};
use crate::merge::merge;
use crate::part::Part;
use crate::points::Points;
use crate::progress::Progress;
use crate::report::signs::{Counts, Kind};
use crate::report::{self as reports, Class, Format, terminal, words};
use crate::store::{Kept, Plan, Store};
use crate::work::{self, HandedOut, Work};
use crate::{levels, stop};

/// Judge other people's work, which may be hostile, and report on it.
///
/// A submission is a fork of this repository, or just its levels/, in a folder or an
/// archive (.tar, .tar.gz, .zip). A folder or an archive with many of them will do, too.
/// Only levels/NN-name/src is taken from it.
///
/// What has been judged stays judged: the same command goes on where it was interrupted.
#[derive(Debug, Parser)]
#[command(
    name = "cargo checker grade",
    bin_name = "cargo checker grade",
    version
)]
pub struct Options {
    /// Folders and archives with submissions. With --merge: folders that `grade` has
    /// written.
    #[arg(value_name = "SUBMISSION")]
    submissions: Vec<PathBuf>,
    /// A file that names submissions: a line is PATH, or NAME, a tab, and PATH. Paths
    /// start from its folder; lines that begin with # are nothing.
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Branches, tags, commits, ranges (A..B) or patterns (students/*) of a Git
    /// repository: each commit or branch is a submission.
    #[arg(long, value_name = "REVISION")]
    git: Vec<String>,
    /// That Git repository.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    repository: PathBuf,
    /// The levels to judge, by number or name, or from one to another (00-03), with
    /// commas between them. All, without this.
    #[arg(long, value_name = "LEVEL", value_delimiter = ',')]
    levels: Vec<String>,
    /// Where results and reports go.
    #[arg(long, value_name = "FOLDER", default_value = "grades")]
    out: PathBuf,
    /// How many are judged at a time. As many as there are processors, without this.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Judge the K-th of N parts only. --merge puts parts together.
    #[arg(long, value_name = "K/N", conflicts_with = "merge")]
    partition: Option<Part>,
    /// Judge nothing: put what was judged in other folders together, and report.
    #[arg(long, conflicts_with_all = ["list", "git", "levels", "repeat"])]
    merge: bool,
    /// Judge everything N times, and report verdicts that change.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,
    /// What levels and checks are worth: a file in TOML.
    #[arg(long, value_name = "FILE")]
    points: Option<PathBuf>,
    /// What reports to write, with commas between them.
    #[arg(long, value_name = "FORMAT", value_delimiter = ',', value_enum)]
    format: Vec<Format>,
    /// How long one run of a program may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    limit: u64,
    /// A level that this machine can't show counts as failed.
    #[arg(long)]
    strict: bool,
    /// Exit with 0 when everything was judged, whatever came out.
    #[arg(long)]
    exit_zero: bool,
}

/// Nothing can be judged here, whatever was handed in.
#[derive(Debug)]
pub struct AtFault;

impl std::fmt::Display for AtFault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("nothing can be judged here")
    }
}

/// Judge, report, and tell. The exit status: 0 when everything passed, 1 when something
/// failed, 3 when the checker is at fault.
///
/// Errors: wrong usage; or [`AtFault`], when nothing can be judged.
pub fn grade(options: &Options) -> Result<ExitCode> {
    let store = Store::open(&options.out)?;
    match options.merge {
        true => merge(&options.submissions, &store)?,
        false => judge(options, &store)?,
    }
    let plan = store.plan()?;
    let points = match &options.points {
        Some(path) => Points::read(path, &plan.levels)?,
        None => Points::default(),
    };
    let class = store.graded(&points)?;
    let formats = match options.format.is_empty() {
        true => Format::usual(),
        false => options.format.clone(),
    };
    reports::write_all(&formats, &class, &options.out)?;
    let counts = tell(&class, &options.out)?;
    let is_whole = class.head().missing.is_empty();
    Ok(status(&counts, is_whole, options))
}

fn judge(options: &Options, store: &Store) -> Result<()> {
    let checker = checker()?;
    // Mistakes are better told now than when all is compiled, or done.
    let all = all_levels(&checker)?;
    let chosen = levels::chosen(&all, &options.levels).context("--levels")?;
    if let Some(path) = &options.points {
        Points::read(path, &all)?;
    }
    let found = input::find(
        &options.submissions,
        options.list.as_deref(),
        &options.git,
        &options.repository,
    )?;
    if found.is_empty() {
        bail!("no submissions: name folders or archives, or see --help");
    }
    let part = options.partition.unwrap_or(Part::WHOLE);
    let before = store.plan();
    if let Ok(before) = &before {
        if let Some(other) = before.parts.iter().find(|other| **other != part) {
            bail!(
                "{} holds part {other} of a class: another --out for this one",
                options.out.display()
            );
        }
    }
    let found: Vec<Found> = found
        .into_iter()
        .filter(|one| part.has(&one.name))
        .collect();
    let prepared = prepare(&checker)?;
    let mut work = Work {
        checker,
        levels: chosen,
        prepared,
        limit: options.limit,
        repeat: options.repeat,
        handed_out: HandedOut::default(),
        store,
    };
    work.handed_out = work.judge_skeleton()?;
    let mut plan = Plan {
        schema: SCHEMA,
        levels: work.levels.clone(),
        submissions: found.iter().map(|one| one.name.clone()).collect(),
        parts: BTreeSet::from([part]),
        fingerprint: work.prepared.fingerprint.clone(),
        unshown: BTreeSet::new(),
    };
    find_given(&mut plan, &work.handed_out)?;
    if let Ok(before) = before {
        if before.fingerprint == plan.fingerprint {
            // It may have been another machine.
            plan.join_given(&before);
        }
    }
    store.set_plan(&plan)?;
    let jobs = options.jobs.map(usize::from);
    let cpus = || available_parallelism().map_or(1, usize::from);
    let progress = Arc::new(Progress::begin(found.len()));
    let same = Arc::clone(&progress);
    stop::say_when_stopped(move || same.stopped())?;
    work.judge_all(&found, jobs.unwrap_or_else(cpus), &|found, kept, judged| {
        progress.one_more(&words::name(&found.name), &marks(kept), judged > 0);
    })
}

/// The checker that has started us, or the one beside us.
fn checker() -> Result<PathBuf> {
    if let Some(path) = env::var_os("RUBBER_CRAB_CHECKER") {
        return Ok(path.into());
    }
    let beside = env::current_exe()?.with_file_name("checker");
    match beside.is_file() {
        true => Ok(beside),
        false => bail!("this is for `cargo checker grade` to start"),
    }
}

/// All levels that there are.
fn all_levels(checker: &Path) -> Result<Vec<LevelInfo>> {
    let done = work::call(checker, "levels")
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("start {}", checker.display()))?;
    serde_json::from_slice(&done.stdout).context("what `grader levels` says")
}

fn prepare(checker: &Path) -> Result<Prepared> {
    eprintln!("compiling what all submissions stand on …");
    let done = work::call(checker, "prepare")
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("start {}", checker.display()))?;
    if !done.status.success() {
        // It has said why.
        return Err(anyhow!(AtFault));
    }
    serde_json::from_slice(&done.stdout).context("what `grader prepare` says")
}

/// Which checks hold before anybody has done anything? It also shows that levels can be
/// compiled and judged here.
fn find_given(plan: &mut Plan, handed_out: &HandedOut) -> Result<()> {
    for level in &mut plan.levels {
        let kept = handed_out.kept.levels.get(&level.level);
        let outcome = &kept.context("the skeleton wasn't judged")?.judged.outcome;
        if let Verdict::Unbuilt { output: why } | Verdict::Broken { reason: why } =
            &outcome.verdict
        {
            let number = &level.level;
            let why = format!("level {number}, as it is handed out: {why}");
            return Err(anyhow!(why).context(AtFault));
        }
        for id in level.checks.iter().map(|check| &check.id) {
            let found = outcome.checks.iter().find(|check| check.id == *id);
            match found.map(|check| &check.finding) {
                Some(Finding::Pass) => level.given.push(id.clone()),
                Some(Finding::Cannot { .. }) | None => {
                    plan.unshown.insert(id.clone());
                }
                Some(Finding::Fail(_) | Finding::Waits { .. }) => {}
            }
        }
    }
    Ok(())
}

fn marks(kept: &Kept) -> String {
    let levels = kept.levels.values();
    terminal::signs(levels.map(|level| &level.judged.outcome))
}

/// Who asks for a part knows that the others are missing. Who puts parts together wants
/// all of them, whatever came out.
fn status(counts: &Counts, is_whole: bool, options: &Options) -> ExitCode {
    let has = |kind| counts.of(kind) > 0;
    let failed = [Kind::Fail, Kind::Unbuilt, Kind::Untouched];
    let failed = failed.into_iter().any(has) || options.strict && has(Kind::Cannot);
    let incomplete = options.merge && !is_whole;
    match (
        has(Kind::Broken),
        incomplete || failed && !options.exit_zero,
    ) {
        (true, _) => ExitCode::from(3),
        (false, true) => ExitCode::from(1),
        (false, false) => ExitCode::SUCCESS,
    }
}

/// Print how it went, and where the reports are.
fn tell(class: &dyn Class, out: &Path) -> Result<Counts> {
    let (table, counts) = terminal::table(class)?;
    let told = format!("{table}reports: {}\n", out.display());
    match std::io::stdout().lock().write_all(told.as_bytes()) {
        // Nobody reads on (`… | head`).
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(counts),
    }
}
