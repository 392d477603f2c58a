//! 02 mount-ns: mounts that nobody else sees, and the file systems that every
//! program expects.

use nix::errno::Errno;

use crate::evidence::{Evidence, FileKind, Mount, NO_ANSWER, Run, Seen};
use crate::judge::clues::{Clue, leaked, starts_with, unless_leaked};
use crate::judge::common::{
    self, failing, first_of, is_callers, is_own, mount_at, mount_of, quiet, seen,
    show, show_file, two_containers, unanswered,
};
use crate::judge::{Check, Finding, Level, fail, waits};
use crate::plan::{Act, Plan};

const STARTS: &str = "mounts.starts";
const PRIVATE: &str = "mounts.private";

pub static LEVEL: Level = Level {
    number: "02",
    name: "mount-ns",
    title: "a mount namespace",
    learned: "mounts of my own, and why MS_REC|MS_PRIVATE comes first",
    contained: true,
    groups: false,
    runs,
    checks: &[
        Check {
            id: STARTS,
            claim: "the command runs",
            judge: starts,
        },
        Check {
            id: "mounts.namespace",
            claim: "it has a mount namespace of its own",
            judge: namespace,
        },
        Check {
            id: PRIVATE,
            claim: "the caller's mount table stays the same, during and after",
            judge: private,
        },
        Check {
            id: "mounts.proc",
            claim: "/proc is a proc file system",
            judge: |evidence| mounted(evidence, STARTS, "/proc", "proc"),
        },
        Check {
            id: "mounts.sys",
            claim: "/sys is a sysfs",
            judge: |evidence| mounted(evidence, STARTS, "/sys", "sysfs"),
        },
        Check {
            id: "mounts.dev",
            claim: "/dev is a tmpfs",
            judge: |evidence| mounted(evidence, STARTS, "/dev", "tmpfs"),
        },
        Check {
            id: "mounts.devices",
            claim: "null, zero, full, random, urandom and tty are the right devices, mode 0666",
            judge: |evidence| devices(evidence, STARTS),
        },
        Check {
            id: "mounts.descriptor-links",
            claim: "/dev/fd, stdin, stdout and stderr lead to the process's descriptors",
            judge: |evidence| descriptor_links(evidence, STARTS),
        },
        Check {
            id: "mounts.pts",
            claim: "/dev/pts is a devpts of its own; /dev/ptmx, if there, opens it",
            judge: |evidence| pts(evidence, STARTS),
        },
        Check {
            id: "mounts.two-at-once",
            claim: "two containers at once don't meet",
            judge: |evidence| {
                two_at_once(evidence, STARTS, PRIVATE, &private(evidence))
            },
        },
        Check {
            id: "mounts.failures",
            claim: "what can't start gives its status, one line, nothing left",
            judge: |evidence| {
                failures(evidence, STARTS, PRIVATE, &private(evidence))
            },
        },
        Check {
            id: "mounts.quiet",
            claim: "the runtime itself writes nothing to stdout",
            judge: |evidence| quiet(evidence, STARTS),
        },
        Check {
            id: "mounts.host-as-before",
            claim: "afterwards the host is as before",
            judge: |evidence| {
                host_as_before(evidence, STARTS, PRIVATE, &private(evidence))
            },
        },
    ],
};

fn runs() -> Vec<Plan> {
    let mut all =
        Vec::from(two_containers(vec![Act::UseDevices, Act::OpenTerminal]));
    all.extend(failing());
    all
}

/// What the errors of these calls mean here.
pub const CLUES: &[Clue] = &[
    Clue {
        words: &["mknod"],
        errno: Errno::EPERM,
        likely: "mknod is refused in a user namespace: a device node is a power over the whole machine, and the kernel gives it to the machine's own root only. The sandbox is a user namespace; so is a rootless Docker.",
        next: "Create an empty file in /dev and bind the host's device on it (MS_BIND).",
        more: "man 2 mknod, man 7 user_namespaces",
    },
    Clue {
        words: &["mount", "proc"],
        errno: Errno::EPERM,
        likely: "In a user namespace the kernel mounts a new proc only while another one is in sight, whole: otherwise a container could uncover what its host has hidden. Either the old /proc is gone already (the old root was unmounted first), or the process is in a new user namespace whose PID namespace is not its own.",
        next: "Mount proc while the host's /proc is still there: before the old root is unmounted.",
        more: "man 7 user_namespaces, man 5 proc",
    },
    Clue {
        words: &["mount", "sys"],
        errno: Errno::EPERM,
        likely: "In a user namespace the kernel mounts a new sysfs only while another one is in sight, whole. Either the old /sys is gone already (the old root was unmounted first), or the process is in a new user namespace whose network namespace is not its own.",
        next: "Mount sysfs while the host's /sys is still there: before the old root is unmounted.",
        more: "man 7 user_namespaces, man 5 sysfs",
    },
    Clue {
        words: &["mount", "devtmpfs"],
        errno: Errno::EPERM,
        likely: "devtmpfs is the host's /dev itself: there is one for the whole machine, with every device in it. In a user namespace the kernel refuses to mount it.",
        next: "Mount a tmpfs on /dev, and put into it what is needed.",
        more: "man 7 user_namespaces, man 5 tmpfs",
    },
    Clue {
        words: &["devpts"],
        errno: Errno::EINVAL,
        likely: "An option that devpts doesn't know; or gid=5 (the host's group tty, as in many examples): in a user namespace that has no such group the kernel refuses it.",
        next: "newinstance,ptmxmode=0666,mode=620 are enough.",
        more: "man 5 filesystems, man 7 user_namespaces",
    },
    Clue {
        words: &["mount"],
        errno: Errno::ENODEV,
        likely: "The kernel has no file system of this name.",
        next: "The types are proc, sysfs, tmpfs and devpts; /proc/filesystems lists what there is. In mount's arguments the type comes third, after source and target.",
        more: "man 2 mount, man 5 filesystems",
    },
    Clue {
        words: &["mount"],
        errno: Errno::EBUSY,
        likely: "This very file system is mounted on this very place already. Before the root changes, /sys and /proc still mean the host's: the container's are below its directory. Or it was mounted twice.",
        next: "The target is the container's directory joined with the name, without a leading slash: Path::join with an absolute path throws the first part away.",
        more: "man 2 mount",
    },
    Clue {
        words: &["symlink"],
        errno: Errno::EEXIST,
        likely: "Something of that name is there already. Either the two arguments of symlink are the wrong way round: then it tries to make the link where it should point to. Or this /dev is not a new one, but the host's.",
        next: "symlink takes first what the link points to, then the link's own path. If that is right, mount a tmpfs on /dev first.",
        more: "man 2 symlink",
    },
    Clue {
        words: &["/dev/|ptmx"],
        errno: Errno::EEXIST,
        likely: "Something of that name is there already: this /dev is not a new one. It is the host's, or one that was filled before.",
        next: "Mount a new tmpfs on the container's /dev, then fill it.",
        more: "man 5 tmpfs",
    },
    Clue {
        words: &["private"],
        errno: Errno::EINVAL,
        likely: "Propagation belongs to mounts: the path given is a directory on which nothing is mounted.",
        next: "Give \"/\", with MS_REC | MS_PRIVATE.",
        more: "man 7 mount_namespaces",
    },
    Clue {
        words: &["bind"],
        errno: Errno::EINVAL,
        likely: "A bind mount is refused with EINVAL when the flag MS_BIND is missing: without it, mount looks for a file system's type; when its source is unbindable (MS_UNBINDABLE), or a pipe or a socket, as /proc/self/fd/0 may be; or when it has mounts below it that came from a more powerful user namespace: those can't be left out.",
        next: "Make the mounts private, not unbindable; bind single files with MS_BIND, or a whole tree with MS_BIND | MS_REC.",
        more: "man 2 mount, man 7 mount_namespaces",
    },
    Clue {
        words: &["mount", "/dev/"],
        errno: Errno::ENOENT,
        likely: "One of the two paths isn't there. A bind mount needs a file as its mount point, made before; and its source is looked up where the process is now: after the root has changed, /dev/null means the container's.",
        next: "Create an empty file first, and bind the devices while the host's /dev is still in reach.",
        more: "man 2 mount",
    },
    Clue {
        words: &["mount"],
        errno: Errno::ENOENT,
        likely: "The mount point isn't there. If the path is one of the host's, and the root has already changed, it means nothing any more.",
        next: "Make the directory first; mount below the container's directory before the root changes, or below / after it.",
        more: "man 2 mount",
    },
    Clue {
        words: &["mount"],
        errno: Errno::EINVAL,
        likely: "mount doesn't take these arguments together. Usual reasons: no type (mount's third argument); an option that this file system doesn't know (mode= is tmpfs's and devpts's, ptmxmode= devpts's); a propagation flag (MS_PRIVATE, MS_SLAVE) on a path where nothing is mounted, or together with others than MS_REC.",
        next: "Look which of the calls it is, and make one thing of each call: mount, bind, or change propagation.",
        more: "man 2 mount",
    },
    Clue {
        words: &["/dev"],
        errno: Errno::EROFS,
        likely: "The place is read-only. Either the container's /dev was mounted with MS_RDONLY before it was filled, or the path is the host's /dev, which is read-only here.",
        next: "Fill /dev first; and check that every path begins with the container's directory.",
        more: "man 2 mount",
    },
];

fn starts(evidence: &Evidence) -> Finding {
    starts_with(evidence, &[CLUES])
}

/// Are the command and its caller in one mount namespace?
pub fn same_namespace(evidence: &Evidence, run: &Run, seen: &Seen) -> Finding {
    let number = seen.namespaces.get("mnt").copied().unwrap_or_default();
    let belt = evidence.belt.namespaces.get("mnt").copied();
    let likely = match run
        .seen
        .as_ref()
        .and_then(|seen| seen.runtime_mount_namespace)
    {
        Some(runtime) if Some(runtime) != belt => {
            "The runtime has a mount namespace of its own, but the command isn't in it: unshare was called in the parent after the child was made, or the child went back."
        }
        _ => {
            "The process never left its caller's mount namespace: unshare(CLONE_NEWNS) is missing, or was called with other flags, or in another process."
        }
    };
    fail(
        run,
        "a mount namespace that is not the caller's",
        format!("the command and the caller are both in mnt:[{number}]"),
        likely,
        "Call unshare(CLONE_NEWNS) in the child, before anything is mounted.",
        "man 7 mount_namespaces",
    )
}

fn namespace(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    match seen(run, STARTS) {
        Ok(seen) if is_own(evidence, seen, "mnt") => Finding::Pass,
        Ok(seen) => same_namespace(evidence, run, seen),
        Err(waits) => waits,
    }
}

fn private(evidence: &Evidence) -> Finding {
    private_mounts(evidence, STARTS, "mounts.namespace")
}

/// The caller's mount table stays the same: for level 02 and all later ones.
/// `namespace` is the check that fails without a mount namespace.
pub fn private_mounts(
    evidence: &Evidence,
    starts: &str,
    namespace: &str,
) -> Finding {
    let run = evidence.run("look");
    let seen = match seen(run, starts) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    let Some((run, when, changes)) = changes(evidence) else {
        return Finding::Pass;
    };
    if !is_own(evidence, seen, "mnt") {
        return waits(namespace);
    }
    let (likely, next) = why_shared(evidence, seen, changes);
    fail(
        run,
        "the caller's mount table is the same before, during and after the run",
        format!(
            "{when}, in the caller's table:\n{}",
            first_of(&in_words(changes), 4)
        ),
        &likely,
        next,
        "man 7 mount_namespaces, \"propagation\"",
    )
}

/// Lines of changes, for people: what, where, and whose peer it is.
fn in_words(changes: &[String]) -> Vec<String> {
    let line = |line: &String| {
        let (mark, mount) = line.split_once(' ')?;
        let mount = Mount::table(mount).pop()?;
        let propagation = match mount.propagation.as_str() {
            "" => "private",
            other => other,
        };
        Some(format!("{mark} {}, {propagation}", show(&mount)))
    };
    changes
        .iter()
        .map(|text| line(text).unwrap_or_else(|| text.clone()))
        .collect()
}

/// The first change of the caller's mounts: in which run, when, what.
fn changes(evidence: &Evidence) -> Option<(&Run, &'static str, &Vec<String>)> {
    let look = [evidence.run("look")];
    let all = look.into_iter().chain(evidence.runs.values());
    all.flat_map(|run| {
        [
            (run, "while the command ran", &run.mounts_during),
            (run, "after the program ended", &run.mounts_after),
        ]
    })
    .find(|(.., changes)| !changes.is_empty())
}

/// Why do the caller's mounts change, though the command's namespace is its own?
fn why_shared(
    evidence: &Evidence,
    seen: &Seen,
    changes: &[String],
) -> (String, &'static str) {
    let all_begin = |mark| changes.iter().all(|line| line.starts_with(mark));
    if all_begin('-') {
        return (
            "Unmounting was propagated: some mounts of the old root were still in one peer group with the caller's when it was unmounted, so the caller lost them, too. MS_PRIVATE is missing, or was set without MS_REC: then it holds for one mount, not for those below it.".into(),
            "Right after unshare: mount(NULL, \"/\", NULL, MS_REC | MS_PRIVATE, NULL).",
        );
    }
    if all_begin('~') {
        return (
            "The caller's own mounts were changed: the propagation was set before unshare, when the table was still the caller's.".into(),
            "unshare first. Then make the copies private.",
        );
    }
    // The peer groups of the caller: which of the command's mounts are still in one?
    let group = |mount: &Mount| {
        let word = mount
            .propagation
            .split(' ')
            .find(|word| word.starts_with("shared:"));
        word.map(str::to_owned)
    };
    let callers: Vec<String> =
        evidence.caller_mounts.iter().filter_map(group).collect();
    let shared =
        |mount: &&Mount| group(mount).is_some_and(|group| callers.contains(&group));
    let still: Vec<&Mount> = seen.mounts.iter().filter(shared).collect();
    let next = "Right after unshare: mount(NULL, \"/\", NULL, MS_REC | MS_PRIVATE, NULL), and mount only after that.";
    // Best the one on which the container's directory lies.
    let changed = |mount: &&&Mount| {
        changes
            .iter()
            .any(|line| line.contains(&format!(" {}/", mount.point)))
    };
    let other = still.iter().find(changed).or(still.first());
    let likely = match (still.iter().find(|mount| mount.point == "/"), other) {
        (Some(_), _) => "The namespace is its own, but / is still in one peer group with the caller's /, and so are the mounts below it: what is mounted on one side appears on the other. unshare copies the mounts, not their privacy; MS_PRIVATE is missing, or came after the mounts were made.".into(),
        (None, Some(mount)) => format!(
            "MS_PRIVATE was set without MS_REC: / is private now, but the mounts below it are not. {} is still in one peer group with the caller's, and what is mounted there appears on both sides.",
            mount.point
        ),
        (None, None) => "Everything is private now, but it wasn't when the mounts were made: they were made before unshare, in the caller's own namespace; or after unshare, but before MS_PRIVATE.".into(),
    };
    (likely, next)
}

/// As level 01's, where mounts may be the cause: for level 02 and all later ones.
/// `private` is what the check of that id came to.
pub fn failures(
    evidence: &Evidence,
    starts: &str,
    id: &str,
    private: &Finding,
) -> Finding {
    let finding = common::failures(evidence, starts);
    let failing =
        ["no-image", "missing", "plain-file"].map(|name| evidence.run(name));
    if failing.into_iter().any(leaked) {
        return unless_leaked(finding, private, id);
    }
    let Finding::Fail(mut diagnosis) = finding else {
        return finding;
    };
    let runtime = evidence
        .run("look")
        .seen
        .as_ref()
        .and_then(|s| s.runtime_mount_namespace);
    let moved =
        runtime.is_some() && runtime != evidence.belt.namespaces.get("mnt").copied();
    let left = |run: &Run| {
        run.files_after
            .iter()
            .any(|line| line.starts_with("+ /workshop/containers/"))
    };
    if moved && failing.into_iter().any(left) {
        diagnosis.likely = "The runtime itself is in the new mount namespace: unshare was called before fork. So the container's mounts are still there for it when it removes the directory; a mount point can't be removed (EBUSY), and what is mounted there is deleted with the rest.".into();
        diagnosis.next = "Call unshare in the child only. When the child ends, its namespace goes, and all mounts with it.".into();
        diagnosis.more = "man 7 mount_namespaces".into();
    }
    Finding::Fail(diagnosis)
}

/// As level 01's, where mounts may be the cause: for level 02 and all later ones.
pub fn two_at_once(
    evidence: &Evidence,
    starts: &str,
    id: &str,
    private: &Finding,
) -> Finding {
    unless_leaked(common::two_at_once(evidence, starts), private, id)
}

/// As all levels', where mounts may be the cause: for level 02 and all later ones.
pub fn host_as_before(
    evidence: &Evidence,
    starts: &str,
    id: &str,
    private: &Finding,
) -> Finding {
    let finding = common::host_as_before(evidence, starts);
    match evidence.runs.values().any(|run| !run.remaining.is_empty()) {
        true => finding,
        false => unless_leaked(finding, private, id),
    }
}

/// Is a mount of this type on `point`, and one of the container's own?
pub fn mounted(
    evidence: &Evidence,
    starts: &str,
    point: &str,
    kind: &str,
) -> Finding {
    let run = evidence.run("look");
    let seen = match seen(run, starts) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    let wanted = format!("a mount of type {kind} on {point}");
    let problem = |saw: String, likely: &str, next: &str| {
        fail(run, &wanted, saw, likely, next, "man 2 mount")
    };
    // A container whose whole root is a tmpfs of its own needs no other for /dev.
    let whole = mount_of(seen, point)
        .filter(|mount| kind == "tmpfs" && !is_callers(evidence, mount));
    let found = mount_at(seen, point).or(whole);
    if let Some(mount) = found.filter(|mount| mount.kind == kind) {
        if kind == "tmpfs" && is_callers(evidence, mount) {
            return problem(
                format!("the caller's own: {}", show(mount)),
                "The host's file system was bound here. What the container changes in it, changes for the host and for all containers, and every device of the host is in it.",
                "Mount a new tmpfs, and put into it what is needed.",
            );
        }
        if kind != "tmpfs" && mount.root != "/" {
            return problem(
                format!("the part {} of a {kind}", mount.root),
                "A directory of the host's was bound here, not a whole file system mounted.",
                &format!("Mount a new {kind}."),
            );
        }
        return Finding::Pass;
    }
    let next = format!(
        "mount {kind} below the container's directory, on {point}, after unshare and before the root changes."
    );
    let covered = seen
        .own_mounts
        .iter()
        .any(|mount| mount.point == point && mount.kind == kind);
    if covered {
        return problem(
            format!("a {kind} is mounted on {point}, and covered by another mount"),
            "Something was mounted on top of it afterwards: on the same place, or on a directory above it.",
            "Mount from the top down: first the directory above, then what belongs below it.",
        );
    }
    if let Some(mount) = mount_at(seen, point) {
        return problem(
            show(mount),
            "Something else is mounted there. In mount's arguments the source comes first, the target second, the type third.",
            &next,
        );
    }
    let count =
        |mounts: &[Mount]| mounts.iter().filter(|mount| mount.kind == kind).count();
    let inside = count(&seen.own_mounts);
    let nothing = format!("nothing is mounted on {point}");
    if count(&seen.mounts) > count(&evidence.caller_mounts) + inside {
        let last = seen.mounts.iter().rfind(|mount| mount.kind == kind);
        return problem(
            format!(
                "{nothing}; outside the container's root: {}",
                last.map(show).unwrap_or_default()
            ),
            "It was mounted, but on another path: one of the old root's, where the container can't see it. Before the root changes, \"/proc\" still means the host's.",
            &format!(
                "The target is the container's directory joined with {}, without the leading slash: Path::join with an absolute path throws the first part away.",
                point.trim_start_matches('/')
            ),
        );
    }
    problem(
        nothing,
        "It was not mounted, or in another mount namespace than the command's; or its error was dropped.",
        &next,
    )
}

/// The devices in /dev: for level 02 and all later ones.
pub fn devices(evidence: &Evidence, starts: &str) -> Finding {
    let run = evidence.run("look");
    let seen = match seen(run, starts) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    for (name, device) in [
        ("null", (1, 3)),
        ("zero", (1, 5)),
        ("full", (1, 7)),
        ("random", (1, 8)),
        ("urandom", (1, 9)),
        ("tty", (5, 0)),
    ] {
        let point = format!("/dev/{name}");
        let found = seen.files.get(&point[1..]);
        let right = found.is_some_and(|file| {
            file.kind == FileKind::Character && file.device == device
        });
        if right && found.is_some_and(|file| file.mode == 0o666) {
            let without_devices = mount_of(seen, &point).filter(|mount| {
                mount.options.split(',').any(|option| option == "nodev")
            });
            let Some(mount) = without_devices else {
                continue;
            };
            return fail(
                run,
                &format!("{point} can be opened"),
                format!("{}, options {}", show(mount), mount.options),
                "On a mount with MS_NODEV devices are only files that look like devices: opening one gives EACCES.",
                "Mount /dev, and bind what is in it, without MS_NODEV.",
                "man 2 mount",
            );
        }
        let covered = seen.own_mounts.iter().any(|mount| mount.point == point)
            && mount_at(seen, &point).is_none();
        let beside = seen.mounts.iter().any(|mount| mount.point == point)
            && !evidence
                .caller_mounts
                .iter()
                .any(|mount| mount.point == point);
        let likely = match found {
            _ if covered => {
                "The device was bound there, but something was mounted over /dev afterwards."
            }
            None if beside => {
                "The device was made, but in another place: on the host's /dev, as this mount namespace has it."
            }
            None => {
                "The device was not made, or its error was dropped. In a user namespace mknod is refused (EPERM): there the host's device must be bound."
            }
            Some(file)
                if file.kind == FileKind::File
                    && mount_at(seen, &point).is_some() =>
            {
                "A regular file is bound there: the container's own. Once the root has changed, /dev/null means the container's /dev/null, and the file was bound on itself."
            }
            Some(file) if file.kind == FileKind::File && file.size > 0 => {
                "A regular file stands there: a program wrote to it before there was a device, and it keeps what is written to it."
            }
            Some(file) if file.kind == FileKind::File => {
                "A regular file stands there: made as the place for a bind mount that never came, or by open instead of mknod. What is written to it, stays in it."
            }
            Some(_) if right => {
                "The umask took bits away from the mode that mknod was given."
            }
            Some(file) if file.kind == FileKind::Character => {
                "It is a device, but another one: its numbers say what it is, not its name."
            }
            Some(file) if file.kind == FileKind::Link => {
                "A link stands there. It is followed inside, where / is the container's root: it can't lead to the host's device, and one that names its own path leads to itself for ever (ELOOP)."
            }
            Some(_) => "Something else stands there.",
        };
        let another =
            found.is_some_and(|file| file.kind == FileKind::Character) && !right;
        let next = match (covered, mount_at(seen, &point)) {
            (true, _) => "Mount /dev first, then bind what belongs in it.",
            _ if another => {
                "Look at the pairs of name and device: each of the host's devices goes under its own name."
            }
            (_, Some(_)) => {
                "Bind the host's device: while the host's /dev is still in reach, before the root changes."
            }
            _ => {
                "In the new /dev: create an empty file and bind the host's device on it (MS_BIND); or mknod, and chmod after it."
            }
        };
        let (major, minor) = device;
        return fail(
            run,
            &format!("{point} is character device {major}:{minor}, mode 0666"),
            format!("{point}: {}", show_file(found)),
            likely,
            next,
            "man 4 null, man 2 mknod",
        );
    }
    let wanted =
        "null:ok null-is-empty:true zero:true full:ENOSPC random:ok urandom:ok";
    if unanswered(run, "devices") {
        return waits("mounts.two-at-once");
    }
    let used = run.outcome("devices");
    if used.starts_with(wanted) {
        return Finding::Pass;
    }
    if used == NO_ANSWER {
        return waits(starts);
    }
    fail(
        run,
        &format!("the devices work: {wanted}"),
        used,
        "The nodes are right but can't be used. On a file system mounted with MS_NODEV, or made in another user namespace, every device gives EACCES.",
        "Mount /dev without MS_NODEV, and bind the host's devices.",
        "man 2 mount",
    )
}

/// The links in /dev: for level 02 and all later ones.
pub fn descriptor_links(evidence: &Evidence, starts: &str) -> Finding {
    let run = evidence.run("look");
    let seen = match seen(run, starts) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        let found = seen.files.get(&format!("dev/{name}"));
        let leads = found.is_some_and(|file| {
            let to = file.content.trim_end_matches('/');
            let through_fd = target.replace("/proc/self/", "");
            file.kind == FileKind::Link
                && (to == target
                    || to == target.replacen('/', "../", 1)
                    || name != "fd"
                        && (to == through_fd || to == format!("/dev/{through_fd}")))
        });
        if leads {
            continue;
        }
        let likely = match found {
            None => {
                "The link is missing. Shells use /dev/fd for <(…), and programs open /dev/stdout by name."
            }
            Some(file) if file.kind != FileKind::Link => {
                "Something else stands there. The caller's descriptors can't be bound or copied: each process has its own, and the link must lead to those of whoever follows it."
            }
            Some(file) if file.content.contains("/workshop/") => {
                "The link's target is a path of the host's. A link is only text: it is followed inside, where / is the container's root."
            }
            Some(file)
                if file.content.contains("/proc/")
                    && !file.content.contains("self") =>
            {
                "The link leads to one process's descriptors for ever. /proc/self is whoever looks."
            }
            Some(_) => "The link leads elsewhere.",
        };
        return fail(
            run,
            &format!("/dev/{name} is a link to {target}"),
            format!("/dev/{name}: {}", show_file(found)),
            likely,
            "Make the four links in the new /dev; symlink takes the target first.",
            "man 4 fd, man 2 symlink",
        );
    }
    Finding::Pass
}

/// The pseudo-terminals: for level 02 and all later ones.
pub fn pts(evidence: &Evidence, starts: &str) -> Finding {
    let run = evidence.run("look");
    let seen = match seen(run, starts) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    let callers_dev = mount_of(seen, "/dev").filter(|dev| is_callers(evidence, dev));
    if callers_dev.is_some_and(|dev| dev.point == "/dev" && dev.root == "/") {
        return waits("mounts.dev");
    }
    let wanted = "a new instance of devpts on /dev/pts";
    let Some(mount) = mount_at(seen, "/dev/pts").filter(|m| m.kind == "devpts")
    else {
        let hidden = seen
            .own_mounts
            .iter()
            .any(|mount| mount.point == "/dev/pts" && mount.kind == "devpts");
        let (saw, likely) = match (hidden, mount_at(seen, "/dev/pts")) {
            (true, _) => (
                "a devpts is mounted on /dev/pts, and covered by another mount"
                    .into(),
                "devpts was mounted first, and then something over it or over /dev.",
            ),
            (_, Some(other)) => (show(other), "Something else is mounted there."),
            (_, None) => (
                "nothing is mounted on /dev/pts".into(),
                "devpts was not mounted, or on another path: Path::join with a name that begins with a slash throws the container's directory away, and what is left is the host's /dev/pts. Without it there are no pseudo-terminals in the container.",
            ),
        };
        return fail(
            run,
            wanted,
            saw,
            likely,
            "After /dev, mount devpts on the container's /dev/pts, with newinstance,ptmxmode=0666.",
            "man 4 pts",
        );
    };
    if is_callers(evidence, mount) {
        return fail(
            run,
            wanted,
            format!("the caller's own instance: {}", show(mount)),
            "The host's /dev/pts was bound. The container could write to the terminals of its host.",
            "Mount a new devpts instead of binding the old one.",
            "man 4 pts",
        );
    }
    // Not asked for; but one that is there must belong to this instance.
    let link = seen.files.get("dev/ptmx");
    if unanswered(run, "terminal") {
        return waits("mounts.two-at-once");
    }
    let opened = run.outcome("terminal");
    if link.is_some() && opened != "ok" {
        return fail(
            run,
            "/dev/ptmx opens a terminal in /dev/pts",
            format!(
                "/dev/ptmx: {}\nopen it, then look for its other end in /dev/pts: {opened}",
                show_file(link)
            ),
            "/dev/ptmx belongs to another devpts than the one on /dev/pts, or leads nowhere.",
            "Make /dev/ptmx a link to pts/ptmx, and mount devpts with ptmxmode=0666.",
            "man 4 pts",
        );
    }
    Finding::Pass
}
