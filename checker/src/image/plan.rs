//! What goes into an image, and writing it down as an archive.
//!
//! Files of the host keep their paths, and every symbolic link on the way to them is
//! kept as it is there. So what is written into a program holds inside as it does on
//! the host: its loader, its RUNPATH, `$ORIGIN`, a multi-call binary's many names.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use tar::{Builder, EntryType, Header};

use super::store::named;

/// The time on every file, so that an image depends on nothing but its contents: the
/// day in March 2013 on which Docker was made public.
const MTIME: u64 = 1_363_737_600;

#[derive(Debug)]
enum Node {
    Directory {
        mode: u32,
    },
    Link {
        target: PathBuf,
    },
    /// A file of the host with its size in bytes.
    Host {
        from: PathBuf,
        size: u64,
        executable: bool,
    },
    Text(String),
}

/// A file tree in the making. Keys are absolute and lead through no link.
#[derive(Debug, Default)]
pub struct Plan {
    nodes: BTreeMap<PathBuf, Node>,
}

impl Plan {
    /// How many entries the archive will have.
    pub fn len(&self) -> u64 {
        self.nodes.len() as u64
    }

    pub fn contains(&self, path: &Path) -> bool {
        self.nodes.contains_key(path)
    }

    pub fn directory(&mut self, path: &str, mode: u32) {
        self.nodes.insert(path.into(), Node::Directory { mode });
    }

    pub fn text(&mut self, path: &str, text: impl Into<String>) {
        self.nodes.insert(path.into(), Node::Text(text.into()));
    }

    pub fn link(&mut self, path: impl Into<PathBuf>, target: impl Into<PathBuf>) {
        self.nodes.insert(
            path.into(),
            Node::Link {
                target: target.into(),
            },
        );
    }

    /// Add a copy of the host's file `from`, as `path`.
    ///
    /// Errors: it isn't there, or is no file.
    pub fn copy(&mut self, path: PathBuf, from: &Path) -> Result<()> {
        let node = look(from).map_err(named)?;
        self.nodes.insert(path, node);
        Ok(())
    }

    /// Add the host's `path` (absolute), with the directories and links that lead to
    /// it, and say where it really is. A directory comes without what is in it.
    ///
    /// Errors: it isn't there, or the links go in a circle.
    pub fn host(&mut self, path: &Path) -> Result<PathBuf> {
        self.walk(path)
            .map_err(named)
            .with_context(|| path.display().to_string())
    }

    fn walk(&mut self, path: &Path) -> io::Result<PathBuf> {
        let mut real = PathBuf::from("/");
        let mut ahead = names(path);
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                real.pop();
                continue;
            }
            let here = real.join(name);
            let node = match self.nodes.get(&here) {
                Some(node) => node,
                None => {
                    let node = look(&here)?;
                    self.nodes.entry(here.clone()).or_insert(node)
                }
            };
            let Node::Link { target } = node else {
                real = here;
                continue;
            };
            links += 1;
            if links > 40 {
                return Err(Errno::ELOOP.into());
            }
            if target.is_absolute() {
                real = PathBuf::from("/");
            }
            for name in names(target).into_iter().rev() {
                ahead.push_front(name);
            }
        }
        Ok(real)
    }

    /// Write the archive: the entries of `first`, then all others, each in the order
    /// of their paths, which puts a directory before what is in it.
    pub fn write(&self, output: impl Write, first: &[&str]) -> Result<()> {
        let mut builder = Builder::new(output);
        let is_first =
            |path: &Path| first.iter().any(|name| Path::new(name) == path);
        let (before, after): (Vec<_>, Vec<_>) =
            self.nodes.iter().partition(|(path, _)| is_first(path));
        for (path, node) in before.into_iter().chain(after) {
            append(&mut builder, path, node)
                .with_context(|| format!("archive {}", path.display()))?;
        }
        builder
            .into_inner()
            .and_then(|mut output| output.flush())
            .map_err(named)
    }
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        })
        .collect()
}

fn look(path: &Path) -> io::Result<Node> {
    let metadata = fs::symlink_metadata(path)?;
    let kind = metadata.file_type();
    if kind.is_symlink() {
        Ok(Node::Link {
            target: fs::read_link(path)?,
        })
    } else if kind.is_dir() {
        Ok(Node::Directory { mode: 0o755 })
    } else if kind.is_file() {
        let executable = metadata.mode() & 0o111 != 0;
        Ok(Node::Host {
            from: path.into(),
            size: metadata.len(),
            executable,
        })
    } else {
        Err(Errno::EINVAL.into())
    }
}

/// Owner and group are root. Modes are made plain: what is setuid on the host needs
/// not be so for the root of a container, and would be a gift to the host's other
/// users once an ordinary user has unpacked it.
fn append(
    builder: &mut Builder<impl Write>,
    path: &Path,
    node: &Node,
) -> Result<()> {
    let path = path.strip_prefix("/")?;
    let mut header = Header::new_gnu();
    header.set_mtime(MTIME);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    match node {
        Node::Directory { mode } => {
            header.set_entry_type(EntryType::Directory);
            header.set_mode(*mode);
            builder
                .append_data(&mut header, path, io::empty())
                .map_err(named)
        }
        Node::Link { target } => {
            header.set_entry_type(EntryType::Symlink);
            header.set_mode(0o777);
            builder
                .append_link(&mut header, path, target)
                .map_err(named)
        }
        Node::Text(text) => {
            header.set_mode(0o644);
            header.set_size(text.len() as u64);
            builder
                .append_data(&mut header, path, text.as_bytes())
                .map_err(named)
        }
        Node::Host {
            from,
            size,
            executable,
        } => {
            header.set_mode(if *executable { 0o755 } else { 0o644 });
            header.set_size(*size);
            let mut data = File::open(from)?.take(*size);
            builder
                .append_data(&mut header, path, &mut data)
                .map_err(named)?;
            if data.limit() > 0 {
                bail!("the file became shorter while it was copied; try again");
            }
            Ok(())
        }
    }
}
