//! The files of a container, against those of its image.

use super::words::show_file;
use crate::evidence::{Evidence, FileKind, Run, Seen};
use crate::judge::{Finding, fail};

/// The files below the command's root are those of the probe's image.
pub fn as_in_archive(evidence: &Evidence, run: &Run, seen: &Seen) -> Finding {
    let result = |path: &str, likely: &str, next: &str| {
        let (wanted, saw) = (evidence.image.get(path), seen.files.get(path));
        fail(
            run,
            &format!("/{path} as in the archive: {}", show_file(wanted)),
            format!("/{path}: {}", show_file(saw)),
            likely,
            next,
            "man 5 tar",
        )
    };
    for (path, wanted) in &evidence.image {
        let Some(found) = seen.files.get(path) else {
            return result(
                path,
                "Unpacking left it out, or stopped early.",
                "Unpack every entry, and check each one's error.",
            );
        };
        // What is mounted over a directory of the image is a later level's matter.
        if found.mounted || path.starts_with("dev/") {
            continue;
        }
        if found.kind != wanted.kind || found.size != wanted.size {
            return result(
                path,
                "The entry became a file of another kind, or its content is not whole.",
                "Let the library unpack each entry by its type.",
            );
        }
        if found.content != wanted.content {
            return result(
                path,
                "A link's target, or a file's content, was changed while unpacking.",
                "Keep link targets as they are: inside, `/` is the new root.",
            );
        }
        if wanted.kind != FileKind::Link && found.mode != wanted.mode {
            let umask = wanted.mode & !0o027 == found.mode;
            let special = wanted.mode & 0o777 == found.mode;
            return result(
                path,
                match (umask, special) {
                    (true, _) => {
                        "The umask took bits away: modes given to open and mkdir are limited by it."
                    }
                    (_, true) => "The setuid, setgid or sticky bit was dropped.",
                    _ => "The mode was not set from the archive.",
                },
                "Set each mode after creating the file, with chmod, all twelve bits: in the tar crate that is set_preserve_permissions(true).",
            );
        }
    }
    let linked = [("etc/hard", "etc/motd")];
    for (one, other) in linked {
        if seen.files.get(one).map(|f| f.id) != seen.files.get(other).map(|f| f.id) {
            return result(
                one,
                "A hard link became a copy: the two names are two files now.",
                "Link to the file that is already unpacked.",
            );
        }
    }
    Finding::Pass
}
