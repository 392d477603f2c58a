//! Where images are kept: one directory of `NAME.tar` files.
//!
//! A new image is written to a [`Draft`] beside its place and takes that place by
//! `rename`, so that a reader sees the old image or the new one, never half of one.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, io, process};

use anyhow::{Context, Error, Result, anyhow, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{AccessFlags, access};

use super::Image;

/// The directory of images, made if it isn't there: `$RUBBER_CRAB_HOME/images`, else
/// `$XDG_DATA_HOME/rubber-crab/images`, else `~/.local/share/rubber-crab/images`;
/// and where none of these can be made or written (the user `nobody` has no home), a
/// directory beside the checker: `target/rubber-crab/images`.
///
/// What `RUBBER_CRAB_HOME` says is obeyed or fails: there is no second choice after
/// it. It may be read-only, as long as nothing has to be made in it.
pub fn store() -> Result<PathBuf> {
    let executable = env::current_exe().ok();
    pick(|name| env::var_os(name), executable.as_deref())
}

pub(super) fn pick(
    variable: impl Fn(&str) -> Option<OsString>,
    executable: Option<&Path>,
) -> Result<PathBuf> {
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    if let Some(home) = variable("RUBBER_CRAB_HOME") {
        let home = std::path::absolute(home)?.join("images");
        fs::create_dir_all(&home)
            .map_err(named)
            .with_context(|| format!("create {}", home.display()))
            .context("RUBBER_CRAB_HOME")?;
        return Ok(home);
    }
    let under = |base: Option<OsString>, rest: &str| {
        // The XDG specification: a relative path is to be ignored.
        base.map(PathBuf::from)
            .filter(|base| base.is_absolute())
            .map(|base| base.join(rest))
    };
    let beside = executable
        .and_then(|checker| checker.parent()?.parent())
        .map(|target| target.join("rubber-crab/images"));
    let candidates = [
        under(variable("XDG_DATA_HOME"), "rubber-crab/images"),
        under(variable("HOME"), ".local/share/rubber-crab/images"),
        beside,
    ];
    let mut failures = Vec::new();
    for candidate in candidates.into_iter().flatten() {
        match create_writable(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(e) => failures.push(format!("{}: {e:#}", candidate.display())),
        }
    }
    bail!(
        "there is no place for images: {}; set RUBBER_CRAB_HOME to a directory of yours",
        failures.join(", ")
    )
}

fn create_writable(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).map_err(named)?;
    access(directory, AccessFlags::W_OK | AccessFlags::X_OK)?;
    Ok(())
}

/// An error of the standard library with the kernel's name for it: `ENOSPC: No …`.
pub(super) fn named(error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(number) => Errno::from_raw(number).into(),
        None => error.into(),
    }
}

/// A directory of images.
#[derive(Debug)]
pub(super) struct Store {
    directory: PathBuf,
}

impl Store {
    pub fn open() -> Result<Self> {
        Ok(Self {
            directory: store()?,
        })
    }

    #[cfg(test)]
    pub fn at(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// Where the archive of image `name` is, or would be.
    pub fn path(&self, name: &str) -> Result<PathBuf> {
        check_name(name)?;
        Ok(self.directory.join(format!("{name}.tar")))
    }

    pub fn list(&self) -> Result<Vec<Image>> {
        let context = || format!("read {}", self.directory.display());
        let mut images = Vec::new();
        for entry in fs::read_dir(&self.directory)
            .map_err(named)
            .with_context(context)?
        {
            let path = entry.map_err(named).with_context(context)?.path();
            if path.extension() != Some(OsStr::new("tar")) {
                continue;
            }
            let name = path.file_stem().and_then(OsStr::to_str).unwrap_or("");
            if check_name(name).is_ok() && path.is_file() {
                let name = name.to_owned();
                images.push(Image::at(&name, path)?);
            }
        }
        images.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(images)
    }

    /// What is there, for a message about something that isn't.
    pub fn inventory(&self) -> Result<String> {
        let images = self.list()?;
        let names: Vec<_> = images.iter().map(|image| image.name.as_str()).collect();
        let there = if names.is_empty() {
            "none is there yet".to_string()
        } else {
            format!("there is {}", names.join(", "))
        };
        Ok(format!("{there} in {}", self.directory.display()))
    }

    pub fn remove(&self, name: &str) -> Result<()> {
        let path = self.path(name)?;
        match fs::remove_file(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                bail!("there is no image {name}; {}", self.inventory()?)
            }
            done => done
                .map_err(named)
                .with_context(|| format!("unlink {}", path.display())),
        }
    }

    /// The right to make what isn't there, for as long as this is held: others wait.
    pub fn turn(&self) -> Result<Flock<File>> {
        let directory = File::open(&self.directory).map_err(named);
        let lock = directory.and_then(|directory| {
            let taken = Flock::lock(directory, FlockArg::LockExclusive);
            Ok(taken.map_err(|(_, errno)| errno)?)
        });
        lock.with_context(|| format!("flock {}", self.directory.display()))
    }

    /// A file to write image `name` to. Drafts that a killed process left are
    /// removed.
    pub fn draft(&self, name: &str) -> Result<Draft> {
        let place = self.path(name)?;
        self.sweep();
        loop {
            // No name twice: another's sweep may be about to remove the last one.
            static NUMBER: AtomicU32 = AtomicU32::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = self
                .directory
                .join(format!(".{name}.{}.{number}.part", process::id()));
            let file = match File::create_new(&path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                created => created
                    .map_err(named)
                    .with_context(|| format!("create {}", path.display()))?,
            };
            let file = Flock::lock(file, FlockArg::LockExclusive)
                .map_err(|(_, errno)| errno)
                .with_context(|| format!("flock {}", path.display()))?;
            // Between the two calls somebody's sweep may have taken it for a
            // leftover.
            if file.metadata().map_err(named)?.nlink() > 0 {
                return Ok(Draft {
                    file,
                    path,
                    place,
                    committed: false,
                });
            }
        }
    }

    /// Remove the drafts that nobody holds a lock on: their writer is dead, because
    /// the kernel drops a lock with its process. What can't be removed is left.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            if !name.starts_with(b".") || !name.ends_with(b".part") {
                continue;
            }
            let Ok(file) = File::open(&path) else {
                continue;
            };
            if let Ok(lock) = Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                let _ = fs::remove_file(&path);
                drop(lock);
            }
        }
    }
}

impl Image {
    pub(super) fn at(name: &str, path: PathBuf) -> Result<Self> {
        let metadata = fs::metadata(&path)
            .map_err(named)
            .with_context(|| format!("stat {}", path.display()))?;
        Ok(Self {
            name: name.to_owned(),
            bytes: metadata.len(),
            modified: metadata.modified()?,
            path,
        })
    }
}

/// A name is a file name and a word of the command line: nothing that means
/// something to a shell or a path, and no hidden files.
fn check_name(name: &str) -> Result<()> {
    let good = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        && name.len() <= 128;
    if good {
        return Ok(());
    }
    Err(anyhow!(
        "{name:?} is no name for an image: letters, digits, '_', '.' and '-', \
         beginning with a letter or a digit, 128 at most"
    ))
}

/// An image that is being written. Dropped without [`Draft::commit`], it is removed;
/// locked, so that the sweep of another process leaves it alone.
pub(super) struct Draft {
    file: Flock<File>,
    path: PathBuf,
    place: PathBuf,
    committed: bool,
}

impl Draft {
    /// Make it the image: on disk first, so that not even a power cut leaves an
    /// image with a name and no data.
    pub fn commit(mut self) -> Result<()> {
        let (path, place) = (self.path.display(), self.place.display());
        self.file
            .sync_all()
            .map_err(named)
            .with_context(|| format!("fsync {path}"))?;
        fs::rename(&self.path, &self.place)
            .map_err(named)
            .with_context(|| format!("rename {path} to {place}"))?;
        self.committed = true;
        // The name too; not every file system can do that for a directory.
        if let Some(Ok(directory)) = self.place.parent().map(File::open) {
            let _ = directory.sync_all();
        }
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.committed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Deref for Draft {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl DerefMut for Draft {
    fn deref_mut(&mut self) -> &mut File {
        &mut self.file
    }
}
