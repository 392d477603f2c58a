//! 07 cgroups: limits that hold for a whole tree of processes.

use std::collections::BTreeMap;
use std::path::Path;

use nix::errno::Errno;

use crate::evidence::{Ending, Evidence, Grouped, NO_ANSWER, Run, Seen};
use crate::judge::clues::{Clue, explained, starts_with};
use crate::judge::common::{
    self, container_checks, failing, first_of, groups_gone, is_callers_group, least,
    left_groups, odd, own_group, refuses, seen, shared, tree_of, two_containers,
    unless, without_shared, words,
};
use crate::judge::{Check, Finding, Level, cannot, fail, waits};
use crate::plan::{Act, Moment, Plan, Step};

const STARTS: &str = "limits.starts";
const GROUP: &str = "limits.group";
const BEFORE_EXEC: &str = "limits.before-exec";
const MEMORY: &str = "limits.memory";
const SWAP: &str = "limits.swap";
const PIDS: &str = "limits.pids";
const MEMORY_HOLDS: &str = "limits.memory-holds";
const PIDS_HOLD: &str = "limits.pids-hold";
const GROUP_GONE: &str = "limits.group-gone";

/// The controllers of this level's limits.
const LIMITED: [&str; 2] = ["memory", "pids"];

const MIB: u64 = 1 << 20;
/// What a version-1 file for memory is rounded to, in bytes; the largest page size.
const PAGE: u64 = 1 << 16;

pub static LEVEL: Level = Level {
    number: "07",
    name: "cgroups",
    title: "control groups: memory and processes",
    learned: "limits hold for a whole tree, from before exec",
    contained: true,
    groups: true,
    runs,
    checks: container_checks!(
        "limits",
        [
            Check {
                id: GROUP,
                claim: "the command is in a control group of its own",
                judge: group,
            },
            Check {
                id: BEFORE_EXEC,
                claim: "it joins before exec: everything counts from the first byte",
                judge: before_exec,
            },
            Check {
                id: MEMORY,
                claim: "the limit on memory is exactly the one asked for",
                judge: memory,
            },
            Check {
                id: SWAP,
                claim: "swap is limited as Docker means it",
                judge: swap,
            },
            Check {
                id: PIDS,
                claim: "the limit on processes is exactly the one asked for",
                judge: pids,
            },
            Check {
                id: MEMORY_HOLDS,
                claim: "who wants more memory is killed (137), and nobody else",
                judge: memory_holds,
            },
            Check {
                id: PIDS_HOLD,
                claim: "the fork after the last one fails with EAGAIN",
                judge: pids_hold,
            },
            Check {
                id: "limits.nonsense",
                claim: "limits that make no sense are refused, and nothing is left",
                judge: nonsense,
            },
            Check {
                id: GROUP_GONE,
                claim: "the group is gone when the program has ended",
                judge: |evidence| groups_gone(evidence, STARTS),
            },
            Check {
                id: "limits.after-kill",
                claim: "what a killed runtime left is gone after the next run",
                judge: after_kill,
            },
        ]
    ),
};

/// Command lines that must be refused: a run's name, the options, and why.
static NONSENSE: [(&str, &str, &str); 13] = [
    (
        "memory-zero",
        "--memory 0",
        "no memory at all is no limit to run with",
    ),
    ("memory-negative", "--memory -1", "memory can't be negative"),
    (
        "memory-word",
        "--memory lots",
        "the amount of memory is no number",
    ),
    ("memory-unit", "--memory 64x", "x is no unit"),
    ("memory-empty", "--memory ", "an empty word is no amount"),
    (
        "memory-overflow",
        "--memory 99999999999999g",
        "more bytes than 64 bits can count",
    ),
    (
        "memory-too-little",
        "--memory 64",
        "64 bytes of memory, less than 6m",
    ),
    (
        "memory-too-much",
        "--memory 9000000g",
        "more memory than the machine has",
    ),
    // In 64 bits it would be 1 GiB.
    (
        "memory-overflow",
        "--memory 17179869185g",
        "more bytes than 64 bits can count",
    ),
    (
        "swap-below-memory",
        "--memory 64m --memory-swap 32m",
        "memory and swap together are less than memory alone",
    ),
    (
        "swap-alone",
        "--memory-swap 64m",
        "--memory-swap without --memory",
    ),
    ("pids-zero", "--pids-limit 0", "not even one process"),
    (
        "pids-negative",
        "--pids-limit -1",
        "a negative number of processes",
    ),
];

fn runs() -> Vec<Plan> {
    let usual = "--memory 64m --pids-limit 40";
    let [mut look, beside] = two_containers(Vec::new());
    look.steps.insert(0, Step::Until("settled", is_limited));
    let mut all = vec![
        look.with(usual),
        // With limits, too: to make its group it may clear away others.
        beside.with("--memory 48m --pids-limit 30"),
        Plan::probe("limits")
            .with("--memory 32768k --memory-swap 48m --pids-limit 20")
            .steps(vec![Act::Fork(64).into(), Step::Look("full")]),
        Plan::probe("any-swap").with("--memory 32m --memory-swap -1"),
        Plan::probe("neighbour")
            .with("--memory 96m --pids-limit 40")
            .later(vec![Act::Read("/etc/motd".into())]),
        Plan::probe("greedy")
            // Enough for a runtime that is large itself until exec.
            .with("--memory 64m --memory-swap 64m --pids-limit 30")
            .acts(vec![Act::Eat(128 << 20)])
            .beside(),
        Plan::probe("traced")
            .with(usual)
            .steps(vec![Step::Until("settled", is_limited)])
            .traced(),
        Plan::probe("killed").with(usual).killed(Moment::Running),
        Plan::probe("again").with(usual).beside(),
    ];
    all.extend(
        NONSENSE
            .iter()
            .map(|(name, options, _)| Plan::probe(name).with(options)),
    );
    all.extend(failing().map(|plan| plan.with(usual)));
    all
}

/// Is there a limit in both trees by now? Who writes it late, writes it soon.
fn is_limited(_: &Run, seen: &Seen) -> bool {
    let limit = |name| tree_of(seen, name).and_then(|tree| limit_in(tree, name));
    LIMITED.iter().all(|name| limit(name).is_some())
}

/// The limit of this controller in a process's groups.
fn limit_in(tree: &Grouped, controller: &str) -> Option<u64> {
    match controller {
        "memory" => least(tree, memory_file(tree)),
        _ => least(tree, "pids.max"),
    }
}

/// What the errors of these calls mean here.
pub const CLUES: &[Clue] = &[
    Clue {
        words: &["memory.max"],
        errno: Errno::ENOENT,
        likely: "The group has no such file. Either this is version 1, where it is called memory.limit_in_bytes; or the group above doesn't hand the controller down.",
        next: "Find out the version from /proc/self/cgroup. On version 2, write +memory to cgroup.subtree_control of the directory in which you make the group.",
        more: "man 7 cgroups",
    },
    Clue {
        words: &["memory.max"],
        errno: Errno::EACCES,
        likely: "The group has no such file, and none can be made there: Rust's fs::write tries to, and gets EACCES. Either this is version 1, where it is called memory.limit_in_bytes; or the group above doesn't hand the controller down.",
        next: "Find out the version from /proc/self/cgroup. On version 2, write +memory to cgroup.subtree_control of the directory in which you make the group.",
        more: "man 7 cgroups",
    },
    Clue {
        words: &["memory.limit_in_bytes"],
        errno: Errno::EACCES,
        likely: "The group has no such file, and none can be made there: Rust's fs::write tries to, and gets EACCES. Either this is version 2, where it is called memory.max; or this tree is another controller's.",
        next: "Find out the version from /proc/self/cgroup.",
        more: "man 7 cgroups",
    },
    Clue {
        words: &["pids.max"],
        errno: Errno::EACCES,
        likely: "The group has no such file, and none can be made there: Rust's fs::write tries to, and gets EACCES. On version 2 the group above doesn't hand the controller down; on version 1 this tree is another controller's.",
        next: "Version 2: write +pids to cgroup.subtree_control of the directory in which you make the group. Version 1: the tree is /sys/fs/cgroup/pids.",
        more: "man 7 cgroups",
    },
    Clue {
        words: &["memory.limit_in_bytes"],
        errno: Errno::ENOENT,
        likely: "The group has no such file: this is version 2, where it is called memory.max; or this tree is another controller's.",
        next: "Find out the version from /proc/self/cgroup.",
        more: "man 7 cgroups",
    },
    Clue {
        words: &["pids.max"],
        errno: Errno::ENOENT,
        likely: "The group has no such file. On version 2 the group above doesn't hand the controller down; on version 1 this tree is another controller's.",
        next: "Version 2: write +pids to cgroup.subtree_control of the directory in which you make the group. Version 1: the tree is /sys/fs/cgroup/pids.",
        more: "man 7 cgroups",
    },
    Clue {
        words: &["cgroup.subtree_control"],
        errno: Errno::EBUSY,
        likely: "Version 2 keeps processes in the leaves: a group that hands controllers down must have none itself, and this one has; you are in it.",
        next: "Make the container's group beside the one in which you are, below a group without processes.",
        more: "man 7 cgroups, \"no internal processes\"",
    },
    Clue {
        words: &["cgroup.procs"],
        errno: Errno::EBUSY,
        likely: "Version 2 keeps processes in the leaves: this group hands controllers down (its cgroup.subtree_control isn't empty), so no process may join it.",
        next: "Enable controllers in the group *above* the container's, not in its own.",
        more: "man 7 cgroups, \"no internal processes\"",
    },
    Clue {
        words: &["cgroup.subtree_control"],
        errno: Errno::ENOENT,
        likely: "Either the file isn't there (this is a tree of version 1), or the group above hasn't got this controller, so it can't hand it down.",
        next: "Look at cgroup.controllers in the same directory.",
        more: "man 7 cgroups",
    },
    Clue {
        words: &["cgroup.subtree_control"],
        errno: Errno::EINVAL,
        likely: "The file takes names of controllers with a + or - before them, separated by blanks.",
        next: "Write +memory, then +pids.",
        more: "man 7 cgroups",
    },
    Clue {
        words: &["cgroup"],
        errno: Errno::EROFS,
        likely: "The path leads to a file system that is read-only here: below /sys, but in no tree of control groups.",
        next: "Find the tree's directory in /proc/self/mountinfo.",
        more: "man 7 cgroups",
    },
    Clue {
        words: &["cgroup.procs|/tasks"],
        errno: Errno::ESRCH,
        likely: "There is no such process in the PID namespace of the one who writes: it has ended, or the number is from another namespace.",
        next: "Write 0, which means the process that writes; or write the pid that fork gave the parent, in the parent.",
        more: "man 7 cgroups, man 7 pid_namespaces",
    },
    Clue {
        words: &["cgroup.procs|/tasks"],
        errno: Errno::ENOENT,
        likely: "The group isn't there for this process. After pivot_root, /sys/fs/cgroup is the container's, and empty. Or the group was removed again, before the command had begun.",
        next: "Join first, while the host's files are still in reach; and keep the group until the command has ended.",
        more: "man 7 cgroups",
    },
    Clue {
        words: &["memsw"],
        errno: Errno::EINVAL,
        likely: "Memory and swap together can't be less than memory alone, and each write is checked at once: memory.memsw.limit_in_bytes was written first, or alone, or with the swap alone. Or it was no number: for no limit, version 1 says -1, not max.",
        next: "Write memory.limit_in_bytes first, then memory.memsw.limit_in_bytes with both together, or -1.",
        more: "the kernel's Documentation/admin-guide/cgroup-v1/memory.rst",
    },
    Clue {
        words: &["flock", "cgroup"],
        errno: Errno::ENOENT,
        likely: "There is no such directory: nobody made the group.",
        next: "A group is made like any directory: mkdir, std's create_dir.",
        more: "man 7 cgroups",
    },
    Clue {
        words: &["cgroup.threads"],
        errno: Errno::EOPNOTSUPP,
        likely: "cgroup.threads takes single threads of a process whose other threads are in the same part of the tree. Memory belongs to whole processes, so groups that limit it don't take threads.",
        next: "Write to cgroup.procs.",
        more: "man 7 cgroups, \"thread mode\"",
    },
    Clue {
        words: &["swap.max"],
        errno: Errno::EINVAL,
        likely: "The file takes a number of bytes, or the word max for no limit. (-1 is what version 1 says.)",
        next: "Write max when --memory-swap is -1.",
        more: "the kernel's Documentation/admin-guide/cgroup-v2.rst, \"Memory\"",
    },
    Clue {
        words: &["memory.max"],
        errno: Errno::EINVAL,
        likely: "The file takes a number of bytes, or the word max. It knows k, m and g, too, but no sign.",
        next: "Write the number of bytes.",
        more: "the kernel's Documentation/admin-guide/cgroup-v2.rst, \"Memory\"",
    },
    Clue {
        words: &["mkdir", "cgroup"],
        errno: Errno::EEXIST,
        likely: "A group of this name is there already: another container's, or one that was left behind.",
        next: "Give each group a name that no other container has, and remove it at the end.",
        more: "man 2 mkdir",
    },
];

fn starts(evidence: &Evidence) -> Finding {
    let mut finding = starts_with(
        evidence,
        &[
            CLUES,
            super::l06_net_ns::CLUES,
            super::l05_uts_ns::CLUES,
            super::l04_pid_ns::CLUES,
            super::l03_pivot_root::CLUES,
        ],
    );
    let run = evidence.run("look");
    if let (Finding::Fail(diagnosis), Ending::Exited(137)) = (&mut finding, run.end)
    {
        diagnosis.likely = "The child was killed before it could execute the command. Is the limit on memory far too small: --memory 64m read as 64 bytes, or as 64 KiB?".into();
        diagnosis.next =
            "k is 1024, m 1024², g 1024³. And refuse less than 6m.".into();
    }
    if let (Finding::Fail(diagnosis), true) = (&mut finding, read_as_64(run)) {
        diagnosis.likely = "--memory 64m was read as 64 bytes: the unit was ignored, or taken off too early.".into();
        diagnosis.next = "k is 1024, m 1024², g 1024³.".into();
        diagnosis.more = "the contract: levels/README.md".into();
    }
    finding
}

/// 64 MiB were asked for, and the runtime itself says that this is too little.
fn read_as_64(run: &Run) -> bool {
    let line = run.stderr.lines().find(|line| line.contains("--memory"));
    run.end == Ending::Exited(125)
        && line.is_some_and(|line| {
            line.contains("64") && !line.contains(&(64 * MIB).to_string())
        })
}

fn group(evidence: &Evidence) -> Finding {
    for name in ["look", "neighbour", "greedy"] {
        let run = evidence.run(name);
        if run.seen.is_some() || name == "look" {
            let own = own_group(evidence, run, STARTS, &LIMITED);
            if own != Finding::Pass {
                return unless(evidence, own, &[(BEFORE_EXEC, came_late)]);
            }
        }
    }
    for controller in LIMITED {
        let Some((one, other)) = side_by_side(evidence, controller) else {
            continue;
        };
        let both = shared(one, other);
        let depth = |tree: &Grouped| Path::new(&tree.path).components().count();
        if both == depth(one) || both == depth(other) {
            return fail(
                evidence.run("greedy"),
                "a control group for each container",
                format!(
                    "in the tree that has {controller}: one container is in /{}, and one that runs at the same time is in /{}",
                    one.path, other.path
                ),
                "All containers are put into one group. So what was written last limits all of them, and what they use is counted together: one can take everything from the others.",
                "Give each container a group of its own, with the container's id in its name.",
                "man 7 cgroups",
            );
        }
    }
    Finding::Pass
}

/// The groups of two containers that run at the same time, both limited.
fn side_by_side<'a>(
    evidence: &'a Evidence,
    controller: &str,
) -> Option<(&'a Grouped, &'a Grouped)> {
    let of = |name| tree_of(evidence.run(name).seen.as_ref()?, controller);
    Some((of("neighbour")?, of("greedy")?))
}

/// The groups of this run's container in the tree that has this controller. A limit
/// may stand in any of them. `asks` is the check that wants to know.
fn tree(
    evidence: &Evidence,
    run: &Run,
    asks: &str,
    controller: &str,
) -> Result<Grouped, Finding> {
    let seen = ran(evidence, run, asks)?;
    let tree = tree_of(seen, controller).ok_or_else(|| waits(STARTS))?;
    match is_callers_group(tree) || group(evidence) != Finding::Pass {
        true => Err(waits(GROUP)),
        false => Ok(own_part(evidence, tree, controller)),
    }
}

/// The command of this run. When other runs have one and this one hasn't, that is said
/// by the check of what the runtime complains about.
fn ran<'a>(
    evidence: &Evidence,
    run: &'a Run,
    asks: &str,
) -> Result<&'a Seen, Finding> {
    let found = seen(run, STARTS);
    let look = seen(evidence.run("look"), STARTS);
    if found.is_ok() || look.is_err() || run.end == Ending::NotRun {
        return found;
    }
    let about = |word| run.stderr.contains(word);
    let is = |name| std::ptr::eq(run, evidence.run(name));
    let check = match () {
        () if is("traced") => BEFORE_EXEC,
        () if about("swap") || about("memsw") => SWAP,
        () if about("pids") => PIDS,
        () if is("limits") => MEMORY,
        () if is("any-swap") => SWAP,
        () => MEMORY_HOLDS,
    };
    match check == asks {
        true => Err(explained(odd(run), run, &[CLUES])),
        false => Err(waits(check)),
    }
}

/// A limit in a group that all containers share is none of this one's.
fn own_part(evidence: &Evidence, tree: &Grouped, controller: &str) -> Grouped {
    let both = side_by_side(evidence, controller);
    without_shared(tree, both.map_or(0, |(one, other)| shared(one, other)))
}

/// Did the command come into its group, or to its limits, when it ran already?
fn came_late(evidence: &Evidence) -> Finding {
    for name in ["look", "traced"] {
        let run = evidence.run(name);
        let Ok(first) = ran(evidence, run, BEFORE_EXEC) else {
            continue;
        };
        let before = run.groups_at_exec.as_ref().unwrap_or(&first.groups);
        let settled = run.looks.get("settled").unwrap_or(first);
        let finding = later_than(evidence, run, before, settled);
        if finding != Finding::Pass {
            return finding;
        }
    }
    Finding::Pass
}

fn before_exec(evidence: &Evidence) -> Finding {
    let late = came_late(evidence);
    if late != Finding::Pass {
        return late;
    }
    let run = evidence.run("traced");
    if let Err(finding) = ran(evidence, run, BEFORE_EXEC) {
        return finding;
    }
    if group(evidence) != Finding::Pass {
        return waits(GROUP);
    }
    match run.groups_at_exec {
        Some(_) => Finding::Pass,
        None if run.traced => fail(
            run,
            "a tracer that follows the program, and all that it starts, sees the command's exec",
            "it saw another process become the command first, or none",
            "The command was started twice, or out of a tracer's sight (CLONE_UNTRACED). So nobody knows in which group it was at exec.",
            "Start one process that becomes the command, by fork or clone, and let it join before exec.",
            "man 2 clone, man 2 ptrace",
        ),
        None => cannot(
            "the checker can't trace the program (man 2 ptrace), so it doesn't see in which group the command is when exec is done",
            "allow ptrace here: in a container, --cap-add SYS_PTRACE; otherwise sysctl kernel.yama.ptrace_scope=1",
        ),
    }
}

/// Between these two looks at a command, has it moved, or got its limits?
fn later_than(
    evidence: &Evidence,
    run: &Run,
    before: &[Grouped],
    seen: &Seen,
) -> Finding {
    for controller in LIMITED {
        let has = |tree: &&Grouped| tree.controllers.iter().any(|c| c == controller);
        let then = before.iter().find(has);
        let Some((then, now)) = then.zip(tree_of(seen, controller)) else {
            continue;
        };
        if then.path != now.path {
            return fail(
                run,
                &format!(
                    "in the moment of exec the command is in its group, /{}",
                    now.path
                ),
                format!("it was in /{} then, and moved later", then.path),
                "The command joined after exec: the parent wrote its pid when it was running already. What it used or started before that counts elsewhere, for ever, and a quick command is through before there is a limit.",
                "Join between fork and exec: in the child, or in the parent while the child waits on a pipe.",
                "man 7 cgroups",
            );
        }
        let limit =
            |tree| limit_in(&own_part(evidence, tree, controller), controller);
        if limit(then).is_none() && limit(now).is_some() {
            return fail(
                run,
                &format!("in the moment of exec there is a limit on {controller}"),
                "there was none then; it was written later",
                "The parent wrote the limits when the command was running already. A quick command is through before there is a limit; and memory that is in use by then stays.",
                "Write the limits before the fork, or while the child waits on a pipe.",
                "man 7 cgroups",
            );
        }
    }
    Finding::Pass
}

fn memory(evidence: &Evidence) -> Finding {
    for (name, mib) in [("look", 64), ("limits", 32)] {
        let run = evidence.run(name);
        let tree = match tree(evidence, run, MEMORY, "memory") {
            Ok(tree) => tree,
            Err(waits) => return waits,
        };
        let file = memory_file(&tree);
        let limit = least(&tree, file);
        let wanted = mib * MIB;
        if limit.is_some_and(|limit| limit / PAGE == wanted / PAGE) {
            continue;
        }
        let saw = match limit {
            Some(limit) => format!("{file}: {limit}"),
            None => format!("{file}: no limit"),
        };
        let (likely, next) = match limit {
            None => (
                "Nothing was written to this file, or to that of another group than the one that the command is in.",
                "Write the limit into the group's file before the command joins.",
            ),
            Some(limit) if limit / PAGE == (mib * 1_000_000) / PAGE => (
                "The unit was taken for a power of ten. Docker's m is 1024 × 1024.",
                "k is 1024, m 1024², g 1024³.",
            ),
            Some(limit) if limit == mib || limit < PAGE => {
                ("The unit was ignored.", "k is 1024, m 1024², g 1024³.")
            }
            Some(limit) if limit == 2 * wanted => (
                "This is memory and swap together (Docker's default for that is twice the memory).",
                "Two limits: memory alone in this file, and swap in the other one.",
            ),
            Some(_) => (
                "Another number was written than the one asked for.",
                "Write the number of bytes.",
            ),
        };
        let finding = fail(
            run,
            &format!("{file}: {wanted}"),
            saw,
            likely,
            next,
            "man 7 cgroups",
        );
        return unless(evidence, finding, &[(BEFORE_EXEC, came_late)]);
    }
    Finding::Pass
}

fn memory_file(tree: &Grouped) -> &'static str {
    match tree.version {
        2 => "memory.max",
        _ => "memory.limit_in_bytes",
    }
}

fn swap(evidence: &Evidence) -> Finding {
    let expected = [
        (
            "look",
            Some(128),
            "without --memory-swap, memory and swap together are twice the memory",
        ),
        (
            "limits",
            Some(48),
            "--memory-swap 48m: memory and swap together",
        ),
        (
            "greedy",
            Some(64),
            "--memory-swap as much as --memory: no swap at all",
        ),
        ("any-swap", None, "--memory-swap -1: any amount of swap"),
    ];
    for (name, together, because) in expected {
        let run = evidence.run(name);
        let tree = match tree(evidence, run, SWAP, "memory") {
            Ok(tree) => tree,
            Err(waits) => return waits,
        };
        match memory(evidence) {
            Finding::Fail(_) => return waits(MEMORY),
            Finding::Waits { on } if on != SWAP => return waits(&on),
            _ => {}
        }
        if !evidence.machine.swap {
            // The kernel doesn't count it: there is nothing to limit.
            return Finding::Pass;
        }
        let memory = least(&tree, memory_file(&tree)).unwrap_or(0);
        let (file, wanted) = match tree.version {
            2 => ("memory.swap.max", together.map(|mib| mib * MIB - memory)),
            _ => ("memory.memsw.limit_in_bytes", together.map(|mib| mib * MIB)),
        };
        let limit = least(&tree, file);
        if limit.map(|limit| limit / PAGE) == wanted.map(|wanted| wanted / PAGE) {
            continue;
        }
        let shown = |limit: Option<u64>| match limit {
            Some(limit) => format!("{file}: {limit}"),
            None => format!("{file}: no limit"),
        };
        let (likely, next) = match (tree.version, limit, together) {
            (_, None, _) => (
                "The limit on memory alone doesn't keep anyone from using more: what doesn't fit goes to swap.",
                "Limit swap as well, in every run with --memory.",
            ),
            (1, Some(limit), _) if name == "look" && limit == memory => (
                "Docker gives as much swap as memory where --memory-swap isn't given. Here there is none; or the file got the swap alone, and wants memory and swap together.",
                "Without --memory-swap, write twice the memory.",
            ),
            (2, Some(0), _) if name == "look" => (
                "Docker gives as much swap as memory where --memory-swap isn't given. Here there is none.",
                "Without --memory-swap, write as much as the memory.",
            ),
            (2, Some(limit), Some(mib)) if limit == mib * MIB => (
                "Docker's --memory-swap is memory plus swap; memory.swap.max of version 2 is swap alone.",
                "Subtract the memory.",
            ),
            (1, Some(limit), Some(mib)) if limit + memory == mib * MIB => (
                "memory.memsw.limit_in_bytes of version 1 is memory plus swap, as Docker's --memory-swap is; here it got the swap alone.",
                "Write the sum.",
            ),
            (_, Some(_), None) => (
                "-1 means no limit on swap: max on version 2, -1 on version 1.",
                "Write that.",
            ),
            _ => (
                "Another number was written than what the options mean.",
                "Together: what --memory-swap says, or else twice --memory. Version 1 takes this sum, version 2 the swap alone.",
            ),
        };
        let finding = fail(
            run,
            &format!("{}: {because}", shown(wanted)),
            shown(limit),
            likely,
            next,
            "man 7 cgroups, docker run --help",
        );
        return unless(evidence, finding, &[(BEFORE_EXEC, came_late)]);
    }
    Finding::Pass
}

fn pids(evidence: &Evidence) -> Finding {
    for (name, wanted) in [("look", 40), ("limits", 20)] {
        let run = evidence.run(name);
        let tree = match tree(evidence, run, PIDS, "pids") {
            Ok(tree) => tree,
            Err(waits) => return waits,
        };
        let limit = least(&tree, "pids.max");
        if limit == Some(wanted) {
            continue;
        }
        let saw = match limit {
            Some(limit) => format!("pids.max: {limit}"),
            None => "pids.max: no limit".into(),
        };
        let finding = fail(
            run,
            &format!("pids.max: {wanted}"),
            saw,
            match limit {
                Some(limit) if limit == wanted + 1 => {
                    "One was added, for the runtime perhaps. That isn't in the group."
                }
                _ => {
                    "The limit wasn't written, not as it was asked for, or into another group's file than that of the group that the command is in."
                }
            },
            "Write the number as it is; the container's processes alone are in the group, so nothing has to be added.",
            "man 7 cgroups",
        );
        return unless(evidence, finding, &[(BEFORE_EXEC, came_late)]);
    }
    Finding::Pass
}

fn memory_holds(evidence: &Evidence) -> Finding {
    let (greedy, neighbour) = (evidence.run("greedy"), evidence.run("neighbour"));
    if let Err(waits) = tree(evidence, greedy, MEMORY_HOLDS, "memory") {
        return waits;
    }
    if let Err(waits) = seen(neighbour, STARTS) {
        return waits;
    }
    for (id, finding) in [(MEMORY, memory(evidence)), (SWAP, swap(evidence))] {
        if finding != Finding::Pass {
            return waits(id);
        }
    }
    let wanted =
        "with 64 MiB, a command that uses 128 MiB is killed: exit status 137";
    let ate = greedy.outcome("eat");
    if ate != NO_ANSWER {
        return fail(
            greedy,
            wanted,
            format!("it used {ate}, and lives"),
            "The limit stands in the group's file, but it didn't hold: the memory was counted elsewhere, or the kernel found a way to swap.",
            "Look where the command is in the moment of exec.",
            "man 7 cgroups",
        );
    }
    if greedy.end.was_stopped() {
        return fail(
            greedy,
            wanted,
            words(greedy),
            "The command was neither killed nor given memory: it stands still. The kernel can be told not to kill (version 1: memory.oom_control), or to slow down only (version 2: memory.high). Or the command was killed, and the runtime waits for something else.",
            "Write the limit, and leave the rest as it is.",
            "man 7 cgroups",
        );
    }
    if greedy.end != Ending::Exited(137) {
        return fail(
            greedy,
            wanted,
            words(greedy),
            "The kernel killed the command (SIGKILL), but the runtime reports something else: it was killed as well, or its status is another one's.",
            "Keep the runtime out of the container's group, and report 128 + 9.",
            "man 7 cgroups, man 2 waitpid",
        );
    }
    let motd = neighbour.outcome("read /etc/motd");
    if neighbour.end == Ending::Exited(0) && motd.starts_with("Rubber Crab") {
        return Finding::Pass;
    }
    fail(
        neighbour,
        "another container that runs at the same time goes on",
        format!("its own /etc/motd: {motd}\n{}", words(neighbour)),
        "The other one's limit has cost this container its life; or the start or the end of another takes it for one that was left behind.",
        "Give each container a group of its own. Before you clear away another's group, make sure that its runtime is gone: a lock that the runtime holds (flock) tells.",
        "man 7 cgroups",
    )
}

fn pids_hold(evidence: &Evidence) -> Finding {
    let run = evidence.run("limits");
    if let Err(waits) = tree(evidence, run, PIDS_HOLD, "pids") {
        return waits;
    }
    if pids(evidence) != Finding::Pass {
        return waits(PIDS);
    }
    let said = run.outcome("fork");
    let full = run.looks.get("full").and_then(|seen| tree_of(seen, "pids"));
    // In the group that has the limit: one above it may hold others, too.
    let current = full.and_then(|tree| {
        let number =
            |files: &BTreeMap<String, String>, name| files.get(name)?.parse().ok();
        let limited = |files: &&BTreeMap<String, String>| {
            number(files, "pids.max") == Some(20_u64)
        };
        number(tree.files.iter().find(limited)?, "pids.current")
    });
    if said.starts_with("EAGAIN") && current == Some(20) {
        return Finding::Pass;
    }
    let current = current.map_or("unknown".into(), |count| count.to_string());
    fail(
        run,
        "with 20 processes in the group, the next fork fails with EAGAIN",
        format!("fork: {said}; pids.current: {current}"),
        "What the command starts isn't counted in its group, or others are: the runtime's own processes, or another container's.",
        "Let the command join before exec, and nobody else.",
        "man 7 cgroups, man 2 fork",
    )
}

fn nonsense(evidence: &Evidence) -> Finding {
    let next = "Check the options before anything is made: a number with a unit, at least 6m, not more than the machine has; memory and swap together at least the memory; at least one process.";
    refuses(evidence, STARTS, &NONSENSE, next)
}

fn after_kill(evidence: &Evidence) -> Finding {
    let (killed, again) = (evidence.run("killed"), evidence.run("again"));
    if let Err(waits) = seen(killed, STARTS) {
        return waits;
    }
    if group(evidence) != Finding::Pass {
        return waits(GROUP);
    }
    let wanted = "the runtime was killed (SIGKILL), and another container run: nothing is left of the first";
    if again.seen.is_none() {
        return fail(
            again,
            wanted,
            words(again),
            "What the killed run left is in the way of the next one: a group, a directory or a lock of the same name.",
            "Give everything of a container the name of its id, and take what lies there from a dead one for what it is.",
            "man 7 cgroups",
        );
    }
    if again.remaining.is_empty()
        && matches!(groups_gone(evidence, STARTS), Finding::Fail(_))
    {
        return waits(GROUP_GONE);
    }
    let left = left_groups(evidence, again);
    if left.is_empty() && again.remaining.is_empty() {
        return Finding::Pass;
    }
    let (saw, likely, next) = match again.remaining.is_empty() {
        false => (
            format!(
                "still running: {}\nand the groups: {}",
                first_of(&again.remaining, 4),
                first_of(&left, 4)
            ),
            "The container goes on without its runtime, and nobody will ever clean up after it.",
            "Let the container end with its runtime (PR_SET_PDEATHSIG in the child); or let the next run end what it finds in a group without a runtime.",
        ),
        true => (
            format!("still there: {}", first_of(&left, 4)),
            "Who is killed can't clean up: no Drop runs then. The next run has to do it.",
            "Before you make a group, remove those whose runtime is gone. A lock that the runtime holds for as long as it lives (flock on the group's directory) tells that reliably; a pid in the name does not, pids are used again.",
        ),
    };
    fail(
        again,
        wanted,
        saw,
        likely,
        next,
        "man 7 cgroups, man 2 flock, man 2 prctl",
    )
}
