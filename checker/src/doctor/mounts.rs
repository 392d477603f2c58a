//! Overlay file systems and the mount API, in a user namespace.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::libc::MOUNT_ATTR_RDONLY;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::chdir;
use serde::{Deserialize, Serialize};

use super::PATIENCE;
use super::namespaces::{self, PLACE};
use super::trial::{Failure, trial};
use crate::sys::{self, MountAttributes};

/// Mount an overlay, delete what is in its lower directory, and see what becomes of
/// it in the upper one.
pub fn overlay() -> Result<(), Failure> {
    trial(PATIENCE, || {
        begin()?;
        for folder in ["lower/folder", "upper", "work", "merged"] {
            fs::create_dir_all(folder)?;
        }
        fs::write("lower/file", "lower")?;
        fs::write("lower/folder/inside", "lower")?;
        let options = "lowerdir=lower,upperdir=upper,workdir=work,userxattr";
        let none = MsFlags::empty();
        mount(
            Some("overlay"),
            "merged",
            Some("overlay"),
            none,
            Some(options),
        )
        .context("mount overlay in a user namespace")?;
        fs::remove_file("merged/file").context("overlay: unlink a lower file")?;
        let whiteout = fs::symlink_metadata("upper/file")
            .context("overlay: stat the whiteout in the upper directory")?;
        ensure!(
            whiteout.file_type().is_char_device() && whiteout.rdev() == 0,
            "overlay: a deletion leaves no whiteout (a device 0, 0)"
        );
        ensure!(
            Path::new("lower/file").exists(),
            "overlay: the lower file is gone"
        );
        // A new directory must not show what an old one of the same name had. The
        // mark for that is an attribute, user.overlay.opaque.
        fs::remove_dir_all("merged/folder")
            .context("overlay: remove a lower directory")?;
        fs::create_dir("merged/folder")
            .context("overlay: make a directory anew that was removed")?;
        let left = fs::read_dir("merged/folder")?.count();
        ensure!(left == 0, "overlay: a removed directory's files come back");
        Ok(())
    })
}

/// Did all of [`overlay`] work but what needs extended attributes?
pub fn lacks_notes(failure: &Failure) -> bool {
    let steps = [
        "remove a lower directory",
        "make a directory anew",
        "come back",
    ];
    steps.iter().any(|step| failure.step.contains(step))
}

/// Did idmapped mounts work too? If not, why.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Idmapped(pub Option<Failure>);

/// Copy a mount, make the copy read-only and attach it; then try to map its ids.
pub fn mount_api() -> Result<Idmapped, Failure> {
    trial(PATIENCE, || {
        begin()?;
        let copy = || sys::clone_mount(Path::new(PLACE), false).context("open_tree");
        fs::create_dir("copy")?;
        let tree = copy()?;
        let closed = MountAttributes {
            set: MOUNT_ATTR_RDONLY,
            ..Default::default()
        };
        sys::set_mount_attributes(&tree, closed, false)
            .context("mount_setattr read-only")?;
        sys::attach_mount(&tree, Path::new("copy")).context("move_mount")?;
        let refused = fs::write("copy/file", "")
            .err()
            .and_then(|e| e.raw_os_error());
        ensure!(
            refused == Some(nix::errno::Errno::EROFS as i32),
            "mount_setattr: a mount can be written that was made read-only"
        );
        let namespace = namespaces::make(0, 0, 1)?;
        let mapped = MountAttributes {
            idmap: Some(namespace.as_fd()),
            ..Default::default()
        };
        let refused = sys::set_mount_attributes(&copy()?, mapped, false).err();
        Ok(Idmapped(refused.map(|errno| Failure {
            step: format!("mount_setattr idmapped on tmpfs: {errno}"),
            errno: errno as i32,
            signal: 0,
        })))
    })
}

fn begin() -> Result<()> {
    namespaces::enter()?;
    unshare(CloneFlags::CLONE_NEWNS).context("unshare(CLONE_NEWNS)")?;
    namespaces::private_place()?;
    chdir(PLACE).with_context(|| format!("chdir to {PLACE}"))
}
