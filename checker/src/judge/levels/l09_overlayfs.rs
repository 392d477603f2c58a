//! 09 overlayfs: one image, many containers.

use nix::errno::Errno;

use super::l08_cgroups_cpu;
use crate::evidence::{
    Ending, Evidence, FileFact, FileId, FileKind, NO_ANSWER, NOT_SEEN, Overlay, Run,
    Seen,
};
use crate::judge::clues::{Clue, leaked, starts_with};
use crate::judge::common::{
    self, as_in_archive, container_checks, failing, first_of, is_own, mount_of, odd,
    seen, show, show_file, two_containers, words,
};
use crate::judge::{Check, Finding, Level, fail, waits};
use crate::plan::{
    Act, Image, LARGE_COUNT, LARGE_FILE, Moment, OTHER_MOTD, Plan, Step,
};

const STARTS: &str = "overlay.starts";
const MOUNTED: &str = "overlay.mounted";
const CHANGES: &str = "overlay.changes";
const FILES: &str = "overlay.files";
const ONCE: &str = "overlay.once";
const DOCUMENT: &str = "the kernel's Documentation/filesystems/overlayfs.rst";

pub static LEVEL: Level = Level {
    number: "09",
    name: "overlayfs",
    title: "overlayfs",
    learned: "one image, many containers, copy on write",
    contained: true,
    groups: false,
    runs,
    checks: container_checks!(
        "overlay",
        [
            Check {
                id: MOUNTED,
                claim: "/ is an overlay: the image below, the container's own on top",
                judge: mounted,
            },
            Check {
                id: FILES,
                claim: "files, modes and links are as in the archive",
                judge: files,
            },
            Check {
                id: CHANGES,
                claim: "files and directories can be written, deleted and renamed",
                judge: changes,
            },
            Check {
                id: "overlay.upper",
                claim: "the upper directory holds the changes only, a deletion as a whiteout",
                judge: upper,
            },
            Check {
                id: "overlay.image-unchanged",
                claim: "the unpacked image stays as it is",
                judge: image_unchanged,
            },
            Check {
                id: ONCE,
                claim: "the image is unpacked once",
                judge: once,
            },
            Check {
                id: "overlay.ten-at-once",
                claim: "ten first starts at once all work",
                judge: ten_at_once,
            },
            Check {
                id: "overlay.after-kill",
                claim: "an unpack that died midway isn't taken for whole",
                judge: after_kill,
            },
            Check {
                id: "overlay.new-image",
                claim: "an archive that was replaced is another image",
                judge: new_image,
            },
        ]
    ),
};

const TEN: [&str; 10] = [
    "start-01", "start-02", "start-03", "start-04", "start-05", "start-06",
    "start-07", "start-08", "start-09", "start-10",
];

/// Runs that are killed, the next ones, and when.
const KILLED: [(&str, &str, Moment); 3] = [
    ("killed", "again", Moment::Unpacking),
    ("killed-renaming", "again-renaming", Moment::Renaming),
    ("killed-copying", "again-copying", Moment::Copying),
];

fn runs() -> Vec<Plan> {
    let [look, beside] = two_containers(vec![
        Act::Write("/etc/shared".into(), "changed by the container".into()),
        Act::Delete("/etc/dangling".into()),
        Act::Delete("/etc/relative".into()),
        Act::Rename("/opt/setuid".into(), "/opt/renamed".into()),
        Act::Chmod("/opt/with space".into(), 0o600),
        Act::MakeDirectory("/var/new".into()),
        Act::Write("/var/new/file".into(), "new".into()),
        Act::Delete("/var/empty".into()),
    ]);
    let mut look = look;
    look.steps.push(Step::Look("changed"));
    // Last: on some kernels that can't be done here.
    look.steps.push(Act::Delete("/opt".into()).into());
    let read = |path: &str| Act::Read(path.into());
    let mut all = vec![look, beside, Plan::probe("next").closely()];
    for (index, name) in TEN.into_iter().enumerate() {
        let one = Plan::probe(name)
            .image(Image::Fresh)
            .acts(vec![read("/etc/motd"), read("/var/last")]);
        all.push(if index == 0 { one } else { one.at_once() });
    }
    all.extend([Plan::probe("replaced")
        .image(Image::Replaced)
        .acts(vec![read("/etc/motd")])]);
    for (killed, again, moment) in KILLED {
        let image = Image::Large(moment);
        all.push(Plan::probe(killed).image(image).killed(moment));
        all.push(Plan::probe(again).image(image).closely().beside());
    }
    all.extend(failing());
    all
}

/// What the errors of these calls mean here.
const CLUES: &[Clue] = &[
    Clue {
        words: &["overlay"],
        errno: Errno::EINVAL,
        likely: "The kernel refuses the options: an option that it doesn't know; a directory missing among lowerdir, upperdir and workdir; the upper and the work directory on different file systems, or one inside the other; an upper directory on an overlay or on a network file system.",
        next: "lowerdir=…,upperdir=…,workdir=…,userxattr; upper and work side by side in the container's directory.",
        more: DOCUMENT,
    },
    Clue {
        words: &["mount|overlay"],
        errno: Errno::ENOENT,
        likely: "One of the directories isn't there: the lower one, the upper, the work directory, or the mount point. After pivot_root or chroot none of them is: the paths are the old root's.",
        next: "Which one is missing? The unpacked image must have been moved to where it is looked for; upper, work and the mount point must have been made; and the mount comes before the root changes.",
        more: DOCUMENT,
    },
    Clue {
        words: &["overlay"],
        errno: Errno::EPERM,
        likely: "In a user namespace some options are refused (index, metacopy, redirect_dir=on, trusted attributes); and the mount namespace must be the user namespace's own.",
        next: "Call unshare(CLONE_NEWNS) first; the options are lowerdir, upperdir, workdir and userxattr.",
        more: DOCUMENT,
    },
    Clue {
        words: &["overlay"],
        errno: Errno::EBUSY,
        likely: "The upper or the work directory is in use by another overlay: two containers have the same one.",
        next: "Give each container an upper and a work directory of its own.",
        more: DOCUMENT,
    },
    Clue {
        words: &["overlay"],
        errno: Errno::ENODEV,
        likely: "The kernel has no overlayfs: the type is called overlay; as a module it may have to be loaded.",
        next: "The type is \"overlay\".",
        more: DOCUMENT,
    },
    Clue {
        words: &["upper"],
        errno: Errno::ENOENT,
        likely: "The lower directory, or the upper one, isn't there.",
        next: "Has the unpacked image been moved to the place where it is looked for? Has the upper directory been made?",
        more: DOCUMENT,
    },
    Clue {
        words: &[],
        errno: Errno::EROFS,
        likely: "The container's root can only be read: without upperdir and workdir an overlay is read-only.",
        next: "Give it an upper and a work directory of the container's own.",
        more: DOCUMENT,
    },
    Clue {
        words: &["rename"],
        errno: Errno::EXDEV,
        likely: "rename doesn't cross file systems: the image was unpacked on another one than where it is to be kept (/tmp is one of its own).",
        next: "Unpack it in a directory beside the place where it is to be kept.",
        more: "man 2 rename",
    },
    Clue {
        words: &["rename"],
        errno: Errno::ENOENT,
        likely: "What is to be renamed isn't there, or the directory above the new name. rename takes first what there is, then what it is to be called.",
        next: "From the directory beside, in which it was unpacked, to the place where it is kept.",
        more: "man 2 rename",
    },
    Clue {
        words: &["rename"],
        errno: Errno::ENOTEMPTY,
        likely: "The place is taken: another start was faster, and has put the image there. That is good, and no error.",
        next: "Who has waited for the lock must look again, before it unpacks: the image may be there by now. Without a lock, take the one that is there, and delete yours.",
        more: "man 2 rename",
    },
    Clue {
        words: &["mkdir"],
        errno: Errno::EEXIST,
        likely: "The directory is there already: from another container, or from a run that was killed.",
        next: "Give each container a directory of its own; and unpack images under a name that is free.",
        more: "man 2 mkdir",
    },
];

fn starts(evidence: &Evidence) -> Finding {
    starts_with(
        evidence,
        &[
            CLUES,
            l08_cgroups_cpu::CLUES,
            super::l07_cgroups::CLUES,
            super::l06_net_ns::CLUES,
            super::l04_pid_ns::CLUES,
            super::l03_pivot_root::CLUES,
        ],
    )
}

/// The overlay that is a run's root, if it is mounted as it should be.
fn overlay<'a>(
    evidence: &'a Evidence,
    run: &'a Run,
) -> Result<(&'a Seen, &'a Overlay), Finding> {
    let seen = seen(run, STARTS)?;
    if leaked(run) {
        return Err(waits("overlay.host-as-before"));
    }
    match &seen.overlay {
        Some(overlay)
            if is_own(evidence, seen, "mnt")
                && mounted(evidence) == Finding::Pass =>
        {
            Ok((seen, overlay))
        }
        _ => Err(waits(MOUNTED)),
    }
}

fn mounted(evidence: &Evidence) -> Finding {
    let mut others: Vec<(&Overlay, &str)> = Vec::new();
    for name in ["look", "beside", "next"] {
        let run = evidence.run(name);
        let seen = match seen(run, STARTS) {
            Ok(seen) => seen,
            Err(waits) => return waits,
        };
        let Some(overlay) = &seen.overlay else {
            return no_overlay(run, seen);
        };
        if overlay.upper.is_empty() {
            return fail(
                run,
                "an overlay with an upper directory",
                "it has none: it can only be read",
                "Without upperdir and workdir an overlay is read-only: it stacks lower directories.",
                "Give it an upper and a work directory of the container's own.",
                DOCUMENT,
            );
        }
        if is_image(overlay) {
            return fail(
                run,
                "an upper directory with nothing in it",
                format!(
                    "upperdir={}, and the image's files are in it",
                    overlay.upper
                ),
                "The upper and the lower directory are swapped, or the image was unpacked into the upper one. What is written goes to the upper directory: all containers would write into the image, or each has a copy.",
                "lowerdir= the unpacked image, upperdir= an empty directory of the container's own.",
                DOCUMENT,
            );
        }
        // Its name may lead nowhere in the caller's eyes: then what the first one has
        // changed tells.
        let changed = run.looks.get("changed");
        let changed = changed.and_then(|seen| seen.overlay.as_ref());
        let overlay = changed.unwrap_or(overlay);
        if overlay.upper_id == FileId::default() {
            // Or that doesn't, either: it is on a mount of the container's own.
            continue;
        }
        if !overlay.upper.starts_with("/workshop/containers/") {
            return fail(
                run,
                "an upper directory below the container directory",
                format!("upperdir={}", overlay.upper),
                "What the container has written is not there: it went to another place. --container-dir says where there is room for it.",
                "Make upper and work in the container's own directory.",
                DOCUMENT,
            );
        }
        if !seen.own_mounts.iter().any(|mount| mount.kind == "proc") {
            return fail(
                run,
                "/proc, /sys and /dev, as since level 02",
                "no proc is mounted in the container",
                "The overlay was mounted after them, and covers them.",
                "Mount the overlay first, then /proc and the others below it.",
                DOCUMENT,
            );
        }
        // The one after them may find its name free again.
        let beside = others.iter().filter(|_| name == "beside");
        for (other, neighbour) in beside {
            let shared = [
                (
                    "upperdir",
                    &overlay.upper,
                    other.upper_id == overlay.upper_id,
                ),
                ("workdir", &overlay.work, other.work == overlay.work),
            ];
            let Some((option, path, _)) = shared.iter().find(|(.., same)| *same)
            else {
                continue;
            };
            return fail(
                run,
                "an upper and a work directory of its own for each container",
                format!("{option}={path}: {name} has the same as {neighbour}"),
                match *option {
                    "upperdir" => {
                        "Two containers write into one upper directory: each sees what the other writes, and the kernel promises nothing for that."
                    }
                    _ => {
                        "The kernel empties the work directory when it mounts an overlay with it: what it prepares there for one container, it takes away from the other."
                    }
                },
                "Make the upper and the work directory in each container's own directory.",
                DOCUMENT,
            );
        }
        others.push((overlay, name));
    }
    Finding::Pass
}

/// Are the image's files in the upper directory, before anybody has touched them?
fn is_image(overlay: &Overlay) -> bool {
    ["etc/motd", "opt/setuid", "var/last"]
        .iter()
        .all(|path| overlay.upper_files.contains_key(*path))
}

fn no_overlay(run: &Run, seen: &Seen) -> Finding {
    let other = seen.mounts.iter().find(|mount| mount.kind == "overlay");
    let (likely, next) = match other {
        Some(_) => (
            "An overlay is mounted, but on another place than the container's root: before the root changed, on another path; or something was mounted over it.",
            "Mount the overlay on the directory that pivot_root makes the root.",
        ),
        None => (
            "No overlay was mounted: the container runs on a copy of the image, or in the image itself. Or one was, on another directory than the one that became the root; or it was covered by what was mounted there afterwards.",
            "Mount an overlay on the container's root, in its mount namespace, before /proc and the others are mounted below it, and nothing else on the same directory; and pivot to that directory.",
        ),
    };
    let root = mount_of(seen, "/");
    fail(
        run,
        "the container's / is a mount of type overlay",
        match (other, root) {
            (Some(other), _) => format!("an overlay on {}", show(other)),
            (_, Some(root)) => show(root),
            _ => "a directory".into(),
        },
        likely,
        next,
        DOCUMENT,
    )
}

fn files(evidence: &Evidence) -> Finding {
    let run = evidence.run("next");
    let seen = match overlay(evidence, run) {
        Ok((seen, _)) => seen,
        Err(waits) => return waits,
    };
    // `look` was the first one, and shows what unpacking made.
    let look = evidence.run("look");
    let first = match overlay(evidence, look) {
        Ok((first, overlay)) => hidden(evidence, look, first, overlay)
            .unwrap_or_else(|| as_in_archive(evidence, look, first)),
        Err(waits) => return waits,
    };
    let mode = seen.overlay.as_ref().map_or(0, |overlay| overlay.mode);
    match first {
        // 0: not known.
        Finding::Pass if mode != 0 && mode & 0o555 != 0o555 => fail(
            run,
            "everyone may enter the container's / and list it, mode 0755",
            format!("the mode of /: {mode:04o}"),
            "The mode of / is that of the upper directory, and this one was made with the caller's umask (here 027).",
            "Give the upper directory the mode of the unpacked image's top directory, with chmod.",
            "man 2 umask",
        ),
        Finding::Pass => as_in_archive(evidence, run, seen),
        finding => finding,
    }
}

/// Does a layer on top of the image hide some of it?
fn hidden(
    evidence: &Evidence,
    run: &Run,
    seen: &Seen,
    overlay: &Overlay,
) -> Option<Finding> {
    let image = Seen {
        files: overlay.lower_files.clone(),
        ..seen.clone()
    };
    if as_in_archive(evidence, run, &image) != Finding::Pass {
        return None;
    }
    let Finding::Fail(mut diagnosis) = as_in_archive(evidence, run, seen) else {
        return None;
    };
    diagnosis.likely = "In the unpacked image it is right; another layer, which lies on top of it, has something else there.".into();
    diagnosis.next = "In lowerdir=A:B:C, A is the uppermost: what comes first hides what comes later.".into();
    diagnosis.more = DOCUMENT.into();
    Some(Finding::Fail(diagnosis))
}

/// What `look` did to its files: each must have worked.
const DONE: [&str; 9] = [
    "write /etc/written",
    "write /etc/shared",
    "delete /etc/dangling",
    "delete /etc/relative",
    "rename /opt/setuid",
    "chmod /opt/with space",
    "mkdir /var/new",
    "write /var/new/file",
    "delete /var/empty",
];

fn changes(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    let overlay = match overlay(evidence, run) {
        Ok((_, overlay)) => overlay,
        Err(waits) => return waits,
    };
    let outcome = |act: &str| run.outcome(act);
    let problem = |act: &str, outcome: &str, likely: &str, next: &str| {
        fail(
            run,
            &format!("in the container: {act}"),
            outcome,
            likely,
            next,
            DOCUMENT,
        )
    };
    for act in DONE {
        let outcome = outcome(act);
        if outcome == NO_ANSWER {
            return waits(STARTS);
        }
        if outcome == NOT_SEEN {
            // When what is below is exchanged, anything may come of a change.
            return unless_once(evidence).unwrap_or_else(|| {
                problem(
                    act,
                    outcome,
                    "The command says that it is done, but nobody finds it below the command's root: something below the overlay changes while it is mounted, or another process has answered in the command's name.",
                    "Leave the layers alone as long as a container stands on them.",
                )
            });
        }
        if outcome != "ok" {
            return problem(
                act,
                outcome,
                "EROFS: the overlay has no upper directory, or was mounted read-only. EIO: overlayfs couldn't prepare the change in its work directory. EACCES, EPERM: the directories belong to somebody else, or are on a file system that refuses it.",
                "Make the upper and the work directory side by side, both empty, in the container's directory.",
            );
        }
    }
    let whole = outcome("delete /opt");
    if whole == NO_ANSWER {
        return waits(STARTS);
    }
    if whole == "ok" || evidence.machine.user_attributes || overlay.user_attributes {
        if whole == "ok" || !evidence.machine.user_attributes {
            return Finding::Pass;
        }
        return problem(
            "delete /opt, a directory of the image with files in it",
            whole,
            "To hide a directory of the image, overlayfs makes a note in an extended attribute. As a rule that is trusted.overlay.opaque, which in a user namespace nobody may write: then mounting works, and deleting a directory fails (EIO).",
            "Add userxattr to the options: the note is user.overlay.opaque then (Linux 5.11).",
        );
    }
    // This kernel's tmpfs keeps no such attributes (before Linux 6.6): then deleting
    // fails with the option, too, and the option itself is all there is to see.
    problem(
        "delete /opt, a directory of the image with files in it",
        whole,
        "The overlay was mounted without userxattr: in a user namespace overlayfs can't make its notes (trusted.overlay.opaque).",
        "Add userxattr to the options (Linux 5.11).",
    )
}

/// Is it a whiteout: a character device 0:0 (or since Linux 6.7 an empty file with an
/// attribute)?
fn is_whiteout(file: Option<&FileFact>) -> bool {
    file.is_some_and(|file| {
        file.kind == FileKind::Character && file.device == (0, 0)
            || file.kind == FileKind::File && file.size == 0
    })
}

fn upper(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    if let Err(waits) = overlay(evidence, run) {
        return waits;
    }
    if changes(evidence) != Finding::Pass {
        return waits(CHANGES);
    }
    if matches!(once(evidence), Finding::Fail(_)) {
        // What was in the upper directory can't be told from another image's.
        return waits(ONCE);
    }
    let changed = run
        .looks
        .get("changed")
        .and_then(|seen| seen.overlay.as_ref());
    let Some(overlay) = changed else {
        return waits(STARTS);
    };
    let found = |path: &str| overlay.upper_files.get(path);
    if found("etc/written").is_none() {
        // The kernel has put it into the upper directory. So what the caller finds
        // under this name is another one: a mount of the container's own covers it, or
        // the name doesn't begin at the root.
        return Finding::Pass;
    }
    for path in ["etc/dangling", "etc/relative", "var/empty", "opt/setuid"] {
        if is_whiteout(found(path)) {
            continue;
        }
        return fail(
            run,
            &format!(
                "a whiteout in the upper directory: /{path} was deleted or renamed in the container"
            ),
            format!("{}/{path}: {}", overlay.upper, show_file(found(path))),
            "A file that is only in the upper directory needs no whiteout: it is simply gone. So it was there, and not in the lower directory: the image, or a part of it, was unpacked or copied into the upper one.",
            "Leave the upper directory empty; the mount brings the image to light.",
            DOCUMENT,
        );
    }
    let touched = [
        "etc/written",
        "etc/shared",
        "etc/secret",
        "opt/renamed",
        "opt/with space",
        "var/new/file",
    ];
    let strange: Vec<String> = overlay
        .upper_files
        .iter()
        .filter(|(path, file)| {
            file.kind != FileKind::Directory
                && !is_whiteout(Some(file))
                && !touched.contains(&path.as_str())
                && !path.starts_with("dev/")
                && evidence.image.contains_key(*path)
        })
        .map(|(path, file)| format!("/{path}: {}", show_file(Some(file))))
        .collect();
    if strange.is_empty() {
        return Finding::Pass;
    }
    fail(
        run,
        "in the upper directory: what the container has changed, and nothing else",
        first_of(&strange, 4),
        "Files of the image are in the upper directory that nobody has touched: the image was unpacked or copied there, and not (only) into the lower one.",
        "Leave the upper directory empty; the mount brings the image to light.",
        DOCUMENT,
    )
}

fn image_unchanged(evidence: &Evidence) -> Finding {
    let (run, next) = (evidence.run("look"), evidence.run("next"));
    let first = match overlay(evidence, run) {
        Ok((_, overlay)) => overlay,
        Err(waits) => return waits,
    };
    let after = run
        .looks
        .get("changed")
        .and_then(|seen| seen.overlay.as_ref());
    let Some(after) = after else {
        return waits(STARTS);
    };
    let changed = changes_between(first, after);
    if changed.is_empty() {
        return Finding::Pass;
    }
    if motd_of(first) != motd_of(after) {
        // Another image is in its place.
        return waits(ONCE);
    }
    fail(
        next,
        "what a container writes doesn't change the unpacked image",
        first_of(&changed, 4),
        "Something writes through to the image: the runtime, which prepares files for a container; or the container, if the image is mounted in it besides.",
        "Nobody writes to the lower directory once it is whole. What a container is to have of its own belongs into its upper directory, or a layer in between; or write it to the mounted overlay.",
        DOCUMENT,
    )
}

/// A file of the unpacked image, to tell one from another.
fn motd_of(overlay: &Overlay) -> Option<FileId> {
    overlay.lower_files.get("etc/motd").map(|file| file.id)
}

/// What is different in the lower directory of two looks at one image.
fn changes_between(one: &Overlay, other: &Overlay) -> Vec<String> {
    let mut all = Vec::new();
    for (path, file) in &one.lower_files {
        match other.lower_files.get(path) {
            None => all.push(format!("- /{path}")),
            Some(now) if !now.is_as(file) => all.push(format!("~ /{path}")),
            _ => {}
        }
    }
    let new = other
        .lower_files
        .keys()
        .filter(|path| !one.lower_files.contains_key(*path));
    all.extend(new.map(|path| format!("+ /{path}")));
    all
}

fn once(evidence: &Evidence) -> Finding {
    let next = evidence.run("next");
    let overlays = overlay(evidence, evidence.run("look"))
        .and_then(|(_, first)| Ok((first, overlay(evidence, next)?.1)));
    let (first, second) = match overlays {
        Ok(overlays) => overlays,
        Err(waits) => return waits,
    };
    if matches!(image_unchanged(evidence), Finding::Fail(_)) {
        return waits("overlay.image-unchanged");
    }
    let wanted =
        "the second container stands on the same unpacked image as the first";
    // By the directory; or else by a file in it: the directory may have a second name
    // that only the container knows, or be a copy that consists of hard links.
    // What the caller finds under that name may be another than the container has.
    let is_it = |overlay: &Overlay| {
        let inside = overlay.motd.map(|(inode, _)| inode);
        motd_of(overlay).map(|id| id.inode) == inside
    };
    let found = is_it(first) && is_it(second);
    let same_file = found && motd_of(first) == motd_of(second);
    let same_motd = first.motd.is_some() && first.motd == second.motd;
    let same_directory = found
        && first.lower_id == second.lower_id
        && first.lower_id != FileId::default();
    let all = all_the_same(evidence, evidence.run("look"), next);
    if !((same_directory || same_file || same_motd) && all) {
        return fail(
            next,
            wanted,
            format!(
                "lowerdir={}, and for the first: {}",
                second.lower.join(":"),
                first.lower.join(":")
            ),
            match first.lower == second.lower {
                true => {
                    "The name is the same, the directory is not: it was deleted after the first start and unpacked anew, or each start puts a new one in the place of the old. A container that runs on it loses its files."
                }
                false => {
                    "Each container unpacks the image anew: that takes as much time and space as a copy, and the overlay saves nothing."
                }
            },
            "Keep the unpacked image in a place that all containers know; unpack only when it isn't there; leave it there when a container ends.",
            DOCUMENT,
        );
    }
    if !same_directory {
        return Finding::Pass;
    }
    let changed = changes_between(first, second);
    if changed.is_empty() {
        return Finding::Pass;
    }
    fail(
        next,
        wanted,
        format!(
            "in the lower directory, since the first start:\n{}",
            first_of(&changed, 4)
        ),
        "The second start unpacked the image again, into the same directory. A container that runs on it sees its files change.",
        "Unpack only when the image isn't there.",
        DOCUMENT,
    )
}

/// Are the image's plain files the same ones in both containers? One alone may be a
/// link to a file that is kept.
fn all_the_same(evidence: &Evidence, one: &Run, other: &Run) -> bool {
    let (Some(one), Some(other)) = (&one.seen, &other.seen) else {
        return false;
    };
    // What a layer of the container's own has put in its place is no file of the
    // image's.
    let inode = |seen: &Seen, path: &str, wanted: &FileFact| {
        let file = seen.files.get(path)?;
        let is_it = file.kind == FileKind::File
            && !file.mounted
            && (file.size, &file.content) == (wanted.size, &wanted.content);
        is_it.then_some(file.id.inode)
    };
    evidence.image.iter().all(|(path, wanted)| {
        let one = inode(one, path, wanted);
        let other = inode(other, path, wanted);
        one.is_none() || other.is_none() || one == other
    })
}

/// What waits for an image that is unpacked once.
fn unless_once(evidence: &Evidence) -> Option<Finding> {
    match once(evidence) {
        Finding::Pass => None,
        Finding::Fail(_) => Some(waits(ONCE)),
        waits => Some(waits),
    }
}

fn ten_at_once(evidence: &Evidence) -> Finding {
    if let Some(waits) = unless_once(evidence) {
        return waits;
    }
    for name in TEN {
        let run = evidence.run(name);
        let wanted =
            "ten containers start at once, from an image that was never unpacked";
        let (likely, next) = (
            "They all find no unpacked image, and all unpack it into the same place: one deletes or overwrites what another is writing, or takes a half-full directory for the image.",
            "Let one unpack and the others wait (flock on a directory or a file; in Rust keep the lock in a variable with a name, `let _lock`: `let _` lets go of it at once), and look again when the wait is over; or let each unpack into a directory of its own, and move that into place with rename: who comes second finds the place taken, and uses what is there.",
        );
        let gave_up = ["EAGAIN", "EWOULDBLOCK", "temporarily unavailable"]
            .iter()
            .any(|word| run.stderr.contains(word));
        let (likely, next) = match gave_up {
            true => (
                "The lock was taken, and this one gave up: the call was told not to wait (LOCK_NB, LockExclusiveNonblock).",
                "Wait for the lock (LOCK_EX, LockExclusive); then look again whether the image is there.",
            ),
            false => (likely, next),
        };
        if run.seen.is_none() || run.end != Ending::Exited(0) {
            return fail(
                run,
                wanted,
                format!("{name}: {}", words(run)),
                likely,
                next,
                "man 2 flock, man 2 rename",
            );
        }
        let motd = |run: &Run| run.seen.as_ref()?.overlay.as_ref()?.motd;
        let first = evidence.run(TEN[0]);
        if motd(run).is_none() || motd(run).map(|m| m.0) != motd(first).map(|m| m.0)
        {
            return fail(
                run,
                "ten containers that start at once stand on one unpacked image",
                format!(
                    "{name}: its /etc/motd is not {}'s, below an overlay",
                    TEN[0]
                ),
                "Each unpacked the image for itself, or has no overlay.",
                next,
                "man 2 flock, man 2 rename",
            );
        }
        let read = |path: &str| {
            run.acts
                .get(&format!("read {path}"))
                .cloned()
                .unwrap_or_default()
        };
        for (path, begins) in
            [("/etc/motd", "Rubber Crab"), ("/var/last", "the last file")]
        {
            if !read(path).starts_with(begins) {
                return fail(
                    run,
                    wanted,
                    format!("{name}: its {path}: {}", read(path)),
                    likely,
                    next,
                    "man 2 flock, man 2 rename",
                );
            }
        }
    }
    Finding::Pass
}

fn after_kill(evidence: &Evidence) -> Finding {
    if let Some(waits) = unless_once(evidence) {
        return waits;
    }
    let mut all = KILLED
        .map(|(killed, again, moment)| {
            let (killed, again) = (evidence.run(killed), evidence.run(again));
            whole_after_kill(killed, again, moment)
        })
        .into_iter();
    all.find(|finding| *finding != Finding::Pass)
        .unwrap_or(Finding::Pass)
}

fn whole_after_kill(killed: &Run, again: &Run, moment: Moment) -> Finding {
    let (wanted, likely) = match moment {
        Moment::Renaming => (
            "a run was killed right after its first rename; the next one has all of the image's files",
            "The unpacked files were moved one after the other into the place where the next run looks for the image: it found the first of them, and took them for the whole.",
        ),
        Moment::Copying => (
            "a run was killed when it had unpacked the image and wrote more; the next one has all of the image's files",
            "The unpacked image was copied to the place where the next run looks for it, and the half of a copy was taken for the whole.",
        ),
        Moment::Unpacking | Moment::Running => (
            "a run was killed while it unpacked the image; the next one has all of its files",
            "The half-unpacked directory was taken for the whole image: it was made in the place where the next run looks for it.",
        ),
    };
    let next = "Unpack aside, and move the whole into place with rename, when it is whole; and let the next run delete what is left aside.";
    let Ok(seen) = seen(again, STARTS) else {
        return match (killed.killed, again.end) {
            (Some(_), Ending::TimedOut(_)) => fail(
                again,
                wanted,
                words(again),
                "It waits for the one that was killed. A lock file, or a directory that stands for a lock, stays when its owner dies.",
                "Take a lock that ends with its owner: flock. Or write the owner's pid into the file, and take it away when that process is gone.",
                "man 2 flock",
            ),
            (Some(_), _) => {
                fail(again, wanted, words(again), likely, next, "man 2 rename")
            }
            (None, _) => waits(STARTS),
        };
    };
    let whole = |number: usize| {
        let file = seen.files.get(&format!("var/lib/many/{number:03}"));
        file.is_some_and(|file| file.size == (LARGE_FILE / 12 * 12) as u64)
    };
    let there = (0..LARGE_COUNT).filter(|number| whole(*number)).count();
    let last = seen
        .files
        .get("var/last")
        .is_some_and(|file| file.size > 10_000);
    if there == LARGE_COUNT && last {
        return match again.end {
            Ending::Exited(0) => Finding::Pass,
            _ => odd(again),
        };
    }
    fail(
        again,
        wanted,
        format!(
            "{there} of {LARGE_COUNT} files in /var/lib/many are whole; the last file of the archive is {}",
            if last { "there" } else { "not there" }
        ),
        likely,
        next,
        "man 2 rename",
    )
}

fn new_image(evidence: &Evidence) -> Finding {
    let run = evidence.run("replaced");
    if let Err(waits) = overlay(evidence, evidence.run("look")) {
        return waits;
    }
    if let Err(waits) = seen(run, STARTS) {
        return waits;
    }
    let motd = run.outcome("read /etc/motd");
    if motd.starts_with(OTHER_MOTD.trim_end()) {
        return Finding::Pass;
    }
    fail(
        run,
        "another archive under the same name, and the container has its files",
        format!("/etc/motd, which is another one in the new archive: {motd}"),
        "The unpacked image is found by the image's name, or by something else that both archives have in common: their size, their inode (this one was written over the old one). Who builds an image anew under the same name would run the old one for ever.",
        "Let the name of the unpacked image say which version of the archive it is: by the archive's inode, size and time of change, or its digest.",
        "man 2 stat",
    )
}
