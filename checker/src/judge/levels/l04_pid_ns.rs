//! 04 pid-ns: the command is PID 1.

use nix::errno::Errno;
use nix::libc::{SIGKILL, SIGSEGV};

use crate::evidence::{End, Ending, Evidence, Run, Seen};
use crate::judge::clues::{Clue, starts_with};
use crate::judge::common::{
    self, container_checks, failing, first_of, is_callers, is_own, is_probe,
    mount_at, seen, two_containers, words,
};
use crate::judge::{Check, Diagnosis, Finding, Level, fail, waits};
use crate::plan::{Act, Plan, Step};

const STARTS: &str = "pid.starts";
const NAMESPACE: &str = "pid.namespace";
/// The name of a later look: the command has left some processes behind by then.
const WITH_ORPHANS: &str = "with-orphans";
/// Where to read on about /proc.
const PROC: &str = "man 7 pid_namespaces, \"/proc and PID namespaces\"";

pub static LEVEL: Level = Level {
    number: "04",
    name: "pid-ns",
    title: "a PID namespace",
    learned: "why PID 1 needs one more fork",
    contained: true,
    groups: false,
    runs,
    checks: container_checks!(
        "pid",
        [
            Check {
                id: NAMESPACE,
                claim: "the command is PID 1 of a PID namespace of its own",
                judge: namespace,
            },
            Check {
                id: "pid.proc",
                claim: "/proc lists what runs inside, and nothing else",
                judge: proc,
            },
            Check {
                id: "pid.killed",
                claim: "killing PID 1 ends everything in it",
                judge: |evidence| nothing_outlives(evidence, "killed"),
            },
            Check {
                id: "pid.orphans",
                claim: "orphans don't outlive the container",
                judge: |evidence| nothing_outlives(evidence, "orphans"),
            },
            Check {
                id: "pid.status",
                claim: "the runtime reports the command's own status",
                judge: status,
            },
        ]
    ),
};

fn runs() -> Vec<Plan> {
    let orphans = || Act::LeaveOrphans(3);
    let mut all = Vec::from(two_containers(Vec::new()));
    all.extend([
        Plan::probe("orphans")
            .steps(vec![orphans().into(), Step::Look(WITH_ORPHANS)])
            .told(End::Exited(7)),
        Plan::probe("killed")
            .acts(vec![orphans()])
            .told(End::Signaled(SIGKILL)),
        Plan::probe("fault").told(End::Signaled(SIGSEGV)),
        Plan::probe("another-child")
            .told(End::Exited(7))
            .with_a_child(),
    ]);
    all.extend(failing());
    all
}

/// What the errors of these calls mean here.
pub const CLUES: &[Clue] = &[
    Clue {
        words: &["wait"],
        errno: Errno::ECHILD,
        likely: "The runtime waited for a process that isn't its child. A process has a number in each PID namespace that it is seen from: the command is 1 inside, and another number for its parent, the one that fork returned.",
        next: "Wait for the pid that fork gave you, in the process that called fork.",
        more: "man 7 pid_namespaces, man 2 waitpid",
    },
    Clue {
        words: &[],
        errno: Errno::ENOMEM,
        likely: "There is memory enough: this is how fork fails in a PID namespace whose PID 1 has ended. The first child after unshare(CLONE_NEWPID) is PID 1, whatever it is: a tool that the runtime runs, a helper, a fork too many. It was not the command, and it has ended; then the kernel lets nobody be born there any more.",
        next: "Call unshare(CLONE_NEWPID) right before the fork whose child becomes the command. What runs other programs goes before it.",
        more: "man 7 pid_namespaces, man 2 fork",
    },
    Clue {
        words: &["thread"],
        errno: Errno::EINVAL,
        likely: "A thread was started after unshare(CLONE_NEWPID). All threads of a process are in one PID namespace, and what is born now is born in another: the kernel refuses.",
        next: "Start no threads between unshare(CLONE_NEWPID) and fork. A runtime does well without any.",
        more: "man 2 clone, man 7 pid_namespaces",
    },
    Clue {
        words: &["unshare"],
        errno: Errno::EINVAL,
        likely: "unshare gives EINVAL for a flag that it doesn't know; and for CLONE_NEWPID when this process has called unshare(CLONE_NEWPID) before: its children are to be born elsewhere already.",
        next: "Call unshare(CLONE_NEWPID) once, with no other flag.",
        more: "man 2 unshare, man 7 pid_namespaces",
    },
];

fn starts(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    let finding = common::starts(evidence);
    let odd = run.noise.contains("\"here\"") || run.stderr.contains("panicked at");
    match finding {
        // Whatever is on stderr then came from a child that the runtime didn't wait for.
        Finding::Fail(diagnosis)
            if run.seen.is_none() && run.end == Ending::Exited(0) && !odd =>
        {
            Finding::Fail(Box::new(Diagnosis {
                likely: "The runtime left with 0 while its command was not there yet. It waited for another process than the one that was to become the command (one between the two, which ended at once), or for none. Then the child is lost in the middle of its steps: its directory is removed; PR_SET_PDEATHSIG (end_with_runtime) kills it when the process that forked it ends; and when PID 1 ends, the kernel kills the rest. If nobody calls exec at all, it looks like this, too.".into(),
                next: "Wait for the process that execs the command. If there is one between, it has to wait as well, and to leave with the command's status.".into(),
                more: "man 2 waitpid, man 2 prctl".into(),
                ..*diagnosis
            }))
        }
        _ => starts_with(evidence, &[CLUES, super::l03_pivot_root::CLUES]),
    }
}

fn namespace(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    let seen = match seen(run, STARTS) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    let wanted =
        "the command is process 1 in a PID namespace that is not the caller's";
    let failed = |saw, likely, next| {
        fail(run, wanted, saw, likely, next, "man 7 pid_namespaces")
    };
    if !is_own(evidence, seen, "pid") {
        let number = seen.namespaces.get("pid").copied().unwrap_or_default();
        let saw = format!(
            "the command and the caller are both in pid:[{number}]; the command is process {}",
            seen.own_pid
        );
        let (likely, next) = why_callers(evidence, run, seen);
        return failed(saw, likely, next);
    }
    if seen.own_pid != 1 {
        let first = match seen.first_name.as_str() {
            "" => "has ended".into(),
            name => format!("is {name}"),
        };
        return failed(
            format!(
                "in its PID namespace the command is process {}; process 1 {first}",
                seen.own_pid
            ),
            "The namespace is its own, but another process was born there first, and that one is PID 1. If it has the runtime's own name: it forked once more, instead of exec. If it has another one: a helper was started after unshare(CLONE_NEWPID), or a shell was put between.",
            "The process that is forked first after unshare must be the one that execs the command.",
        );
    }
    if children_are_elsewhere(evidence, seen) {
        return failed(
            "the command is process 1; but its own children would be born in another PID namespace".into(),
            "unshare(CLONE_NEWPID) was called twice: in the parent, as it should be, and again in the process that became the command. The command's first child would be PID 1 of a third namespace; when that child has ended, every further fork fails with ENOMEM.",
            "Call unshare(CLONE_NEWPID) once, in the parent.",
        );
    }
    Finding::Pass
}

/// The command is in its caller's PID namespace: why?
fn why_callers(
    evidence: &Evidence,
    run: &Run,
    seen: &Seen,
) -> (&'static str, &'static str) {
    if children_are_elsewhere(evidence, seen) {
        return (
            "unshare(CLONE_NEWPID) was called in the process that became the command. A process keeps its number, and its PID namespace, for life: unshare only decides where its *children* are born.",
            "Call unshare(CLONE_NEWPID) before the fork: in the parent, whose next child is then PID 1.",
        );
    }
    let own = evidence.belt.namespaces.get("pid_for_children").copied();
    if own.is_some() && seen.runtime_children_namespace != own && !run.left_early {
        return (
            "The runtime called unshare(CLONE_NEWPID) after it had forked the command: the child was born before that. Only a child to come would be PID 1.",
            "Move the call up, before the fork that makes the command's process.",
        );
    }
    (
        "Nobody called unshare(CLONE_NEWPID): it is missing, or has another flag, or its error was dropped.",
        "Call unshare(CLONE_NEWPID) in the parent, before the fork that makes the command's process.",
    )
}

/// Has the command's process itself called unshare? Then its children are born in
/// another namespace than its own; and before the first one is, the kernel has no
/// name for that.
fn children_are_elsewhere(evidence: &Evidence, seen: &Seen) -> bool {
    let number = |name| seen.namespaces.get(name);
    evidence.belt.namespaces.contains_key("pid_for_children")
        && number("pid_for_children") != number("pid")
}

fn proc(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    let seen = match seen(run, STARTS) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    if !is_own(evidence, seen, "pid") {
        return waits(NAMESPACE);
    }
    let wanted = "in the container's /proc, the numbers of the processes in its PID namespace";
    let mount = mount_at(seen, "/proc").filter(|mount| mount.kind == "proc");
    let Some(mount) = mount else {
        return fail(
            run,
            wanted,
            "no proc file system is mounted on /proc",
            "It was not mounted, or in another mount namespace, or its error was dropped.",
            "Mount proc on the container's /proc, as in level 02.",
            "man 5 proc",
        );
    };
    let strange: Vec<i32> = without(&seen.listed, &seen.inhabitants);
    if !strange.is_empty() || is_callers(evidence, mount) {
        let (likely, next) = match strange.contains(&seen.pid) {
            _ if is_callers(evidence, mount) => (
                "The caller's /proc was bound here. A proc file system shows the PID namespace of the process that mounted it, wherever else it is mounted.",
                "Mount a new one: mount(\"proc\", …, \"proc\", …), by the process that is PID 1.",
            ),
            // Its number on the caller's side.
            true => (
                "A proc file system shows the PID namespace of the process that mounted it, for ever. This one was mounted by a process of the caller's namespace: by the parent, which unshare leaves where it is, or before unshare.",
                "Let the new PID 1 mount /proc: after the fork, in the child.",
            ),
            false => (
                "A proc file system shows the PID namespace of the process that mounted it, for ever. This one was mounted in a PID namespace that lies between the caller's and the command's.",
                "Let the command's own process mount /proc: the one that is PID 1 in the innermost namespace.",
            ),
        };
        let saw = match strange.is_empty() {
            false => {
                format!("in /proc, but not in the namespace: {}", numbers(&strange))
            }
            true => "the caller's /proc".into(),
        };
        return fail(run, wanted, saw, likely, next, PROC);
    }
    // Itself; and the processes that it starts. Others may come and go meanwhile.
    let later = evidence.run("orphans");
    let started = later.looks.get(WITH_ORPHANS);
    let started = started.filter(|seen| is_own(evidence, seen, "pid"));
    let started = started.map_or(&[][..], |seen| &seen.inhabitants);
    let listed = later.looks.get(WITH_ORPHANS).map(|seen| &seen.listed[..]);
    for (run, there, listed) in [
        (run, &[seen.own_pid][..], &seen.listed[..]),
        (later, started, listed.unwrap_or_default()),
    ] {
        let hidden = without(there, listed);
        if !hidden.is_empty() {
            return fail(
                run,
                wanted,
                format!("in the namespace, but not in /proc: {}", numbers(&hidden)),
                "This proc file system was mounted in another PID namespace, by a helper perhaps, and shows that one; or its option hidepid hides processes.",
                "Let the new PID 1 mount /proc, without options.",
                PROC,
            );
        }
    }
    Finding::Pass
}

fn without(these: &[i32], those: &[i32]) -> Vec<i32> {
    let other = |number: &&i32| !those.contains(number);
    these.iter().filter(other).copied().collect()
}

fn numbers(all: &[i32]) -> String {
    let all: Vec<String> = all.iter().map(|n| format!("process {n}")).collect();
    first_of(&all, 4)
}

/// After a run in which the command left processes behind: is there one?
fn nothing_outlives(evidence: &Evidence, name: &str) -> Finding {
    let run = evidence.run(name);
    let seen = match seen(run, STARTS) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    if !is_own(evidence, seen, "pid") {
        return waits(NAMESPACE);
    }
    // What else is left didn't come from the command: `host-as-before` tells of it.
    let left: Vec<String> = run
        .remaining
        .iter()
        .filter(|name| is_probe(name))
        .cloned()
        .collect();
    if left.is_empty() {
        let done = run.acts.get("orphans").map(String::as_str);
        return match (namespace(evidence), done) {
            (Finding::Pass, Some("ok")) => Finding::Pass,
            (Finding::Pass, _) => waits(STARTS),
            _ => waits(NAMESPACE),
        };
    }
    let wanted = match name {
        "killed" => {
            "when the command is killed, all that it has started ends with it"
        }
        _ => "when the command ends, what it has left behind ends, too",
    };
    fail(
        run,
        wanted,
        format!("still there: {}", first_of(&left, 4)),
        "The kernel ends a PID namespace when its PID 1 ends. Here that is another process than the command, and it goes on.",
        "Make the command itself PID 1: unshare(CLONE_NEWPID), then one fork, then exec.",
        "man 7 pid_namespaces",
    )
}

fn status(evidence: &Evidence) -> Finding {
    if let Some(finding) = another_child(evidence) {
        return finding;
    }
    let expected = [
        ("orphans", 7, "the command left with status 7"),
        ("killed", 137, "the command was ended by SIGKILL (9)"),
        ("fault", 139, "the command was ended by SIGSEGV (11)"),
    ];
    for (name, status, because) in expected {
        let run = evidence.run(name);
        if let Err(waits) = seen(run, STARTS) {
            return waits;
        }
        if run.end == Ending::Exited(status) {
            continue;
        }
        let wanted = format!("exit status {status}: {because}");
        let (likely, next) = wrong_status(run, status);
        return fail(run, &wanted, words(run), likely, next, "man 2 waitpid");
    }
    Finding::Pass
}

/// The runtime's caller left it a child that it knows nothing of, which has ended. Did
/// it take that for the command?
fn another_child(evidence: &Evidence) -> Option<Finding> {
    let run = evidence.run("another-child");
    let others = ["look", "orphans"].map(|name| evidence.run(name));
    let early = |run: &Run| {
        let ended = matches!(run.end, Ending::Exited(_));
        run.seen.is_none() && ended || run.left_early
    };
    if !early(run) || others.into_iter().any(early) {
        return None;
    }
    Some(fail(
        run,
        "the runtime waits for the command, although it has another child, which has ended",
        words(run),
        "It took the end of that other child for the command's. wait(), and waitpid with -1, take whichever child ends first. `sh -c 'true & exec PROGRAM run …'` leaves a program such a child, and a helper of the runtime's own is one, too.",
        "Wait for one process: the pid that fork gave you.",
        "man 2 waitpid",
    ))
}

fn wrong_status(run: &Run, wanted: i32) -> (&'static str, &'static str) {
    match run.end {
        _ if run.left_early => (
            "The runtime ended before the command did: it waited for another process, one between the two that ends at once, or for none.",
            "Wait for the process that becomes the command; or let the one between wait for it, and leave with its status.",
        ),
        Ending::Exited(0) => (
            "The runtime waited for a process that left with 0, and that was not the command: one between the two. Or the status was dropped; or it is waitpid's raw number, in which 7 is 1792: exit keeps the lowest 8 bits of that, 0.",
            "Wait for the process that becomes the command. If there is one between, it has to wait, and to leave with the command's status.",
        ),
        Ending::Exited(_) | Ending::Signaled(_) if wanted > 128 => (
            "A command that was ended by a signal has no exit status of its own. It was taken for an error; or a process between the two made another number of it.",
            "128 + n for signal n; and a process between the two leaves with that status.",
        ),
        end if end.was_stopped() => (
            "The command has ended, and the runtime goes on: it waits for another process, one that doesn't end; or it never leaves.",
            "Wait for the pid that fork gave you, then leave.",
        ),
        _ => (
            "The status is lost or changed on its way from the command to the runtime's caller.",
            "Follow it: waitpid's answer, each process between, the runtime's own exit.",
        ),
    }
}
