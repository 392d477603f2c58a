//! What every level asks in the same way, and what containers keep from level 01 on.

mod after;
mod container;
mod files;
mod groups;
mod mounts;
mod refusals;
mod start;
mod together;
mod words;

pub use after::{host_as_before, is_probe};
pub(in crate::judge) use container::container_checks;
pub use container::{bad_command, failing, failures, is_own, two_containers};
pub use files::as_in_archive;
pub use groups::{
    counter, groups_gone, is_callers as is_callers_group, least, left_groups,
    own_group, shared, tree_of, without_shared,
};
pub use mounts::{is_callers, mount_at, mount_of, show};
pub use refusals::{MustFail, fails_well, refuses};
pub use start::{names_no_call, starts};
pub use together::two_at_once;
pub use words::{ending, first_of, show_file, words};

use crate::evidence::{Ending, Evidence, NO_ANSWER, Run, Seen};
use crate::judge::{Finding, fail, waits};
use crate::text::lines;

/// The command of a run, if it was seen to run; otherwise the finding of a check
/// that has to wait for `starts`.
pub fn seen<'a>(run: &'a Run, starts: &str) -> Result<&'a Seen, Finding> {
    match &run.seen {
        Some(seen) if !seen.namespaces.is_empty() => Ok(seen),
        _ => Err(waits(starts)),
    }
}

/// All that was asked for was seen to hold, but not everything could be seen: a later
/// run came to no end of its own, or never to its command.
pub fn cut_short(evidence: &Evidence) -> Finding {
    let runs = || evidence.runs.values();
    let stopped = runs().find(|run| run.end.was_stopped());
    let silent = || runs().find(|run| run.has_command && run.seen.is_none());
    let Some(run) = stopped.or_else(silent).or_else(|| runs().next()) else {
        return waits("");
    };
    odd(run)
}

/// Was this run stopped before its command could answer? Then nothing is known.
pub fn unanswered(run: &Run, act: &str) -> bool {
    run.end.was_stopped() && run.outcome(act) == NO_ANSWER
}

/// A run that differs from others like it.
pub fn odd(run: &Run) -> Finding {
    let likely = match run.told {
        Some(_) if run.end.was_stopped() => {
            "The command was told to end, and the program still waits: for another process, or for one that nobody ends. A PID namespace ends only when all processes that were born in it have been waited for."
        }
        _ => {
            "Other runs did well. This one did not: something differs between them, or what one leaves behind is in the next one's way."
        }
    };
    fail(
        run,
        "every run starts its command, and ends when that has ended",
        words(run),
        likely,
        "Run it more than once by hand, with `cargo checker try`.",
        "the contract: levels/README.md",
    )
}

/// Every run, the first one first.
fn in_order(evidence: &Evidence) -> impl Iterator<Item = &Run> {
    std::iter::once(evidence.run("look")).chain(evidence.runs.values())
}

/// The runtime writes nothing to standard output: that is the command's.
pub fn quiet(evidence: &Evidence, starts: &str) -> Finding {
    if let Err(waits) = seen(evidence.run("look"), starts) {
        return waits;
    }
    // What else ended by itself may be another program than the one asked for.
    let clear = |run: &&Run| {
        run.seen.is_some() || matches!(run.end, Ending::Exited(125..=127))
    };
    let noisy = |run: &&Run| !lines(&run.noise, 1).is_empty();
    let Some(run) = in_order(evidence).filter(clear).find(noisy) else {
        return Finding::Pass;
    };
    let relayed = run.noise.contains("\"here\"") || run.noise.contains("\"did\"");
    let (likely, next) = match relayed {
        true => (
            "The runtime collects what the command prints, and passes it on.",
            "Leave descriptors 0, 1 and 2 alone: a child inherits them.",
        ),
        false => (
            "The runtime tells what it does, or what went wrong, with println!. Who runs `PROGRAM run … >file` or `| sort` wants the command's output and nothing else.",
            "Take the line out, or write it to standard error (eprintln!).",
        ),
    };
    fail(
        run,
        "nothing on standard output but what the command writes",
        first_of(&lines(&run.noise, 3), 2),
        likely,
        next,
        "man 3 stdout",
    )
}

/// A check that may name what is behind another one's failure.
pub type Cause = (&'static str, fn(&Evidence) -> Finding);

/// What fails because of something that another check names, waits for that check.
pub fn unless(evidence: &Evidence, finding: Finding, causes: &[Cause]) -> Finding {
    if !matches!(finding, Finding::Fail(_)) {
        return finding;
    }
    let cause = causes
        .iter()
        .find(|(_, judge)| matches!(judge(evidence), Finding::Fail(_)));
    cause.map_or(finding, |(id, _)| waits(id))
}
