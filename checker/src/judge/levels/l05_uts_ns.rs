//! 05 uts-ns: a name, and shared memory, of the container's own.

use nix::errno::Errno;

use crate::evidence::{Ending, Evidence, Mount, Run, Seen};
use crate::judge::clues::{Clue, starts_with};
use crate::judge::common::{
    self, MustFail, container_checks, failing, fails_well, is_own, mount_at, seen,
    show, two_containers, unless, words,
};
use crate::judge::{Check, Finding, Level, cannot, fail, waits};
use crate::plan::Plan;
use crate::text::lines;

const STARTS: &str = "uts.starts";
const NAMESPACES: &str = "uts.namespaces";
const HOSTNAME: &str = "uts.hostname";
const CALLER: &str = "uts.caller-name";
const LONGEST_NAME: &str = "uts.longest-name";
/// The longest name that the kernel takes: 64 bytes (man 2 sethostname).
const LONGEST: &str =
    "a-name-of-sixty-four-bytes-which-is-the-longest-the-kernel-takes";
/// Fewer letters than that, but more bytes.
const LETTERS: &str = "größte-ärgerlich-überlänge-äöüßäöüßäöüßäöüßäö";
const NAME: &str = "Crab-Pot.2";

pub static LEVEL: Level = Level {
    number: "05",
    name: "uts-ns",
    title: "UTS and IPC namespaces",
    learned: "a name and an IPC world of its own",
    contained: true,
    groups: false,
    runs,
    checks: container_checks!(
        "uts",
        [
            Check {
                id: NAMESPACES,
                claim: "it has a UTS and an IPC namespace of its own",
                judge: namespaces,
            },
            Check {
                id: "uts.ipc",
                claim: "no shared memory and no message queue of the caller's is there",
                judge: ipc,
            },
            Check {
                id: HOSTNAME,
                claim: "--hostname is its host name",
                judge: hostname,
            },
            Check {
                id: "uts.default-name",
                claim: "without --hostname it has a name that no other container has",
                judge: default_name,
            },
            Check {
                id: CALLER,
                claim: "the caller keeps its own name",
                judge: caller_name,
            },
            Check {
                id: LONGEST_NAME,
                claim: "a name of 64 bytes is taken, whole",
                judge: longest_name,
            },
            Check {
                id: "uts.too-long",
                claim: "a longer one is refused, with the limit: 64",
                judge: too_long,
            },
            Check {
                id: "uts.empty",
                claim: "an empty one is refused",
                judge: empty,
            },
        ]
    ),
};

fn runs() -> Vec<Plan> {
    let [look, beside] = two_containers(Vec::new());
    let named = |run: Plan, name: &str| run.with(&format!("--hostname {name}"));
    let mut all = vec![
        named(look, NAME),
        beside.closely(),
        Plan::probe("another").closely(),
        named(Plan::probe("longest"), LONGEST).closely(),
        named(Plan::probe("too-long"), &format!("{LONGEST}x")).closely(),
        named(Plan::probe("too-many-bytes"), LETTERS).closely(),
        named(Plan::probe("empty"), "").closely(),
    ];
    all.extend(failing());
    all
}

/// What the errors of these calls mean here.
pub const CLUES: &[Clue] = &[
    Clue {
        words: &["sethostname"],
        errno: Errno::EPERM,
        likely: "The UTS namespace is one that this process has no power over: the caller's. sethostname names the namespace that the process is in.",
        next: "Call unshare(CLONE_NEWUTS) first, in the same process.",
        more: "man 2 sethostname, man 7 uts_namespaces",
    },
    Clue {
        words: &["sethostname"],
        errno: Errno::EINVAL,
        likely: "The kernel was given more than 64 bytes; the name here has 10. So it is not the name that was asked for, or its length is wrong.",
        next: "Pass the option's value itself, and its length in bytes.",
        more: "man 2 sethostname",
    },
    Clue {
        words: &["hostname"],
        errno: Errno::EACCES,
        likely: "/proc/sys/kernel/hostname belongs to the host's root, and you are only root in a user namespace. The call sethostname asks for a capability instead, and you have that.",
        next: "Call sethostname, after unshare(CLONE_NEWUTS).",
        more: "man 2 sethostname, man 7 user_namespaces",
    },
    Clue {
        words: &["hostname"],
        errno: Errno::EROFS,
        likely: "/proc/sys is read-only, or the host's /etc/hostname was meant to be written. A name in a file names nothing.",
        next: "Call sethostname.",
        more: "man 2 sethostname",
    },
];

fn starts(evidence: &Evidence) -> Finding {
    starts_with(
        evidence,
        &[
            CLUES,
            super::l04_pid_ns::CLUES,
            super::l03_pivot_root::CLUES,
        ],
    )
}

/// Each run, the first one first.
fn all_runs(evidence: &Evidence) -> impl Iterator<Item = &Run> {
    std::iter::once(evidence.run("look")).chain(evidence.runs.values())
}

/// The namespaces of this level: name, flag, and what is separate in them.
const OWN: [(&str, &str, &str); 2] = [
    ("uts", "CLONE_NEWUTS", "host name"),
    (
        "ipc",
        "CLONE_NEWIPC",
        "System V shared memory, semaphores and queues, and POSIX queues",
    ),
];

fn number(seen: &Seen, name: &str) -> u64 {
    seen.namespaces.get(name).copied().unwrap_or_default()
}

fn namespaces(evidence: &Evidence) -> Finding {
    let look = evidence.run("look");
    let first = match seen(look, STARTS) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    let others =
        all_runs(evidence).filter_map(|run| Some((run, seen(run, STARTS).ok()?)));
    for (run, seen) in others {
        for (name, flag, what) in OWN {
            if is_own(evidence, seen, name) {
                continue;
            }
            let number = number(seen, name);
            let mut saw =
                format!("the command and the caller are both in {name}:[{number}]");
            if let (Some(renamed), "uts") = (&run.renamed, name) {
                saw += &format!("\nthe caller's host name is {renamed:?} now");
            }
            let likely = match is_own(evidence, first, name) {
                true => format!(
                    "The namespace is made in some runs only: with --hostname, and not without. Then the container shares its {what} with everybody."
                ),
                false => format!(
                    "{flag} is missing (flags are joined by |; & leaves what both have, which is nothing); or it was unshared in another process than the one that becomes the command, or too late: what was forked before stays in the old namespace. So the container shares its {what} with the caller."
                ),
            };
            return fail(
                run,
                &format!("a namespace of its own for: {what}"),
                saw,
                &likely,
                "Call unshare(CLONE_NEWUTS | CLONE_NEWIPC) in the child, before exec, in every run.",
                "man 7 uts_namespaces, man 7 ipc_namespaces",
            );
        }
    }
    let beside = evidence.run("beside");
    let Ok(second) = seen(beside, STARTS) else {
        return Finding::Pass;
    };
    let both = OWN
        .iter()
        .find(|(name, ..)| number(first, name) == number(second, name));
    let Some((name, _, what)) = both else {
        return Finding::Pass;
    };
    fail(
        beside,
        &format!("a namespace for each container: {what}"),
        format!(
            "two containers at once are both in {name}:[{}]",
            number(second, name)
        ),
        "The namespace isn't the caller's, but it is not made anew for each container: one that exists is joined.",
        "Call unshare(CLONE_NEWUTS | CLONE_NEWIPC) in each child.",
        "man 7 namespaces, man 2 setns",
    )
}

/// The namespace decides what the calls find. But file systems can show the contents
/// of another one.
fn ipc(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    let seen = match seen(run, STARTS) {
        Ok(seen) if is_own(evidence, seen, "ipc") => seen,
        Ok(_) => return waits(NAMESPACES),
        Err(waits) => return waits,
    };
    let mut callers = evidence.caller_mounts.iter();
    let callers = callers.rfind(|mount| mount.point == "/dev/shm");
    let is_callers =
        |mount: &&Mount| callers.is_some_and(|c| c.device == mount.device);
    if let Some(mount) = mount_at(seen, "/dev/shm").filter(is_callers) {
        return fail(
            run,
            "no shared memory of the caller's",
            format!(
                "{}\nthe same file system as the caller's /dev/shm",
                show(mount)
            ),
            "The caller's /dev/shm was bound into the container. POSIX shared memory is files there; the IPC namespace has no say in that.",
            "Mount a new tmpfs on /dev/shm, or leave it away.",
            "man 7 shm_overview",
        );
    }
    let foreign = |device| seen.queues.is_some_and(|own| own != device);
    // Those that are covered show nothing.
    let in_sight = |mount: &&Mount| {
        mount_at(seen, &mount.point).is_some_and(|top| top.id == mount.id)
    };
    let queues = seen.own_mounts.iter().filter(|m| m.kind == "mqueue");
    let mut queues = queues.filter(in_sight);
    if let Some(mount) = queues.find(|mount| foreign(mount.device)) {
        return fail(
            run,
            "no message queue of the caller's",
            format!(
                "{}\nit shows the queues of another IPC namespace than the command's",
                show(mount)
            ),
            "An mqueue file system shows the queues of the IPC namespace in which it was mounted. This one was mounted before unshare(CLONE_NEWIPC), or it is the caller's, bound.",
            "Call unshare(CLONE_NEWIPC) first, then mount a new mqueue; or leave it away.",
            "man 7 mq_overview, man 7 ipc_namespaces",
        );
    }
    Finding::Pass
}

/// The run's host name inside, if it can be judged.
fn name_in<'a>(evidence: &'a Evidence, run: &'a Run) -> Result<&'a str, Finding> {
    let seen = seen(run, STARTS)?;
    if !is_own(evidence, seen, "uts") {
        return Err(waits(NAMESPACES));
    }
    Ok(&seen.hostname)
}

/// Has nobody named it, so that it is called what its caller is?
fn is_unnamed(evidence: &Evidence, name: &str) -> bool {
    name == evidence.machine.hostname
}

fn hostname(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    let name = match name_in(evidence, run) {
        Ok(NAME) => return Finding::Pass,
        Ok(name) => name,
        Err(waits) => return waits,
    };
    let place = run.seen.as_ref().map_or("", |seen| &seen.root_name);
    let mut parts = place.split('/');
    let (saw, likely, next) = if is_unnamed(evidence, name) {
        (
            format!("it is {name:?}, the caller's"),
            "The new UTS namespace begins with the caller's name, and nobody set another: sethostname was not called, or in a process that is in another namespace. (A name in a file like /etc/hostname, or in a variable, names nothing.)",
            "Call sethostname after unshare(CLONE_NEWUTS), in the same process.",
        )
    } else if name.is_empty() {
        (
            "it is empty".into(),
            "A name was set, of no bytes.",
            "Pass the option's value to sethostname, all of it.",
        )
    } else if parts.any(|part| part == name) {
        (
            format!("it is {name:?}, the name of its directory"),
            "The container's id was set: --hostname is read, but not used.",
            "The id is the name only when there is no --hostname.",
        )
    } else if NAME.starts_with(name) {
        (
            format!("it is {name:?}"),
            "The name was cut: at the dot, or by a wrong length.",
            "Pass the option's value to sethostname as it is, all of it.",
        )
    } else if name.eq_ignore_ascii_case(NAME) {
        (
            format!("it is {name:?}"),
            "Capital letters were made small. DNS doesn't tell them apart, but the kernel does.",
            "Pass the option's value to sethostname as it is.",
        )
    } else {
        (
            format!("it is {name:?}"),
            "A name was set, but not the one that --hostname gives.",
            "Pass the option's value to sethostname as it is.",
        )
    };
    let wanted = format!("the host name inside is {NAME:?}");
    fail(run, &wanted, saw, likely, next, "man 2 sethostname")
}

fn default_name(evidence: &Evidence) -> Finding {
    let (one, two) = (evidence.run("beside"), evidence.run("another"));
    let names =
        name_in(evidence, one).and_then(|one| Ok((one, name_in(evidence, two)?)));
    let (first, second) = match names {
        Ok(names) => names,
        Err(waits) => return waits,
    };
    let wanted = "without --hostname, the container's id: a name that no other has";
    for (run, name) in [(one, first), (two, second)] {
        if name.is_empty() {
            return fail(
                run,
                wanted,
                "the host name inside is empty",
                "Without the option, the empty text was taken for the name.",
                "Take the container's id when there is no --hostname.",
                "man 2 sethostname",
            );
        }
        if is_unnamed(evidence, name) {
            let finding = fail(
                run,
                wanted,
                format!("the host name inside is {name:?}, the caller's"),
                "The name is set only when --hostname is given.",
                "Take the container's id when there is no --hostname.",
                "man 2 sethostname",
            );
            return unless(evidence, finding, &[(HOSTNAME, hostname)]);
        }
    }
    if first != second {
        return Finding::Pass;
    }
    fail(
        two,
        wanted,
        format!("two containers without --hostname are both called {first:?}"),
        "The default is the same for all: a fixed name, the image's name, or a process number inside (which is 1 for every command). Whoever reads the logs of two containers can't tell them apart.",
        "Take the container's id: the name of its directory.",
        "man 2 sethostname",
    )
}

fn caller_name(evidence: &Evidence) -> Finding {
    if let Err(waits) = name_in(evidence, evidence.run("look")) {
        return waits;
    }
    if evidence.machine.hostname.is_empty() {
        return cannot(
            "the checker could not join the sandbox's UTS namespace",
            "cargo checker doctor tells what this machine can do",
        );
    }
    let renamed =
        all_runs(evidence).find_map(|run| Some((run, run.renamed.as_ref()?)));
    let Some((run, name)) = renamed else {
        return Finding::Pass;
    };
    fail(
        run,
        &format!("the caller is still called {:?}", evidence.machine.hostname),
        format!("it is called {name:?} now"),
        "sethostname was called before unshare(CLONE_NEWUTS), or in the runtime itself. It names the UTS namespace that the calling process is in, and that was the caller's. The container's, made afterwards, is a copy with the same name: so all looks well from inside. Outside this sandbox your machine would have a new name now.",
        "Call sethostname in the child, after unshare(CLONE_NEWUTS).",
        "man 2 sethostname, man 7 uts_namespaces",
    )
}

fn longest_name(evidence: &Evidence) -> Finding {
    let run = evidence.run("longest");
    if run.end == Ending::NotRun || seen(evidence.run("look"), STARTS).is_err() {
        return waits(STARTS);
    }
    match name_in(evidence, run) {
        Ok(LONGEST) => Finding::Pass,
        Ok(name) => {
            let likely = match is_unnamed(evidence, name) {
                true => {
                    "The name was not set, and the error dropped: the kernel was given a byte more than the name has, as for a zero at its end."
                }
                false if LONGEST.starts_with(name) => {
                    "The name was cut, to leave room for a zero at its end perhaps."
                }
                false => "Another name was set.",
            };
            let finding = fail(
                run,
                "the whole name, 64 bytes",
                format!("{name:?}, {} bytes", name.len()),
                likely,
                "Pass the name as it is: the kernel takes 64 bytes, without a zero at the end.",
                "man 2 sethostname",
            );
            unless(evidence, finding, &[(HOSTNAME, hostname)])
        }
        Err(_) if run.seen.is_some() => waits(NAMESPACES),
        Err(_) => fail(
            run,
            "a name of 64 bytes is taken",
            words(run),
            "The limit is too low, or a zero at the end was counted: the kernel takes 64 bytes (HOST_NAME_MAX), and no zero.",
            "Refuse names of more than 64 bytes, and no others.",
            "man 2 sethostname",
        ),
    }
}

fn too_long(evidence: &Evidence) -> Finding {
    let (plain, letters) = ("too-long", "too-many-bytes");
    for name in [plain, letters] {
        let run = evidence.run(name);
        let because = match name == plain {
            true => "the host name has 65 bytes, and the kernel takes 64".to_owned(),
            false => format!(
                "the host name has {} letters, but {} bytes, and the kernel takes 64",
                LETTERS.chars().count(),
                LETTERS.len()
            ),
        };
        if let Some(finding) = not_refused(evidence, name, &because) {
            return finding;
        }
        let told = lines(&run.stderr, 1).join(" ");
        // Its own text, not the name's or the directory's.
        if says_limit(&told) {
            continue;
        }
        let errno = ["EINVAL", "Invalid argument"];
        let only_errno = errno.iter().any(|errno| told.contains(errno));
        let likely = match name == plain {
            true if only_errno => {
                "The kernel only says EINVAL: whoever reads that doesn't know what is wrong with the name."
            }
            true => {
                "The name is refused, but who reads the message doesn't learn how long it may be."
            }
            false => {
                "Shorter by letters, longer by bytes: `chars().count()` counts letters, and the kernel counts bytes. So it was the kernel that refused, and it only says EINVAL."
            }
        };
        let next = match name == plain {
            true => "Look at the length yourself, and say how long a name may be.",
            false => "Count the bytes: `len()`.",
        };
        let finding = fail(
            run,
            &format!("the message tells the limit, 64: {because}"),
            words(run),
            likely,
            next,
            "man 2 sethostname",
        );
        // Another limit may be told.
        return unless(evidence, finding, &[(LONGEST_NAME, longest_name)]);
    }
    Finding::Pass
}

fn empty(evidence: &Evidence) -> Finding {
    not_refused(evidence, "empty", "the host name is empty").unwrap_or(Finding::Pass)
}

/// What is wrong with a run that had to be refused for its name; `None` when it was.
fn not_refused(
    evidence: &Evidence,
    name: &'static str,
    because: &str,
) -> Option<Finding> {
    let run = evidence.run(name);
    if run.end == Ending::NotRun || seen(evidence.run("look"), STARTS).is_err() {
        return Some(waits(STARTS));
    }
    if let Some(seen) = &run.seen {
        let inside = &seen.hostname;
        let asked = [format!("{LONGEST}x"), LETTERS.into()];
        let cut = |asked: &String| !inside.is_empty() && asked.starts_with(inside);
        let likely = if name == "empty" {
            "An empty name is taken for a name (the kernel takes it), or for none at all. Who gives one has made a mistake, with an unset variable perhaps, and must be told."
        } else if asked.iter().any(cut) {
            "The name was cut. Half a name is another machine's name: who asked for it must be told."
        } else {
            "The kernel refuses the name, and the error of sethostname was dropped. Who asked for the name must be told."
        };
        let finding = fail(
            run,
            &format!("exit status 125: {because}"),
            format!(
                "the container runs, and is called {inside:?}, {} bytes",
                inside.len()
            ),
            likely,
            match name {
                "empty" => "Refuse a name of 0 bytes, before the container is made.",
                _ => "Refuse a name of more than 64 bytes, and tell the limit.",
            },
            "man 2 sethostname",
        );
        return Some(unless(evidence, finding, &[(HOSTNAME, hostname)]));
    }
    let refused = MustFail {
        run: name,
        because,
        status: 125,
    };
    let finding = fails_well(evidence, STARTS, &[refused]);
    (finding != Finding::Pass).then_some(finding)
}

/// Is the number 64 in this line?
fn says_limit(line: &str) -> bool {
    let mut words = line.split(|c: char| !c.is_ascii_alphanumeric());
    // `64bytes` will do, `640` and a container's id won't.
    words.any(|word| {
        let unit = word.strip_prefix("64");
        unit.is_some_and(|unit| unit.chars().all(|c| c.is_ascii_alphabetic()))
    })
}
