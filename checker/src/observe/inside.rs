//! Looking at files inside the sandbox or a container, from outside, without being
//! led astray: every name is resolved as if the handle's directory were `/`.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::dir::{Dir, Type};
use nix::fcntl::{
    AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat,
};
use nix::libc::statx;
use nix::sys::stat::{Mode, SFlag, makedev};
use nix::unistd::linkat;

use crate::belt::Identity;
use crate::evidence::{FileFact, FileId, FileKind};
use crate::sys;
use crate::text::escape;

/// The most files that are looked at at once.
const MOST: usize = 16_000;
/// Files up to this size are kept with their content, in bytes.
const SMALL: u64 = 256;
/// The most text that is kept of them, names and contents, in bytes.
const MOST_TEXT: usize = 2 << 20;

/// A directory of the sandbox or of a container.
pub struct Inside {
    root: OwnedFd,
    owner: Identity,
}

impl Inside {
    /// `root` is the directory that stands for `/`. What is made in it belongs to
    /// the sandbox's root.
    pub fn new(root: OwnedFd) -> Self {
        Self {
            root,
            owner: Identity::of_caller(),
        }
    }

    /// The root directory of a process.
    pub fn of_process(pid: i32) -> nix::Result<Self> {
        use nix::fcntl::open;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        open(format!("/proc/{pid}/root").as_str(), flags, Mode::empty())
            .map(Self::new)
    }

    pub fn handle(&self) -> &OwnedFd {
        &self.root
    }

    /// Open a name; links lead nowhere but inside. Never blocks on a pipe.
    pub fn open(&self, path: &Path, flags: OFlag, mode: Mode) -> nix::Result<File> {
        let careful = match flags.contains(OFlag::O_PATH) {
            true => OFlag::empty(),
            false => OFlag::O_NONBLOCK | OFlag::O_NOCTTY,
        };
        let how = OpenHow::new()
            .flags(flags | careful | OFlag::O_CLOEXEC)
            .mode(mode)
            .resolve(
                ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS,
            );
        openat2(self.root.as_fd(), path, how).map(File::from)
    }

    /// A new file to write to, with these permissions.
    pub fn create(&self, path: &Path, mode: u32) -> nix::Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC;
        let file = self
            .owner
            .acting(|| self.open(path, flags, Mode::from_bits_truncate(mode)))?;
        let permissions = std::fs::Permissions::from_mode(mode);
        file.set_permissions(permissions)
            .map_err(|_| nix::Error::EPERM)?;
        Ok(file)
    }

    pub fn make_directory(&self, path: &Path) -> nix::Result<()> {
        let (parent, name) = self.parent(path)?;
        let mode = Mode::from_bits_truncate(0o755);
        self.owner
            .acting(|| nix::sys::stat::mkdirat(&parent, name.as_os_str(), mode))
    }

    /// Another name for a file (man 2 link).
    pub fn link(&self, old: &Path, new: &Path) -> nix::Result<()> {
        let ((from, old), (to, new)) = (self.parent(old)?, self.parent(new)?);
        self.owner.acting(|| {
            linkat(
                &from,
                old.as_os_str(),
                &to,
                new.as_os_str(),
                AtFlags::empty(),
            )
        })
    }

    /// May the sandbox's root look things up in this directory?
    pub fn may_enter(&self, directory: &Path) -> bool {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let itself = directory.join(".");
        self.owner
            .acting(|| self.open(&itself, flags, Mode::empty()))
            .is_ok()
    }

    fn parent(&self, path: &Path) -> nix::Result<(File, std::ffi::OsString)> {
        let name = path.file_name().ok_or(nix::Error::EINVAL)?;
        let parent = path.parent().unwrap_or(Path::new("/"));
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let parent = if parent.as_os_str().is_empty() {
            Path::new("/")
        } else {
            parent
        };
        Ok((self.open(parent, flags, Mode::empty())?, name.to_owned()))
    }

    /// Device and inode of the directory itself.
    pub fn id(&self) -> FileId {
        identify(&self.root)
    }

    /// Everything below `top`, with names from there on, but what lies in other mounts:
    /// of those only /dev and /dev/pts are entered.
    pub fn files(&self, top: &Path) -> BTreeMap<String, FileFact> {
        let mut listing = Listing::new();
        self.list(top, "", &mut listing);
        listing.files
    }

    /// Everything below some directories, likewise, but with whole names.
    pub fn files_below(&self, tops: &[&str]) -> Listing {
        let mut listing = Listing::new();
        for top in tops {
            self.list(Path::new(top), &format!("{top}/"), &mut listing);
        }
        listing
    }

    /// The name of this directory below `top`, if it is there, in the same mount, and
    /// at most five levels deep.
    pub fn find(&self, top: &Path, id: FileId) -> Option<String> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let directory = self.open(top, flags, Mode::empty()).ok()?;
        let mut search = Search {
            id,
            mount: sys::mount_id(&directory).ok()?,
            room: MOST,
        };
        search.below(&directory, 4)
    }

    fn list(&self, top: &Path, prefix: &str, listing: &mut Listing) {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        if let Ok(directory) = self.open(top, flags, Mode::empty()) {
            let mount = sys::mount_id(&directory).unwrap_or(0);
            let lead = Lead {
                prefix,
                depth: 0,
                mount,
            };
            listing.walk(&directory, &lead);
        }
    }
}

/// What was found in directories.
pub struct Listing {
    pub files: BTreeMap<String, FileFact>,
    /// Was all looked at?
    pub whole: bool,
    room: usize,
}

/// The way to a directory.
struct Lead<'a> {
    prefix: &'a str,
    depth: usize,
    mount: u64,
}

/// Device and inode of an open file; zeros if the kernel won't say.
pub fn identify(fd: &impl AsFd) -> FileId {
    match nix::sys::stat::fstat(fd.as_fd()) {
        Ok(stat) => FileId {
            device: stat.st_dev,
            inode: stat.st_ino,
        },
        Err(_) => FileId::default(),
    }
}

impl Listing {
    fn new() -> Self {
        Self {
            files: BTreeMap::new(),
            whole: true,
            room: MOST_TEXT,
        }
    }

    fn walk(&mut self, directory: &File, lead: &Lead) {
        let Ok(mut entries) = directory
            .try_clone()
            .map_err(|_| nix::Error::EMFILE)
            .and_then(|copy| Dir::from_fd(copy.into()))
        else {
            return;
        };
        for entry in entries.iter().flatten() {
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if self.files.len() >= MOST || self.room == 0 {
                self.whole = false;
                return;
            }
            let path = format!("{}{}", lead.prefix, escape(name.to_bytes()));
            let Some(fact) = look(directory, name, lead.mount) else {
                continue;
            };
            let descend = fact.kind == FileKind::Directory
                && (!fact.mounted || matches!(path.as_str(), "dev" | "dev/pts"))
                && lead.depth < 32;
            let text = path.len() + fact.content.len();
            self.room = self.room.saturating_sub(text);
            self.files.insert(path.clone(), fact);
            if let (true, Ok(inner)) = (descend, open_directory(directory, name)) {
                let lead = Lead {
                    prefix: &format!("{path}/"),
                    depth: lead.depth + 1,
                    mount: sys::mount_id(&inner).unwrap_or(lead.mount),
                };
                self.walk(&inner, &lead);
            }
        }
    }
}

/// Looks for a directory below others.
struct Search {
    id: FileId,
    mount: u64,
    /// How many more directories are looked at.
    room: usize,
}

impl Search {
    fn below(&mut self, directory: &File, depth: usize) -> Option<String> {
        let mut entries = Dir::from_fd(directory.try_clone().ok()?.into()).ok()?;
        for entry in entries.iter().flatten() {
            let name = entry.file_name();
            let other = !matches!(entry.file_type(), None | Some(Type::Directory));
            if other || matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            self.room = self.room.checked_sub(1)?;
            let Ok(found) = sys::statx(directory, name) else {
                continue;
            };
            let shown = escape(name.to_bytes());
            if file_id(&found) == self.id {
                return Some(shown);
            }
            if depth == 0 || found.stx_mnt_id != self.mount {
                continue;
            }
            let inner = open_directory(directory, name).ok();
            let below = inner.and_then(|inner| self.below(&inner, depth - 1));
            if let Some(below) = below {
                return Some(format!("{shown}/{below}"));
            }
        }
        None
    }
}

fn file_id(found: &statx) -> FileId {
    let (major, minor) = (found.stx_dev_major, found.stx_dev_minor);
    FileId {
        device: makedev(major.into(), minor.into()),
        inode: found.stx_ino,
    }
}

/// Open a directory by its name in another; a link isn't one.
fn open_directory(directory: &File, name: &CStr) -> nix::Result<File> {
    let flags = OFlag::O_RDONLY
        | OFlag::O_DIRECTORY
        | OFlag::O_NOFOLLOW
        | OFlag::O_NONBLOCK
        | OFlag::O_CLOEXEC;
    openat(directory, name, flags, Mode::empty()).map(File::from)
}

fn look(directory: &File, name: &CStr, mount: u64) -> Option<FileFact> {
    let found = sys::statx(directory, name).ok()?;
    let mode = u32::from(found.stx_mode);
    let kind = match SFlag::from_bits_truncate(mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFREG => FileKind::File,
        SFlag::S_IFDIR => FileKind::Directory,
        SFlag::S_IFLNK => FileKind::Link,
        SFlag::S_IFCHR => FileKind::Character,
        _ => FileKind::Other,
    };
    let content = match kind {
        FileKind::Link => readlinkat(directory, name)
            .map(|target| escape(target.as_bytes()))
            .unwrap_or_default(),
        FileKind::File if (1..=SMALL).contains(&found.stx_size) => {
            // It may have become another by now: a link to the host's files even.
            let flags = OFlag::O_RDONLY
                | OFlag::O_NOFOLLOW
                | OFlag::O_NONBLOCK
                | OFlag::O_NOCTTY
                | OFlag::O_CLOEXEC;
            let mut bytes = Vec::new();
            if let Ok(opened) = openat(directory, name, flags, Mode::empty()) {
                let _ = File::from(opened).take(SMALL).read_to_end(&mut bytes);
            }
            escape(&bytes)
        }
        _ => String::new(),
    };
    let (size, modified) = match kind {
        FileKind::File => {
            let time = found.stx_mtime;
            let nanoseconds = time.tv_sec * 1_000_000_000 + i64::from(time.tv_nsec);
            (found.stx_size, nanoseconds)
        }
        _ => (0, 0),
    };
    let numbers = |major: u32, minor: u32| (u64::from(major), u64::from(minor));
    Some(FileFact {
        kind,
        mode: mode & 0o7777,
        size,
        content,
        device: numbers(found.stx_rdev_major, found.stx_rdev_minor),
        id: file_id(&found),
        names: found.stx_nlink,
        mounted: found.stx_mnt_id != mount,
        modified,
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn what_only_the_caller_may_enter_roots_sandbox_may_not() {
        let name = format!("rubber-crab-inside-{}", std::process::id());
        let top = std::env::temp_dir().join(name);
        for (directory, mode) in [("open", 0o755), ("closed", 0o700)] {
            let directory = top.join(directory);
            fs::create_dir_all(directory.join("deep")).unwrap();
            fs::set_permissions(&directory, Permissions::from_mode(mode)).unwrap();
        }
        let inside = Inside::new(File::open(&top).unwrap().into());
        let ours = !nix::unistd::geteuid().is_root();
        assert!(inside.may_enter(Path::new("/open/deep")));
        assert_eq!(inside.may_enter(Path::new("/closed/deep")), ours);
        assert_eq!(inside.may_enter(Path::new("/closed")), ours);
        assert!(!inside.may_enter(Path::new("/missing")));
        fs::remove_dir_all(&top).unwrap();
    }
}
