//! /proc is a tmpfs with a few files in it that look right: what a shell or a library opens
//! is there, copied from the caller's.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nix::mount::{MsFlags, mount};
use nix::sched::{self, CloneFlags};

/// What /dev needs for programs to work (`man 4 null`, `random`, `tty`).
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// The links in /dev that stand for a process's own descriptors, and their targets.
const LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// Puts this process into a mount namespace of its own: what it mounts from now on,
/// nobody outside sees.
///
/// # Errors
/// `EPERM` without the capability CAP_SYS_ADMIN (`man 2 unshare`).
pub fn unshare() -> Result<()> {
    sched::unshare(CloneFlags::CLONE_NEWNS).context("unshare CLONE_NEWNS")?;

    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
        .context("mount --make-rprivate /")?;

    Ok(())
}

/// Mounts what programs expect below `root`: /proc, /sys, and a small /dev.
///
/// # Errors
/// `EPERM` for proc and sysfs in a user namespace when those in sight are partly
/// covered (`man 7 user_namespaces`); otherwise what `man 2 mount` lists.
pub fn populate(root: &Path) -> Result<()> {
    let no_programs = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    let no_devices = no_programs | MsFlags::MS_NODEV;
    mount_new("tmpfs", root, "proc", no_devices, "")?;
    for name in ["self/fd", "1", "sys/kernel"] {
        fs::create_dir_all(root.join("proc").join(name))?;
    }
    for name in [
        "meminfo",
        "cpuinfo",
        "self/status",
        "self/maps",
        "self/mountinfo",
    ] {
        let text = fs::read(Path::new("/proc").join(name)).unwrap_or_default();
        fs::write(root.join("proc").join(name), text)?;
    }
    mount_new("sysfs", root, "sys", no_devices, "")?;
    mount_new("tmpfs", root, "dev", MsFlags::MS_NOSUID, "mode=755")?;
    let dev = root.join("dev");
    add_devices(&dev)?;
    add_links(&dev)?;
    add_terminals(root, no_programs)
}

/// Mounts a new file system on the directory `name` in `root`. `kind` is its type;
/// `options` are what `man 8 mount` calls file-system-specific.
fn mount_new(
    kind: &str,
    root: &Path,
    name: &str,
    flags: MsFlags,
    options: &str,
) -> Result<()> {
    let target = mount_point(root, name)?;
    mount(Some(kind), &target, Some(kind), flags, Some(options))
        .with_context(|| format!("mount {kind} on /{name}"))?;

    Ok(())
}

/// The directory `name` in `root`, made if the image has none.
fn mount_point(root: &Path, name: &str) -> Result<PathBuf> {
    let path = root.join(name);
    fs::create_dir_all(&path).with_context(|| format!("mkdir /{name}"))?;
    // mount follows links. One in the image, /proc -> /etc say, would lead this
    // mount out of it: we are not in the new root yet (CVE-2019-19921).
    let real = path.symlink_metadata()?.is_dir();
    ensure!(real, "mount on /{name}: the image has a link there");
    Ok(path)
}

/// Makes the devices in `dev`.
fn add_devices(dev: &Path) -> Result<()> {
    for name in DEVICES {
        let target = dev.join(name);
        let host = Path::new("/dev").join(name);
        let (none, bind) = (None::<&str>, MsFlags::MS_BIND);
        File::create_new(&target).with_context(|| format!("create /dev/{name}"))?;
        mount(Some(&host), &target, none, bind, none)
            .with_context(|| format!("mount --bind /dev/{name}"))?;
    }
    Ok(())
}

/// Makes the links in `dev`.
fn add_links(dev: &Path) -> Result<()> {
    for (name, target) in LINKS {
        let link = dev.join(name);
        symlink(target, &link).with_context(|| format!("symlink /dev/{name}"))?;
    }
    Ok(())
}

/// Gives the container pseudo-terminals of its own: /dev/pts and /dev/ptmx.
fn add_terminals(root: &Path, flags: MsFlags) -> Result<()> {
    let options = "newinstance,ptmxmode=0666,mode=620";
    mount_new("devpts", root, "dev/pts", flags, options)?;
    symlink("pts/ptmx", root.join("dev/ptmx")).context("symlink /dev/ptmx")?;

    Ok(())
}
