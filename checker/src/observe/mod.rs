//! The impure part: runs a level's program and writes down what the kernel says.
//! Read `session` (running what the plans say), `outside` (looking at it).

mod groups;
pub mod images;
pub mod inside;
mod joined;
mod layers;
pub mod outside;
mod session;
mod tracer;

use anyhow::Result;

use crate::evidence::Evidence;
use crate::judge::Level;
use crate::plan::{Image, Plan};
pub use session::Program;
use session::Session;

/// Run `program` as `level` asks, and tell what was seen.
///
/// Errors: [`crate::belt::Refused`] when there can be no sandbox here; anything
/// else is the checker's own fault.
pub fn observe(level: &Level, program: &Program) -> Result<Evidence> {
    let plans = (level.runs)();
    let mut evidence = look(level, program, &plans, level.contained)?;
    // A complete container runtime may be shown to the level that has no images yet.
    let stopped = evidence.runs.values().any(|run| run.end.was_stopped());
    if !level.contained && !stopped && nothing_ran(&evidence) {
        let other = look(level, program, &plans, true)?;
        // If it looked for its default image the first time, what it says now is true.
        if !nothing_ran(&other) || misses_image(&evidence) {
            evidence = other;
        }
    }
    Ok(evidence)
}

/// Did the program ask for an image when it was given no options?
fn misses_image(evidence: &Evidence) -> bool {
    evidence
        .runs
        .values()
        .any(|run| run.stderr.contains("image"))
}

fn nothing_ran(evidence: &Evidence) -> bool {
    evidence.runs.values().all(|run| run.seen.is_none())
}

fn look(
    level: &Level,
    program: &Program,
    plans: &[Plan],
    contained: bool,
) -> Result<Evidence> {
    let mut program = program.clone();
    program.fit.cgroups = level.groups;
    let images: Vec<Image> = plans.iter().map(|plan| plan.image).collect();
    let open = || Session::open(program.clone(), contained, &images);
    let mut session = open()?;
    let mut evidence = Evidence {
        level: level.number.into(),
        program: program.name.clone(),
        belt: session.facts(),
        caller_root: session.caller_root(),
        caller_mounts: session.caller_mounts(),
        contained,
        machine: session.machine(),
        image: session.image.clone(),
        ..Evidence::default()
    };
    let mut hopeless = false;
    for group in groups(plans) {
        if hopeless {
            for plan in group {
                evidence.runs.insert(plan.name.into(), Default::default());
            }
            continue;
        }
        if !session.is_alive() {
            session = open()?;
        }
        for (name, run) in session.run(group)? {
            // What had to be stopped once would have to be stopped every time; and
            // what doesn't start a command at all, won't start the next.
            let first = evidence.runs.is_empty();
            hopeless |= run.end.was_stopped() || (first && run.seen.is_none());
            evidence.runs.insert(name, run);
        }
    }
    Ok(evidence)
}

/// The plans that run side by side, together.
fn groups(plans: &[Plan]) -> impl Iterator<Item = &[Plan]> {
    plans.chunk_by(|_, next| next.beside)
}
