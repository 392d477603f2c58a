//! 08 cgroups-cpu: processor time, shared out, capped, and stopped.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::errno::Errno;

use super::l07_cgroups;
use crate::evidence::{Call, Ending, Evidence, Grouped, Run, Seen};
use crate::judge::clues::{Clue, explained, starts_with};
use crate::judge::common::{
    self, container_checks, counter, failing, groups_gone, is_callers_group,
    own_group, refuses, seen, tree_of, two_containers,
};
use crate::judge::{Check, Finding, Level, cannot, fail, too_busy, waits};
use crate::plan::{Act, Plan, Step};
use crate::text::lines;

const STARTS: &str = "cpu.starts";
const GROUP: &str = "cpu.group";
const QUOTA: &str = "cpu.quota";
const WEIGHT: &str = "cpu.weight";
const PAUSE: &str = "cpu.pause";

pub static LEVEL: Level = Level {
    number: "08",
    name: "cgroups-cpu",
    title: "control groups: processor time",
    learned: "weight shares, quota caps, freezing stops",
    contained: true,
    groups: true,
    runs,
    checks: container_checks!(
        "cpu",
        [
            Check {
                id: GROUP,
                claim: "the command is in a control group of its own",
                judge: group,
            },
            Check {
                id: QUOTA,
                claim: "quota and period say what --cpus says",
                judge: quota,
            },
            Check {
                id: "cpu.throttled",
                claim: "the kernel throttles who wants more",
                judge: throttled,
            },
            Check {
                id: WEIGHT,
                claim: "the weight is what --cpu-shares says",
                judge: weight,
            },
            Check {
                id: "cpu.contended",
                claim: "on a contended CPU, more shares get more time",
                judge: contended,
            },
            Check {
                id: "cpu.cpuset",
                claim: "the command runs on the CPUs of --cpuset-cpus only",
                judge: cpuset,
            },
            Check {
                id: PAUSE,
                claim: "a paused container stands still",
                judge: pause,
            },
            Check {
                id: "cpu.unpause",
                claim: "and goes on afterwards",
                judge: unpause,
            },
            Check {
                id: "cpu.unknown-id",
                claim: "to pause a container that isn't there fails: 125, one line",
                judge: unknown,
            },
            Check {
                id: "cpu.nonsense",
                claim: "limits that make no sense are refused, and nothing is left",
                judge: nonsense,
            },
            Check {
                id: "cpu.group-gone",
                claim: "the group is gone when the program has ended",
                judge: |evidence| groups_gone(evidence, STARTS),
            },
        ]
    ),
};

/// What `look` and `spinner` are given: CPUs.
const CPUS: [(&str, f64); 2] = [("look", 0.5), ("spinner", 0.1)];
/// What `look` is given: shares.
const SHARES: u64 = 512;
/// In so many periods the spinner must have been throttled: it was let go on at least
/// once.
const OFTEN: u64 = 2;
/// So long the others run on while it is paused.
const PAUSED: Duration = Duration::from_millis(20);
/// So long those that compete run together, in processor time, and at least.
const CONTENDED: (Duration, Duration) =
    (Duration::from_millis(200), Duration::from_millis(100));
/// What a process may still run, in nanoseconds, that no longer wants to: the kernel
/// counts it as frozen on its last steps to where it sleeps.
const LAST_STEPS: u64 = 5_000_000;

/// Command lines that must be refused: a run's name, the options, and why.
static NONSENSE: [(&str, &str, &str); 9] = [
    ("cpus-zero", "--cpus 0", "no CPU at all"),
    ("cpus-negative", "--cpus -1", "a negative number of CPUs"),
    (
        "cpus-word",
        "--cpus many",
        "the number of CPUs is no number",
    ),
    (
        "cpus-nan",
        "--cpus nan",
        "\"not a number\" is no number of CPUs",
    ),
    (
        "cpus-too-many",
        "--cpus 100000",
        "more CPUs than the machine has",
    ),
    ("shares-zero", "--cpu-shares 0", "the least are 2 shares"),
    ("shares-one", "--cpu-shares 1", "the least are 2 shares"),
    (
        "shares-too-many",
        "--cpu-shares 262145",
        "the most are 262144 shares",
    ),
    (
        "cpuset-nowhere",
        "--cpuset-cpus 100000",
        "there is no such CPU",
    ),
];

fn runs() -> Vec<Plan> {
    let [look, beside] = two_containers(Vec::new());
    let [(_, some), (_, few)] = CPUS;
    let compete = |name, shares| {
        Plan::probe(name)
            .with(&format!("--cpu-shares {shares}"))
            .acts(vec![Act::Pin, Act::Spin(1)])
    };
    let watch = vec![
        Act::Spin(2).into(),
        Step::LookAll("begin"),
        Step::Until("throttled", |run, seen| {
            since_seen(run, seen, "nr_throttled").is_none_or(|n| n >= OFTEN)
        }),
        // Before anything is frozen: what a wrong pause does to the others isn't theirs.
        Step::OthersRun(CONTENDED.0, "begin"),
        Step::LookAll("end"),
        Step::Until("period", runs_again),
        Step::Until("waiting", waits_for_its_period),
        Step::Call("pause"),
        Step::LookAll("paused"),
        Step::OthersRun(PAUSED, "paused"),
        Step::LookAll("still"),
        Step::Call("unpause"),
        Step::Until("resumed", ran_on),
        Step::Thaw,
        Step::CallUnknown("pause"),
        Step::Thaw,
    ];
    let mut all = vec![
        look.with(&format!("--cpus {some} --cpu-shares {SHARES}")),
        beside,
        compete("heavy", 1024),
        compete("light", 128).beside(),
        // With many shares, so that it gets its quota where there is but one CPU. Its
        // id is its host name.
        Plan::probe("spinner")
            .with(&format!("--cpus {few} --cpu-shares 8192"))
            .steps(watch)
            .closely()
            .beside(),
        Plan::probe("cpuset").with("--cpuset-cpus {cpu}"),
    ];
    all.extend(
        NONSENSE
            .iter()
            .map(|(name, options, _)| Plan::probe(name).with(options)),
    );
    all.extend(failing());
    all
}

/// How much a counter of `cpu.stat` has grown since the command was first seen.
fn since_seen(run: &Run, seen: &Seen, name: &str) -> Option<u64> {
    let count = |seen| counter(tree_of(seen, "cpu")?, "cpu.stat", name);
    let before = run.seen.as_ref().and_then(count).unwrap_or(0);
    Some(count(seen)?.saturating_sub(before))
}

/// Has its next period begun? Then most of the time without quota is still to come.
fn runs_again(run: &Run, seen: &Seen) -> bool {
    let before = run.looks.get("period").map(|seen| seen.run_time);
    before.is_some_and(|before| seen.run_time > before)
}

/// Do its processes want to run, and don't? Then its quota is used up. A throttled
/// process is frozen only when its next period begins, and pause has to wait for that.
fn waits_for_its_period(run: &Run, seen: &Seen) -> bool {
    let before = run.looks.get("waiting").map(|seen| seen.run_time);
    seen.busy > 0 && before == Some(seen.run_time)
}

/// Has the command run on since it stood still?
fn ran_on(run: &Run, seen: &Seen) -> bool {
    let still = run.looks.get("still").map_or(0, |still| still.run_time);
    seen.run_time > still + LAST_STEPS
}

const OTHER_VERSION: &str = "The group has no file of this name, and nobody may make files there. Either it is the other version's name; or the group above doesn't hand the controller down (version 2).";
const OF_VERSION_1: &str = "Find out the version from /proc/self/cgroup. Version 1 has cpu.cfs_quota_us, cpu.cfs_period_us and cpu.shares; on version 2, write +cpu to cgroup.subtree_control of the group above.";
const OF_VERSION_2: &str = "Find out the version from /proc/self/cgroup. Version 2 has cpu.max and cpu.weight.";

/// What the errors of these calls mean here.
pub const CLUES: &[Clue] = &[
    Clue {
        words: &["cpu.max"],
        errno: Errno::EINVAL,
        likely: "cpu.max takes the quota, a blank, and the period, both in microseconds and at least 1000.",
        next: "For half a CPU: 50000 100000.",
        more: "the kernel's Documentation/admin-guide/cgroup-v2.rst",
    },
    Clue {
        words: &["cpu.cfs_quota_us"],
        errno: Errno::EINVAL,
        likely: "The quota must be at least 1000 microseconds, and less than what the group above may use.",
        next: "For half a CPU: a period of 100000 and a quota of 50000.",
        more: "the kernel's Documentation/scheduler/sched-bwc.rst",
    },
    Clue {
        words: &["cpu.weight"],
        errno: Errno::ERANGE,
        likely: "Weights of version 2 go from 1 to 10,000; shares go to 262,144.",
        next: "Convert shares to a weight.",
        more: "the kernel's Documentation/admin-guide/cgroup-v2.rst",
    },
    Clue {
        words: &["cpu.shares"],
        errno: Errno::ENOENT,
        likely: OTHER_VERSION,
        next: OF_VERSION_2,
        more: "man 7 cgroups",
    },
    // Who opens a file with O_CREAT that a group doesn't have, is told EACCES.
    Clue {
        words: &["cpu.shares"],
        errno: Errno::EACCES,
        likely: OTHER_VERSION,
        next: OF_VERSION_2,
        more: "man 7 cgroups",
    },
    Clue {
        words: &["cpu.cfs_"],
        errno: Errno::EACCES,
        likely: OTHER_VERSION,
        next: OF_VERSION_2,
        more: "man 7 cgroups",
    },
    Clue {
        words: &["cpu.max"],
        errno: Errno::EACCES,
        likely: OTHER_VERSION,
        next: OF_VERSION_1,
        more: "man 7 cgroups",
    },
    Clue {
        words: &["cpu.weight"],
        errno: Errno::EACCES,
        likely: OTHER_VERSION,
        next: OF_VERSION_1,
        more: "man 7 cgroups",
    },
    Clue {
        words: &["cgroup.procs|/tasks"],
        errno: Errno::ENOSPC,
        likely: "On version 1 a new group of cpuset has neither CPUs nor memory nodes, and takes no process until it has both. One of them wasn't written.",
        next: "Write the list to cpuset.cpus, and to cpuset.mems that of the group above.",
        more: "man 7 cpuset",
    },
    Clue {
        words: &["cpuset.cpus"],
        errno: Errno::EACCES,
        likely: "A group can only have CPUs that the group above has.",
        next: "Name CPUs that are there.",
        more: "man 7 cpuset",
    },
];

fn starts(evidence: &Evidence) -> Finding {
    match missing(evidence, "cpu") {
        Some(cannot) => cannot,
        None => starts_with(evidence, &[CLUES, l07_cgroups::CLUES]),
    }
}

/// What the checker doesn't have, it can't hand on.
fn missing(evidence: &Evidence, controller: &str) -> Option<Finding> {
    let missing = !evidence
        .machine
        .controllers
        .iter()
        .any(|name| name == controller);
    missing.then(|| {
        cannot(
            format!("the {controller} controller isn't handed down to the checker"),
            format!(
                "sudo sh -c 'echo +{controller} >/sys/fs/cgroup/cgroup.subtree_control', and likewise in each group on the way; with systemd: Delegate=cpu cpuset io memory pids for user@.service"
            ),
        )
    })
}

fn group(evidence: &Evidence) -> Finding {
    own_group(evidence, evidence.run("look"), STARTS, &["cpu"])
}

/// The tree with the CPU's limits, in this run.
fn tree<'a>(evidence: &Evidence, run: &'a Run) -> Result<&'a Grouped, Finding> {
    let seen = started(evidence, run)?;
    let tree = tree_of(seen, "cpu").ok_or_else(|| waits(STARTS))?;
    match is_callers_group(tree) || group(evidence) != Finding::Pass {
        true => Err(waits(GROUP)),
        false => Ok(tree),
    }
}

/// What was seen of a run's command. When others started, this one should have, too.
fn started<'a>(evidence: &Evidence, run: &'a Run) -> Result<&'a Seen, Finding> {
    let first = seen(evidence.run("look"), STARTS)?;
    match seen(run, STARTS) {
        Err(_) if run.end != Ending::NotRun && !first.namespaces.is_empty() => Err(
            explained(common::odd(run), run, &[CLUES, l07_cgroups::CLUES]),
        ),
        found => found,
    }
}

/// Quota and period in microseconds: the least part of a CPU, of the group and those
/// above it. No quota: no limit.
fn quota_of(tree: &Grouped) -> Option<(u64, u64)> {
    let read = |files: &BTreeMap<String, String>| {
        let number = |name: &str| files.get(name)?.trim().parse::<u64>().ok();
        if let Some(max) = files.get("cpu.max") {
            let (quota, period) = max.split_once(' ')?;
            return Some((quota.parse().ok()?, period.trim().parse().ok()?));
        }
        // -1 is no number of this kind: no limit.
        Some((number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?))
    };
    let all = tree.files.iter().filter_map(read);
    all.min_by(|one, other| (one.0 * other.1).cmp(&(other.0 * one.1)))
}

fn quota(evidence: &Evidence) -> Finding {
    for (name, cpus) in CPUS {
        let run = evidence.run(name);
        let tree = match tree(evidence, run) {
            Ok(tree) => tree,
            Err(waits) => return waits,
        };
        let found = quota_of(tree);
        // The quota is a whole number of microseconds.
        let fits = |(quota, period): (u64, u64)| {
            (quota as f64 - cpus * period as f64).abs() <= 1.0
        };
        if found.is_some_and(fits) {
            continue;
        }
        let (likely, next) = match found {
            None => (
                "No quota was written: then there is no limit, whatever the period is. A weight (shares) is none either.",
                "Version 2: quota and period, with a blank between, to cpu.max. Version 1: cpu.cfs_quota_us, and cpu.cfs_period_us.",
            ),
            Some(_) => (
                "The quota is how many microseconds of each period the group may run. With another period it is another part of a CPU.",
                "quota = CPUs × period. The kernel's own period is 100000.",
            ),
        };
        return fail(
            run,
            &format!("a quota that is {cpus} of its period"),
            match found {
                Some((quota, period)) => format!("quota {quota}, period {period}"),
                None => "no quota".into(),
            },
            likely,
            next,
            "the kernel's Documentation/scheduler/sched-bwc.rst",
        );
    }
    Finding::Pass
}

fn throttled(evidence: &Evidence) -> Finding {
    let run = evidence.run("spinner");
    if quota(evidence) != Finding::Pass {
        return waits(QUOTA);
    }
    // The later the better: what the kernel lets go is little against a longer time.
    let look = run.looks.get("end").or_else(|| run.looks.get("throttled"));
    let (Some(first), Some(look)) = (&run.seen, look) else {
        return waits(STARTS);
    };
    let number = |name| since_seen(run, look, name);
    let (Some(periods), Some(often)) =
        (number("nr_periods"), number("nr_throttled"))
    else {
        // Where there is a quota, there is this count.
        return fail(
            run,
            "the command stays in the group that has the quota",
            "its group has no nr_throttled in cpu.stat any more",
            "The command was moved to another group after it had begun, or its group was removed.",
            "Let it join once, before exec, and stay.",
            "the kernel's Documentation/scheduler/sched-bwc.rst",
        );
    };
    let [_, (_, cpus)] = CPUS;
    let ran = look.run_time.saturating_sub(first.run_time) / 1000;
    let period = tree_of(look, "cpu").and_then(quota_of);
    let period = period.map_or(100_000, |(_, period)| period);
    let most = ((periods + 2) as f64 * cpus * period as f64 * TOLERANCE) as u64;
    let most = most + SPINNING * TICK;
    if often >= OFTEN && ran <= most {
        return Finding::Pass;
    }
    if often < OFTEN && ran <= most {
        return too_busy(format!(
            "the machine is so busy that the command never got {cpus} of a CPU: it ran for {ran} µs in {periods} periods"
        ));
    }
    fail(
        run,
        &format!(
            "two processes that only run are throttled, and get no more than {cpus} CPUs"
        ),
        format!(
            "throttled {often} times in {periods} periods; they ran for {ran} µs"
        ),
        "The quota stands in the group's file, but what the command starts isn't in the group.",
        "Let the command join before exec.",
        "the kernel's Documentation/scheduler/sched-bwc.rst",
    )
}

/// The kernel hands out a quota in slices: so much more may be used.
const TOLERANCE: f64 = 1.5;
/// And it looks at them once a tick. For as long a process may run on with its quota
/// used up; later periods pay for it. In microseconds, where CONFIG_HZ is 100.
const TICK: u64 = 10_000;
/// So many processes of the spinner run.
const SPINNING: u64 = 2;

fn weight(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    let tree = match tree(evidence, run) {
        Ok(tree) => tree,
        Err(waits) => return waits,
    };
    let number = |files: &BTreeMap<String, String>, file: &str| {
        files.get(file)?.trim().parse::<u64>().ok()
    };
    let (file, least, most) = match tree.version {
        // The straight conversion, and that of runc and crun since 2025.
        2 => ("cpu.weight", 20, 60),
        _ => ("cpu.shares", SHARES, SHARES),
    };
    // In the command's group, or in one above it that is the container's, too.
    let mut all = tree.files.iter().filter_map(|files| number(files, file));
    if all.clone().any(|found| (least..=most).contains(&found)) {
        return Finding::Pass;
    }
    let found = all.next();
    let wanted = match tree.version {
        2 => format!("cpu.weight: {least} to {most} (conversions differ)"),
        _ => format!("cpu.shares: {SHARES}"),
    };
    let (likely, next) = match (tree.version, found) {
        (2, Some(100)) => (
            "100 is the weight that every new group has: none was written.",
            "Convert the shares, and write the weight to cpu.weight.",
        ),
        (1, Some(1024)) => (
            "1024 are the shares that every new group has: none were written.",
            "Write the number to cpu.shares.",
        ),
        (2, Some(SHARES)) => (
            "The shares were written as a weight. Shares go from 2 to 262,144, weights from 1 to 10,000: the container would get far more than others with the usual weight, 100.",
            "Convert: 1 + (shares - 2) × 9999 / 262142.",
        ),
        _ => (
            "Another number was written than what --cpu-shares means.",
            "Version 1: the number as it is. Version 2: 1 + (shares - 2) × 9999 / 262142.",
        ),
    };
    fail(
        run,
        &wanted,
        found.map_or(format!("no {file}"), |found| format!("{file}: {found}")),
        likely,
        next,
        "the kernel's Documentation/admin-guide/cgroup-v2.rst, \"CPU\"",
    )
}

fn contended(evidence: &Evidence) -> Finding {
    let (heavy, light) = (evidence.run("heavy"), evidence.run("light"));
    if weight(evidence) != Finding::Pass {
        return waits(WEIGHT);
    }
    for run in [heavy, light] {
        if let Err(finding) = tree(evidence, run) {
            return finding;
        }
    }
    let ran = |run: &Run| {
        let at = |name| Some(run.looks.get(name)?.run_time);
        Some(at("end")?.saturating_sub(at("begin")?))
    };
    let (Some(more), Some(less)) = (ran(heavy), ran(light)) else {
        return waits(PAUSE);
    };
    if more + less < CONTENDED.1.as_nanos() as u64 {
        return too_busy(
            "the machine is so busy that two containers together got less than 0.1 s of a CPU in some seconds",
        );
    }
    if more > 2 * less {
        return Finding::Pass;
    }
    fail(
        light,
        "1024 shares get more than twice the time of 128, on one CPU that both want",
        format!("{} ms against {} ms", more / 1_000_000, less / 1_000_000),
        "The weights stand in the groups' files, but what the commands start isn't in these groups; or the groups are not side by side, so that they don't compete.",
        "Make all containers' groups below one directory, and let the command join before exec.",
        "the kernel's Documentation/admin-guide/cgroup-v2.rst, \"CPU\"",
    )
}

fn cpuset(evidence: &Evidence) -> Finding {
    let run = evidence.run("cpuset");
    if let Some(cannot) = missing(evidence, "cpuset") {
        return cannot;
    }
    let seen = match started(evidence, run) {
        Ok(seen) => seen,
        Err(finding) => return finding,
    };
    let last = evidence
        .machine
        .cpus
        .last()
        .copied()
        .unwrap_or(0)
        .to_string();
    let listed = tree_of(seen, "cpuset").and_then(|tree| {
        let file = |files: &BTreeMap<String, String>| {
            files
                .get("cpuset.cpus")
                .filter(|list| !list.is_empty())
                .cloned()
        };
        tree.files.iter().find_map(file)
    });
    if seen.cpus_allowed == last && listed.as_deref() == Some(&last) {
        return Finding::Pass;
    }
    let by_group = listed.as_deref() == Some(&last);
    let (likely, next) = match (seen.cpus_allowed == last, by_group) {
        (true, false) => (
            "The command is bound to this CPU, but by its affinity alone (sched_setaffinity): it can take that back itself.",
            "Write the list to cpuset.cpus of the container's group.",
        ),
        (false, true) => (
            "The list stands in the group's file, but the command is not in the group.",
            "Let the command join the group in the cpuset tree, too.",
        ),
        _ => (
            "The list wasn't written to cpuset.cpus of the command's group.",
            "Write it as it is, before the command joins.",
        ),
    };
    fail(
        run,
        &format!(
            "the command may run on CPU {last} only, by its group's cpuset.cpus"
        ),
        format!(
            "it may run on CPUs {}; cpuset.cpus: {}",
            seen.cpus_allowed,
            listed.as_deref().unwrap_or("nothing")
        ),
        likely,
        next,
        "man 7 cpuset",
    )
}

/// A call that must succeed.
fn done_well(run: &Run, word: &str) -> Result<(), Finding> {
    let Some(call) = run.calls.get(word) else {
        return Err(waits(STARTS));
    };
    if call.end == Ending::Exited(0) {
        return Ok(());
    }
    let run = of_call(run, call);
    let (likely, next) = match call.end {
        Ending::TimedOut(_) => (
            "It never comes back. On version 1 a process that freezes a group in which it is itself stands still as well; or it waits for a word that the kernel doesn't say.",
            "Freeze the container's own group, the one named after the id.",
        ),
        _ if call.stderr.contains("not done") => (
            "The group was found, and the kernel never said that it is done: nothing was written that starts it, or the answer is looked for in the wrong place.",
            "Version 2: write to cgroup.freeze, look for the line \"frozen 1\" in cgroup.events. Version 1: write to freezer.state, and read it.",
        ),
        _ if ["EINVAL", "Invalid argument"]
            .iter()
            .any(|word| call.stderr.contains(word)) =>
        {
            (
                "The kernel refused what it was given (EINVAL). A file of a control group does that with a word that it doesn't know.",
                "Version 1: freezer.state takes FROZEN and THAWED. Version 2: cgroup.freeze takes 1 and 0.",
            )
        }
        _ => (
            "The container wasn't found by its id, or its group couldn't be written to. The id is what its host name is by default. On version 1 the freezer has a tree of its own: who has no group there isn't found there.",
            "Name the group after the id, make it in the freezer's tree as well, and look for it where `run` makes it.",
        ),
    };
    Err(fail(
        &run,
        &format!("{word} ends with status 0"),
        common::words(&run),
        likely,
        next,
        "the kernel's Documentation/admin-guide/cgroup-v2.rst, \"cgroup.freeze\"",
    ))
}

/// A call, as if it were a run.
fn of_call(run: &Run, call: &Call) -> Run {
    Run {
        shown: call.shown.clone(),
        end: call.end,
        stderr: call.stderr.clone(),
        noise: call.noise.clone(),
        ..run.clone()
    }
}

fn pause(evidence: &Evidence) -> Finding {
    let run = evidence.run("spinner");
    if let Err(waits) = seen(run, STARTS) {
        return waits;
    }
    if let Err(finding) = done_well(run, "pause") {
        return finding;
    }
    let look = |name| run.looks.get(name);
    let Some(before) = look("waiting") else {
        return waits(STARTS);
    };
    let there = before.alive;
    let (Some(paused), Some(still)) = (look("paused"), look("still")) else {
        return gone(run, there, 0);
    };
    if still.alive < there {
        return gone(run, there, still.alive);
    }
    let ran = still.run_time.saturating_sub(paused.run_time);
    let wanted = "when pause has returned, no process of the container runs on";
    let more =
        "the kernel's Documentation/admin-guide/cgroup-v2.rst, \"cgroup.freeze\"";
    let is_freezing = state_of(paused).contains("FREEZING");
    match (paused.busy, still.busy) {
        (0, 0) if ran <= LAST_STEPS => others_go_on(evidence),
        (_, still) if still == 0 || is_freezing => fail(
            run,
            wanted,
            match is_freezing {
                true => "when it returned, freezer.state still said FREEZING",
                false => {
                    "some of its processes ran, or wanted to, when it returned; a moment later all stood still"
                }
            },
            "pause returned too early. The write only starts it: the kernel stops one process after the other, and one that --cpus has throttled only when its next period begins.",
            "Wait for the kernel's word. Version 2: \"frozen 1\" in cgroup.events. Version 1: FROZEN in freezer.state; until then it says FREEZING.",
            more,
        ),
        (_, busy) => {
            let (likely, next) = not_frozen(still);
            fail(
                run,
                wanted,
                format!(
                    "{busy} of its {there} processes run on, or want to{}",
                    state_of(still)
                ),
                likely,
                next,
                more,
            )
        }
    }
}

/// Its processes were ended, not paused.
fn gone(run: &Run, before: usize, after: usize) -> Finding {
    fail(
        run,
        "pause keeps the container's processes, and what they are about",
        format!("{before} processes before, {after} afterwards"),
        "Processes were ended. A pause is to stop each where it is, so that it can go on there.",
        "Freeze the group: cgroup.freeze on version 2, freezer.state on version 1.",
        "the kernel's Documentation/admin-guide/cgroup-v2.rst, \"cgroup.freeze\"",
    )
}

/// The group that freezes the command: what its file says, for people.
fn state_of(seen: &Seen) -> String {
    let says = |file: &str| {
        let tree = tree_of_freezer(seen)?;
        Some(format!("; {file}: {}", tree.files.first()?.get(file)?))
    };
    let said = says("freezer.state").or_else(|| says("cgroup.freeze"));
    said.unwrap_or_default()
}

/// The tree in which the command can be frozen.
fn tree_of_freezer(seen: &Seen) -> Option<&Grouped> {
    let v2 = || seen.groups.iter().find(|tree| tree.version == 2);
    tree_of(seen, "freezer").or_else(v2)
}

/// Why the command was not frozen, and what to do.
fn not_frozen(seen: &Seen) -> (&'static str, &'static str) {
    let Some(tree) = tree_of_freezer(seen) else {
        return (
            "There is no freezer here.",
            "Stop each process by a signal.",
        );
    };
    let next = match tree.version {
        2 => {
            "Write 1 to cgroup.freeze of the group that the command is in, the one named after the id."
        }
        _ => {
            "Write FROZEN to freezer.state of the group that the command is in, the one named after the id."
        }
    };
    match (is_callers_group(tree), tree.version) {
        (true, 1) => (
            "In the freezer's tree the command is in its caller's group. On version 1 each controller has a tree of its own: a group in the cpu tree is none in the freezer tree.",
            "Make a group for each container below /sys/fs/cgroup/freezer, too, and let the command join it before exec.",
        ),
        (true, _) => (
            "The command is in its caller's group: there is nothing that could be frozen without the caller.",
            "Let each container have a group of its own, with or without limits.",
        ),
        _ => (
            "The container's group was not frozen; or only some of its processes were stopped. A signal stops the process that gets it, and none of those that it has started.",
            next,
        ),
    }
}

/// A pause is for one container.
fn others_go_on(evidence: &Evidence) -> Finding {
    for name in ["heavy", "light"] {
        let run = evidence.run(name);
        let look = |name| run.looks.get(name);
        let (Some(paused), Some(still)) = (look("paused"), look("still")) else {
            continue;
        };
        if still.busy == 0 && still.run_time == paused.run_time {
            return fail(
                run,
                "while one container is paused, the others go on",
                format!("this one stands still, too{}", state_of(still)),
                "More was frozen than one container: a group that holds them all freezes everything below it.",
                "Freeze the group that is named after the id, not the one above it.",
                "the kernel's Documentation/admin-guide/cgroup-v2.rst, \"cgroup.freeze\"",
            );
        }
    }
    Finding::Pass
}

fn unpause(evidence: &Evidence) -> Finding {
    let run = evidence.run("spinner");
    if let Err(waits) = seen(run, STARTS) {
        return waits;
    }
    if pause(evidence) != Finding::Pass {
        return waits(PAUSE);
    }
    if let Err(finding) = done_well(run, "unpause") {
        return finding;
    }
    let resumed = run.looks.get("resumed");
    if resumed.is_some_and(|seen| ran_on(run, seen)) {
        return Finding::Pass;
    }
    fail(
        run,
        "when unpause has returned, the container's processes go on",
        resumed.map_or("they are gone".into(), |seen| {
            format!("they still stand{}", state_of(seen))
        }),
        "The group wasn't thawed, or another one was. What was stopped by a signal goes on by SIGCONT only.",
        "Version 2: write 0 to cgroup.freeze. Version 1: write THAWED to freezer.state.",
        "the kernel's Documentation/admin-guide/cgroup-v2.rst, \"cgroup.freeze\"",
    )
}

fn unknown(evidence: &Evidence) -> Finding {
    let run = evidence.run("spinner");
    if let Err(waits) = seen(run, STARTS) {
        return waits;
    }
    let Some(call) = run.calls.get("pause unknown") else {
        return waits(STARTS);
    };
    let run = of_call(run, call);
    let said = lines(&call.stderr, 9).len();
    if call.end == Ending::Exited(125) && said == 1 {
        return Finding::Pass;
    }
    fail(
        &run,
        "exit status 125, and one line on standard error: no container has this id",
        common::words(&run),
        "The failure wasn't noticed, or isn't told as all others are.",
        "Look for the container's group first; when there is none, say so.",
        "the contract: levels/README.md",
    )
}

fn nonsense(evidence: &Evidence) -> Finding {
    let next = "Check the options before anything is made: CPUs more than 0 and not more than there are; 2 to 262144 shares. The kernel checks the list of CPUs: don't drop its error.";
    refuses(evidence, STARTS, &NONSENSE, next)
}
