//! Two containers at once.

use super::words::words;
use super::{odd, seen};
use crate::evidence::{Ending, Evidence, NO_ANSWER};
use crate::judge::{Finding, fail, waits};

/// Two containers run at once and don't meet.
pub fn two_at_once(evidence: &Evidence, starts: &str) -> Finding {
    let (one, two) = (evidence.run("look"), evidence.run("beside"));
    if let Err(waits) = seen(one, starts) {
        return waits;
    }
    let Ok(other) = seen(two, starts) else {
        let waited = matches!(one.end, Ending::TimedOut(_))
            || matches!(two.end, Ending::TimedOut(_));
        if one.end.was_stopped() && !waited {
            return odd(one);
        }
        let (likely, next) = match waited {
            true => (
                "It waits for something that the first container has, and keeps to its end: a lock, as on the image.",
                "The image is only read: no lock is needed, or a shared one that goes when it is unpacked.",
            ),
            false => (
                "Both want the same thing under the same name (a directory, a file, a mount), or the first one took away what the second one needs (the image). The message above tells which.",
                "Give each container an id of its own, and everything of it that id's name.",
            ),
        };
        return fail(
            two,
            "a second container starts while the first one runs",
            words(two),
            likely,
            next,
            "man 3 mkdtemp",
        );
    };
    if seen(one, starts).is_ok_and(|seen| seen.root == other.root) {
        return fail(
            two,
            "a root directory of its own for each container",
            "both containers have the same directory as /",
            "All containers are unpacked into one directory.",
            "Give each container a directory of its own below --container-dir, with a name that no other has.",
            "man 3 mkdtemp",
        );
    }
    if two.acts.values().any(|outcome| outcome == NO_ANSWER) {
        return waits(starts);
    }
    let read = two.outcome("read /etc/written");
    if read != "ENOENT" {
        return fail(
            two,
            "what one container writes, the other doesn't see",
            format!(
                "the second container reads the first one's /etc/written: {read}"
            ),
            "The two containers share files: one directory for both, or hard links to the same files.",
            "Unpack the image for each container into a directory of its own.",
            "man 2 link",
        );
    }
    let shared = two.acts.get("read /etc/secret");
    if let Some(read) = shared.filter(|read| !read.starts_with("secret")) {
        return fail(
            two,
            "what one container changes, the other doesn't see",
            format!(
                "the first container changed its /etc/secret; the second one's is: {read}"
            ),
            "The containers have directories of their own, but the same files in them: hard links (`cp -l`), to save space. A file that is written to changes under all its names.",
            "Unpack or copy the files themselves for each container. (Level 09 shares them safely.)",
            "man 2 link",
        );
    }
    let later = two.acts.get("read /etc/motd");
    if one.end == Ending::Exited(0)
        && later.is_some_and(|read| !read.starts_with("Rubber Crab"))
    {
        return fail(
            two,
            "a container's files stay until that container has ended",
            format!(
                "the first container has ended, and the second one reads its own /etc/motd: {}",
                later.map_or("", |read| read)
            ),
            "The first container's end removed the second one's files: everything below --container-dir, or a directory that both have.",
            "Remove only the directory that this very container was given.",
            "man 2 rmdir",
        );
    }
    for run in [one, two] {
        if run.end.was_stopped() || run.end != Ending::Exited(0) {
            let (likely, next) = match one.end == two.end {
                true => (
                    "Both end like this, so it is not that one disturbs the other: the runtime itself fails when the command has ended.",
                    "Read its message above: which call failed, and can it work there at all?",
                ),
                false => (
                    "One container's end disturbs the other: it removes or unmounts what both use.",
                    "Clean up only what belongs to this container.",
                ),
            };
            return fail(
                run,
                "both containers end with their commands' own status, 0",
                words(run),
                likely,
                next,
                "man 2 waitpid",
            );
        }
    }
    Finding::Pass
}
