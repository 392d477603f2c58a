//! The list file: a line is `PATH` or `NAME<TAB>PATH`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::look;
use super::names::Candidate;

/// A line of a list file.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// File and line, for errors.
    at: String,
    name: Option<String>,
    path: PathBuf,
}

/// Read a list: empty lines and those that begin with `#` are nothing, paths are
/// relative to the list's folder, and lines may end as on Windows.
pub fn read(list: &Path) -> Result<Vec<Line>> {
    let text = std::fs::read(list)
        .with_context(|| format!("read the list {}", list.display()))?;
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text);
    let folder = list.parent().unwrap_or(Path::new(""));
    let mut lines = Vec::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let at = format!("{}:{}", list.display(), index + 1);
        lines.extend(parse(line, at, folder)?);
    }
    Ok(lines)
}

fn parse(line: &[u8], at: String, folder: &Path) -> Result<Option<Line>> {
    if line.starts_with(b"#") || line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let (name, path) = match line.iter().position(|byte| *byte == b'\t') {
        Some(tab) => (Some(&line[..tab]), &line[tab + 1..]),
        None => (None, line),
    };
    let name = match name.map(std::str::from_utf8) {
        Some(Ok(name)) if !name.trim().is_empty() => Some(name.trim().to_owned()),
        Some(Ok(_)) => bail!("{at}: the name before the tab is empty"),
        Some(Err(_)) => bail!("{at}: the name is not UTF-8"),
        None => None,
    };
    let path = Path::new(OsStr::from_bytes(path.trim_ascii()));
    if path.as_os_str().is_empty() {
        bail!("{at}: there is no path after the tab");
    }
    Ok(Some(Line {
        at,
        name,
        path: folder.join(path),
    }))
}

impl Line {
    /// The submissions at its path. If it holds several, the line's name comes before
    /// theirs.
    pub fn candidates(self, alone: bool) -> Result<Vec<Candidate>> {
        // Who is named is one person, most likely.
        let (named, class) = (self.name.is_some(), alone && self.name.is_none());
        let mut candidates = look::into(&self.path, alone || named, class)
            .with_context(|| self.at.clone())?;
        let Some(name) = self.name else {
            return Ok(candidates);
        };
        let many = candidates.len() > 1;
        for candidate in &mut candidates {
            let inner = candidate.names.first().cloned().unwrap_or_default();
            let name = match many {
                true => format!("{name}/{inner}"),
                false => name.clone(),
            };
            candidate.names.insert(0, name);
            candidate.given = true;
        }
        Ok(candidates)
    }
}
