//! What is left when the program has ended.

use std::collections::BTreeSet;
use std::path::Path;

use super::in_order;
use super::words::first_of;
use crate::evidence::{Ending, Evidence, Orphan, Run};
use crate::judge::{Finding, fail, waits};
use crate::plan::READY;

/// After the last container, the caller's processes, mounts and files are as before.
pub fn host_as_before(evidence: &Evidence, starts: &str) -> Finding {
    if evidence.run("look").seen.is_none() {
        return waits(starts);
    }
    // Once, it may be a tool's that ended at the same moment as the program.
    let often = evidence.runs.values().filter_map(unwaited).count() > 1;
    for run in in_order(evidence) {
        // Who was killed can't clean up.
        if run.end == Ending::NotRun || run.beside_killed {
            continue;
        }
        let remaining = run.remaining.iter().filter(|name| !was_told(run, name));
        let remaining: Vec<String> = remaining.cloned().collect();
        if !remaining.is_empty() {
            return fail(
                run,
                "no process is left when the program has ended",
                first_of(&remaining, 4),
                "The program left before its child, or a process was started that nobody waits for.",
                "Wait for every child before you leave.",
                "man 2 waitpid",
            );
        }
        if let Some(orphan) = unwaited(run).filter(|_| often) {
            let likely = match run.seen {
                Some(_) => {
                    "The program started a helper, and left without waiting for it. What has ended stays a zombie until its parent asks for its status, or leaves; a runtime that stays would collect them."
                }
                None => {
                    "The program learned that the command can't be started, and left without waiting for the child that had tried; or it started a helper that it doesn't wait for. What has ended stays a zombie until its parent asks for its status, or leaves."
                }
            };
            return fail(
                run,
                "every process that the program started has been waited for",
                format!(
                    "a process besides the command had ended ({}), and init had to reap it",
                    orphan.name
                ),
                likely,
                "Call waitpid for every child; std's Command::spawn doesn't, Command::status does.",
                "man 2 waitpid",
            );
        }
        let is_new =
            |line: &&String| line.starts_with('+') && line.contains(" - nsfs ");
        if let Some(kept) = run.mounts_after.iter().find(is_new) {
            return fail(
                run,
                "nothing of the container is left when the program has ended",
                kept.as_str(),
                "A bind mount of /proc/PID/ns/… keeps a namespace alive when its last process has ended; `ip netns add` makes one. It was made in the caller's mount namespace, and nobody took it away.",
                "Do without: the command keeps its namespaces alive by being in them. Or unmount it, and remove the file, when the container has ended (`ip netns delete`).",
                "man 7 namespaces, man 8 ip-netns",
            );
        }
        if !run.mounts_after.is_empty() {
            return fail(
                run,
                "the caller's mounts are as before when the program has ended",
                first_of(&run.mounts_after, 4),
                "The mounts were made in the caller's own mount namespace, or came there by propagation.",
                "unshare the mount namespace and make every mount private, before the first mount.",
                "man 7 mount_namespaces",
            );
        }
        let touched = touched(evidence, run);
        if !touched.is_empty() {
            return fail(
                run,
                "the caller's files are as before when the program has ended",
                first_of(&touched, 4),
                "Files that were there before the run are gone (-) or changed (~). A clean-up that takes too much does that: a path of the container's that means the caller's where it is used, or a directory removed while the caller's files are still mounted below it.",
                "Remove only what this run has made; after a container's mounts are gone, and never by a path below put_old.",
                "man 3 remove",
            );
        }
    }
    Finding::Pass
}

/// Is this process that was left the command, or did the command start it?
pub fn is_probe(name: &str) -> bool {
    name.starts_with(READY)
}

/// Was the command told to leave this process behind? What becomes of it is judged by
/// the level that wants it.
fn was_told(run: &Run, name: &str) -> bool {
    run.acts.contains_key("orphans") && is_probe(name)
}

/// A child that the program didn't wait for.
fn unwaited(run: &Run) -> Option<&Orphan> {
    // One may have been its caller's, left to it on purpose.
    let given = usize::from(run.given_child);
    let orphans = run.orphans.iter();
    let mut own = orphans.filter(|orphan| {
        !orphan.command && !orphan.early && !was_told(run, &orphan.name)
    });
    own.nth(given)
        .filter(|_| !run.left_early && !run.beside_killed)
}

/// Files of the caller's that a run has changed or taken away. What a runtime made
/// itself, in this run or an earlier one, is its own, with all that is in it.
fn touched(evidence: &Evidence, run: &Run) -> Vec<String> {
    let new: BTreeSet<&str> = evidence
        .runs
        .values()
        .flat_map(|run| &run.files_after)
        .filter_map(|line| line.strip_prefix("+ "))
        .collect();
    let made = |path: &str| {
        let mut above = Path::new(path).ancestors().filter_map(Path::to_str);
        above.any(|path| new.contains(path))
    };
    let callers = |line: &&String| {
        let path = &line[2..];
        !line.starts_with('+') && !path.contains("/containers/") && !made(path)
    };
    run.files_after.iter().filter(callers).cloned().collect()
}
