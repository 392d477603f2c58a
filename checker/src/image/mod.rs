//! Images: the plain tar archives of a root file system that containers start from.
//!
//! Read in this order: [`store`], where they are kept and how one is replaced in a
//! single step; [`import`], how somebody else's archive is judged while it is
//! copied; [`base`], the image made from this host's own programs, with [`plan`]
//! (what goes into it) and [`elf`] (what a program needs in order to run).

mod base;
mod elf;
mod import;
mod plan;
mod store;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use store::Store;

/// The name of the image that is made on this host when it is first asked for.
pub const DEFAULT: &str = "base";

/// One image in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The name without `.tar`.
    pub name: String,
    /// The archive.
    pub path: PathBuf,
    /// Size of the archive, in bytes.
    pub bytes: u64,
    /// When it was made or imported.
    pub modified: SystemTime,
}

/// An image that has just been put into the store.
#[derive(Debug)]
pub struct Added {
    pub image: Image,
    /// Files, directories, links and devices in the archive.
    pub entries: u64,
    /// What its owner should know, a line each: it doesn't look like a root file
    /// system, or programs that this host doesn't have.
    pub notes: Vec<String>,
}

/// The archive of image `name`. `base` is made when it is missing or was made by
/// another recipe than this one; any other image must have been imported.
///
/// An image is whole in itself, so `base` is not made again when the host's programs
/// change: it goes on working, and `image make` is there for those who want new
/// ones.
///
/// Errors: the name is no image name, there is no such image, or making it failed.
pub fn ensure(name: &str) -> Result<PathBuf> {
    ensure_in(&Store::open()?, name)
}

fn ensure_in(store: &Store, name: &str) -> Result<PathBuf> {
    let path = store.path(name)?;
    let wanted = || !path.is_file() || base::is_outdated(&path);
    if name == DEFAULT && wanted() {
        // One that is put in place of another's would pull it from under who mounts it.
        let _turn = store.turn()?;
        if wanted() {
            return Ok(base::make(store, name)?.image.path);
        }
    }
    if !path.is_file() {
        bail!("there is no image {name}; {}", store.inventory()?);
    }
    Ok(path)
}

/// Make `base` from the programs of this host, in place of the one that may be
/// there.
///
/// Errors: no shell on this host, or the store can't be written.
pub fn make_default() -> Result<Added> {
    base::make(&Store::open()?, DEFAULT)
}

/// All images of the store, by name.
pub fn list() -> Result<Vec<Image>> {
    Store::open()?.list()
}

/// Copy `file`, what `docker export` or `podman export` wrote, into the store as
/// image `name`; `-` is standard input. An image that already has that name is
/// replaced, in one step, and only by a whole archive.
///
/// Errors: [`import::Refusal`] when it isn't a plain tar archive of a file system,
/// or not all of one; else what went wrong with reading or writing. Nothing is left
/// then.
pub fn import(name: &str, file: &Path) -> Result<Added> {
    import_into(&Store::open()?, name, file)
}

fn import_into(store: &Store, name: &str, file: &Path) -> Result<Added> {
    let path = store.path(name)?;
    let mut draft = store.draft(name)?;
    let shown = if file == Path::new("-") {
        "standard input".to_string()
    } else {
        file.display().to_string()
    };
    let contents = if file != Path::new("-") {
        let input = File::open(file)
            .map_err(store::named)
            .with_context(|| format!("open {shown}"))?;
        import::copy(input, &mut *draft)
    } else if io::stdin().is_terminal() {
        bail!(
            "standard input is a terminal: pipe `docker export CONTAINER` into this"
        );
    } else {
        import::copy(io::stdin().lock(), &mut *draft)
    };
    let contents = contents.with_context(|| format!("import {shown} as {name}"))?;
    draft.commit()?;
    let mut notes = Vec::new();
    if !contents.looks_like_a_root {
        notes.push(format!(
            "{shown} holds no bin/, no usr/ and nothing executable: \
             is it the root file system of a container?"
        ));
    }
    Ok(Added {
        image: Image::at(name, path)?,
        entries: contents.entries,
        notes,
    })
}

/// Delete image `name`. A container that was unpacked from it lives on.
pub fn remove(name: &str) -> Result<()> {
    Store::open()?.remove(name)
}
