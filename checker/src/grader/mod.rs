//! What `grade` asks of the checker: to make things ready once (`ready`), and then, in a
//! process for each submission, to compile it (`compile`, with the calls of rustc that
//! cargo made for the finished levels: `calls`) and to judge it. All of it in the seat
//! belt, where nothing of who grades is to be seen: `View::Bare` shows compiler, linker
//! and the compiled crates. The program is copied out, and judged in a sandbox of its own
//! with the same view.

pub mod calls;
mod compile;
mod ready;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Subcommand;
use report::{Judged, Order, Outcome};

use crate::belt::View;
use crate::commands::check;
use crate::judge::{Finding, Level, Verdict};
use crate::observe::Program;
use crate::status::Status;
use crate::text::say;
use crate::workspace::Whose;
use compile::Compiled;
use ready::Ready;

#[derive(Debug, Subcommand)]
pub enum Action {
    /// Tell which levels there are, as JSON.
    Levels,
    /// Compile what all submissions stand on, once; tell what there is, as JSON.
    Prepare,
    /// Judge what standard input orders, as JSON; a line for each level.
    Judge,
}

/// Do one of these things.
pub fn grader(action: &Action) -> Result<Status> {
    match action {
        Action::Levels => say(&serde_json::to_string(&ready::levels())?),
        Action::Prepare => say(&serde_json::to_string(&ready::prepare()?)?),
        Action::Judge => {
            let order = serde_json::from_reader(std::io::stdin())
                .context("read an order from standard input")?;
            judge(&order)?;
        }
    }
    Ok(Status::Success)
}

/// Compile and judge what was ordered, level by level. What stands in the way of one
/// level is said of that one, and is no error.
fn judge(order: &Order) -> Result<()> {
    let ready = Ready::open(&order.ready)?;
    for name in &order.numbers {
        let judged = one(order, &ready, check::find(name)?);
        say(&(serde_json::to_string(&judged)? + "\n"));
    }
    Ok(())
}

fn one(order: &Order, ready: &Ready, level: &Level) -> Judged {
    let package = Whose::Learner.package(level);
    let unjudged = |verdict| Judged {
        outcome: check::unjudged(level, &package, verdict),
        errors: Vec::new(),
        unsteady: Vec::new(),
    };
    let levels = order.work.join("levels");
    let program = order.work.join(&package);
    match compile::compile(ready, level, &levels, &program) {
        Ok(Compiled::Done) => {
            let judged = judge_program(order, level, &package, &program);
            let _ = fs::remove_file(&program);
            judged
        }
        Ok(Compiled::Not { output, errors }) => Judged {
            errors,
            ..unjudged(Verdict::Unbuilt { output })
        },
        Err(error) => unjudged(check::no_verdict(&error, level)),
    }
}

/// So often a level is tried when the machine has no time for it.
const TRIES: u32 = 3;

fn had_no_time(outcome: &Outcome) -> bool {
    let short = |check: &report::Judgement| matches!(check.finding, Finding::Cannot { momentary, .. } if momentary);
    let cannot = matches!(outcome.verdict, Verdict::Cannot { .. });
    cannot && outcome.checks.iter().any(short)
}

/// Judge it as often as is wanted. What came out most often is its outcome.
fn judge_program(
    order: &Order,
    level: &Level,
    package: &str,
    path: &Path,
) -> Judged {
    let limit = Duration::from_secs(order.limit);
    let mut program: Program = check::level_program(package, path.to_owned(), limit);
    program.fit.view = View::Bare;
    let mut outcomes: Vec<(Outcome, u32)> = Vec::new();
    let mut words = Vec::new();
    for _ in 0..order.repeat.max(1) {
        let mut outcome = check::judge(level, &program, None);
        for _ in 1..TRIES {
            if !had_no_time(&outcome) {
                break;
            }
            outcome = check::judge(level, &program, None);
        }
        words.push(in_words(&outcome));
        let same =
            |(other, _): &&mut (Outcome, u32)| in_words(other) == in_words(&outcome);
        match outcomes.iter_mut().find(same) {
            Some((_, times)) => *times += 1,
            None => outcomes.push((outcome, 1)),
        }
    }
    let steady = outcomes.len() == 1;
    // Of those that came equally often, the first.
    outcomes.reverse();
    let most = outcomes.into_iter().max_by_key(|(_, times)| *times);
    let nothing = || {
        let reason = "it was never judged".into();
        check::unjudged(level, package, Verdict::Broken { reason })
    };
    Judged {
        outcome: most.map_or_else(nothing, |(outcome, _)| outcome),
        errors: Vec::new(),
        unsteady: if steady { Vec::new() } else { words },
    }
}

/// The verdict, and which checks don't hold: `fail: uts.hostname, uts.empty`.
fn in_words(outcome: &Outcome) -> String {
    let failed = outcome
        .checks
        .iter()
        .filter(|check| check.finding != Finding::Pass);
    let failed: Vec<&str> = failed.map(|check| check.id.as_str()).collect();
    match failed.as_slice() {
        [] => outcome.verdict.word().into(),
        failed => format!("{}: {}", outcome.verdict.word(), failed.join(", ")),
    }
}
