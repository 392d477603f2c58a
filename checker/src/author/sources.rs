//! A level's sources in three versions: the learner's, the skeleton, and the finished
//! level as it reads when the exercises are done.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{markers, sync};
use crate::judge::Level;
use crate::state;
use crate::workspace::Whose;

/// Each file's bytes, by its path in the level's folder.
pub type Sources = BTreeMap<PathBuf, Vec<u8>>;

/// The level as the learner first found it.
pub fn skeleton(root: &Path, level: &Level) -> Result<Sources> {
    let folder = root.join(Whose::Solution.folder(level));
    Ok(bytes(sync::derived(&folder, markers::derive)?))
}

/// The level as it reads with all exercises done.
pub fn finished(root: &Path, level: &Level) -> Result<Sources> {
    let folder = root.join(Whose::Solution.folder(level));
    Ok(bytes(sync::derived(&folder, markers::solved)?))
}

fn bytes(texts: BTreeMap<PathBuf, String>) -> Sources {
    let bytes = |(path, text): (PathBuf, String)| (path, text.into_bytes());
    texts.into_iter().map(bytes).collect()
}

/// The learner's: what is in src/, and what else the skeleton has.
pub fn learners(root: &Path, level: &Level) -> Result<Sources> {
    let short = Whose::Learner.folder(level);
    let folder = root.join(&short);
    if !folder.is_dir() {
        let short = short.display();
        bail!("{short} is gone: `git restore {short}` puts it back");
    }
    let skeleton = skeleton(root, level)?;
    let mut found = Sources::new();
    for path in sync::files(&folder, Path::new(""))? {
        if path.starts_with("src") || skeleton.contains_key(&path) {
            let place = folder.join(&path);
            // To read a FIFO is to wait for who writes it.
            if place.is_file() {
                let text = fs::read(&place)
                    .map_err(state::named)
                    .with_context(|| format!("read {}", place.display()))?;
                found.insert(path, text);
            }
        }
    }
    Ok(found)
}

/// Is the learner's program, to the letter, the finished one?
pub fn is_finished(root: &Path, level: &Level) -> bool {
    let (Ok(mine), Ok(finished)) = (learners(root, level), finished(root, level))
    else {
        return false;
    };
    let mut program = finished
        .iter()
        .filter(|(path, _)| path.extension() == Some(OsStr::new("rs")));
    program.all(|(path, text)| mine.get(path) == Some(text))
}

/// Make the learner's sources these. Each file changes in one step; what is the same
/// isn't touched.
pub fn put(root: &Path, level: &Level, wanted: &Sources) -> Result<()> {
    let folder = root.join(Whose::Learner.folder(level));
    let _owner = crate::owner::in_place_of_owner(&folder);
    let there = learners(root, level)?;
    for (path, text) in wanted {
        if there.get(path) == Some(text) {
            continue;
        }
        let path = folder.join(path);
        let above = path.parent().unwrap_or(&folder);
        fs::create_dir_all(above)
            .map_err(state::named)
            .with_context(|| format!("mkdir {}", above.display()))?;
        state::replace(&path, &above.join(".rubber-crab.new"), text)?;
    }
    for path in there.keys().filter(|path| !wanted.contains_key(*path)) {
        let path = folder.join(path);
        fs::remove_file(&path)
            .map_err(state::named)
            .with_context(|| format!("unlink {}", path.display()))?;
    }
    Ok(())
}
