//! Mounts of a container's own: a namespace for them, then /proc, /sys and /dev.
//! All of this happens in the child, before it changes its root: host and container
//! are both in reach. Read `unshare`, then `populate`, then what that calls.
//> -
//>| // Take this line out when all exercises are done:
//>| #![allow(dead_code, unused_imports, unused_mut, unused_variables)]
//<

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
    //> 1. A mount namespace
    //> Call `sched::unshare` with the flag for a new mount namespace. It begins as a
    //> copy of the caller's: every mount is still there.
    sched::unshare(CloneFlags::CLONE_NEWNS).context("unshare CLONE_NEWNS")?;
    //<

    //> 2. Cut the ties
    //> The copies of shared mounts are peers of their originals: a mount below one
    //> also appears below the other. On most hosts `/` is shared. Call `mount` on
    //> "/" with `MS_PRIVATE`, and with `MS_REC` to reach the mounts below it, too.
    //> The other arguments are not used (`None::<&str>`).
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
        .context("mount --make-rprivate /")?;
    //<

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
    mount_new("proc", root, "proc", no_devices, "")?;
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
    //> 3. Mount a file system
    //> Call `mount` with the type, the target, the flags and the options. Such a
    //> file system has no disk below it: the source is only a name that shows in
    //> the mount table. The type will do.
    mount(Some(kind), &target, Some(kind), flags, Some(options))
        .with_context(|| format!("mount {kind} on /{name}"))?;
    //<

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
        //> 4. Devices
        //> In a user namespace the kernel refuses to make device nodes (mknod), so
        //> borrow the host's: make an empty file as the mount point, then call
        //> `mount` with `MS_BIND`, from the host's device to that file.
        let host = Path::new("/dev").join(name);
        let (none, bind) = (None::<&str>, MsFlags::MS_BIND);
        File::create_new(&target).with_context(|| format!("create /dev/{name}"))?;
        mount(Some(&host), &target, none, bind, none)
            .with_context(|| format!("mount --bind /dev/{name}"))?;
        //<
    }
    Ok(())
}

/// Makes the links in `dev`.
fn add_links(dev: &Path) -> Result<()> {
    for (name, target) in LINKS {
        let link = dev.join(name);
        //> 5. Links
        //> Make each of them with `symlink`: what it points to comes first.
        symlink(target, &link).with_context(|| format!("symlink /dev/{name}"))?;
        //<
    }
    Ok(())
}

/// Gives the container pseudo-terminals of its own: /dev/pts and /dev/ptmx.
fn add_terminals(root: &Path, flags: MsFlags) -> Result<()> {
    //> 6. Terminals
    //> Mount a file system of type devpts on dev/pts with `mount_new`. Its options,
    //> with commas between: `newinstance`, or the host's terminals may show in it;
    //> `ptmxmode=0666`, or nobody can open a new one; `mode=620`, the mode of each
    //> new one. Programs look for ptmx in /dev: make dev/ptmx a link to pts/ptmx.
    let options = "newinstance,ptmxmode=0666,mode=620";
    mount_new("devpts", root, "dev/pts", flags, options)?;
    File::create_new(root.join("dev/ptmx"))?;
    //<

    Ok(())
}
