//! The pure part: expectations × evidence = verdicts. Each level's file in `levels`
//! reads as its specification; `common` holds what all containers must keep.

mod clues;
pub mod common;
pub mod levels;

pub use report::{Diagnosis, Finding, Judgement, Outcome, Verdict};

use crate::evidence::{Evidence, Run};
use crate::plan::Plan;
use crate::text::{clip, escape};

/// A level, as the checker knows it.
pub struct Level {
    /// Two digits.
    pub number: &'static str,
    /// The folder's name without the number.
    pub name: &'static str,
    /// The primitive, in a few words.
    pub title: &'static str,
    /// What the learner can say afterwards.
    pub learned: &'static str,
    /// Does the program take images?
    pub contained: bool,
    /// Does it need control groups that the sandbox may divide up?
    pub groups: bool,
    pub runs: fn() -> Vec<Plan>,
    pub checks: &'static [Check],
}

impl Level {
    /// `03-pivot-root`
    pub fn folder(&self) -> String {
        format!("{}-{}", self.number, self.name)
    }

    /// What every check of this level makes of the evidence.
    pub fn judge(&self, evidence: &Evidence) -> Vec<Judgement> {
        let judge = |check: &Check| Judgement {
            id: check.id.into(),
            claim: check.claim.into(),
            finding: (check.judge)(evidence),
        };
        let mut all: Vec<Judgement> = self.checks.iter().map(judge).collect();
        while let Some((index, finding)) = hopeless(&all) {
            all[index].finding = finding;
        }
        let failed = |one: &Judgement| matches!(one.finding, Finding::Fail(_));
        if !all.iter().any(failed) {
            // Something has to say why: not everything can wait.
            let waiting =
                |one: &&mut Judgement| matches!(one.finding, Finding::Waits { .. });
            if let Some(first) = all.iter_mut().find(waiting) {
                first.finding = common::cut_short(evidence);
            }
        }
        all
    }
}

/// A check that waits for one which can't be judged here: it can't be, either.
fn hopeless(all: &[Judgement]) -> Option<(usize, Finding)> {
    all.iter().enumerate().find_map(|(index, check)| {
        let Finding::Waits { on } = &check.finding else {
            return None;
        };
        let awaited = all.iter().find(|other| other.id == *on)?;
        let finding = awaited.finding.clone();
        matches!(finding, Finding::Cannot { .. }).then_some((index, finding))
    })
}

/// One thing that must hold.
pub struct Check {
    /// Stable for ever: progress, slides and grades refer to it.
    pub id: &'static str,
    /// What must hold, as one phrase.
    pub claim: &'static str,
    pub judge: fn(&Evidence) -> Finding,
}

const TODO: &str =
    "An exercise still has `todo!()`: it panics when the program comes there.";
const UNWRAPPED: &str = "Repair that first: return errors instead of unwrapping them. What comes from outside (arguments, environment, files) may be anything, even no UTF-8.";

/// A failure in the words of its parts. If the runtime panicked, that comes first: what
/// is wrong with the run may only be what was then left undone.
fn fail(
    run: &Run,
    wanted: &str,
    saw: impl Into<String>,
    likely: &str,
    next: &str,
    more: &str,
) -> Finding {
    let (mut likely, mut next) = (likely.to_owned(), next.to_owned());
    if let Some(panic) = panic(run).filter(|_| !likely.contains("panicked")) {
        likely = format!(
            "The program panicked at {panic} Whatever it had still to do was left undone."
        );
        let todo = panic.contains("not yet implemented");
        next = if todo { TODO } else { UNWRAPPED }.into();
    }
    Finding::Fail(Box::new(Diagnosis {
        ran: run.shown.clone(),
        wanted: wanted.into(),
        saw: saw.into(),
        likely,
        next,
        more: more.into(),
    }))
}

/// Where a run's Rust program panicked, and what it said of it.
fn panic(run: &Run) -> Option<String> {
    let mut lines = run.stderr.lines();
    let place = lines.find_map(|line| line.split_once("panicked at "))?.1;
    let message = lines.next().unwrap_or_default();
    Some(format!(
        "{} {}.",
        escape(place.as_bytes()),
        clip(&escape(message.as_bytes()), 200)
    ))
}

fn cannot(reason: impl Into<String>, cure: impl Into<String>) -> Finding {
    Finding::Cannot {
        reason: reason.into(),
        cure: cure.into(),
        momentary: false,
    }
}

/// The machine had no time for it. That can't be held against the program, nor does it
/// speak for it.
fn too_busy(reason: impl Into<String>) -> Finding {
    Finding::Cannot {
        reason: reason.into(),
        cure: "check again when the machine has time".into(),
        momentary: true,
    }
}

fn waits(on: &str) -> Finding {
    Finding::Waits { on: on.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_the_impossible_is_impossible() {
        let one = |id: &str, finding| Judgement {
            id: id.into(),
            claim: String::new(),
            finding,
        };
        let impossible = cannot("no such controller", "get one");
        let mut all = vec![
            one("third", waits("second")),
            one("second", waits("first")),
            one("first", impossible.clone()),
            one("other", waits("another")),
        ];
        while let Some((index, finding)) = hopeless(&all) {
            all[index].finding = finding;
        }
        assert!(all[..3].iter().all(|check| check.finding == impossible));
        assert_eq!(all[3].finding, waits("another"));
    }
}
