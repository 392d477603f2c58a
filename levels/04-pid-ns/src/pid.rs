//! Process numbers of a container's own: the first process in it is PID 1.
//! `unshare` is called by the parent, before the fork; `end_with_runtime` by the child.
// Take this line out when all exercises are done:
#![allow(dead_code, unused_imports, unused_mut, unused_variables)]

use anyhow::{Context, Result};
use nix::sched::{self, CloneFlags};
use nix::sys::prctl;
use nix::sys::signal::Signal;

/// Lets the next child of this process be PID 1 in a PID namespace of its own. When
/// PID 1 ends, the kernel kills all others in there.
///
/// A process keeps its number for life: this one stays in the namespace it is in, and
/// only its children are born into the new one. There is one PID 1: after it ended,
/// fork fails with `ENOMEM` (`man 7 pid_namespaces`).
///
/// # Errors
/// `EPERM` without the capability CAP_SYS_ADMIN (`man 2 unshare`).
pub fn unshare() -> Result<()> {
    // EXERCISE 1: A PID namespace
    // Call `sched::unshare` with the flag for a new PID namespace. The spine calls
    // this before it forks: look where it stands.

    Ok(())
}

/// Lets the kernel kill this process when its parent, the runtime, has ended.
///
/// Nobody can clean up after a runtime that was killed. At least its container does
/// not go on without it: this process is PID 1, and takes all others along. Only if the
/// runtime was killed between fork and this call, nobody tells the kernel any more.
///
/// # Errors
/// None that `man 2 prctl` knows of.
pub fn end_with_runtime() -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL).context("prctl PR_SET_PDEATHSIG")
}
