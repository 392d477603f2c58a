//! Walks real folders. Each step is opened from the one before, and no step is a link:
//! whoever swaps a folder for a link during the walk doesn't lead it anywhere.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::Result;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};

use super::entry::{End, Entry, Kind, Visitor};
use super::limits;

/// Opening never follows a link, never waits (for the other end of a pipe), and never
/// makes a terminal ours.
const SAFELY: OFlag = OFlag::O_NOFOLLOW
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_NOCTTY)
    .union(OFlag::O_CLOEXEC);

/// Show everything in the folder that is `from` below `base`, sorted by name, folders
/// before what is in them. `base` itself may be reached through links: the instructor
/// named it.
pub fn walk(
    base: &Path,
    from: &[OsString],
    visitor: &mut dyn Visitor,
) -> Result<End> {
    let folder = match open_folder(base, from) {
        Ok(folder) => folder,
        Err(why) => return Ok(End::Damaged(why)),
    };
    let mut walk = Walk {
        path: from.to_vec(),
        top: from.len(),
        entries: 0,
        visitor,
    };
    // Where the walk begins nobody else's folder begins: there is no more to count.
    let _ = walk.folder(&folder)?;
    Ok(End::Whole)
}

/// Open the regular file that is `path` below `base`.
pub fn open_file(base: &Path, path: &[OsString]) -> Result<File, String> {
    let Some((name, folders)) = path.split_last() else {
        return Err("it has no name".to_owned());
    };
    let folder = open_folder(base, folders)?;
    match regular(&folder, name) {
        Ok(Ok((file, _))) => Ok(file),
        Ok(Err(kind)) => Err(format!("it is {}", kind.words())),
        Err(errno) => Err(format!("open: {errno}")),
    }
}

fn open_folder(base: &Path, path: &[OsString]) -> Result<OwnedFd, String> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut folder = open(base, flags, Mode::empty())
        .map_err(|errno| format!("open {}: {errno}", base.display()))?;
    for part in path {
        folder = step(&folder, part).map_err(|errno| format!("open: {errno}"))?;
    }
    Ok(folder)
}

/// Open a folder in a folder.
fn step(folder: &OwnedFd, name: &OsStr) -> nix::Result<OwnedFd> {
    let flags = SAFELY | OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    openat(folder, name, flags, Mode::empty())
}

/// Open a file if it is a regular one, and say its size. Looked at before, because
/// opening a device may do something, and after, because it may be another one by then.
fn regular(
    folder: &OwnedFd,
    name: &OsStr,
) -> nix::Result<std::result::Result<(File, u64), Kind>> {
    let kind = kind(&fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW)?);
    if kind != Kind::File {
        return Ok(Err(kind));
    }
    let file = openat(folder, name, SAFELY | OFlag::O_RDONLY, Mode::empty())?;
    let status = fstat(&file)?;
    match self::kind(&status) {
        Kind::File => {
            let size = u64::try_from(status.st_size).unwrap_or(u64::MAX);
            Ok(Ok((File::from(file), size)))
        }
        kind => Ok(Err(kind)),
    }
}

fn kind(status: &FileStat) -> Kind {
    let format = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT;
    match format {
        SFlag::S_IFREG => Kind::File,
        SFlag::S_IFDIR => Kind::Folder,
        SFlag::S_IFLNK => Kind::SymbolicLink,
        _ => Kind::Special,
    }
}

struct Walk<'a> {
    path: Vec<OsString>,
    /// How long the path is where the walk begins.
    top: usize,
    entries: u64,
    visitor: &'a mut dyn Visitor,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &OwnedFd) -> Result<ControlFlow<()>> {
        let names = match names(folder) {
            Ok(names) => names,
            Err(why) => {
                self.visitor.trouble(&self.path, why);
                return Ok(ControlFlow::Continue(()));
            }
        };
        for name in names {
            if self.path.len() == self.top {
                self.entries = 0;
            }
            self.entries += 1;
            if self.entries > limits::ENTRIES {
                let why = format!("it has more than {} entries", limits::ENTRIES);
                let student = self.path.get(..=self.top).unwrap_or(&self.path);
                self.visitor.trouble(student, why);
                return Ok(ControlFlow::Break(()));
            }
            self.path.push(name);
            let flow = self.entry(folder)?;
            self.path.pop();
            if flow.is_break() && self.path.len() > self.top {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Show what the path leads to now, and go into it.
    fn entry(&mut self, folder: &OwnedFd) -> Result<ControlFlow<()>> {
        let Some(name) = self.path.last() else {
            return Ok(ControlFlow::Continue(()));
        };
        let status =
            match fstatat(folder, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(status) => status,
                Err(errno) => return Ok(self.failed("look at it", errno)),
            };
        let mut content = Lazy {
            folder,
            name,
            open: None,
        };
        let entry = Entry {
            parts: &self.path,
            bad: None,
            kind: kind(&status),
            size: u64::try_from(status.st_size).unwrap_or(u64::MAX),
        };
        let _ = self.visitor.visit(&entry, &mut content)?;
        if entry.kind != Kind::Folder || !self.visitor.enter(&self.path) {
            return Ok(ControlFlow::Continue(()));
        }
        match step(folder, name) {
            Ok(inside) => self.folder(&inside),
            Err(errno) => Ok(self.failed("open", errno)),
        }
    }

    fn failed(&mut self, call: &str, errno: Errno) -> ControlFlow<()> {
        self.visitor.trouble(&self.path, format!("{call}: {errno}"));
        ControlFlow::Continue(())
    }
}

/// The names in a folder, sorted.
fn names(folder: &OwnedFd) -> Result<Vec<OsString>, String> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut list = Dir::openat(folder, ".", flags, Mode::empty())
        .map_err(|errno| format!("open: {errno}"))?;
    let mut names = Vec::new();
    for entry in list.iter() {
        let entry = entry.map_err(|errno| format!("read its names: {errno}"))?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
        if names.len() > limits::NAMES {
            return Err(format!("more than {} names are in it", limits::NAMES));
        }
    }
    names.sort();
    // What is decisive comes first: see `lookout`.
    names.sort_by_key(|name| {
        let level = name.as_bytes().iter().take(2).all(u8::is_ascii_digit);
        (name != "levels", !level)
    });
    Ok(names)
}

/// A file's content, opened when it is read.
struct Lazy<'a> {
    folder: &'a OwnedFd,
    name: &'a OsStr,
    open: Option<File>,
}

impl Read for Lazy<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let file = match &mut self.open {
            Some(file) => file,
            closed => match regular(self.folder, self.name)? {
                Ok((file, _)) => closed.insert(file),
                Err(kind) => {
                    return Err(io::Error::other(format!("it is {}", kind.words())));
                }
            },
        };
        file.read(to)
    }
}
