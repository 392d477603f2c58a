//! Root at work in somebody's folder (`sudo cargo checker …`): what is made there
//! must belong to whom the folder belongs.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, geteuid, setfsgid, setfsuid};

/// While this lives, root makes and opens files as somebody else (man 2 setfsuid):
/// nothing of theirs becomes root's, and no link of theirs leads to root's files.
#[must_use]
pub struct InPlace {
    before: Option<(Uid, Gid, Option<Signal>)>,
}

/// Work as the owner of `path`, or, if it isn't there yet, of the nearest folder above
/// it that is. Whoever isn't root stays who they are.
pub fn in_place_of_owner(path: &Path) -> InPlace {
    let there = path.ancestors().find_map(|above| fs::metadata(above).ok());
    match there.map(|there| (there.uid(), there.gid())) {
        Some((uid, gid)) if geteuid().is_root() && uid != 0 => in_place_of(uid, gid),
        _ => InPlace { before: None },
    }
}

/// Work as this user and group, as far as the caller may.
pub fn in_place_of(uid: u32, gid: u32) -> InPlace {
    // A change of these makes the kernel forget it (commit_creds, kernel/cred.c).
    let farewell = prctl::get_pdeathsig().unwrap_or(None);
    // The group first: afterwards the capability is gone. They can't fail but for ids
    // that don't exist in this user namespace, which own nothing.
    let gid = setfsgid(Gid::from_raw(gid));
    let uid = setfsuid(Uid::from_raw(uid));
    InPlace {
        before: Some((uid, gid, farewell)),
    }
}

impl Drop for InPlace {
    fn drop(&mut self) {
        if let Some((uid, gid, farewell)) = self.before {
            setfsuid(uid);
            setfsgid(gid);
            let _ = prctl::set_pdeathsig(farewell);
        }
    }
}
