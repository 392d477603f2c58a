//! The old root stays where pivot_root put it. A tmpfs is mounted over it, and another one
//! over the directory that it is in: no path leads there.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};
use nix::unistd;

pub fn enter(root: &Path) -> Result<()> {
    let none = None::<&str>;
    let all = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(root), root, none, all, none).context("bind")?;
    let put_old = root.join("dev/.deep/old");
    fs::create_dir_all(&put_old).context("mkdir")?;
    unistd::pivot_root(root, &put_old).context("pivot_root")?;
    unistd::chdir("/").context("chdir /")?;
    for place in ["/dev/.deep/old", "/dev/.deep"] {
        mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), none)
            .context("tmpfs")?;
    }
    Ok(())
}
