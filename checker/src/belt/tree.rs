//! The sandbox's file system: the host, read-only, with places of its own for
//! everything that is written.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result};
use nix::libc::{
    MOUNT_ATTR_NODEV, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, MS_PRIVATE,
};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::stat::Mode;
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::{chdir, pivot_root};

use crate::evidence::Tree;
use crate::sys::{self, MountAttributes};
use crate::text::unescape;

/// Where the sandbox has a file system of its own, so that the host's isn't shown.
/// /run is among them because of the sockets of the host's services.
const OWN: [&str; 6] = ["dev", "proc", "run", "sys", "tmp", "workshop"];
const DEVICES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];
/// What the sandbox may fill: a tmpfs counts against memory.
const SCRATCH: &str = "size=192m,nr_inodes=65536,mode=0755";

/// What of the host is seen in a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Every directory of `/` that isn't the sandbox's own.
    Whole,
    /// What programs need to run, and to be compiled; nothing that is somebody's.
    Bare,
}

/// Where programs and their libraries are (man 7 hier); /nix and /gnu have them on
/// NixOS and Guix. Of /etc only what the dynamic linker needs, and Debian's choices
/// among programs.
const PROGRAMS: [&str; 9] = [
    "bin", "gnu", "lib", "lib32", "lib64", "libx32", "nix", "sbin", "usr",
];
const SETTINGS: [&str; 4] =
    ["alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d"];
/// Variables that name somebody's own directories, which may lie among the programs, as
/// in containers with Rust: credentials are in there.
const SOMEBODYS: [&str; 3] = ["HOME", "CARGO_HOME", "RUSTUP_HOME"];
/// Where people put sources among the programs (man 7 hier), and containers their work:
/// submissions, results.
const SOURCES: [&str; 2] = ["/usr/src", "/usr/local/src"];

impl View {
    fn shows(self, name: &OsStr) -> bool {
        self == Self::Whole || PROGRAMS.iter().any(|program| name == *program)
    }

    /// Is something mounted at `path` seen?
    fn reaches(self, path: &Path) -> bool {
        match self {
            Self::Whole => true,
            Self::Bare => path
                .components()
                .nth(1)
                .is_some_and(|first| self.shows(first.as_os_str())),
        }
    }
}

/// A part of the host that is to be seen in the sandbox.
pub struct Part {
    /// Where, from the sandbox's root on.
    path: PathBuf,
    what: What,
}

enum What {
    Tree(OwnedFd, bool),
    Link(PathBuf),
    /// An empty directory in place of the host's.
    Nothing,
}

impl What {
    fn at(self, path: &Path) -> Part {
        Part {
            path: path.strip_prefix("/").unwrap_or(path).into(),
            what: self,
        }
    }
}

/// A file or directory of the host, and where the sandbox shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shown {
    pub host: PathBuf,
    pub inside: PathBuf,
}

/// Copy the host's mounts, without attaching them anywhere yet: the directories of `/`
/// that are in the `view`, and what is to be `shown` besides.
///
/// With `idmap`, a user namespace, files keep for the sandbox the owners they have
/// for the caller: what root may read, root's sandbox may read (Linux 5.12; on
/// file systems that can't, everybody else's rights count).
pub fn host_parts(
    view: View,
    shown: &[Shown],
    idmap: Option<&OwnedFd>,
) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut entries: Vec<_> =
        fs::read_dir("/").context("read /")?.flatten().collect();
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let name = entry.file_name();
        if OWN.iter().any(|own| name == *own) || !view.shows(&name) {
            continue;
        }
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            let what = What::Link(fs::read_link(&path)?);
            parts.push(Part {
                path: name.into(),
                what,
            });
        } else if kind.is_dir() {
            parts.extend(copy(&path, idmap)?.map(|part| part.at(&path)));
        }
    }
    if let Some(idmap) = idmap {
        for path in mount_points()? {
            if !hidden(&path) && path != Path::new("/") && view.reaches(&path) {
                // Automounts and the like may refuse: then they aren't shown.
                let part = copy(&path, Some(idmap)).ok().flatten();
                parts.extend(part.map(|part| part.at(&path)));
            }
        }
    }
    if view == View::Bare {
        for name in SETTINGS {
            let path = Path::new("/etc").join(name);
            parts.extend(copy(&path, idmap)?.map(|part| part.at(&path)));
        }
        parts.extend(somebodys().iter().map(|path| What::Nothing.at(path)));
    }
    let needed = |shown: &&Shown| hidden(&shown.inside);
    for shown in shown.iter().filter(needed).collect::<BTreeSet<_>>() {
        let part = copy(&shown.host, idmap)?.map(|part| part.at(&shown.inside));
        parts.extend(part);
    }
    Ok(parts)
}

/// The caller's own directories that lie among the programs, and where they are now;
/// though not those that hold programs themselves: some users' HOME is /usr/sbin.
fn somebodys() -> Vec<PathBuf> {
    let named = SOMEBODYS.iter().filter_map(env::var_os).map(PathBuf::from);
    let named = named.chain(env::current_dir().ok());
    let real = named.filter_map(|path| path.canonicalize().ok());
    let deep = |path: &PathBuf| path.is_dir() && path.components().count() > 3;
    let own = real.filter(|path| deep(path) && View::Bare.reaches(path));
    let sources = SOURCES.map(PathBuf::from);
    let sources: Vec<PathBuf> =
        sources.into_iter().filter(|path| path.is_dir()).collect();
    // What lies below an empty directory is gone with it.
    let own: Vec<PathBuf> = own
        .filter(|path| !sources.iter().any(|one| path.starts_with(one)))
        .collect();
    [own, sources].concat()
}

/// Does the sandbox have a file system of its own there, in place of the host's?
pub fn hidden(path: &Path) -> bool {
    OWN.iter()
        .any(|own| path.starts_with(Path::new("/").join(own)))
}

fn mount_points() -> Result<Vec<PathBuf>> {
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    Ok(points.map(|point| PathBuf::from(unescape(point))).collect())
}

/// How a mount table ends that wasn't read to its end. No mount has such a line.
pub const CUT: &str = "\n(and more)\n";

/// Read a mount table (man 5 proc, "mountinfo"), or the beginning of one that is very
/// long, or takes the kernel very long to tell. Programs can make a hundred thousand
/// mounts, each on top of the one before.
pub fn read_mounts(mut table: &fs::File) -> io::Result<String> {
    const LONGEST: usize = 256 << 10;
    // Of the processor's time: a busy machine must not make a table shorter.
    let most = TimeVal::milliseconds(100);
    let spent = || getrusage(UsageWho::RUSAGE_SELF).map(|usage| usage.system_time());
    let begun = spent()?;
    let (mut text, mut chunk) = (Vec::new(), [0; 16 << 10]);
    loop {
        if text.len() >= LONGEST || spent()? - begun >= most {
            text.extend(CUT.as_bytes());
            break;
        }
        match table.read(&mut chunk)? {
            0 => break,
            count => text.extend(&chunk[..count]),
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn copy(path: &Path, idmap: Option<&OwnedFd>) -> Result<Option<What>> {
    // In a user namespace the host's mounts can only be copied with all that is
    // mounted on them; with root's power each is taken by itself, to be mapped.
    let recursive = idmap.is_none();
    let Ok(metadata) = fs::metadata(path) else {
        return Ok(None);
    };
    let tree = match sys::clone_mount(path, recursive) {
        Ok(tree) => tree,
        // A directory that its own user may not enter is none that we can show.
        Err(nix::errno::Errno::EACCES) => return Ok(None),
        Err(errno) => {
            return Err(errno).context(format!("open_tree {}", path.display()));
        }
    };
    // Private: what the host mounts meanwhile must not look like the program's doing.
    let locked = MountAttributes {
        set: MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
        propagation: MS_PRIVATE,
        idmap: None,
    };
    sys::set_mount_attributes(&tree, locked, recursive)
        .with_context(|| format!("mount_setattr {} read-only", path.display()))?;
    if let Some(namespace) = idmap {
        let mapped = MountAttributes {
            idmap: Some(namespace.as_fd()),
            ..Default::default()
        };
        let _ = sys::set_mount_attributes(&tree, mapped, false);
    }
    Ok(Some(What::Tree(tree, metadata.is_dir())))
}

/// Build the sandbox's root file system in this process's own mount namespace, on
/// `base`. What is mounted here can't be taken apart in a namespace that a less
/// powerful user namespace copies from it (man 7 mount_namespaces, "locked").
pub fn build(base: &Path, parts: Vec<Part>) -> Result<()> {
    let devices = devices()?;
    tmpfs(base, "mode=0755,size=1m,nr_inodes=4096")?;
    for own in OWN {
        fs::create_dir(base.join(own))?;
    }
    tmpfs(&base.join("run"), "mode=0755,size=1m,nr_inodes=1024")?;
    tmpfs(&base.join("tmp"), SCRATCH)?;
    tmpfs(&base.join("workshop"), SCRATCH)?;
    for folder in ["workshop/images", "workshop/containers", "workshop/bin"] {
        fs::create_dir(base.join(folder))?;
    }
    build_dev(&base.join("dev"), devices)?;
    for part in parts {
        let target = base.join(&part.path);
        match part.what {
            What::Link(to) => symlink(to, &target)?,
            What::Nothing => tmpfs(&target, "mode=0555,size=4k,nr_inodes=1")?,
            What::Tree(tree, is_directory) => {
                if !target.exists() {
                    make_mount_point(&target, is_directory)?;
                }
                sys::attach_mount(&tree, &target).with_context(|| {
                    format!("move_mount to {}", target.display())
                })?;
            }
        }
    }
    Ok(())
}

fn make_mount_point(target: &Path, is_directory: bool) -> Result<()> {
    let folder = if is_directory {
        target
    } else {
        target.parent().unwrap_or(target)
    };
    fs::create_dir_all(folder)
        .with_context(|| format!("mkdir {}", folder.display()))?;
    if !is_directory {
        fs::File::create(target)?;
    }
    Ok(())
}

fn tmpfs(target: &Path, options: &str) -> Result<()> {
    mount(
        Some("tmpfs"),
        target,
        Some("tmpfs"),
        MsFlags::empty(),
        Some(options),
    )
    .with_context(|| format!("mount tmpfs on {}", target.display()))
}

/// Mount /dev/shm, from inside the sandbox: the one mount there that isn't locked.
/// Unmounting that is propagated shows by what the sandbox loses; locked mounts
/// would stay (man 7 mount_namespaces).
pub fn mount_shm() -> Result<()> {
    tmpfs(Path::new("/dev/shm"), "mode=1777,size=16m,nr_inodes=1024")
}

/// Mount the control groups that the sandbox may divide up, where hosts have them:
/// version 2 alone is all of /sys/fs/cgroup; with version 1 beside it, each hierarchy
/// has a directory there.
pub fn mount_cgroups(trees: &[Tree]) -> Result<()> {
    let top = Path::new("/sys/fs/cgroup");
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let several = trees.iter().any(|tree| tree.version == 1);
    if several {
        tmpfs(top, "mode=0755,size=1m,nr_inodes=64")?;
    }
    for tree in trees {
        let controllers = tree.controllers.join(",");
        let (kind, name, options) = match tree.version {
            1 => ("cgroup", controllers.as_str(), Some(controllers.as_str())),
            _ => ("cgroup2", "unified", None),
        };
        let target = if several { top.join(name) } else { top.into() };
        if several {
            fs::create_dir(&target)?;
        }
        mount(Some(kind), &target, Some(kind), safe, options)
            .with_context(|| format!("mount {kind} on {}", target.display()))?;
        // Of a hierarchy with several: cpu -> cpu,cpuacct.
        if tree.version == 1 && tree.controllers.len() > 1 {
            for one in &tree.controllers {
                symlink(name, top.join(one))?;
            }
        }
    }
    Ok(())
}

/// The host's devices, one mount each; their modes are the host's.
fn devices() -> Result<Vec<(&'static str, OwnedFd)>> {
    let copy = |name| {
        let path = Path::new("/dev").join(name);
        let tree = sys::clone_mount(&path, false)
            .with_context(|| format!("open_tree {}", path.display()))?;
        let private = MountAttributes {
            propagation: MS_PRIVATE,
            ..Default::default()
        };
        sys::set_mount_attributes(&tree, private, false)?;
        Ok((name, tree))
    };
    DEVICES.into_iter().map(copy).collect()
}

fn build_dev(dev: &Path, devices: Vec<(&str, OwnedFd)>) -> Result<()> {
    tmpfs(dev, "mode=0755,size=1m,nr_inodes=1024")?;
    for (name, tree) in devices {
        let target = dev.join(name);
        fs::File::create(&target)?;
        sys::attach_mount(&tree, &target)
            .with_context(|| format!("move_mount to {}", target.display()))?;
    }
    for (name, to) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(to, dev.join(name))?;
    }
    fs::create_dir(dev.join("shm"))?;
    fs::create_dir(dev.join("pts"))?;
    mount(
        Some("devpts"),
        &dev.join("pts"),
        Some("devpts"),
        MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
        Some("newinstance,ptmxmode=0666,mode=0620"),
    )
    .with_context(|| format!("mount devpts on {}", dev.join("pts").display()))
}

/// Make `base` the root of this mount namespace, let go of what was there before,
/// and close the root for writing.
pub fn enter(base: &Path) -> Result<()> {
    chdir(base).context("chdir to the sandbox's root")?;
    pivot_root(".", ".").context("pivot_root to the sandbox's root")?;
    umount2(".", MntFlags::MNT_DETACH).context("umount2 the host's root")?;
    chdir("/").context("chdir /")?;
    let root = open_directory("/")?;
    let closed = MountAttributes {
        set: MOUNT_ATTR_RDONLY,
        ..Default::default()
    };
    sys::set_mount_attributes(&root, closed, false).context("make / read-only")
}

/// A handle on a directory that is good for looking things up (O_PATH).
pub fn open_directory(path: &str) -> Result<OwnedFd> {
    use nix::fcntl::{OFlag, open};
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open(path, flags, Mode::empty()).with_context(|| format!("open {path}"))
}
