//! Looking at files inside the sandbox or a container, from outside, without being
//! led astray: every name is resolved as if the handle's directory were `/`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2, readlinkat};
use nix::sys::stat::{Mode, fstatat};
use nix::unistd::linkat;

use crate::belt::Identity;
use crate::evidence::{FileFact, FileId, FileKind};
use crate::sys;

/// The most files that are looked at in one tree.
const MOST: usize = 4000;
/// Files up to this size are kept with their content, in bytes.
const SMALL: u64 = 256;
/// The most text that is kept of one tree, names and contents, in bytes.
const MOST_TEXT: usize = 512 << 10;

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

    /// Everything below `top`, but what lies in other mounts: of those only /dev and
    /// /dev/pts are entered.
    pub fn files(&self, top: &Path) -> BTreeMap<String, FileFact> {
        let mut found = BTreeMap::new();
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        if let Ok(directory) = self.open(top, flags, Mode::empty()) {
            let mount = sys::mount_id(&directory).unwrap_or(0);
            walk(&directory, "", mount, &mut found, &mut { MOST_TEXT });
        }
        found
    }
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

fn walk(
    directory: &File,
    prefix: &str,
    mount: u64,
    found: &mut BTreeMap<String, FileFact>,
    room: &mut usize,
) {
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
        if found.len() >= MOST || *room == 0 {
            return;
        }
        let shown = crate::text::escape(name.to_bytes());
        let path = format!("{prefix}{shown}");
        let name = std::ffi::OsStr::from_bytes(name.to_bytes());
        let Some((fact, handle)) = look(directory, Path::new(name), mount) else {
            continue;
        };
        let descend = fact.kind == FileKind::Directory
            && (!fact.mounted || matches!(path.as_str(), "dev" | "dev/pts"))
            && prefix.matches('/').count() < 32;
        *room = room.saturating_sub(path.len() + fact.content.len());
        found.insert(path.clone(), fact);
        if descend {
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            let opened = nix::fcntl::openat(
                handle.as_fd(),
                Path::new("."),
                flags,
                Mode::empty(),
            );
            if let Ok(opened) = opened {
                let inner = sys::mount_id(&opened).unwrap_or(mount);
                walk(&File::from(opened), &format!("{path}/"), inner, found, room);
            }
        }
    }
}

fn look(directory: &File, name: &Path, mount: u64) -> Option<(FileFact, OwnedFd)> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let handle =
        nix::fcntl::openat(directory.as_fd(), name, flags, Mode::empty()).ok()?;
    let stat = fstatat(&handle, Path::new(""), AtFlags::AT_EMPTY_PATH).ok()?;
    let metadata = File::from(handle.try_clone().ok()?).metadata().ok()?;
    let kind = match metadata.file_type() {
        kind if kind.is_file() => FileKind::File,
        kind if kind.is_dir() => FileKind::Directory,
        kind if kind.is_symlink() => FileKind::Link,
        kind if kind.is_char_device() => FileKind::Character,
        _ => FileKind::Other,
    };
    let content = match kind {
        FileKind::Link => readlinkat(&handle, Path::new(""))
            .map(|target| crate::text::escape(target.as_bytes()))
            .unwrap_or_default(),
        FileKind::File if metadata.len() <= SMALL => {
            // It may have become another by now: a link to the host's files even.
            let flags = OFlag::O_RDONLY
                | OFlag::O_NOFOLLOW
                | OFlag::O_NONBLOCK
                | OFlag::O_NOCTTY
                | OFlag::O_CLOEXEC;
            let opened =
                nix::fcntl::openat(directory.as_fd(), name, flags, Mode::empty());
            let mut bytes = Vec::new();
            if let Ok(opened) = opened {
                let _ = File::from(opened).take(SMALL).read_to_end(&mut bytes);
            }
            crate::text::escape(&bytes)
        }
        _ => String::new(),
    };
    let fact = FileFact {
        kind,
        mode: metadata.permissions().mode() & 0o7777,
        size: if kind == FileKind::File {
            metadata.len()
        } else {
            0
        },
        content,
        device: (
            nix::sys::stat::major(stat.st_rdev),
            nix::sys::stat::minor(stat.st_rdev),
        ),
        id: FileId {
            device: metadata.dev(),
            inode: metadata.ino(),
        },
        mounted: sys::mount_id(&handle).is_ok_and(|id| id != mount),
        modified: match kind {
            FileKind::File => {
                metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec()
            }
            _ => 0,
        },
    };
    Some((fact, handle))
}
