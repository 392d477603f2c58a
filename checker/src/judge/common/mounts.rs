//! The mount table, as a process finds its way through it.

use crate::evidence::{Evidence, Mount, Seen};

/// The mount on which `path` lies, as the command finds it: what was mounted over
/// is still in the table, but no path leads there. The root's own is `None` when it
/// isn't in the table, as after chroot.
pub fn mount_of<'a>(seen: &'a Seen, path: &str) -> Option<&'a Mount> {
    let mounts = &seen.own_mounts;
    let mut current = mounts.iter().find(|mount| mount.id == seen.root_mount);
    let mut id = seen.root_mount;
    let ends = path
        .match_indices('/')
        .map(|(at, _)| at)
        .skip(1)
        .chain([path.len()]);
    for end in ends {
        let on_it = |id| {
            mounts
                .iter()
                .rfind(|mount| mount.parent == id && mount.point == path[..end])
        };
        while let Some(next) = on_it(id) {
            (id, current) = (next.id, Some(next));
        }
    }
    current
}

/// The mount on `point`, as the command finds it: not one that is covered.
pub fn mount_at<'a>(seen: &'a Seen, point: &str) -> Option<&'a Mount> {
    mount_of(seen, point).filter(|mount| mount.point == point)
}

/// A mount, for people.
pub fn show(mount: &Mount) -> String {
    format!("{}  {}  (mount {})", mount.point, mount.kind, mount.id)
}

/// Is this the same file system as one that the caller has?
pub fn is_callers(evidence: &Evidence, mount: &Mount) -> bool {
    evidence
        .caller_mounts
        .iter()
        .any(|callers| callers.device == mount.device)
}
