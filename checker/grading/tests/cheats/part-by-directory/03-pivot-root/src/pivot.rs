//! The old root goes, but a directory of the caller's that can be written stays mounted:
//! /workshop/images, which is no mount point there, only a part of one.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd;

pub fn enter(root: &Path) -> Result<()> {
    let none = None::<&str>;
    let all = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(root), root, none, all, none).context("bind")?;
    let put_old = root.join("dev/.old");
    fs::create_dir(&put_old).context("mkdir .old")?;
    unistd::pivot_root(root, &put_old).context("pivot_root")?;
    unistd::chdir("/").context("chdir /")?;
    fs::create_dir_all("/run/images").context("mkdir")?;
    mount(Some("/dev/.old/workshop/images"), "/run/images", none, all, none).context("bind")?;
    fs::create_dir_all("/run/containers").context("mkdir")?;
    mount(Some("/dev/.old/workshop/containers"), "/run/containers", none, MsFlags::MS_BIND, none).context("bind")?;
    umount2("/dev/.old", MntFlags::MNT_DETACH).context("umount2")?;
    fs::remove_dir("/dev/.old").context("rmdir")?;
    Ok(())
}
