//! What a runtime does when it can't start a command, or must refuse an image.

use super::words::{first_of, words};
use crate::evidence::{Ending, Evidence, Run};
use crate::judge::{Finding, fail, waits};
use crate::text::lines;

/// A run that must fail: with this status, one line on stderr, and nothing left.
pub struct MustFail<'a> {
    pub run: &'static str,
    /// What is wrong with it, as the end of a sentence: "the image isn't there".
    pub because: &'a str,
    pub status: i32,
}

/// Options that make no sense are refused before anything is made: the runs' names, the
/// options, and what is wrong with them.
pub fn refuses(
    evidence: &Evidence,
    starts: &str,
    nonsense: &'static [(&str, &str, &str)],
    next: &str,
) -> Finding {
    if let Err(waits) = super::seen(evidence.run("look"), starts) {
        return waits;
    }
    for (name, _, because) in nonsense {
        let run = evidence.run(name);
        if run.seen.is_some() {
            return fail(
                run,
                &format!("exit status 125: {because}"),
                "the command was started",
                "The value was taken as it came, cut down, or dropped.",
                next,
                "the contract: levels/README.md",
            );
        }
    }
    let all = nonsense.iter().map(|(run, _, because)| MustFail {
        run,
        because,
        status: 125,
    });
    fails_well(evidence, starts, &all.collect::<Vec<_>>())
}

/// Failures are clear: the right status, one line, nothing left behind.
pub fn fails_well(evidence: &Evidence, starts: &str, all: &[MustFail]) -> Finding {
    for expected in all {
        let run = evidence.run(expected.run);
        if run.end == Ending::NotRun {
            return waits(starts);
        }
        let MustFail {
            because, status, ..
        } = expected;
        if run.end != Ending::Exited(*status) {
            let wanted = format!("exit status {status}: {because}");
            let (likely, next) = status_mistake(run, *status);
            return fail(
                run,
                &wanted,
                words(run),
                likely,
                next,
                "the contract: levels/README.md",
            );
        }
        let left = left_behind(run);
        let said = lines(&run.stderr, 9);
        let complaint = said
            .iter()
            .find(|line| line.contains("/workshop/containers/"));
        if let Some(complaint) = complaint.filter(|_| !left.is_empty()) {
            let full = ["ENOTEMPTY", "not empty"];
            let full = full.iter().any(|word| complaint.contains(word));
            let (likely, next, more) = match full {
                true => (
                    "The container's directory could not be removed: rmdir takes empty directories only, and the unpacked image is in this one.",
                    "Remove everything in it first; std's remove_dir_all does both.",
                    "man 2 rmdir",
                ),
                false => (
                    "The container's directory could not be removed. If the root was changed in the parent, before fork, the parent is in the container as well: the directory's path means nothing there.",
                    "Change the root in the child only, between fork and exec. The parent has to clean up afterwards, with the caller's root.",
                    "man 2 chroot",
                ),
            };
            return fail(
                run,
                &format!("nothing is left behind: {because}"),
                format!("{}\n{}", words(run), first_of(&left, 4)),
                likely,
                next,
                more,
            );
        }
        if left.iter().any(|line| is_of_image(line)) {
            return fail(
                run,
                &format!("the images are only read: {because}"),
                first_of(&left, 4),
                "An image was changed (~), moved or removed (-), or something was put beside it (+). A clean-up that removes the archive instead of what was unpacked from it does that.",
                "Remove what this run has made, below the container's directory. The archive is the caller's, broken or not.",
                "man 2 unlink",
            );
        }
        if said.len() != 1 {
            let wanted = format!("one line on standard error: {because}");
            let likely = match said.len() {
                0 if !lines(&run.noise, 1).is_empty() => {
                    "The message went to standard output. That is the command's: who reads it would take the message for a part of it."
                }
                0 => "The failure is silent: the error is dropped somewhere.",
                _ if speaks_always(evidence) => {
                    "The runtime says something on standard error in every run, when all is well too. Here it comes on top of the one line that tells the failure."
                }
                _ if run.stderr.contains("Caused by:") => {
                    "main returned the error, and Rust printed it for debugging: several lines for one failure."
                }
                _ => {
                    "One failure, and more than one message: it is told at every level that it passes, or by two processes. A child that goes on in its parent's code after a failed step tells what its parent will tell again, and undoes what its parent still has to undo."
                }
            };
            let next = match said.len() {
                0 => {
                    "Tell on standard error, on one line: the call, its arguments, the errno."
                }
                _ => {
                    "Tell it where it is known, once: the call, its arguments, the errno. Then leave; a child leaves with _exit."
                }
            };
            return fail(run, &wanted, words(run), likely, next, "man 2 _exit");
        }
        if !left.is_empty() {
            return fail(
                run,
                &format!("nothing is left behind: {because}"),
                first_of(&left, 4),
                "The container's directory was made before the failure, and nobody removed it. `?` and process::exit leave a function early: what stands below them is never reached (and process::exit runs no Drop).",
                "Remove it on every way out, not only on the good one.",
                "man 2 rmdir",
            );
        }
    }
    Finding::Pass
}

/// Is there something on stderr even when the command ran, and ended well?
fn speaks_always(evidence: &Evidence) -> bool {
    evidence.runs.values().any(|run| {
        run.seen.is_some()
            && run.end == Ending::Exited(0)
            && !lines(&run.stderr, 1).is_empty()
    })
}

/// Files that the run has left where the runtime writes.
fn left_behind(run: &Run) -> Vec<String> {
    let own = ["/workshop/containers/", "/workshop/images/", "/tmp/"];
    let left = |line: &&String| {
        line.starts_with('+') && own.iter().any(|own| line[2..].starts_with(own))
            || is_of_image(line)
    };
    run.files_after.iter().filter(left).cloned().collect()
}

/// Is this a change among the images?
fn is_of_image(line: &str) -> bool {
    line[2..].starts_with("/workshop/images/")
}

fn status_mistake(run: &Run, status: i32) -> (&'static str, &'static str) {
    let told = lines(&run.stderr, 9).len();
    match (run.end, status) {
        _ if run.stderr.contains("panicked at") => (
            "The program panicked: `unwrap` or `expect` on an error that a user can cause.",
            "Return the error, and print it in one place.",
        ),
        _ if told > 1
            && (run.stderr.contains("ECHILD")
                || run.stderr.contains("No child process")) =>
        {
            (
                "The child goes on in its parent's code after the failed exec: it waits for a child that it doesn't have (ECHILD), and that error's status is what the parent passes on.",
                "After a failed exec the child has one thing left to do: leave, with _exit and the right status.",
            )
        }
        (Ending::Exited(0), _) => (
            "The failure was not noticed, or its status was lost on the way.",
            "A failed step must reach the caller as a status other than 0.",
        ),
        (Ending::Exited(1), 126 | 127) => (
            "All errors give 1. A shell and Docker tell apart: 127 not found, 126 found but not executable, 125 the runtime itself.",
            "Choose the status by the errno of exec: ENOENT is 127, EACCES and the others are 126.",
        ),
        (Ending::Exited(1), _) if run.stderr.starts_with("Error:") => (
            "main returned the error: Rust then prints it for debugging, on several lines, and leaves with 1. The caller can't tell the runtime's failure from the command's own status 1.",
            "Print the error yourself, on one line, and leave with 125 when the runtime itself fails.",
        ),
        (Ending::Exited(1), 125) => (
            "All errors give 1. The caller can't tell the runtime's failure from the command's own status 1.",
            "Leave with 125 when the runtime itself fails.",
        ),
        (Ending::Exited(125), 126 | 127) if told > 1 => (
            "The command could not be started; and then the runtime itself failed, on its way out: the last message. Its 125 took the place of the first failure's status.",
            "Look at the call in the last message: can it work here, in this process? The status is the first failure's.",
        ),
        (Ending::Exited(125), 126 | 127) => (
            "A failed exec is reported like a failure of the runtime itself. A shell and Docker tell apart: 127 not found, 126 found but not executable, 125 the runtime itself.",
            "Choose the status by the errno of exec: ENOENT is 127, EACCES and the others are 126.",
        ),
        (Ending::Exited(255), _) => (
            "exit(-1): a status is one byte, and the caller sees 255.",
            "127 not found, 126 not executable, 125 the runtime itself failed: leave with one of these.",
        ),
        (Ending::Exited(127), 126) => (
            "Every failure of exec is taken for \"not found\".",
            "Look at the errno: ENOENT is 127, EACCES and the others are 126.",
        ),
        (Ending::Exited(126), 127) => (
            "Every failure of exec is taken for \"not executable\".",
            "Look at the errno: ENOENT is 127, EACCES and the others are 126.",
        ),
        (Ending::Exited(126 | 127), 125) => (
            "Either the failure went unnoticed, and the command was tried all the same (then the message above is about the command); or the runtime did fail, but with a status that says that the command did.",
            "Check the error of every step, each entry of the archive included. 126 and 127 are for a failed exec only; leave with 125 when the runtime itself fails.",
        ),
        (end, _) if end.was_stopped() => (
            "It hangs after the failure. A child that goes on in its parent's code, or a parent that waits for a child that isn't there, does that.",
            "After a failed exec the child has one thing left to do: leave.",
        ),
        _ => (
            "The status of the failure is lost or changed on its way to the caller.",
            "Follow the error from where it happens to where the program ends.",
        ),
    }
}
