//! Archives: which kind one is, and those inside others.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use flate2::read::MultiGzDecoder;

use super::entry::{End, Entry, Kind, Visitor, shown};
use super::{folder, limits, tar, zip};

/// What names of archives end with, in small letters.
const ENDINGS: [&str; 4] = [".tar.gz", ".tgz", ".tar", ".zip"];

/// And of those that aren't read.
const UNREAD: [&str; 8] = [
    ".rar", ".7z", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tar.zst", ".gz",
];

/// The name without the ending, if it is an archive's.
pub fn stem(name: &OsStr) -> Option<&OsStr> {
    ending(name, &ENDINGS).map(OsStr::from_bytes)
}

/// The name without the ending, also if it is that of an archive that isn't read.
pub fn any_stem(name: &OsStr) -> Option<&OsStr> {
    stem(name).or_else(|| ending(name, &UNREAD).map(OsStr::from_bytes))
}

/// Is it an archive, but of a kind that isn't read?
pub fn is_unread(name: &OsStr) -> bool {
    stem(name).is_none() && ending(name, &UNREAD).is_some()
}

fn ending<'a>(name: &'a OsStr, endings: &[&str]) -> Option<&'a [u8]> {
    let name = name.as_bytes();
    endings.iter().find_map(|ending| {
        let at = name.len().checked_sub(ending.len()).filter(|at| *at > 0)?;
        let (stem, end) = name.split_at(at);
        end.eq_ignore_ascii_case(ending.as_bytes()).then_some(stem)
    })
}

/// Show every entry of the archive `file` below the folder `base`; with `inner`, of the
/// archive with that path in it.
pub fn walk(
    base: &Path,
    file: &[OsString],
    inner: Option<&[OsString]>,
    visitor: &mut dyn Visitor,
) -> Result<End> {
    let archive = match folder::open_file(base, file) {
        Ok(archive) => archive,
        Err(why) => return Ok(End::Damaged(why)),
    };
    let Some(inner) = inner else {
        return read(&archive, visitor);
    };
    let mut unpack = Unpack {
        wanted: inner,
        unpacked: None,
    };
    let end = read(&archive, &mut unpack)?;
    match (unpack.unpacked, end) {
        (Some(Ok(archive)), _) => read(&archive, visitor),
        (Some(Err(why)), _) | (None, End::Stopped(why) | End::Damaged(why)) => {
            Ok(End::Damaged(why))
        }
        (None, End::Whole) => Ok(End::Damaged("it isn't there any more".to_owned())),
    }
}

/// By its first bytes: people rename archives.
pub fn read(archive: &File, visitor: &mut dyn Visitor) -> Result<End> {
    let mut first = [0; 4];
    let count = archive.read_at(&mut first, 0).unwrap_or(0);
    match &first[..count] {
        [b'P', b'K', ..] => zip::walk(archive, visitor),
        [0x1f, 0x8b, ..] => tar::walk(MultiGzDecoder::new(archive), true, visitor),
        [] => Ok(End::Damaged("it is empty".to_owned())),
        _ => tar::walk(io::BufReader::new(archive), false, visitor),
    }
}

/// Unpacks one archive out of another, into a file without a name.
struct Unpack<'a> {
    wanted: &'a [OsString],
    /// If it was there: the file, or why it can't be read.
    unpacked: Option<Result<File, String>>,
}

impl Visitor for Unpack<'_> {
    fn enter(&mut self, _: &[OsString]) -> bool {
        false
    }

    fn visit(
        &mut self,
        entry: &Entry,
        content: &mut dyn Read,
    ) -> Result<ControlFlow<()>> {
        let wanted = entry.bad.is_none() && entry.kind == Kind::File;
        if !wanted || entry.parts != self.wanted {
            return Ok(ControlFlow::Continue(()));
        }
        self.unpacked = Some(unpack(content)?);
        Ok(ControlFlow::Break(()))
    }

    fn trouble(&mut self, _: &[OsString], _: String) {}
}

/// Copy the content of an archive, [`limits::UNPACKED`] bytes at most.
pub fn unpack(content: &mut dyn Read) -> Result<Result<File, String>> {
    let mut file = nameless().context("make a temporary file")?;
    let mut buffer = vec![0; 64 << 10];
    let mut total = 0;
    loop {
        let count = match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Ok(Err(shown(error.to_string()))),
        };
        total += count as u64;
        if total > limits::UNPACKED {
            let limit = limits::UNPACKED >> 20;
            return Ok(Err(format!("it is larger than {limit} MiB")));
        }
        file.write_all(&buffer[..count])
            .context("write a temporary file")?;
    }
    file.rewind().context("rewind a temporary file")?;
    Ok(Ok(file))
}

/// A file that only its handle leads to: it is gone when that is closed.
fn nameless() -> io::Result<File> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("rubber-crab-{}-{count}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut options = OpenOptions::new();
    // Not one that somebody put there, and not through a link: O_EXCL.
    options.read(true).write(true).create_new(true).mode(0o600);
    let file = options.open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}
