//! 01 chroot: an image is a directory, and chroot makes it the root.

use std::collections::BTreeMap;

use super::l00_fork_exec::environment_in;
use crate::evidence::{Ending, Evidence, FileFact, FileId, FileKind, Seen};
use crate::judge::common::{
    self, Cause, MustFail, bad_command, failing, fails_well, first_of,
    host_as_before, odd, quiet, seen, show_file, starts, two_at_once,
    two_containers, unless, words,
};
use crate::judge::{Check, Finding, Level, fail, waits};
use crate::plan::{Act, Command, DEVICES, Hostile, Image, Options, Plan};

const STARTS: &str = "chroot.starts";

pub static LEVEL: Level = Level {
    number: "01",
    name: "chroot",
    title: "an image, and chroot into it",
    learned: "an image is a directory; chroot is a view, not a wall",
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
            id: "chroot.root",
            claim: "/ is the unpacked image, not the caller's root",
            judge: root,
        },
        Check {
            id: "chroot.working-directory",
            claim: "the working directory is /",
            judge: working_directory,
        },
        Check {
            id: "chroot.files",
            claim: "files, modes and links are as in the archive",
            judge: files,
        },
        Check {
            id: "chroot.environment",
            claim: "the caller's environment arrives",
            judge: |evidence| environment_in(evidence, STARTS),
        },
        Check {
            id: "chroot.command-inside",
            claim: "the command is looked up inside",
            judge: |evidence| unless_spoilt(evidence, command_inside(evidence)),
        },
        Check {
            id: "chroot.options",
            claim: "the options choose image and directories",
            judge: |evidence| unless_spoilt(evidence, options(evidence)),
        },
        Check {
            id: "chroot.two-at-once",
            claim: "two containers at once don't meet",
            judge: |evidence| {
                unless_outside(evidence, two_at_once(evidence, STARTS))
            },
        },
        Check {
            id: "chroot.fresh",
            claim: "the next container starts from the image, unchanged",
            judge: fresh,
        },
        Check {
            id: "chroot.hostile-archive",
            claim: "an archive can't reach outside",
            judge: hostile_archive,
        },
        Check {
            id: "chroot.device-in-archive",
            claim: "device nodes in an archive do no harm",
            judge: |evidence| unless_spoilt(evidence, device_in_archive(evidence)),
        },
        Check {
            id: "chroot.bad-image",
            claim: "a missing or broken image gives 125, one line, nothing left",
            judge: bad_image,
        },
        Check {
            id: "chroot.bad-command",
            claim: "a command that can't start gives 127 or 126, one line, nothing left",
            judge: bad_command_here,
        },
        Check {
            id: "chroot.quiet",
            claim: "the runtime itself writes nothing to stdout",
            judge: |evidence| quiet(evidence, STARTS),
        },
        Check {
            id: "chroot.host-as-before",
            claim: "afterwards the host is as before",
            judge: |evidence| {
                unless(evidence, host_as_before(evidence, STARTS), BEFORE_FILES)
            },
        },
    ],
};

/// An image is refused as a broken one is, and a command as in any image.
const BEFORE_REFUSALS: &[Cause] = &[
    ("chroot.fresh", fresh),
    ("chroot.bad-image", bad_image),
    ("chroot.bad-command", bad_command_here),
];
/// These tell of certain files that were changed.
const BEFORE_FILES: &[Cause] = &[
    ("chroot.fresh", fresh),
    ("chroot.hostile-archive", hostile_archive),
    ("chroot.bad-image", bad_image),
];

fn runs() -> Vec<Plan> {
    let hostile = |name, kind| {
        Plan::command(name, Command::Missing).image(Image::Hostile(kind))
    };
    let mut all = Vec::from(two_containers(Vec::new()));
    all.extend([
        Plan::probe("next")
            .acts(vec![
                Act::Read("/etc/written".into()),
                Act::Read("/etc/secret".into()),
            ])
            .closely(),
        Plan::command("inside-only", Command::InsideOnly),
        Plan::command("outside-only", Command::OutsideOnly),
        Plan::probe("other-places").options(Options::Others),
    ]);
    all.extend(failing());
    all.extend([
        Plan::probe("cut-image").image(Image::Cut),
        Plan::probe("garbage-image").image(Image::Garbage),
        hostile("hostile-absolute", Hostile::Absolute),
        hostile("hostile-dot-dot", Hostile::DotDot),
        hostile("hostile-symlink", Hostile::ThroughLink),
        hostile("hostile-hard-link", Hostile::HardLink),
        Plan::probe("device")
            .image(Image::Hostile(Hostile::Device))
            .closely(),
    ]);
    all
}

fn root(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    let seen = match seen(run, STARTS) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    let wanted = "/ in the command is a directory of the container's own";
    if seen.root == evidence.caller_root {
        return fail(
            run,
            wanted,
            "the command's / is the caller's /: same device, same inode",
            "chroot was never called, or its error was dropped; or it was called in another process than the one that became the command.",
            "Call chroot in the child, after fork and before exec, with the directory that the image was unpacked into.",
            "man 2 chroot",
        );
    }
    // On a file system of the container's own it may be just `/`.
    let strange =
        |name: &str| name != "/" && !name.starts_with("/workshop/containers/");
    if strange(&seen.root_name) {
        return fail(
            run,
            "a directory of the container's own, below --container-dir",
            format!("the command's / is {}", hide_id(&seen.root_name)),
            "The image was unpacked in another place. --container-dir says where containers go: there is room for them, and whoever looks for them looks there.",
            "Make each container's directory below --container-dir.",
            "man 2 chroot",
        );
    }
    if !seen.files.contains_key("etc/motd") {
        let names: Vec<String> = seen
            .files
            .keys()
            .filter(|name| !name.contains('/'))
            .cloned()
            .collect();
        return fail(
            run,
            "the image's files below /",
            format!("/etc/motd is not there; / holds: {}", names.join(" ")),
            "The root is a directory, but not the one that the image was unpacked into.",
            "chroot into the directory that holds the image's bin, etc, usr.",
            "man 2 chroot",
        );
    }
    Finding::Pass
}

/// What fails because the command sees the caller's root, waits for the check that
/// says so.
fn unless_outside(evidence: &Evidence, finding: Finding) -> Finding {
    let seen = evidence.run("look").seen.as_ref();
    let outside = seen.is_some_and(|seen| seen.root == evidence.caller_root);
    match finding {
        Finding::Fail(_) if outside => waits("chroot.root"),
        finding => finding,
    }
}

/// What fails because no other container starts after the first ones, waits for the
/// check that says so.
fn unless_spoilt(evidence: &Evidence, finding: Finding) -> Finding {
    let next = evidence.run("next");
    let spoilt = next.end != Ending::NotRun && seen(next, STARTS).is_err();
    match unless_outside(evidence, finding) {
        Finding::Fail(_) if spoilt => waits("chroot.fresh"),
        finding => finding,
    }
}

/// A path without the names that differ from run to run.
fn hide_id(path: &str) -> String {
    let known = [
        "/workshop/containers",
        "/workshop/images",
        "/workshop",
        "/tmp",
    ];
    match known
        .iter()
        .find(|known| path.starts_with(&format!("{known}/")))
    {
        Some(known) => format!("{known}/…"),
        None => path.into(),
    }
}

fn options(evidence: &Evidence) -> Finding {
    let other = evidence.run("other-places");
    if other.end == Ending::NotRun || evidence.run("look").seen.is_none() {
        return waits(STARTS);
    }
    let wanted = "-i or --image names the image, --image-dir and --container-dir the directories";
    let Ok(found) = seen(other, STARTS) else {
        return fail(
            other,
            wanted,
            words(other),
            "An option isn't known under this name, or its value is ignored: this image is only in this --image-dir.",
            "Open the archive IMAGE_DIR/NAME.tar, with the directory and the name from the command line.",
            "the contract: levels/README.md",
        );
    };
    if found.root_name.starts_with("/workshop/containers/") {
        return fail(
            other,
            wanted,
            format!("the container is in {}", hide_id(&found.root_name)),
            "The value of --container-dir is ignored: its default is used whatever was given.",
            "Make the container's directory below the directory from the command line.",
            "the contract: levels/README.md",
        );
    }
    Finding::Pass
}

/// The working directory is the root: for level 01 and all later ones.
pub fn working_directory_is_root(evidence: &Evidence, starts: &str) -> Finding {
    let run = evidence.run("look");
    let seen = match seen(run, starts) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    if seen.directory == seen.root {
        return Finding::Pass;
    }
    let mut files = seen.files.iter();
    let inside = files.find(|(_, file)| file.id == seen.directory);
    let outside = inside.is_none() && seen.root != evidence.caller_root;
    let likely = match outside {
        true => {
            "The working directory is still outside the new root: chdir wasn't called, or only before the root changed, when `/` was still the caller's. chroot and pivot_root change where names begin that start with /, not where the process stands; `..` leads out from there."
        }
        false => {
            "chdir was called before the root changed, with a path that meant something else then, or it leads to another directory of the container."
        }
    };
    fail(
        run,
        "the working directory is the same directory as /",
        match inside {
            Some((path, _)) => {
                format!("the working directory is the container's /{path}")
            }
            None if outside => format!(
                "the working directory is the caller's {}",
                seen.directory_name
            ),
            None => {
                format!("the working directory is {}", hide_id(&seen.directory_name))
            }
        },
        likely,
        "Call chdir(\"/\") right after the root has changed.",
        "man 2 chroot",
    )
}

fn working_directory(evidence: &Evidence) -> Finding {
    unless_outside(evidence, working_directory_is_root(evidence, STARTS))
}

fn files(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    match seen(run, STARTS) {
        Ok(seen) if seen.root == evidence.caller_root => waits("chroot.root"),
        Ok(seen) => common::as_in_archive(evidence, run, seen),
        Err(waits) => waits,
    }
}

fn command_inside(evidence: &Evidence) -> Finding {
    let inside = evidence.run("inside-only");
    if inside.end == Ending::NotRun {
        return waits(STARTS);
    }
    let wanted = "a bare name is looked up in the container's own PATH directories";
    if seen(inside, STARTS).is_err() {
        if inside.end.was_stopped() {
            return odd(inside);
        }
        if environment_in(evidence, STARTS) != Finding::Pass {
            return waits("chroot.environment");
        }
        if files(evidence) != Finding::Pass {
            return waits("chroot.files");
        }
        return fail(
            inside,
            wanted,
            words(inside),
            "The name was looked up before chroot: PATH then led to a file of the host, whose path means nothing inside.",
            "Search for the command only after the root has changed: execvp in the child does.",
            "man 3 execvp",
        );
    }
    let outside = evidence.run("outside-only");
    if outside.end == Ending::Exited(127) {
        return Finding::Pass;
    }
    if outside.end.was_stopped() {
        return odd(outside);
    }
    fail(
        outside,
        "a program that only the host has gives 127",
        words(outside),
        "The host's program could be reached: the command was started before the root changed, or the root is not the image.",
        "Change the root first, then exec.",
        "man 2 chroot",
    )
}

/// A file that has other names outside the container, and how many.
fn shared_file(seen: &Seen) -> Option<(&String, u32)> {
    let is_own = |file: &&FileFact| file.kind == FileKind::File && !file.mounted;
    let mut inside = BTreeMap::<FileId, u32>::new();
    for file in seen.files.values().filter(is_own) {
        *inside.entry(file.id).or_default() += 1;
    }
    seen.files.iter().find_map(|(path, file)| {
        let outside = file.names.saturating_sub(*inside.get(&file.id)?);
        (outside > 0).then_some((path, outside))
    })
}

const COPIES: &str = "Unpack or copy the files themselves for each container.";

fn fresh(evidence: &Evidence) -> Finding {
    let run = evidence.run("next");
    if evidence.run("look").seen.is_none() {
        return waits(STARTS);
    }
    if seen(evidence.run("look"), STARTS)
        .is_ok_and(|seen| seen.root == evidence.caller_root)
    {
        return waits("chroot.root");
    }
    if let Err(waits) = seen(run, STARTS) {
        return match run.end {
            Ending::NotRun => waits,
            _ => fail(
                run,
                "another container starts after the first ones have ended",
                words(run),
                "Something of the first containers is in the way, or was taken away with them.",
                "Give each container a new directory, and leave the image alone.",
                "man 3 mkdtemp",
            ),
        };
    }
    let image = run
        .files_after
        .iter()
        .chain(&evidence.run("look").files_after);
    if let Some(line) = image
        .into_iter()
        .find(|line| line[2..].starts_with("/workshop/images/probe.tar"))
    {
        return fail(
            run,
            "the image file is only read",
            line.clone(),
            "The archive was opened for writing, or replaced.",
            "Open the image read-only, and write nothing beside it.",
            "man 2 open",
        );
    }
    let changed = run.acts.get("read /etc/secret");
    if let Some(read) = changed.filter(|read| !read.starts_with("secret")) {
        return fail(
            run,
            "a new container has the image's files as they are in the image",
            format!("/etc/secret, which an earlier container changed: {read}"),
            "An earlier container's files are used again, under the same directory or as hard links.",
            COPIES,
            "man 2 link",
        );
    }
    if let Some((path, outside)) = run.seen.as_ref().and_then(shared_file) {
        return fail(
            run,
            "a container's files are its own",
            format!("/{path} has {outside} more names outside the container"),
            "The files are hard links, to those of another container or of a store: two names of one file. What one container writes into it, all others read.",
            COPIES,
            "man 2 link",
        );
    }
    match run.outcome("read /etc/written") {
        "ENOENT" => Finding::Pass,
        read => fail(
            run,
            "a new container has the image's files and no others",
            format!("/etc/written, which an earlier container wrote: {read}"),
            "The directory of an earlier container was used again.",
            "Unpack the image into a new directory for each container.",
            "man 3 mkdtemp",
        ),
    }
}

fn hostile_archive(evidence: &Evidence) -> Finding {
    for (name, how, next) in [
        (
            "hostile-absolute",
            "an entry with an absolute name",
            "Take leading slashes off, or refuse the archive.",
        ),
        (
            "hostile-dot-dot",
            "an entry with .. in its name",
            "Refuse or skip names with `..` in them.",
        ),
        (
            "hostile-symlink",
            "a symbolic link to a directory outside, then a file below it",
            "Never follow a link while unpacking: check each parent directory, as the tar crate's unpack_in does.",
        ),
        (
            "hostile-hard-link",
            "a hard link to a file outside",
            "A hard link's target is a name inside the archive: look it up below the new root only.",
        ),
    ] {
        let run = evidence.run(name);
        if run.end == Ending::NotRun {
            return waits(STARTS);
        }
        // Where the archives' names lead. The same name below a directory of the
        // program's own, as of a cache, is a harmless one.
        let reached: Vec<String> = run
            .files_after
            .iter()
            .filter(|line| line[2..].starts_with("/workshop/outside-"))
            .map(|line| hide_nonce(line))
            .collect();
        if !reached.is_empty() {
            let removed = reached.iter().all(|line| line.starts_with('-'));
            let (likely, next) = match removed {
                true => (
                    "A file outside was removed, not written: the clean-up went through a link that was unpacked. A link to a directory is no directory to go into.",
                    "Ask for each entry's own type (lstat, DirEntry::file_type), and unlink links; std's remove_dir_all does so.",
                ),
                false => (
                    "The archive's names are trusted. Whoever makes an image could then write any file of the host.",
                    next,
                ),
            };
            return fail(
                run,
                &format!(
                    "nothing outside the container's directory changes, whatever the archive says; here: {how}"
                ),
                first_of(&reached, 4),
                likely,
                next,
                "man 5 tar",
            );
        }
        if run.end.was_stopped() {
            return odd(run);
        }
        // What it says of a refusal is the other checks' matter.
        if !matches!(run.end, Ending::Exited(125 | 127)) {
            let refused = MustFail {
                run: name,
                because: "an image that reaches outside is refused (or 127: there is no command in it)",
                status: 125,
            };
            let finding = fails_well(evidence, STARTS, &[refused]);
            return unless(evidence, finding, BEFORE_REFUSALS);
        }
    }
    Finding::Pass
}

fn hide_nonce(line: &str) -> String {
    match line.split_once("/outside-") {
        Some((before, rest)) => {
            let rest = rest.split_once('/').map_or("", |(_, rest)| rest);
            format!("{before}/outside/{rest}")
        }
        None => line.to_owned(),
    }
}

fn device_in_archive(evidence: &Evidence) -> Finding {
    let run = evidence.run("device");
    if run.end == Ending::NotRun {
        return waits(STARTS);
    }
    let unpacked = run
        .seen
        .iter()
        .flat_map(|seen| DEVICES.iter().map(|name| (name, seen.files.get(*name))));
    let plain: Vec<String> = unpacked
        .filter(|(_, file)| file.is_some_and(|file| file.kind == FileKind::File))
        .map(|(name, file)| format!("/{name}: {}", show_file(file)))
        .collect();
    if !plain.is_empty() {
        return fail(
            run,
            "no plain file where the archive has a device node or a FIFO",
            plain.join("\n"),
            "It was unpacked as a plain file: what is written to it stays there. The tar crate does that with device nodes and FIFOs.",
            "Leave out entries of the types Char, Block and Fifo.",
            "man 2 mknod",
        );
    }
    if seen(run, STARTS).is_ok() && run.end == Ending::Exited(0) {
        return Finding::Pass;
    }
    let refused = MustFail {
        run: "device",
        because: "an image with a device node is refused",
        status: 125,
    };
    let finding = fails_well(evidence, STARTS, &[refused]);
    if finding == Finding::Pass || run.end == Ending::Exited(125) {
        return unless(evidence, finding, BEFORE_REFUSALS);
    }
    fail(
        run,
        "the container runs without the device, or the image is refused in one line with status 125",
        words(run),
        "mknod needs a power over the host that nobody has here (EPERM), and the failure is not handled.",
        "Skip device nodes: a container gets its devices from the runtime, not from the image.",
        "man 2 mknod",
    )
}

fn bad_image(evidence: &Evidence) -> Finding {
    fails_well(
        evidence,
        STARTS,
        &[
            MustFail {
                run: "no-image",
                because: "the image isn't there",
                status: 125,
            },
            MustFail {
                run: "cut-image",
                because: "the archive is cut short",
                status: 125,
            },
            MustFail {
                run: "garbage-image",
                because: "the file is no archive",
                status: 125,
            },
        ],
    )
}

/// Here, where an image that every run changes has a check of its own.
fn bad_command_here(evidence: &Evidence) -> Finding {
    let finding = unless_spoilt(evidence, bad_command(evidence, STARTS));
    unless(evidence, finding, &[("chroot.fresh", fresh)])
}
