//! Another root directory: chroot, the oldest way.
//! A process looks up every path that begins with `/` in its root directory.
//! Read `enter`; it is all there is.
// Take this line out when all exercises are done:
#![allow(dead_code, unused_imports, unused_mut, unused_variables)]

use std::path::Path;

use anyhow::{Context, Result};
use nix::unistd;

/// Makes the directory `root` this process's `/`, and goes there.
///
/// This changes what this process sees, not what it may do: root finds a way out.
/// Level 03 does something about that.
///
/// # Errors
/// `EPERM` without the capability CAP_SYS_CHROOT (`man 2 chroot`).
pub fn enter(root: &Path) -> Result<()> {
    // EXERCISE 3: Change the root
    // Call `unistd::chroot` with the directory. From then on `/` is that directory,
    // for this process and for those that it starts.

    // EXERCISE 4: Go there
    // chroot doesn't move the process: its working directory is still where it was,
    // outside, and every relative path begins there. Call `unistd::chdir` with the
    // new `/`.

    Ok(())
}
