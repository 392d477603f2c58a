//! Another root for a whole mount namespace: pivot_root.
//! chroot changes where a process looks; the old root stays mounted. Here it goes.
//! Read `enter`; it is all there is.
// Take this line out when all exercises are done:
#![allow(dead_code, unused_imports, unused_mut, unused_variables)]

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd;

/// The directory in the new root where pivot_root puts the old one, for a moment.
const PUT_OLD: &str = ".put_old";

/// Makes the directory `root` the root of this mount namespace, goes there, and
/// leaves nothing of the old root mounted.
///
/// The namespace must be this process's own, and none of its mounts shared.
///
/// # Errors
/// `EINVAL` when the mount of the old or of the new root is shared, or when the new
/// root is no mount; `EEXIST` when the image has a file named `.put_old`.
pub fn enter(root: &Path) -> Result<()> {
    // EXERCISE 1: A mount point
    // pivot_root swaps mounts, and `root` is only a directory. Make a mount of it:
    // `mount` it on itself with `MS_BIND`. With `MS_REC` the mounts below it, /proc
    // and the others, come along.

    // EXERCISE 2: Swap the roots
    // Make the directory `PUT_OLD` in `root`, then call `unistd::pivot_root` with
    // both. Afterwards `/` is what `root` was, and the old root, with everything
    // that is mounted there, is in `/.put_old`.

    // EXERCISE 3: Go there
    // This process may still have its working directory in the old root. Call
    // `unistd::chdir` with the new `/`.

    // EXERCISE 4: Let go of the old root
    // Unmount it with `umount2`. It is in use, and so are the mounts below it:
    // `MNT_DETACH` takes all of them out of the tree at once, and the kernel clears
    // up when the last user is gone.

    // EXERCISE 5: Leave no trace
    // Remove the directory `/.put_old`. It is empty now.

    Ok(())
}
