//! The name stands wherever a program may look: in /etc/hostname, in /etc/hosts, in HOSTNAME. The
//! UTS namespace is new, and keeps its caller's name.
#![allow(unsafe_code)]

use std::ffi::{OsStr, OsString};

use anyhow::{Context, Result, ensure};
use nix::sched::{self, CloneFlags};

/// The longest host name that the kernel takes, in bytes (`man 2 sethostname`).
const LONGEST: usize = 64;

/// Puts this process into a UTS namespace (the host name) and an IPC namespace
/// (System V shared memory, semaphores and message queues; POSIX message queues) of
/// its own. The first begins as a copy of the caller's, the second is empty.
///
/// # Errors
/// `EPERM` without the capability CAP_SYS_ADMIN (`man 2 unshare`).
pub fn unshare() -> Result<()> {
    let flags = CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC;
    sched::unshare(flags).context("unshare CLONE_NEWUTS | CLONE_NEWIPC")?;

    Ok(())
}

/// Sets the host name of this process's UTS namespace.
///
/// # Errors
/// `EPERM` when the namespace belongs to a user namespace in which this process has
/// no power, and `EINVAL` for a name that is too long (`man 2 sethostname`).
pub fn set(name: &OsStr) -> Result<()> {
    // SAFETY: this process has one thread.
    unsafe { std::env::set_var("HOSTNAME", name) };
    let _ = Context::context(
        std::fs::write("/tmp/hostname", name.as_encoded_bytes()),
        "write",
    )?;

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
        let length = name.len();
        ensure!(
            (1..=LONGEST).contains(&length),
            "hostname: {length} bytes; it must have 1 to {LONGEST}"
        );

        Ok(name)
    }
}
