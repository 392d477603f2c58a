//! What walkers show to visitors.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::ops::ControlFlow;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use anyhow::Result;

use super::limits;

/// Something in a folder, an archive or a commit.
pub struct Entry<'a> {
    /// Its path from the place on, without empty parts and without `.`.
    pub parts: &'a [OsString],
    /// What is wrong with the path as a whole. Nothing with such a path is taken.
    pub bad: Option<&'static str>,
    pub kind: Kind,
    /// In bytes, as the place claims.
    pub size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file: the only kind that is ever read.
    File,
    Folder,
    SymbolicLink,
    HardLink,
    Special,
    Sparse,
    Encrypted,
    /// Compressed by this method of zip's.
    Packed(u16),
    Submodule,
}

impl Kind {
    /// With its article.
    pub fn words(self) -> String {
        let words = match self {
            Self::File => "a file",
            Self::Folder => "a folder",
            Self::SymbolicLink => "a symbolic link",
            Self::HardLink => "a hard link",
            Self::Special => "a device, a pipe, a socket or the like",
            Self::Sparse => "a sparse file",
            Self::Encrypted => "encrypted",
            Self::Packed(method) => {
                return format!(
                    "compressed by zip's method {method}, which is not read"
                );
            }
            Self::Submodule => "a submodule",
        };
        words.to_owned()
    }
}

/// How a walk ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// Everything was shown, or the visitor had enough.
    Whole,
    /// A limit was met: which.
    Stopped(String),
    /// It can't be read on: why. Nothing that was shown is to be trusted.
    Damaged(String),
}

pub trait Visitor {
    /// May the walk go into this folder? Only asked where going into it costs something:
    /// in real folders.
    fn enter(&mut self, parts: &[OsString]) -> bool;

    /// An entry, and its content, which may be read or not. Reading fails when the
    /// place is damaged; an error of this function is one of this side, and ends
    /// everything.
    fn visit(
        &mut self,
        entry: &Entry,
        content: &mut dyn Read,
    ) -> Result<ControlFlow<()>>;

    /// Something that can't be looked at: why.
    fn trouble(&mut self, parts: &[OsString], why: String);
}

/// Split a path as archives and Git write it, and say what is wrong with it.
pub fn split(path: &[u8]) -> (Vec<OsString>, Option<&'static str>) {
    let parts: Vec<OsString> = path
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
        .map(|part| OsString::from_vec(part.to_vec()))
        .collect();
    let bad = if path.starts_with(b"/") {
        Some("its path begins with /")
    } else if parts.iter().any(|part| part == "..") {
        Some("its path has .. in it")
    } else if path.contains(&0) {
        Some("its path has a NUL in it")
    } else if parts.iter().any(|part| part.len() > limits::NAME) {
        Some("its name is too long")
    } else {
        None
    };
    (parts, bad)
}

/// The path that was split.
pub fn join(parts: &[OsString]) -> OsString {
    parts.join(OsStr::new("/"))
}

/// Hostile bytes as short text for a terminal: what isn't printable becomes an escape.
pub fn shown(text: impl AsRef<OsStr>) -> String {
    let mut shown = String::new();
    for chunk in text.as_ref().as_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\'' | '"' => shown.push(character),
                _ => shown.extend(character.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    clip(&shown)
}

/// At most [`limits::SHOWN`] characters: of longer ones the beginning and the end.
fn clip(text: &str) -> String {
    let count = text.chars().count();
    if count <= limits::SHOWN {
        return text.to_owned();
    }
    let half = limits::SHOWN / 2;
    let begin: String = text.chars().take(half).collect();
    let end: String = text.chars().skip(count - half + 1).collect();
    format!("{begin}…{end}")
}
