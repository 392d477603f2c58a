//! Control groups, as checks ask for them.

use std::collections::BTreeSet;
use std::path::Path;

use crate::evidence::{Evidence, Grouped, Run, Seen};
use crate::judge::common::{first_of, in_order};
use crate::judge::{Finding, fail, waits};

/// The tree that has this controller.
pub fn tree_of<'a>(seen: &'a Seen, controller: &str) -> Option<&'a Grouped> {
    let has =
        |tree: &&Grouped| tree.controllers.iter().any(|name| name == controller);
    seen.groups.iter().find(has)
}

/// Is this process in the group of the runtime's caller?
pub fn is_callers(tree: &Grouped) -> bool {
    tree.path.is_empty() || (tree.version == 2 && tree.path == "caller")
}

/// How many groups, from the top, two containers have in common.
pub fn shared(one: &Grouped, other: &Grouped) -> usize {
    let (one, other) = (Path::new(&one.path), Path::new(&other.path));
    let pairs = one.components().zip(other.components());
    pairs.take_while(|(one, other)| one == other).count()
}

/// What of a process's groups is its container's alone: without this many from the
/// top.
pub fn without_shared(tree: &Grouped, shared: usize) -> Grouped {
    let mut own = tree.clone();
    own.files.truncate(tree.files.len().saturating_sub(shared));
    own
}

/// What a run has left, without the group in which the program makes all others:
/// Docker's /docker stays, too.
pub fn left_groups(evidence: &Evidence, run: &Run) -> Vec<String> {
    let left = run.groups_after.iter();
    left.filter(|group| !is_place_of_all(evidence, group))
        .cloned()
        .collect()
}

/// Were several containers' groups below this one, in any tree? On version 1 a program
/// has the same place in all.
fn is_place_of_all(evidence: &Evidence, group: &str) -> bool {
    let (_, place) = group.split_once('/').unwrap_or(("", group));
    let all = evidence.runs.values().flat_map(|run| &run.seen);
    let below = all.flat_map(|seen| &seen.groups).filter_map(|tree| {
        let below = Path::new(&tree.path).strip_prefix(place).ok()?;
        Some(below.components().next()?.as_os_str())
    });
    below.collect::<BTreeSet<_>>().len() > 1
}

/// What a file says in the process's group, or in the nearest one above it that has
/// the file and is the container's, too: the first word that `read` makes something
/// of. A group's limit holds for those below it, so the least counts.
pub fn least(tree: &Grouped, file: &str) -> Option<u64> {
    let values = tree.files.iter().filter_map(|files| files.get(file));
    let numbers = values.filter_map(|text| text.trim().parse::<u64>().ok());
    // What version 1 says for "no limit": the most that fits, in whole pages.
    numbers.filter(|number| *number < 1 << 62).min()
}

/// A counter in a file of the process's own group: `nr_throttled 3`.
pub fn counter(tree: &Grouped, file: &str, name: &str) -> Option<u64> {
    let number = |text: &String| {
        let fields = |line: &str| {
            let (field, number) = line.split_once(' ')?;
            (field == name).then(|| number.parse().ok())?
        };
        text.lines().find_map(fields)
    };
    let all = tree.files.iter().filter_map(|files| files.get(file));
    // A quota may stand in a group above the process's own.
    all.filter_map(number).max()
}

/// The command is in a group of its own in the tree of each of these controllers.
pub fn own_group(
    evidence: &Evidence,
    run: &Run,
    starts: &str,
    controllers: &[&str],
) -> Finding {
    let seen = match super::seen(run, starts) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    for controller in controllers {
        let Some(tree) = tree_of(seen, controller) else {
            return waits(starts);
        };
        let wanted = format!(
            "the command is in a control group of its own, in the tree that has {controller}"
        );
        let next = "Make a directory below /sys/fs/cgroup (version 1: below the controller's), and write the child's pid, or 0 in the child itself, into its cgroup.procs.";
        if is_callers(tree) {
            // On version 1 a group in one tree says nothing of the others.
            let other = seen.groups.iter().find(|other| !is_callers(other));
            if let Some(other) = other {
                return fail(
                    run,
                    &wanted,
                    format!(
                        "there it is in its caller's group, /{}; in the tree {} it is in /{}",
                        tree.path,
                        other.name(),
                        other.path
                    ),
                    "Each controller has a tree of its own here (version 1). In this one no group was made, or the command didn't join it.",
                    "Make a group, write the limit, and join, in every tree in which something is to be limited.",
                    "man 7 cgroups",
                );
            }
            return fail(
                run,
                &wanted,
                format!(
                    "it is in its caller's group, /{}{}",
                    tree.path,
                    left_group(evidence)
                ),
                "No group was made, or the command didn't join it (if the parent joined after fork, it is the runtime that is in there). A group is a directory; it holds the processes whose pids were written into its cgroup.procs, and those that these have started since.",
                next,
                "man 7 cgroups",
            );
        }
        if tree.path == tree.runtime {
            return fail(
                run,
                &wanted,
                format!("the runtime is in it, too: /{}", tree.path),
                "The runtime joined the group itself, and its child was born there. So it counts against the container's limits, can be killed for them, and can't remove the group in which it is (EBUSY).",
                "Let the child join, between fork and exec; or write its pid from the parent, while it waits.",
                "man 7 cgroups",
            );
        }
    }
    Finding::Pass
}

/// A group that was made, though the command isn't in it.
fn left_group(evidence: &Evidence) -> String {
    let runs = evidence.runs.values();
    runs.flat_map(|run| left_groups(evidence, run))
        .take(1)
        .map(|group| format!("; there is a group {group}"))
        .collect()
}

/// No group is left when a run has ended.
pub fn groups_gone(evidence: &Evidence, starts: &str) -> Finding {
    if let Err(waits) = super::seen(evidence.run("look"), starts) {
        return waits;
    }
    // Where the checker had to end one, nobody could remove anything; those that it ran
    // beside have the same list.
    let stopped = |run: &Run| {
        let mut all = evidence.runs.values().filter(|run| run.end.was_stopped());
        all.any(|other| other.groups_after == run.groups_after)
    };
    let left = in_order(evidence)
        .filter(|run| !run.beside_killed && !stopped(run))
        .map(|run| (run, left_groups(evidence, run)))
        .find(|(_, left)| !left.is_empty());
    let Some((run, left)) = left else {
        return Finding::Pass;
    };
    let busy = run.stderr.contains("EBUSY") || run.stderr.contains("busy");
    let refused = run.stderr.contains("EPERM")
        || run.stderr.contains("not permitted")
        || run.stderr.contains("ENOTEMPTY");
    let (likely, next) = match (busy, refused) {
        (true, _) => (
            "rmdir says EBUSY as long as there is a process in the group, or another group below it. It was called before the container had ended; or the runtime is in the group itself.",
            "Remove the group after waitpid; and if processes are left in it, end them first.",
        ),
        (_, true) => (
            "The files in a group are the kernel's: they can't be deleted, so std's remove_dir_all fails at the first one (EPERM).",
            "Remove the directory alone: rmdir, std's remove_dir. The files go with it.",
        ),
        _ if run.seen.is_none() => (
            "The group was made before the failure, and nobody removed it: `?` leaves a function early.",
            "Remove it on every way out; Drop does that.",
        ),
        _ => (
            "Nobody removed the group, or not in every tree. It stays for ever, and costs the kernel memory.",
            "After waitpid: rmdir, for the directory in each tree.",
        ),
    };
    fail(
        run,
        "no control group is left when the program has ended",
        format!("still there: {}", first_of(&left, 4)),
        likely,
        next,
        "man 7 cgroups, man 2 rmdir",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Seen;

    #[test]
    fn a_group_for_all_containers_is_nobodys() {
        let run = |path: &str| {
            let groups = vec![Grouped {
                version: 1,
                controllers: vec!["cpu".into()],
                path: path.into(),
                ..Grouped::default()
            }];
            Run {
                seen: Some(Seen {
                    groups,
                    ..Seen::default()
                }),
                groups_after: vec!["cpuset/all".into(), "cpu/all/one".into()],
                ..Run::default()
            }
        };
        let mut evidence = Evidence::default();
        evidence.runs.insert("look".into(), run("all/one/inner"));
        let left = |evidence: &Evidence| left_groups(evidence, evidence.run("look"));
        assert_eq!(left(&evidence), ["cpuset/all", "cpu/all/one"]);
        evidence.runs.insert("beside".into(), run("all/two"));
        assert_eq!(left(&evidence), ["cpu/all/one"]);
    }
}
