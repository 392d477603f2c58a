//! 03 pivot-root: a wall instead of a view.

use nix::errno::Errno;

use super::l01_chroot::working_directory_is_root;
use super::l02_mount_ns::{
    self, descriptor_links, devices, failures, host_as_before, mounted,
    private_mounts, pts, same_namespace, two_at_once,
};
use crate::evidence::{Evidence, FileKind, Mount, NO_ANSWER, Seen};
use crate::judge::clues::{Clue, leaked, starts_with};
use crate::judge::common::{
    failing, first_of, is_own, quiet, seen, show, two_containers, unanswered,
};
use crate::judge::{Check, Finding, Level, fail, waits};
use crate::plan::{Act, Plan};

const STARTS: &str = "pivot.starts";
const ROOT: &str = "pivot.root-of-namespace";
const GONE: &str = "pivot.old-root-gone";
const DIRECTORY: &str = "pivot.working-directory";
const PRIVATE: &str = "pivot.caller-mounts";

pub static LEVEL: Level = Level {
    number: "03",
    name: "pivot-root",
    title: "pivot_root",
    learned: "why runtimes pivot instead of chroot",
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
            id: ROOT,
            claim: "the new root is the root of the mount namespace",
            judge: root_of_namespace,
        },
        Check {
            id: GONE,
            claim: "nothing of the old root is left",
            judge: old_root_gone,
        },
        Check {
            id: "pivot.no-put-old",
            claim: "no directory for the old root is left in the new one",
            judge: no_put_old,
        },
        Check {
            id: DIRECTORY,
            claim: "the working directory is /",
            judge: working_directory,
        },
        Check {
            id: "pivot.file-systems",
            claim: "/proc, /sys and /dev came along",
            judge: file_systems,
        },
        Check {
            id: "pivot.break-out",
            claim: "the break-out from level 01 fails",
            judge: break_out,
        },
        Check {
            id: "pivot.no-way-by-descriptor",
            claim: "no inherited descriptor leads out",
            judge: no_way_by_descriptor,
        },
        Check {
            id: PRIVATE,
            claim: "the caller's mounts are alive, during and after",
            judge: private,
        },
        Check {
            id: "pivot.two-at-once",
            claim: "two containers at once don't meet",
            judge: |evidence| {
                two_at_once(evidence, STARTS, PRIVATE, &private(evidence))
            },
        },
        Check {
            id: "pivot.failures",
            claim: "what can't start gives its status, one line, nothing left",
            judge: |evidence| {
                failures(evidence, STARTS, PRIVATE, &private(evidence))
            },
        },
        Check {
            id: "pivot.quiet",
            claim: "the runtime itself writes nothing to stdout",
            judge: |evidence| quiet(evidence, STARTS),
        },
        Check {
            id: "pivot.host-as-before",
            claim: "afterwards the host is as before",
            judge: |evidence| {
                host_as_before(evidence, STARTS, PRIVATE, &private(evidence))
            },
        },
    ],
};

fn runs() -> Vec<Plan> {
    let acts = vec![Act::UseDevices, Act::OpenTerminal, Act::BreakOut];
    let mut all = Vec::from(two_containers(acts));
    all.extend(failing());
    all
}

/// What the errors of these calls mean here.
pub const CLUES: &[Clue] = &[
    Clue {
        words: &["pivot_root"],
        errno: Errno::EBUSY,
        likely: "The new root is on the same mount as the old one: it is a directory there, not a mount of its own. pivot_root swaps mounts.",
        next: "Bind the directory on itself first (MS_BIND | MS_REC): then it is a mount point.",
        more: "man 2 pivot_root",
    },
    Clue {
        words: &["pivot_root"],
        errno: Errno::EINVAL,
        likely: "pivot_root gives EINVAL for several mistakes. The caller's mounts didn't change here, so the usual one, mounts that are still shared, is not likely. What is left: the new root is only a directory, not a mount point; or put_old is not below it; or the two arguments are the wrong way round; or the process is in a chroot, whose root is no mount point either.",
        next: "Bind the container's directory on itself (MS_BIND | MS_REC). Then its path must be in /proc/self/mountinfo. put_old must be a directory in it: the call is pivot_root(new_root, put_old).",
        more: "man 2 pivot_root",
    },
    Clue {
        words: &["pivot_root"],
        errno: Errno::ENOENT,
        likely: "One of the two directories isn't there. put_old has to be made first, inside the new root.",
        next: "mkdir put_old before pivot_root; or use pivot_root(\".\", \".\"), which needs none.",
        more: "man 2 pivot_root",
    },
    Clue {
        words: &["umount"],
        errno: Errno::EBUSY,
        likely: "The old root is in use: other mounts lie below it, and this process was started from it. Without MNT_DETACH umount2 only takes away what nobody uses.",
        next: "umount2(put_old, MNT_DETACH): it leaves the tree at once, and the kernel clears up when the last user is gone.",
        more: "man 2 umount2",
    },
    Clue {
        words: &["umount"],
        errno: Errno::EPERM,
        likely: "umount2 with MNT_FORCE is refused in a user namespace: it aborts what a dead file server still owes to everybody who uses the mount. Here nothing is dead; the old root is only in use.",
        next: "umount2(put_old, MNT_DETACH).",
        more: "man 2 umount2",
    },
    Clue {
        words: &["umount"],
        errno: Errno::ENOENT,
        likely: "There is no such path. Either it is one of before: since pivot_root, / is the new root, and put_old is a directory in it. Or pivot_root has not happened, and / is still the old root.",
        next: "Call pivot_root(new_root, put_old) first; from then on, name put_old from the new /: /.put_old, say.",
        more: "man 2 umount2",
    },
    Clue {
        words: &["umount"],
        errno: Errno::EINVAL,
        likely: "Either nothing is mounted on this path: the old root is at put_old, named from the new /. Or it is one of the mounts below the old root, which came from a more powerful user namespace: those can't be taken apart one by one.",
        next: "Unmount the old root as a whole, where pivot_root put it, with MNT_DETACH.",
        more: "man 2 umount2, man 7 mount_namespaces",
    },
    Clue {
        words: &["rmdir"],
        errno: Errno::EBUSY,
        likely: "The old root is still mounted on this directory.",
        next: "umount2 it first, with MNT_DETACH; then rmdir.",
        more: "man 2 rmdir",
    },
    Clue {
        words: &["rmdir"],
        errno: Errno::ENOENT,
        likely: "The path is one of before: since pivot_root, / is the new root, and put_old is in it.",
        next: "Name put_old from the new /.",
        more: "man 2 rmdir",
    },
    Clue {
        words: &["rmdir"],
        errno: Errno::ENOTEMPTY,
        likely: "The directory isn't empty: it is not a mount point that was let go, or another one.",
        next: "Unmount the old root first, and name the same directory.",
        more: "man 2 rmdir",
    },
    Clue {
        words: &["put_old"],
        errno: Errno::EEXIST,
        likely: "The directory for the old root is there already: the image has one of this name, or this container's directory was used before.",
        next: "Make it under a name that the image doesn't have; or use pivot_root(\".\", \".\"), which needs none.",
        more: "man 2 mkdir",
    },
];

/// The same errno, when mounts did come through to the caller.
const SHARED: &[Clue] = &[Clue {
    words: &["pivot_root"],
    errno: Errno::EINVAL,
    likely: "The mounts are still shared: those that were made for the container appeared in the caller's table, too. pivot_root refuses to move a root whose parent mount, or the new root's, is shared: all peers would have to follow. MS_PRIVATE is missing, or was set without MS_REC; or there is no unshare, and the table is the caller's own.",
    next: "In the child: unshare(CLONE_NEWNS), then mount(NULL, \"/\", NULL, MS_REC | MS_PRIVATE, NULL), before any other mount.",
    more: "man 2 pivot_root, man 7 mount_namespaces",
}];

fn starts(evidence: &Evidence) -> Finding {
    match leaked(evidence.run("look")) {
        true => starts_with(evidence, &[SHARED, CLUES, l02_mount_ns::CLUES]),
        false => starts_with(evidence, &[CLUES, l02_mount_ns::CLUES]),
    }
}

fn private(evidence: &Evidence) -> Finding {
    private_mounts(evidence, STARTS, ROOT)
}

/// Is the command's root the root of its mount namespace? It may be covered by
/// another mount, as pivot_root(".", ".") leaves it.
fn is_pivoted(seen: &Seen) -> bool {
    let mut top = seen.root_mount;
    let on_it = |id| {
        seen.own_mounts
            .iter()
            .rfind(|m| m.parent == id && m.point == "/")
    };
    while let Some(next) = on_it(top).filter(|next| next.id != top) {
        top = next.id;
    }
    let covered = top != seen.root_mount;
    top == seen.namespace_root_mount && (covered || seen.root == seen.namespace_root)
}

fn root_of_namespace(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    let seen = match seen(run, STARTS) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    if !is_own(evidence, seen, "mnt") {
        return same_namespace(evidence, run, seen);
    }
    if is_pivoted(seen) && seen.root != evidence.caller_root {
        return Finding::Pass;
    }
    let wanted = "the command's / is the mount at the root of its mount namespace";
    if seen.root == evidence.caller_root {
        return fail(
            run,
            wanted,
            "the command's / is the caller's /",
            "The root was never changed: pivot_root is missing, or its error was dropped.",
            "Make the container's directory a mount point (bind it on itself), then pivot_root into it.",
            "man 2 pivot_root",
        );
    }
    let saw = format!(
        "the command's / is on mount {}; the namespace's root is mount {}",
        seen.root_mount, seen.namespace_root_mount
    );
    let (likely, next) = match seen.namespace_root == evidence.caller_root {
        true => (
            "chroot instead of pivot_root: the process looks at its tree through a keyhole, while the namespace still has the old root, and everything on it.",
            "pivot_root to the container's directory; it changes the namespace itself.",
        ),
        false => (
            "The namespace got a new root, but the command was then put into a directory below it with chroot. What is above that directory can still be reached.",
            "pivot_root to the very directory that the command is to have as /.",
        ),
    };
    fail(run, wanted, saw, likely, next, "man 2 pivot_root")
}

/// File systems that there is only one of: mounted anew, they are the caller's, too.
const SINGLE: [&str; 12] = [
    "proc",
    "sysfs",
    "mqueue",
    "cgroup",
    "cgroup2",
    "securityfs",
    "debugfs",
    "tracefs",
    "bpf",
    "configfs",
    "pstore",
    "fusectl",
];

/// Directories of the caller's that are mounted in the container as well: the same
/// part of the same file system, or a directory of it. Single devices may be: they are
/// bound.
fn left_of_caller<'a>(
    evidence: &Evidence,
    seen: &Seen,
    mounts: &'a [Mount],
) -> Vec<&'a Mount> {
    let is_left = |mount: &&Mount| {
        seen.of_caller.contains_key(&mount.id) || is_mount_of_caller(evidence, mount)
    };
    let several = |mount: &&Mount| !SINGLE.contains(&mount.kind.as_str());
    mounts.iter().filter(several).filter(is_left).collect()
}

/// Has the caller the very same mounted, but for a device in /dev?
fn is_mount_of_caller(evidence: &Evidence, mount: &Mount) -> bool {
    evidence.caller_mounts.iter().any(|callers| {
        let device = callers.point.starts_with("/dev/") && callers.root != "/";
        (callers.device, &callers.root) == (mount.device, &mount.root) && !device
    })
}

/// Is it a single file that is bound here, such as the caller's /etc/resolv.conf? In a
/// Docker container that is a mount of the caller's, elsewhere it isn't.
fn is_on_a_file(seen: &Seen, mount: &Mount) -> bool {
    let file = seen.files.get(mount.point.trim_start_matches('/'));
    file.is_some_and(|file| file.mounted && file.kind == FileKind::File)
}

fn old_root_gone(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    let seen = match seen(run, STARTS) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    if root_of_namespace(evidence) != Finding::Pass {
        return waits(ROOT);
    }
    let wanted = "no mount outside the new root";
    if let Some(why) = &seen.unread {
        return fail(
            run,
            wanted,
            format!("nobody can look: {why}"),
            "There are thousands of mounts in the container, or names of mount points that are thousands of bytes long; or the limits on namespaces (/proc/sys/user) were set so low that no other can be made.",
            "Make the mounts that the container needs, and leave the limits as they are.",
            "man 5 proc, man 7 namespaces",
        );
    }
    let listed = |mounts: &[&Mount]| {
        let line = |mount: &&Mount| match seen.of_caller.get(&mount.id) {
            Some(path) => format!("{}: the caller's {path}", show(mount)),
            None => show(mount),
        };
        let lines: Vec<String> = mounts.iter().map(line).collect();
        first_of(&lines, 4)
    };
    let mut left = left_of_caller(evidence, seen, &seen.mounts);
    left.retain(|mount| !is_on_a_file(seen, mount));
    if left.is_empty() {
        let beneath = left_of_caller(evidence, seen, &seen.beneath);
        if beneath.is_empty() {
            return Finding::Pass;
        }
        return fail(
            run,
            wanted,
            format!(
                "beneath the new root, when that is unmounted:\n{}",
                listed(&beneath)
            ),
            "The new root was moved on top of the old one (MS_MOVE), as an initramfs does it. The old root is only covered: root in the container can unmount what is on top, and is back.",
            "pivot_root puts the new root in the old one's place. Then unmount the old root.",
            "man 2 pivot_root, man 8 switch_root",
        );
    }
    let root = left
        .iter()
        .find(|mount| mount.root == "/" && is_root_of_caller(evidence, mount));
    let stacked = seen.namespace_root_mount != seen.root_mount;
    let (likely, next) = match root {
        Some(_) if stacked => (
            "After pivot_root(\".\", \".\") the old root lies on top of the new one, both on /. It was never unmounted.",
            "umount2(\".\", MNT_DETACH) right after pivot_root, before chdir(\"/\"): the working directory is still the one that was pivoted.",
        ),
        Some(_) => (
            "pivot_root put the old root at put_old, and it was never unmounted; or it was bound or moved to another place before.",
            "umount2 it with MNT_DETACH, after chdir(\"/\").",
        ),
        None if !left.iter().any(|mount| is_mount_of_caller(evidence, mount)) => (
            "A directory of the caller's was bound into the container, before pivot_root or from the old root: what is written there is written outside.",
            "Bind single files, or directories that the runtime has made itself.",
        ),
        None => (
            "The old root itself is gone, but not all that was mounted on it: parts were moved or bound to another place, or only some were unmounted.",
            "Unmount put_old as a whole, with MNT_DETACH: that takes everything below it along.",
        ),
    };
    let saw = format!("in the container's mount namespace:\n{}", listed(&left));
    fail(run, wanted, saw, likely, next, "man 2 pivot_root")
}

fn is_root_of_caller(evidence: &Evidence, mount: &Mount) -> bool {
    let mut roots = evidence
        .caller_mounts
        .iter()
        .filter(|callers| callers.point == "/");
    roots.any(|root| (root.device, &root.root) == (mount.device, &mount.root))
}

/// The file system's usual directories: runtimes make them, and others below them,
/// where an image has none (man 7 hier).
const USUAL: [&str; 9] = [
    "dev", "etc", "home", "lib", "proc", "run", "sys", "usr", "var",
];
/// And those below which nobody makes others.
const USUAL_ALONE: [&str; 8] =
    ["bin", "boot", "lib64", "opt", "root", "sbin", "srv", "tmp"];

/// Could this directory be one that the old root was put on? Nothing in the kernel
/// tells afterwards. An empty one in an unusual place, or under such a name, has
/// hardly another reason to be there.
fn may_be_put_old(path: &str) -> bool {
    let (top, name) = (path.split('/').next(), path.rsplit('/').next());
    let named = name.is_some_and(|name| {
        let name = name.to_lowercase();
        ["old", "pivot"].iter().any(|word| name.contains(word))
    });
    // /tmp/.X11-unix and the like, as systemd makes them.
    let sockets = path.starts_with("tmp/.") && path.ends_with("-unix");
    let usual =
        top.is_some_and(|top| USUAL.contains(&top)) || USUAL_ALONE.contains(&path);
    named || !usual && !sockets
}

fn no_put_old(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    let seen = match seen(run, STARTS) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    if root_of_namespace(evidence) != Finding::Pass {
        return waits(ROOT);
    }
    if let Finding::Fail(_) = old_root_gone(evidence) {
        // Where it hangs may be such a directory.
        return waits(GONE);
    }
    let is_empty = |path: &str| {
        let below = format!("{path}/");
        !seen.files.keys().any(|other| other.starts_with(&below))
    };
    let extra: Vec<String> = seen
        .files
        .iter()
        .filter(|(path, file)| {
            file.kind == FileKind::Directory
                && !file.mounted
                && !evidence.image.contains_key(*path)
                && may_be_put_old(path)
                && is_empty(path)
        })
        .map(|(path, _)| format!("/{path}"))
        .collect();
    if extra.is_empty() {
        return Finding::Pass;
    }
    fail(
        run,
        "no directory that the old root could have been put on, but the image's own",
        format!("not in the image, and empty: {}", first_of(&extra, 4)),
        "The directory that pivot_root put the old root on is still there. It is empty now, but it doesn't belong to the image.",
        "rmdir it after unmounting; or use pivot_root(\".\", \".\"), which needs none.",
        "man 2 pivot_root",
    )
}

fn working_directory(evidence: &Evidence) -> Finding {
    working_directory_is_root(evidence, STARTS)
}

fn file_systems(evidence: &Evidence) -> Finding {
    for (point, kind) in [("/proc", "proc"), ("/sys", "sysfs"), ("/dev", "tmpfs")] {
        let mut finding = mounted(evidence, STARTS, point, kind);
        if let Finding::Fail(diagnosis) = &mut finding {
            if diagnosis.saw == format!("nothing is mounted on {point}") {
                diagnosis.likely = "It stayed behind. A bind mount takes one mount along: without MS_REC the new root comes without what was mounted below it.".into();
                diagnosis.next = "Bind the container's directory on itself with MS_BIND | MS_REC; or mount /proc, /sys and /dev after the bind, in the bound directory.".into();
            }
        }
        if finding != Finding::Pass {
            return finding;
        }
    }
    let mut finding = devices(evidence, STARTS);
    if let Finding::Fail(diagnosis) = &mut finding {
        // The empty file on which the device was bound.
        if diagnosis.saw.contains("a file of 0 bytes") {
            diagnosis.likely = "The device stayed behind: it was bound on this file, and the bind that brought /dev here took one mount along, without those below it.".into();
            diagnosis.next = "Bind with MS_BIND | MS_REC: that takes all along that is mounted below.".into();
        }
    }
    [
        finding,
        descriptor_links(evidence, STARTS),
        pts(evidence, STARTS),
    ]
    .into_iter()
    .find(|finding| *finding != Finding::Pass)
    .unwrap_or(Finding::Pass)
}

fn break_out(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    if let Err(waits) = seen(run, STARTS) {
        return waits;
    }
    let outcome = run.outcome("break-out");
    if !outcome.starts_with("reached") && outcome != NO_ANSWER {
        return Finding::Pass;
    }
    for (id, finding) in [
        (ROOT, root_of_namespace(evidence)),
        (DIRECTORY, working_directory(evidence)),
        (GONE, old_root_gone(evidence)),
    ] {
        if finding != Finding::Pass {
            return waits(id);
        }
    }
    if unanswered(run, "break-out") {
        return waits("pivot.two-at-once");
    }
    if outcome == NO_ANSWER {
        return waits(STARTS);
    }
    fail(
        run,
        "mkdir, chroot, .. many times, chroot: and still inside",
        outcome,
        "A process with CAP_SYS_CHROOT walks out of a chroot: a second chroot leaves its working directory outside the new root, and from there .. leads to the real one.",
        "Take the old root away: pivot_root, then unmount it.",
        "man 2 chroot",
    )
}

fn no_way_by_descriptor(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    let seen = match seen(run, STARTS) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    let open: Vec<String> = seen
        .descriptors
        .iter()
        .filter(|open| open.number > 2)
        .map(|open| format!("{} → {}", open.number, open.target))
        .collect();
    if open.is_empty() {
        return Finding::Pass;
    }
    fail(
        run,
        "no descriptor but 0, 1 and 2",
        first_of(&open, 4),
        "A directory that was open before the root changed still leads there: fchdir, and the process is outside (CVE-2024-21626).",
        "Close everything from 3 on before exec: close_range with CLOSE_RANGE_CLOEXEC.",
        "man 2 close_range",
    )
}
