//! Who the sandbox's users are on the host: never anybody with power there.

use std::fs;
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Gid, Uid, getegid, geteuid, pipe, read};

use crate::{owner, sys};

/// The ids that root's sandboxes stand for on the host: above everything that
/// distributions and systemd hand out (systemd's docs/UIDS-GIDS.md). The kernel counts
/// many things by user: so that sandboxes side by side don't use up each other's share,
/// each checker takes one of some ranges.
const BASE: u32 = 0x7000_0000;
const RANGE: u32 = 65536;
const RANGES: u32 = 4096;

pub const USUAL_UMASK: Mode = Mode::from_bits_truncate(0o022);

/// One line of uid_map and gid_map (man 7 user_namespaces).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The id in the parent namespace that is 0 inside.
    pub uid: u32,
    pub gid: u32,
    /// How many ids, from 0 on.
    pub count: u32,
    /// Must setgroups be given up first? So for those without CAP_SETGID.
    deny_setgroups: bool,
}

impl Identity {
    /// Who the sandbox's root is: an ordinary user is themselves, and nobody else;
    /// root is a range of ids that nobody has.
    pub fn of_caller() -> Self {
        let (uid, gid) = (geteuid(), getegid());
        let base = BASE + std::process::id() % RANGES * RANGE;
        if uid.is_root() && Self::may_map(base) {
            return Self {
                uid: base,
                gid: base,
                count: RANGE,
                deny_setgroups: false,
            };
        }
        Self {
            uid: uid.as_raw(),
            gid: gid.as_raw(),
            count: 1,
            deny_setgroups: true,
        }
    }

    /// Do something to files as the sandbox's root, with the usual umask. The host's
    /// root can't make files on the sandbox's file systems: its id means nothing there
    /// (EOVERFLOW).
    pub fn acting<T>(self, deed: impl FnOnce() -> T) -> T {
        let mask = umask(USUAL_UMASK);
        let sandbox_root = owner::in_place_of(self.uid, self.gid);
        let done = deed();
        umask(mask);
        drop(sandbox_root);
        done
    }

    /// Is the range ours to give? Not for the root of a user namespace that has no
    /// such ids itself.
    fn may_map(base: u32) -> bool {
        let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        map.lines().any(|line| {
            let mut numbers = line.split_whitespace().map(|n| n.parse::<u64>());
            match (numbers.next(), numbers.next(), numbers.next()) {
                (Some(Ok(inside)), Some(_), Some(Ok(count))) => {
                    let end = u64::from(base) + u64::from(RANGE);
                    inside <= u64::from(base) && end <= inside + count
                }
                _ => false,
            }
        })
    }

    /// The same ids again, for a namespace inside the one they were mapped into.
    pub fn nested(self) -> Self {
        Self {
            uid: 0,
            gid: 0,
            deny_setgroups: false,
            ..self
        }
    }
}

/// Make a user namespace in which 0 is `identity.uid`. It stays for as long as the
/// descriptor is open.
///
/// Errors: EPERM or ENOSPC where user namespaces are refused (man 2 unshare).
pub fn user_namespace(identity: Identity) -> Result<OwnedFd> {
    let (ready_read, ready_write) = pipe()?;
    let (done_read, done_write) = pipe()?;
    match sys::fork().context("fork")? {
        ForkResult::Child => {
            drop((ready_read, done_write));
            let answer = match unshare(CloneFlags::CLONE_NEWUSER) {
                Ok(()) => 0,
                Err(errno) => errno as i32,
            };
            let _ = nix::unistd::write(&ready_write, &answer.to_ne_bytes());
            let _ = read(&done_read, &mut [0]);
            sys::exit_now(0)
        }
        ForkResult::Parent { child } => {
            drop((ready_write, done_read));
            let mut answer = [0; 4];
            let got = read(&ready_read, &mut answer);
            let made = match (got, i32::from_ne_bytes(answer)) {
                (Ok(4), 0) => write_maps(child.as_raw(), identity),
                (Ok(4), errno) => Err(nix::errno::Errno::from_raw(errno))
                    .context("unshare(CLONE_NEWUSER)"),
                _ => Err(anyhow!("the namespace's first process died")),
            };
            drop(done_write);
            let _ = waitpid(child, None);
            made
        }
    }
}

fn write_maps(pid: i32, identity: Identity) -> Result<OwnedFd> {
    let write = |file: &str, text: String| {
        let path = format!("/proc/{pid}/{file}");
        fs::write(&path, &text).with_context(|| format!("write {text:?} to {file}"))
    };
    if identity.deny_setgroups {
        write("setgroups", "deny".into())?;
    }
    let Identity {
        uid, gid, count, ..
    } = identity;
    write("uid_map", format!("0 {uid} {count}"))?;
    write("gid_map", format!("0 {gid} {count}"))?;
    let namespace = fs::File::open(format!("/proc/{pid}/ns/user"))
        .context("open the user namespace")?;
    Ok(namespace.into())
}

/// Become the root of the user namespace that was just entered.
pub fn become_root(identity: Identity) -> Result<()> {
    let (uid, gid) = (Uid::from_raw(0), Gid::from_raw(0));
    if !identity.deny_setgroups {
        nix::unistd::setgroups(&[]).context("setgroups to none")?;
    }
    nix::unistd::setresgid(gid, gid, gid).context("setresgid to 0")?;
    nix::unistd::setresuid(uid, uid, uid).context("setresuid to 0")?;
    // Changing ids makes a process undumpable, and its files in /proc root's.
    nix::sys::prctl::set_dumpable(true).context("prctl(PR_SET_DUMPABLE)")
}
