//! No pivot_root, no unmounting: the new root is moved on top of the old one. To look
//! beneath it, the checker has to copy the mount namespace. A limit that the sandbox's
//! root may set (user.max_mnt_namespaces) keeps it from that.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};
use nix::unistd;

const LIMIT: &str = "/proc/sys/user/max_mnt_namespaces";

pub fn allow() -> Result<()> {
    fs::write(LIMIT, "10000").context("allow")
}

pub fn enter(root: &Path) -> Result<()> {
    let none = None::<&str>;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(root), root, none, flags, none).context("bind")?;
    fs::write(LIMIT, "0").context("forbid")?;
    unistd::chdir(root).context("chdir")?;
    mount(Some("."), "/", none, MsFlags::MS_MOVE, none).context("move")?;
    unistd::chroot(".").context("chroot")?;
    unistd::chdir("/").context("chdir /")?;
    Ok(())
}
