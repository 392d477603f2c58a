//! The folder where the checker remembers things from one day to the next, and the
//! copies that it keeps there of what a learner has written.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::{env, io};

use anyhow::{Context, Result, bail};
use nix::unistd::{Uid, User, geteuid};

use crate::judge::Level;
use crate::owner;
use crate::sys::errno_name;

/// `$XDG_STATE_HOME/rubber-crab`, else `~/.local/state/rubber-crab`. It may not be
/// there yet. Behind sudo, `~` is the home of the user who typed it: their progress is
/// theirs, and so are the files (see `owner`).
///
/// Errors: neither variable is set.
pub fn folder() -> Result<PathBuf> {
    pick(|name| env::var_os(name), home_behind_sudo())
}

fn pick(
    variable: impl Fn(&str) -> Option<OsString>,
    behind_sudo: Option<PathBuf>,
) -> Result<PathBuf> {
    // The XDG specification: a relative path is to be ignored.
    let path = |name| {
        let path = variable(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    if let Some(state) = path("XDG_STATE_HOME") {
        return Ok(state.join("rubber-crab"));
    }
    match behind_sudo.or_else(|| path("HOME")) {
        Some(home) => Ok(home.join(".local/state/rubber-crab")),
        None => bail!("neither XDG_STATE_HOME nor HOME is set"),
    }
}

/// sudo may set HOME to root's, or keep the user's: so it says nothing.
fn home_behind_sudo() -> Option<PathBuf> {
    if !geteuid().is_root() {
        return None;
    }
    let user = env::var("SUDO_UID").ok()?.parse().ok()?;
    let user = User::from_uid(Uid::from_raw(user)).ok()??;
    Some(user.dir).filter(|home| home.is_dir())
}

/// Write a file so that whoever reads it, at any moment and after a power cut, finds
/// the old text or the new one. A file that was there keeps its mode.
///
/// `draft` is where it is written first: in the same folder.
pub fn replace(path: &Path, draft: &Path, text: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let mut file = File::create(draft)?;
        file.write_all(text)?;
        if let Ok(old) = fs::metadata(path) {
            file.set_permissions(fs::Permissions::from_mode(
                old.permissions().mode() & 0o777,
            ))?;
        }
        file.sync_all()?;
        fs::rename(draft, path)?;
        sync_folder(path)
    };
    let written = write();
    if written.is_err() {
        let _ = fs::remove_file(draft);
    }
    written
        .map_err(named)
        .with_context(|| format!("write {}", path.display()))
}

/// A name is on disk when its folder is (man 2 fsync).
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// An error with the kernel's name for it.
pub fn named(error: io::Error) -> anyhow::Error {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    match error.raw_os_error() {
        Some(_) => anyhow::anyhow!("{}: {text}", errno_name(&error)),
        None => error.into(),
    }
}

/// Keep a copy of `names`, files and folders in `level_folder`: in a new folder,
/// `kept/NAME-N`, on disk when this returns. Returns that folder.
///
/// Errors: there is no place for it, or something can't be read.
pub fn keep(level: &Level, level_folder: &Path, names: &[&str]) -> Result<PathBuf> {
    let kept = folder()?.join("kept");
    let _owner = owner::in_place_of_owner(&kept);
    let made = make_folder(&kept, level.name)
        .map_err(named)
        .with_context(|| format!("mkdir in {}", kept.display()))?;
    for name in names {
        let from = level_folder.join(name);
        if let Err(error) = copy(&from, &made.join(name)) {
            // Half a copy is none.
            let _ = fs::remove_dir_all(&made);
            return Err(named(error)).with_context(|| {
                format!("copy {} to {}", from.display(), made.display())
            });
        }
    }
    for path in [&made, &kept] {
        sync_folder(path).map_err(named).context("fsync")?;
    }
    Ok(made)
}

/// The folder `NAME-N` with a number higher than all that are there.
fn make_folder(kept: &Path, name: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(kept)?;
    loop {
        let mut last = 0;
        for entry in fs::read_dir(kept)? {
            let entry = entry?.file_name().to_string_lossy().into_owned();
            let number = entry
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('-'))
                .and_then(|number| number.parse::<u32>().ok());
            last = last.max(number.unwrap_or_default());
        }
        let next = kept.join(format!("{name}-{}", last.saturating_add(1)));
        match fs::create_dir(&next) {
            // Another checker was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => return made.map(|()| next),
        }
    }
}

/// Copy a file, or a folder with all that is in it; links in there stay links. What
/// isn't there needs no copy.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let metadata = match fs::metadata(from) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.is_dir() {
        fs::copy(from, to)?;
        return File::open(to)?.sync_all();
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let to = to.join(entry.file_name());
        if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, to)?;
        } else if kind.is_dir() || kind.is_file() {
            copy(&entry.path(), &to)?;
        }
    }
    File::open(to)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(
        variables: &[(&str, &str)],
        behind_sudo: Option<&str>,
    ) -> Option<String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let folder = pick(variable, behind_sudo.map(PathBuf::from)).ok()?;
        Some(folder.display().to_string())
    }

    #[test]
    fn the_folder_is_where_the_specification_says() {
        let home = ("HOME", "/h");
        let state = ("XDG_STATE_HOME", "/s");
        assert_eq!(picked(&[home, state], None).unwrap(), "/s/rubber-crab");
        let default = "/h/.local/state/rubber-crab";
        assert_eq!(picked(&[home], None).unwrap(), default);
        let relative = ("XDG_STATE_HOME", "s");
        assert_eq!(picked(&[home, relative], None).unwrap(), default);
        assert_eq!(picked(&[("HOME", "")], None), None);
        assert_eq!(picked(&[], None), None);
    }

    #[test]
    fn behind_sudo_it_is_the_home_of_who_typed_it() {
        let root = ("HOME", "/root");
        assert_eq!(
            picked(&[root], Some("/home/u")).unwrap(),
            "/home/u/.local/state/rubber-crab"
        );
        let kept = ("XDG_STATE_HOME", "/home/u/state");
        assert_eq!(
            picked(&[root, kept], Some("/home/u")).unwrap(),
            "/home/u/state/rubber-crab"
        );
    }
}
