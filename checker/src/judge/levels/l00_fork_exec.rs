//! 00 fork-exec: start a command, and report how it ended.

use nix::errno::Errno;

use crate::evidence::{End, Ending, Evidence, Run, Seen};
use crate::judge::clues::{Clue, starts_with};
use crate::judge::common::{
    Cause, MustFail, ending, fails_well, first_of, host_as_before, odd, quiet, seen,
    unless, words,
};
use crate::judge::{Check, Finding, Level, fail, waits};
use crate::plan::{Command, Plan};
use crate::text::escape;

const STARTS: &str = "fork-exec.starts";

/// Arguments that a careless runtime would change: empty, with spaces, with what a
/// shell would expand, like options, and bytes that are no UTF-8.
const ARGUMENTS: &[&[u8]] = &[
    b"two words",
    b"",
    b"$HOME *",
    b"-x",
    b"--",
    b"caf\xe9",
    b"\xff\xfe",
];

/// Of the caller's environment, what nobody on the way has a reason to change: how
/// lines begin. (A shim of pyenv's, say, adds to PATH; a container has its own HOME.)
const ENVIRONMENT: &[&str] = &[
    "LANG=C.UTF-8",
    "RUBBER_CRAB_MARK=",
    "TERM=dumb",
    "TMPDIR=/tmp",
];
/// The caller's directories in PATH.
const PATH: &str = "/workshop/bin:/workshop/inside";
const BYTES: &[u8] = b"RUBBER_CRAB_BYTES=\xff\xfe=x";

const CLUES: &[Clue] = &[
    Clue {
        words: &["closedir"],
        errno: Errno::EBADF,
        likely: "The directory /proc/self/fd was still open when its own descriptor was closed, as one of the numbers in it. std closes it once more, finds it gone (EBADF), and panics.",
        next: "Collect the numbers in a Vec first, and let go of the directory (the end of the iterator). Then close them, and take EBADF for no error.",
        more: "man 2 close, man 3 closedir",
    },
    Clue {
        words: &[],
        errno: Errno::EBADF,
        likely: "close was called for a number that isn't open any more: reading the directory /proc/self/fd took a descriptor of its own, which is in the list and closed by now.",
        next: "EBADF from close is no error here: it is closed. Go on with the next number.",
        more: "man 2 close",
    },
];

pub static LEVEL: Level = Level {
    number: "00",
    name: "fork-exec",
    title: "fork, exec and wait",
    learned: "how a command starts and how its end is reported",
    contained: false,
    groups: false,
    runs,
    checks: &[
        Check {
            id: STARTS,
            claim: "the command runs",
            judge: |evidence| starts_with(evidence, &[CLUES]),
        },
        Check {
            id: "fork-exec.child",
            claim: "it is a child of the runtime",
            judge: child,
        },
        Check {
            id: "fork-exec.waited-for",
            claim: "the runtime waits for it and reaps it",
            judge: waited_for,
        },
        Check {
            id: "fork-exec.arguments",
            claim: "its arguments arrive untouched, byte for byte",
            judge: arguments,
        },
        Check {
            id: "fork-exec.environment",
            claim: "the caller's environment arrives",
            judge: environment,
        },
        Check {
            id: "fork-exec.path",
            claim: "a bare name is found through PATH",
            judge: path,
        },
        Check {
            id: "fork-exec.standard-streams",
            claim: "descriptors 0, 1 and 2 are the caller's own",
            judge: standard_streams,
        },
        Check {
            id: "fork-exec.quiet",
            claim: "the runtime itself writes nothing to stdout",
            judge: |evidence| {
                unless(evidence, quiet(evidence, STARTS), BEFORE_STATUS)
            },
        },
        Check {
            id: "fork-exec.no-other-descriptors",
            claim: "no other descriptor is open in it",
            judge: no_other_descriptors,
        },
        Check {
            id: "fork-exec.exit-status",
            claim: "its exit status comes back exactly",
            judge: |evidence| unless(evidence, exit_status(evidence), BEFORE_STATUS),
        },
        Check {
            id: "fork-exec.signal-status",
            claim: "an end by signal n comes back as 128 + n",
            judge: |evidence| {
                unless(evidence, signal_status(evidence), BEFORE_STATUS)
            },
        },
        Check {
            id: "fork-exec.not-found",
            claim: "a command that isn't there gives 127 and one line",
            judge: |evidence| unless(evidence, not_found(evidence), BEFORE_FAILURES),
        },
        Check {
            id: "fork-exec.not-executable",
            claim: "a command that can't be executed gives 126 and one line",
            judge: |evidence| {
                unless(evidence, not_executable(evidence), BEFORE_FAILURES)
            },
        },
        Check {
            id: "fork-exec.nothing-left",
            claim: "afterwards the host is as before",
            judge: |evidence| {
                unless(evidence, host_as_before(evidence, STARTS), BEFORE_STATUS)
            },
        },
    ],
};

fn runs() -> Vec<Plan> {
    let ends = |name, status| Plan::probe(name).told(End::Exited(status));
    let dies = |name, signal| Plan::probe(name).told(End::Signaled(signal));
    vec![
        Plan::command("look", Command::Probe(ARGUMENTS)).told(End::Exited(7)),
        Plan::command("bare-name", Command::Bare).told(End::Exited(0)),
        Plan::probe("another-child")
            .told(End::Exited(7))
            .with_a_child(),
        ends("status-1", 1),
        ends("status-127", 127),
        ends("status-255", 255),
        dies("signal-11", 11),
        dies("signal-9", 9),
        Plan::command("missing", Command::Missing),
        Plan::command("missing-name", Command::MissingBare),
        Plan::command("plain-file", Command::Plain),
        Plan::command("directory", Command::Directory),
    ]
}

/// Without these, no status can come back.
const BEFORE_STATUS: &[Cause] = &[
    ("fork-exec.child", child),
    ("fork-exec.waited-for", waited_for),
    ("fork-exec.standard-streams", standard_streams),
];
/// The status of a child that could not become the command is one like others.
const BEFORE_FAILURES: &[Cause] = &[
    ("fork-exec.waited-for", waited_for),
    ("fork-exec.standard-streams", standard_streams),
    ("fork-exec.exit-status", exit_status),
];

/// What must hold whenever a command is started; told of the first run where it
/// doesn't.
fn in_every_run(evidence: &Evidence, judge: fn(&Run, &Seen) -> Finding) -> Finding {
    let look = evidence.run("look");
    if let Err(waits) = seen(look, STARTS) {
        return waits;
    }
    std::iter::once(look)
        .chain(evidence.runs.values())
        .filter_map(|run| Some(judge(run, seen(run, STARTS).ok()?)))
        .find(|finding| *finding != Finding::Pass)
        .unwrap_or(Finding::Pass)
}

fn child(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    let seen = match seen(run, STARTS) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    let lost = evidence.runs.values().any(|run| run.left_early);
    if lost && seen.distance != Some(0) {
        return waits("fork-exec.waited-for");
    }
    let wanted =
        "the command is a process of its own, started by the runtime itself";
    match seen.distance {
        Some(1) => Finding::Pass,
        // A container may have an init between the runtime and the command.
        Some(2..) if evidence.contained => Finding::Pass,
        Some(0) => fail(
            run,
            wanted,
            format!(
                "process {} was the runtime, and is the command now",
                seen.pid
            ),
            "exec without fork. exec replaces the program of the calling process: there is no runtime left to wait and report.",
            "fork first, and call exec in the child only: that is where fork returned 0 (ForkResult::Child).",
            "man 2 fork",
        ),
        Some(steps) => fail(
            run,
            wanted,
            match steps {
                2 => "a process between the runtime and the command".into(),
                _ => format!(
                    "{} processes between the runtime and the command",
                    steps - 1
                ),
            },
            "There is one fork too many, or a shell in between (`sh -c …`). The runtime waits for that process, and learns of the command's end only what it passes on.",
            "fork once, and exec the command itself in that child.",
            "man 2 fork",
        ),
        None => fail(
            run,
            wanted,
            format!(
                "the runtime is not among the parents of process {}",
                seen.pid
            ),
            "The process that the runtime made has left already, and init adopted the command. The runtime can't learn how the command ends.",
            "Let the child itself become the command, and wait for it.",
            "man 2 waitpid",
        ),
    }
}

fn waited_for(evidence: &Evidence) -> Finding {
    let (odd, all): (Vec<&Run>, Vec<&Run>) = evidence
        .runs
        .values()
        .filter(|run| run.seen.is_some())
        .partition(|run| std::ptr::eq(*run, evidence.run("another-child")));
    if all.is_empty() {
        return waits(STARTS);
    }
    let wanted =
        "the runtime stays until the command has ended, and collects its status";
    // A process that became the command itself leaves nobody to wait.
    let replaced =
        |run: &Run| run.seen.as_ref().is_some_and(|s| s.distance == Some(0));
    if all.iter().any(|run| replaced(run)) {
        return waits("fork-exec.child");
    }
    for run in all {
        if run.left_early {
            return fail(
                run,
                wanted,
                format!(
                    "the runtime was gone ({}) while the command still ran",
                    ending(run)
                ),
                "Nobody waits for the command: it becomes an orphan that init adopts, and its status is lost. Either there is no waitpid, or (fork called twice) the runtime waits for a process between it and the command, and that one doesn't wait.",
                "Call waitpid for the process that becomes the command, and leave only after it has ended.",
                "man 2 waitpid",
            );
        }
        if run.orphans.iter().any(|orphan| orphan.command) {
            return fail(
                run,
                wanted,
                "the command ended, and init had to reap it",
                "The runtime never called waitpid for the command, or called it in a way that takes nothing (WNOHANG once, WNOWAIT). The kernel keeps the ended child as a zombie until its parent leaves; then init has to remove it.",
                "Call waitpid for the child, without flags: that waits, and removes the zombie.",
                "man 2 waitpid",
            );
        }
        if run.end.was_stopped() {
            return fail(
                run,
                "the runtime ends when the command has ended",
                words(run),
                "The command has ended, but the runtime goes on. It waits for something else, or in a loop that misses the end.",
                "Wait for the child's pid, and go on when waitpid says that it exited or was killed by a signal.",
                "man 2 waitpid",
            );
        }
    }
    let differs = |run: &&Run| run.left_early || run.end != evidence.run("look").end;
    if let Some(run) = odd.into_iter().find(differs) {
        return fail(
            run,
            wanted,
            match run.left_early {
                true => format!(
                    "the runtime was gone ({}) while the command still ran",
                    ending(run)
                ),
                false => words(run),
            },
            "It waits for any child, and takes the first one that has ended for the command. Its caller may have left it another one: exec keeps a process's children.",
            "Wait for the pid that fork gave you: waitpid(child, …), not wait() or waitpid(-1, …).",
            "man 2 waitpid",
        );
    }
    Finding::Pass
}

fn arguments(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    let seen = match seen(run, STARTS) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    let got: Vec<&[u8]> = seen.arguments.iter().skip(1).map(Vec::as_slice).collect();
    let name = seen
        .arguments
        .first()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if got == ARGUMENTS {
        // The probe's path, as it stands in the command line.
        return match name.starts_with(b"/workshop/bin/probe-") {
            true => bare_name(evidence.run("bare-name")),
            false => fail(
                run,
                "the command's own word as argv[0]",
                format!("argv[0] is '{}'", escape(name)),
                "argv[0] was made up. The caller's first word is the command's argv[0], as it stands; programs such as busybox go by it.",
                "Pass all words of the command as the arguments of exec, the first one included.",
                "man 2 execve",
            ),
        };
    }
    let show = |all: &[&[u8]]| {
        let all: Vec<_> =
            all.iter().map(|one| format!("'{}'", escape(one))).collect();
        all.join(" ")
    };
    let likely = if got
        .concat()
        .windows(3)
        .any(|bytes| bytes == [0xef, 0xbf, 0xbd])
    {
        "The arguments went through String. What is not UTF-8 was replaced by U+FFFD."
    } else if got.len() == ARGUMENTS.len()
        && got
            .iter()
            .zip(ARGUMENTS)
            .all(|(got, wanted)| got == wanted || !wanted.is_ascii())
    {
        "The arguments went through text: what is not UTF-8 was dropped or replaced."
    } else if got.len() == ARGUMENTS.len() - 1 && !got.contains(&b"".as_slice()) {
        "The empty argument was dropped."
    } else if got.len() == ARGUMENTS.len() - 1 && !got.contains(&b"--".as_slice()) {
        "A second `--` was swallowed. Only the first one belongs to the runtime."
    } else if got.is_empty() {
        "Only the command's name was passed to exec, without its arguments."
    } else if name == ARGUMENTS[0] {
        "argv[0] is missing: exec wants all the words, and the first of them is the command's own name."
    } else if !got.concat().windows(5).any(|bytes| bytes == b"$HOME") {
        "A shell had them: it expanded `$HOME *` and split words at spaces."
    } else {
        "The arguments were joined and split again, or passed to a shell, on their way to exec."
    };
    fail(
        run,
        &format!("the arguments {}", show(ARGUMENTS)),
        show(&got),
        likely,
        "On Linux an argument is bytes, not text. Keep each one as it is from the command line to exec: in Rust as OsString.",
        "man 2 execve",
    )
}

/// A command that was found through PATH keeps the name that it was called by.
fn bare_name(run: &Run) -> Finding {
    let name = run.seen.as_ref().and_then(|seen| seen.arguments.first());
    let Some(name) = name.filter(|name| name.contains(&b'/')) else {
        return Finding::Pass;
    };
    let shown = escape(name);
    fail(
        run,
        "the command's own word as argv[0]: a name without a slash",
        format!(
            "argv[0] is a path: '{}/…'",
            shown.rsplit_once('/').map_or("", |(folder, _)| folder)
        ),
        "The path that was found in PATH took the place of the caller's word. They are two things: the file to execute, and the name that it is called by; programs such as busybox go by the name.",
        "Give exec the path to execute, and the words as they came; or leave the search to execvp.",
        "man 2 execve",
    )
}

fn environment(evidence: &Evidence) -> Finding {
    environment_in(evidence, STARTS)
}

/// The caller's environment arrives: also in a container.
pub fn environment_in(evidence: &Evidence, starts: &str) -> Finding {
    match seen(evidence.run("look"), starts) {
        Ok(_) => in_every_run(evidence, environment_of),
        Err(waits) => waits,
    }
}

fn environment_of(run: &Run, seen: &Seen) -> Finding {
    let has = |line: &[u8]| seen.environment.iter().any(|got| got.starts_with(line));
    let mut lost: Vec<&str> = ENVIRONMENT
        .iter()
        .copied()
        .filter(|line| !has(line.as_bytes()))
        .collect();
    let path = |got: &&Vec<u8>| got.starts_with(b"PATH=");
    let path = seen.environment.iter().find(path);
    if !path.is_some_and(|path| escape(path).contains(PATH)) {
        lost.push("PATH=");
    }
    if lost.is_empty() && has(BYTES) {
        return Finding::Pass;
    }
    let names = |lines: &[&str]| -> String {
        let names = lines
            .iter()
            .map(|line| line.split('=').next().unwrap_or(line));
        names.collect::<Vec<_>>().join(" ")
    };
    let wanted = "every variable of the caller, with its value, bytes that are no UTF-8 included";
    if lost.is_empty() {
        return fail(
            run,
            wanted,
            "all, but not RUBBER_CRAB_BYTES=\\xff\\xfe=x as it was",
            "The environment went through String: what isn't UTF-8 was dropped or replaced.",
            "Use an exec that keeps the environment (execvp), or copy it as bytes (in Rust: std::env::vars_os).",
            "man 7 environ",
        );
    }
    let saw = match seen.environment.is_empty() {
        true => "an empty environment".into(),
        false => format!("missing or changed: {}", names(&lost)),
    };
    fail(
        run,
        wanted,
        saw,
        "exec was given an environment of its own making.",
        "Use an exec that keeps the environment (execvp), or pass it on unchanged.",
        "man 3 exec",
    )
}

/// What later runs wait for: a first run that starts the command, and comes to an end.
fn before(evidence: &Evidence) -> &'static str {
    match evidence.run("look").seen {
        Some(_) => "fork-exec.waited-for",
        None => STARTS,
    }
}

fn path(evidence: &Evidence) -> Finding {
    let run = evidence.run("bare-name");
    if run.end == Ending::NotRun {
        return waits(before(evidence));
    }
    if seen(run, STARTS).is_ok() {
        return Finding::Pass;
    }
    // Without PATH there is nothing to search.
    let known = |line: &Vec<u8>| line.starts_with(b"PATH=/workshop/bin:");
    if !evidence
        .run("look")
        .seen
        .as_ref()
        .is_some_and(|seen| seen.environment.iter().any(known))
    {
        return waits("fork-exec.environment");
    }
    if run.end.was_stopped() {
        return odd(run);
    }
    fail(
        run,
        "`probe` is found in a directory of PATH",
        words(run),
        "execve and execv take a path and don't search. A name without a slash is then looked up in the working directory only.",
        "Use the exec with a `p` in its name: it goes through PATH.",
        "man 3 execvp",
    )
}

fn standard_streams(evidence: &Evidence) -> Finding {
    in_every_run(evidence, standard_streams_of)
}

fn standard_streams_of(run: &Run, seen: &Seen) -> Finding {
    for number in 0..3 {
        let open = seen.descriptors.iter().find(|open| open.number == number);
        if open.is_some_and(|open| open.callers == Some(number)) {
            continue;
        }
        let saw = match open {
            None => format!("descriptor {number} is closed"),
            Some(open) => match open.callers {
                Some(other) => {
                    format!("descriptor {number} is the caller's descriptor {other}")
                }
                // The probe's own start puts it in the place of what is closed.
                None if open.target == "/dev/null" => {
                    format!("descriptor {number} is /dev/null, or was closed")
                }
                None => format!("descriptor {number} is {}", open.target),
            },
        };
        let likely = match number {
            0 => {
                "The runtime gives the command another input than its own: /dev/null or a pipe, as std's Command::output does."
            }
            _ => {
                "The runtime collects what the command prints, to pass it on later; or it closes a descriptor that isn't its own. A terminal's program (`top`, `sh -i`) can't work through that."
            }
        };
        return fail(
            run,
            "standard input, output and error are what the caller gave the runtime",
            saw,
            likely,
            "Leave 0, 1 and 2 alone: a child inherits them.",
            "man 2 dup",
        );
    }
    Finding::Pass
}

fn no_other_descriptors(evidence: &Evidence) -> Finding {
    in_every_run(evidence, no_other_descriptors_of)
}

fn no_other_descriptors_of(run: &Run, seen: &Seen) -> Finding {
    let others: Vec<_> = seen
        .descriptors
        .iter()
        .filter(|open| open.number > 2)
        .collect();
    if others.is_empty() {
        return Finding::Pass;
    }
    let show: Vec<String> = others
        .iter()
        .map(|open| format!("{} → {}", open.number, open.target))
        .collect();
    let (inherited, own): (Vec<i32>, Vec<i32>) = others.iter().fold(
        Default::default(),
        |(mut inherited, mut own): (Vec<i32>, Vec<i32>), open| {
            let kind = if open.callers.is_some() {
                &mut inherited
            } else {
                &mut own
            };
            kind.push(open.number);
            (inherited, own)
        },
    );
    let likely = match (inherited.first(), own.is_empty()) {
        (None, _) => {
            "A descriptor that the runtime opened itself is still open after exec: without O_CLOEXEC it is inherited."
        }
        (Some(3), true) => {
            "The runtime's caller had left descriptors open, and they went through the runtime into the command. Here it is the caller's root directory: a way out of every container to come (CVE-2024-21626)."
        }
        (Some(3), false) => {
            "Nothing is closed: the runtime's own descriptor (opened without O_CLOEXEC) is still open after exec, and so is what the runtime's caller had left open. Here that is the caller's root directory: a way out of every container to come (CVE-2024-21626)."
        }
        (Some(_), _) => {
            "Only some numbers are closed. What the runtime's caller left open can have any number; here it is the caller's root directory, a way out of every container to come (CVE-2024-21626)."
        }
    };
    fail(
        run,
        "only descriptors 0, 1 and 2 are open in the command",
        first_of(&show, 5),
        likely,
        "In the child, before exec, close every descriptor above 2 that is open: their numbers are the names in /proc/self/fd. (close_range(3, ~0, CLOSE_RANGE_CLOEXEC) does it in one call.)",
        "man 2 close_range",
    )
}

fn exit_status(evidence: &Evidence) -> Finding {
    let runs = ["look", "status-1", "status-127", "status-255"];
    for run in runs.map(|name| evidence.run(name)) {
        let Some(End::Exited(told)) = run.told else {
            return waits(before(evidence));
        };
        if run.end == Ending::Exited(told) {
            continue;
        }
        let raw = evidence.run("signal-11").end == Ending::Exited(11);
        let (likely, next) = match run.end {
            Ending::Exited(0) if raw => (
                "The raw wait status is used as the exit status. It holds the status in its second byte: 7 is 1792, and of that only the low 8 bits, 0, reach the caller.",
                "Take the wait status apart: WIFEXITED and WEXITSTATUS, or nix's WaitStatus::Exited.",
            ),
            Ending::Exited(0) => (
                "The command's status is dropped: the runtime leaves with 0 whatever it was.",
                "Leave with the status that waitpid gave you.",
            ),
            Ending::Exited(1) => (
                "Every status but 0 becomes 1: a success/failure flag is passed on instead of the number.",
                "Pass the number on (in Rust: ExitCode::from(status)).",
            ),
            _ if run.stderr.contains("ECHILD")
                || run.stderr.contains("No child process") =>
            {
                (
                    "The status was gone when waitpid asked for it (ECHILD). Either SIGCHLD is ignored, and the kernel keeps no status then; or waitpid was called before for the same child, and gives each status once.",
                    "Let SIGCHLD have its default action (SIG_DFL), and call waitpid once for each child.",
                )
            }
            Ending::Exited(125) => (
                "The runtime reports a failure of its own, though the command ran.",
                "Read its message above: which call failed after the command had ended?",
            ),
            Ending::Exited(101) => (
                "The runtime panicked after the command had ended.",
                "Read its message above. A status is an i32, an exit code a u8: convert where it fits.",
            ),
            _ => (
                "The status is changed on its way.",
                "Follow it from waitpid to the end of main.",
            ),
        };
        let wanted = format!("exit status {told}, as the command left");
        return fail(run, &wanted, words(run), likely, next, "man 2 waitpid");
    }
    Finding::Pass
}

fn signal_status(evidence: &Evidence) -> Finding {
    for run in ["signal-11", "signal-9"].map(|name| evidence.run(name)) {
        let Some(End::Signaled(signal)) = run.told else {
            return waits(before(evidence));
        };
        if run.end == Ending::Exited(128 + signal) {
            continue;
        }
        let (likely, next) = match run.end {
            Ending::Exited(0) => (
                "A command that was killed is reported as a success: the case \"ended by a signal\" is missing, or counts as 0.",
                "Handle both ends that waitpid reports: exited, and killed by a signal.",
            ),
            Ending::Exited(status) if status == signal => (
                "The bare signal number is used as the exit status (in the raw wait status it is the low seven bits).",
                "Add 128 to the signal's number: so shells and Docker do it.",
            ),
            Ending::Signaled(number) if number == signal => (
                "The runtime ended by the signal itself, as the command did. The caller then takes it for the runtime's own death.",
                "Report the signal as an exit status: 128 + its number.",
            ),
            Ending::Exited(1) => (
                "Every end but a success becomes 1: a success/failure flag is passed on instead of the number.",
                "Report the signal as an exit status: 128 + its number.",
            ),
            Ending::Exited(125) => (
                "A command that was killed is taken for a failure of the runtime itself.",
                "It is the command's end, not an error of yours: report 128 + the signal's number.",
            ),
            Ending::Exited(101) => (
                "The runtime panicked: a killed process has no exit code to unwrap.",
                "Handle both ends that waitpid reports: exited, and killed by a signal.",
            ),
            Ending::Exited(status) if status == 256 - signal => (
                "The signal's number with a minus is used as the exit status, as Python's subprocess returns it: a status is one byte, and the caller sees 256 less the number.",
                "Report the signal as an exit status: 128 + its number.",
            ),
            Ending::Exited(255) => (
                "-1 is used for \"no exit status\"; the caller sees 255.",
                "Report the signal as an exit status: 128 + its number.",
            ),
            _ => (
                "The signal's number is lost on its way.",
                "Report the signal as an exit status: 128 + its number.",
            ),
        };
        let wanted = format!("exit status {}: 128 + signal {signal}", 128 + signal);
        return fail(run, &wanted, words(run), likely, next, "man 2 waitpid");
    }
    Finding::Pass
}

fn not_found(evidence: &Evidence) -> Finding {
    let because = "the command isn't there";
    fails_well(
        evidence,
        before(evidence),
        &[
            MustFail {
                run: "missing",
                because,
                status: 127,
            },
            MustFail {
                run: "missing-name",
                because,
                status: 127,
            },
        ],
    )
}

fn not_executable(evidence: &Evidence) -> Finding {
    fails_well(
        evidence,
        before(evidence),
        &[
            MustFail {
                run: "plain-file",
                because: "the file has no execute permission",
                status: 126,
            },
            MustFail {
                run: "directory",
                because: "it is a directory",
                status: 126,
            },
        ],
    )
}
