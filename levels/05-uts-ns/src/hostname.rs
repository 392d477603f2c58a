//! A name of a container's own, and shared memory of its own: the UTS and the IPC
//! namespace. Both are entered in the child; then the name is set there.
//! Read `unshare`, then `set`, then how the name is chosen: `Name`.
// Take this line out when all exercises are done:
#![allow(dead_code, unused_imports, unused_mut, unused_variables)]

use std::ffi::{OsStr, OsString};

use anyhow::{Context, Result, ensure};
use nix::sched::{self, CloneFlags};
use nix::unistd;

/// The longest host name that the kernel takes, in bytes (`man 2 sethostname`).
const LONGEST: usize = 64;

/// Puts this process into a UTS namespace (the host name) and an IPC namespace
/// (System V shared memory, semaphores and message queues; POSIX message queues) of
/// its own. The first begins as a copy of the caller's, the second is empty.
///
/// # Errors
/// `EPERM` without the capability CAP_SYS_ADMIN (`man 2 unshare`).
pub fn unshare() -> Result<()> {
    // EXERCISE 1: Two namespaces
    // Call `sched::unshare` once, with the flags for a new UTS and a new IPC
    // namespace, joined by `|`.

    Ok(())
}

/// Sets the host name of this process's UTS namespace.
///
/// # Errors
/// `EPERM` when the namespace belongs to a user namespace in which this process has
/// no power, and `EINVAL` for a name that is too long (`man 2 sethostname`).
pub fn set(name: &OsStr) -> Result<()> {
    // EXERCISE 2: The name
    // Call `unistd::sethostname`. It names the UTS namespace that this process is
    // in. The spine calls this after `unshare`: before it, that would be the
    // machine's.

    Ok(())
}

/// The option that says what a container is called.
#[derive(clap::Args)]
pub struct Name {
    /// The container's host name, 1 to 64 bytes. Without it: the container's id.
    #[arg(long, value_name = "NAME")]
    hostname: Option<OsString>,
}

impl Name {
    /// The name that was asked for, or else the container's `id`.
    ///
    /// # Errors
    /// When the name is empty, or longer than the kernel takes.
    pub fn name<'a>(&'a self, id: &'a str) -> Result<&'a OsStr> {
        let name = self.hostname.as_deref().unwrap_or(OsStr::new(id));
        // EXERCISE 3: Refuse what doesn't fit
        // The kernel takes an empty name; of one that is too long it only says
        // EINVAL. Use `ensure!`: the name must have at least 1 byte (`len` counts
        // bytes) and at most `LONGEST`. The message must tell the limit. Never cut
        // a name: half of it is another machine's.

        Ok(name)
    }
}
