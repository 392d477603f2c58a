//! What an overlay is made of (man 5 proc, "mountinfo"; the kernel's
//! Documentation/filesystems/overlayfs.rst).

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::inside::{Inside, identify};
use crate::belt;
use crate::evidence::{FileFact, FileId, Mount, Overlay};

/// Where containers' directories are, and a file in there that a container has written.
const CONTAINERS: &str = "/workshop/containers";
const WRITTEN: &str = "/etc/written";

/// The overlay that is this mount, of a process with this root.
///
/// The directories are looked up from `caller`. Their names may lead nowhere there:
/// relative ones, those in /proc/self/fd, those in the runtime's own mounts. Then the
/// upper one is where a file is found that the container has written; if it has.
pub fn of(mount: &Mount, root: &Inside, caller: &Inside) -> Option<Overlay> {
    if mount.kind != "overlay" {
        return None;
    }
    // The kernel writes a comma in a value as \054.
    let options: Vec<String> =
        mount.details.split(',').map(belt::unescape).collect();
    let value = |name: &str| {
        let with = format!("{name}=");
        options
            .iter()
            .find_map(|option| option.strip_prefix(&with).map(unescape))
    };
    // `lowerdir=a:b`, or since 6.8 an option `lowerdir+=` for each.
    let together = options
        .iter()
        .find_map(|option| option.strip_prefix("lowerdir="));
    let several = options
        .iter()
        .filter_map(|option| option.strip_prefix("lowerdir+="));
    let lower: Vec<String> = match together {
        Some(all) => split(all, ':').iter().map(|one| unescape(one)).collect(),
        None => several.map(unescape).collect(),
    };
    let mut upper = value("upperdir").unwrap_or_default();
    if !upper.is_empty() && !upper.starts_with(CONTAINERS) {
        let files = caller.files(Path::new(CONTAINERS)).into_keys();
        let mut places =
            files.filter_map(|path| Some(path.strip_suffix(WRITTEN)?.to_owned()));
        if let Some(place) = places.next() {
            upper = format!("{CONTAINERS}/{place}");
        }
    }
    let open = |path: &str| {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        caller.open(Path::new(path), flags, Mode::empty()).ok()
    };
    let id =
        |path: &str| open(path).map_or(FileId::default(), |file| identify(&file));
    // Of several lower directories, the image is the one that holds most.
    let files = |path: &String| -> (FileId, BTreeMap<String, FileFact>) {
        (id(path), caller.files(Path::new(path)))
    };
    let image = lower.iter().map(files).max_by_key(|(_, files)| files.len());
    let (lower_id, lower_files) = image.unwrap_or_default();
    let metadata = |path: &str| {
        let file = root.open(Path::new(path), OFlag::O_PATH, Mode::empty());
        file.ok().and_then(|file| file.metadata().ok())
    };
    Some(Overlay {
        lower_id,
        lower_files,
        upper_id: id(&upper),
        upper_files: caller.files(Path::new(&upper)),
        mode: metadata("/").map_or(0, |top| top.mode() & 0o7777),
        motd: metadata("/etc/motd").map(|motd| {
            (motd.ino(), motd.ctime() * 1_000_000_000 + motd.ctime_nsec())
        }),
        work: value("workdir").unwrap_or_default(),
        user_attributes: options.iter().any(|option| option == "userxattr"),
        lower,
        upper,
    })
}

/// Split at a mark that has no backslash before it.
fn split(text: &str, mark: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for character in text.chars() {
        if character == mark && !escaped {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(character);
        }
        escaped = character == '\\' && !escaped;
    }
    parts
}

fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut escaped = false;
    for character in text.chars() {
        match character {
            '\\' if !escaped => escaped = true,
            other => {
                plain.push(other);
                escaped = false;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_with_commas_and_colons_in_them() {
        assert_eq!(split(r"a\:b:c", ':'), [r"a\:b", "c"]);
        assert_eq!(split("/a", ':'), ["/a"]);
        assert_eq!(unescape(r"/a\:b\\c"), r"/a:b\c");
    }
}
