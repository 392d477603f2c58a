//! User namespaces, made in the way in which the sandbox makes them, and what must
//! be possible in them.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;
use nix::sys::wait::waitpid;
use nix::unistd::{
    ForkResult, Gid, Uid, pipe, read, setgroups, setresgid, setresuid,
};

use super::PATIENCE;
use super::trial::{Failure, trial};
use crate::belt::Identity;
use crate::sys;

/// Where trials mount what they need, in mount namespaces of their own.
pub const PLACE: &str = "/tmp";

/// Can this user have user namespaces, with power over other namespaces in them, and
/// one more inside (levels nest them)?
pub fn user_namespaces() -> Result<(), Failure> {
    trial(PATIENCE, || {
        enter()?;
        unshare(CloneFlags::CLONE_NEWNS).context("unshare(CLONE_NEWNS)")?;
        private_place()?;
        unshare(CloneFlags::CLONE_NEWUSER)
            .context("unshare(CLONE_NEWUSER) inside a user namespace")?;
        fs::write("/proc/self/uid_map", "0 0 1")
            .context("write uid_map inside a user namespace")
    })
}

/// Can proc and sysfs be mounted in new namespaces?
pub fn kernel_views() -> Result<(), Failure> {
    trial(PATIENCE, || {
        enter()?;
        let own = CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWNET;
        unshare(own).context("unshare(mount, PID and net namespaces)")?;
        private_place()?;
        // Only a child is in the new PID namespace.
        trial(PATIENCE, || {
            for kind in ["proc", "sysfs"] {
                let target = Path::new(PLACE).join(kind);
                fs::create_dir(&target)?;
                let safe =
                    MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
                mount(Some(kind), &target, Some(kind), safe, None::<&str>)
                    .with_context(|| format!("mount {kind} in a user namespace"))?;
            }
            Ok(())
        })?;
        Ok(())
    })
}

/// Enter a new user namespace and become its root.
pub fn enter() -> Result<()> {
    let identity = Identity::of_caller();
    let namespace = make(identity.uid, identity.gid, identity.count)?;
    setns(&namespace, CloneFlags::CLONE_NEWUSER)
        .context("setns to the user namespace")?;
    if identity.count > 1 {
        setgroups(&[]).context("setgroups to none")?;
    }
    let (uid, gid) = (Uid::from_raw(0), Gid::from_raw(0));
    setresgid(gid, gid, gid).context("setresgid to 0")?;
    setresuid(uid, uid, uid).context("setresuid to 0")?;
    // Or /proc/self would be another user's (man 5 proc).
    prctl::set_dumpable(true).context("prctl(PR_SET_DUMPABLE)")
}

/// A user namespace in which `count` ids from 0 on are those from `uid` and `gid` on.
pub fn make(uid: u32, gid: u32, count: u32) -> Result<OwnedFd> {
    holding(|pid| {
        let write = |file: &str, text: &str| {
            fs::write(format!("/proc/{pid}/{file}"), text)
                .with_context(|| format!("write {text:?} to {file}"))
        };
        if count == 1 {
            write("setgroups", "deny")?;
        }
        write("uid_map", &format!("0 {uid} {count}"))?;
        write("gid_map", &format!("0 {gid} {count}"))?;
        let file = fs::File::open(format!("/proc/{pid}/ns/user"))
            .context("open the user namespace")?;
        Ok(file.into())
    })
}

/// Let a child make a user namespace, and do something to it while the child waits.
pub fn holding<T>(deed: impl FnOnce(i32) -> Result<T>) -> Result<T> {
    let (made_read, made_write) = pipe().context("pipe")?;
    let (done_read, done_write) = pipe().context("pipe")?;
    match sys::fork().context("fork")? {
        ForkResult::Child => {
            drop((made_read, done_write));
            let made = unshare(CloneFlags::CLONE_NEWUSER);
            let errno = made.err().map_or(0, |errno| errno as i32);
            let _ = nix::unistd::write(&made_write, &errno.to_ne_bytes());
            let _ = read(&done_read, &mut [0]);
            sys::exit_now(0)
        }
        ForkResult::Parent { child } => {
            drop((made_write, done_read));
            let mut errno = [0; 4];
            let got = read(&made_read, &mut errno);
            let done = match (got, i32::from_ne_bytes(errno)) {
                (Ok(4), 0) => deed(child.as_raw()),
                (Ok(4), errno) => {
                    Err(Errno::from_raw(errno)).context("unshare(CLONE_NEWUSER)")
                }
                _ => killed(),
            };
            drop(done_write);
            let _ = waitpid(child, None);
            done
        }
    }
}

/// The child was killed for the call: only a system call filter does that.
fn killed<T>() -> Result<T> {
    let signal = nix::sys::signal::Signal::SIGSYS as i32;
    let step = "unshare(CLONE_NEWUSER) killed the process".into();
    bail!(Failure {
        step,
        errno: 0,
        signal
    })
}

/// A tmpfs on [`PLACE`] that nobody else sees.
pub fn private_place() -> Result<()> {
    let slave = MsFlags::MS_SLAVE | MsFlags::MS_REC;
    mount(None::<&str>, "/", None::<&str>, slave, None::<&str>)
        .context("mount / as a slave")?;
    let options = Some("mode=0755,size=1m");
    mount(
        Some("tmpfs"),
        PLACE,
        Some("tmpfs"),
        MsFlags::empty(),
        options,
    )
    .with_context(|| format!("mount tmpfs on {PLACE}"))
}
