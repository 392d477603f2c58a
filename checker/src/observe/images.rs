//! The images that runs are given: small archives, made anew in each sandbox.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tar::{Builder, EntryType, Header};

use crate::evidence::{FileFact, FileId, FileKind};
use crate::plan::{DEVICES, Hostile, LARGE_COUNT, LARGE_FILE, OTHER_MOTD};

/// What the probe's image holds besides the probe.
pub struct Contents<'a> {
    /// Where the probe is in the image, and a second name that is a hard link to it.
    pub probe: &'a Path,
    pub second: &'a Path,
    /// Where a file stands that can't be executed.
    pub plain: &'a Path,
}

type Files = BTreeMap<String, FileFact>;
type Tar = Builder<BufWriter<File>>;

/// What an ordinary image holds, besides files of every kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// No more.
    Small,
    /// The probe and its libraries.
    Probe,
    /// These, and a device node.
    Device,
    /// These, and many more files: 2 MiB.
    Large,
    /// These, after many empty files: to unpack them takes time, and no room.
    Crowded,
    /// As `Crowded`, with another text in etc/motd: an archive of the same size.
    Other,
}

/// The empty files of a crowded image.
const CROWD: usize = 1500;

/// The directories of every image, and their modes.
const DIRECTORIES: &[(&str, u32)] = &[
    ("dev", 0o755),
    ("etc", 0o755),
    ("opt", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("var", 0o755),
    ("var/empty", 0o755),
    ("var/private", 0o711),
];

/// Write an ordinary image to `out`. Returns what is in it.
pub fn ordinary(out: File, contents: &Contents, extent: Extent) -> Result<Files> {
    let mut image = Archive {
        tar: builder(out),
        files: Files::new(),
    };
    for (path, mode) in DIRECTORIES {
        image.directory(Path::new(path), *mode)?;
    }
    if matches!(extent, Extent::Crowded | Extent::Other) {
        for number in 0..CROWD {
            let path = format!("var/crowd/{number:04}");
            image.text(Path::new(&path), "", 0o644)?;
        }
    }
    image.text(contents.plain, "this is no program\n", 0o644)?;
    if extent != Extent::Small {
        image.probe(contents)?;
    }
    let long = format!("opt/{}", "long-name-".repeat(12));
    let motd = match extent {
        Extent::Other => OTHER_MOTD,
        _ => "Rubber Crab\n",
    };
    image.text(Path::new("etc/motd"), motd, 0o644)?;
    image.text(Path::new("etc/secret"), "secret\n", 0o600)?;
    image.text(Path::new("etc/shared"), "shared\n", 0o664)?;
    image.text(Path::new("opt/setuid"), "", 0o4755)?;
    image.text(Path::new("opt/with space"), "space\n", 0o640)?;
    image.text(Path::new("opt/na\u{ef}ve"), "name\n", 0o604)?;
    image.text(Path::new(&long), "long\n", 0o644)?;
    image.link(Path::new("etc/relative"), "motd")?;
    image.link(Path::new("etc/absolute"), "/etc/motd")?;
    image.link(Path::new("etc/dangling"), "../nowhere")?;
    image.hard_link(Path::new("etc/hard"), Path::new("etc/motd"))?;
    if extent == Extent::Device {
        let kinds = [EntryType::Char, EntryType::Block, EntryType::Fifo];
        for (kind, name) in kinds.into_iter().zip(DEVICES) {
            let mut header = header(kind, 0o666, 0);
            header.set_device_major(1)?;
            header.set_device_minor(3)?;
            image.tar.append_data(&mut header, name, io::empty())?;
        }
    }
    if extent == Extent::Large {
        let text = "one of many\n".repeat(LARGE_FILE / 12);
        for number in 0..LARGE_COUNT {
            let path = format!("var/lib/many/{number:03}");
            image.text(Path::new(&path), &text, 0o644)?;
        }
    }
    image.text(Path::new("var/last"), &"the last file\n".repeat(800), 0o644)?;
    image.tar.into_inner()?.flush()?;
    Ok(image.files)
}

/// Cut this much off an image, in bytes. Its mark at the end has 1024, its last file
/// almost 12000 before that.
pub fn cut(image: &File, off: u64) -> io::Result<()> {
    let length = image.metadata()?.len();
    image.set_len(length - off)
}

/// Write an archive that is after `outside`, a directory of the sandbox with a file
/// `victim` in it.
pub fn hostile(out: File, kind: Hostile, outside: &Path) -> Result<()> {
    let mut tar = builder(out);
    for (path, mode) in DIRECTORIES {
        let mut header = header(EntryType::Directory, *mode, 0);
        tar.append_data(&mut header, path, io::empty())?;
    }
    let text = b"written from inside an archive\n";
    let from_root = outside.strip_prefix("/").unwrap_or(outside);
    let file = |tar: &mut Tar, name: &Path| -> Result<()> {
        let mut header = header(EntryType::Regular, 0o644, text.len() as u64);
        // set_path refuses what we want: names are put in as they are.
        set_name(&mut header, name);
        header.set_cksum();
        Ok(tar.append(&header, text.as_slice())?)
    };
    let link = |tar: &mut Tar, kind, name: &str, target: &Path| -> Result<()> {
        let mut header = header(kind, 0o777, 0);
        set_name(&mut header, Path::new(name));
        header.set_link_name_literal(target.as_os_str().as_encoded_bytes())?;
        header.set_cksum();
        Ok(tar.append(&header, io::empty())?)
    };
    match kind {
        Hostile::Absolute => file(&mut tar, &outside.join("absolute"))?,
        Hostile::DotDot => {
            let up = PathBuf::from("../".repeat(12));
            file(&mut tar, &up.join(from_root).join("dotdot"))?;
            let down = PathBuf::from("etc").join(&up);
            file(&mut tar, &down.join(from_root).join("dotdot-2"))?;
        }
        Hostile::ThroughLink => {
            link(&mut tar, EntryType::Symlink, "way", outside)?;
            file(&mut tar, Path::new("way/through-link"))?;
            let up = PathBuf::from("../".repeat(12)).join(from_root);
            link(&mut tar, EntryType::Symlink, "back", &up)?;
            file(&mut tar, Path::new("back/through-link-2"))?;
            let victim = outside.join("victim");
            link(&mut tar, EntryType::Symlink, "file", &victim)?;
            file(&mut tar, Path::new("file"))?;
        }
        Hostile::HardLink => {
            let victim = outside.join("victim");
            link(&mut tar, EntryType::Link, "hard", &victim)?;
            file(&mut tar, Path::new("hard"))?;
            let up = PathBuf::from("../".repeat(12))
                .join(from_root)
                .join("victim");
            link(&mut tar, EntryType::Link, "hard-2", &up)?;
            file(&mut tar, Path::new("hard-2"))?;
        }
        Hostile::Device => unreachable!("the probe's image with a device"),
    }
    tar.into_inner()?.flush()?;
    Ok(())
}

fn builder(out: File) -> Tar {
    Builder::new(BufWriter::with_capacity(256 << 10, out))
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_700_000_000);
    header
}

fn set_name(header: &mut Header, name: &Path) {
    let bytes = name.as_os_str().as_encoded_bytes();
    let field = &mut header.as_old_mut().name;
    let count = bytes.len().min(field.len());
    field[..count].copy_from_slice(&bytes[..count]);
}

/// An archive that is being written, and a record of what is in it.
struct Archive {
    tar: Tar,
    files: Files,
}

impl Archive {
    fn note(
        &mut self,
        path: &Path,
        kind: FileKind,
        mode: u32,
        content: (u64, &str),
    ) {
        let fact = FileFact {
            kind,
            mode,
            size: content.0,
            content: crate::text::escape(content.1.as_bytes()),
            device: (0, 0),
            id: FileId {
                device: 0,
                inode: self.files.len() as u64 + 1,
            },
            names: 1,
            mounted: false,
            modified: 0,
        };
        self.files.insert(path.display().to_string(), fact);
    }

    fn probe(&mut self, contents: &Contents) -> Result<()> {
        let own = File::open("/proc/self/exe").context("open /proc/self/exe")?;
        self.copy(contents.probe, own, 0o755)?;
        self.hard_link(contents.second, contents.probe)?;
        for library in libraries()? {
            let file = File::open(&library)
                .with_context(|| format!("open {}", library.display()))?;
            let inside = library.strip_prefix("/").unwrap_or(&library).to_owned();
            self.copy(&inside, file, 0o755)?;
        }
        Ok(())
    }

    fn parents(&mut self, path: &Path) -> Result<()> {
        let parents: Vec<_> = path.ancestors().skip(1).collect();
        for parent in parents.into_iter().rev() {
            let known = self.files.contains_key(&parent.display().to_string());
            if !known && !parent.as_os_str().is_empty() {
                self.directory(parent, 0o755)?;
            }
        }
        Ok(())
    }

    fn directory(&mut self, path: &Path, mode: u32) -> Result<()> {
        let mut header = header(EntryType::Directory, mode, 0);
        self.tar.append_data(&mut header, path, io::empty())?;
        self.note(path, FileKind::Directory, mode, (0, ""));
        Ok(())
    }

    fn text(&mut self, path: &Path, text: &str, mode: u32) -> Result<()> {
        self.parents(path)?;
        let size = text.len() as u64;
        let mut header = header(EntryType::Regular, mode, size);
        self.tar.append_data(&mut header, path, text.as_bytes())?;
        let kept = if size <= 256 { text } else { "" };
        self.note(path, FileKind::File, mode, (size, kept));
        Ok(())
    }

    fn copy(&mut self, path: &Path, from: File, mode: u32) -> Result<()> {
        self.parents(path)?;
        let size = from.metadata()?.len();
        let mut header = header(EntryType::Regular, mode, size);
        self.tar.append_data(&mut header, path, from.take(size))?;
        self.note(path, FileKind::File, mode, (size, ""));
        Ok(())
    }

    fn link(&mut self, path: &Path, target: &str) -> Result<()> {
        let mut header = header(EntryType::Symlink, 0o777, 0);
        self.tar.append_link(&mut header, path, target)?;
        self.note(path, FileKind::Link, 0o777, (0, target));
        Ok(())
    }

    fn hard_link(&mut self, path: &Path, target: &Path) -> Result<()> {
        self.parents(path)?;
        let same = self.files[&target.display().to_string()].clone();
        // As every tar program writes it: some unpackers set it once more.
        let mut header = header(EntryType::Link, same.mode, 0);
        self.tar.append_link(&mut header, path, target)?;
        self.files.insert(path.display().to_string(), same);
        Ok(())
    }
}

/// The files that this very process has mapped to run: shared libraries, and the
/// loader under the name that the executable asks for it by.
pub fn libraries() -> Result<BTreeSet<PathBuf>> {
    let maps =
        fs::read_to_string("/proc/self/maps").context("read /proc/self/maps")?;
    let own = fs::read_link("/proc/self/exe").context("readlink /proc/self/exe")?;
    let mut all: BTreeSet<PathBuf> = maps
        .lines()
        .filter_map(|line| line.find('/').map(|start| PathBuf::from(&line[start..])))
        .filter(|path| *path != own && path.is_file())
        .collect();
    all.extend(interpreter(&File::open("/proc/self/exe")?)?);
    Ok(all)
}

/// The program interpreter that an ELF file names (man 5 elf, PT_INTERP).
fn interpreter(file: &File) -> Result<Option<PathBuf>> {
    let number = |offset: u64, count: usize| -> Result<u64> {
        let mut bytes = [0; 8];
        file.read_exact_at(&mut bytes[..count], offset)
            .context("read an ELF header")?;
        Ok(u64::from_le_bytes(bytes))
    };
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    for index in 0..count {
        let entry = table + index * size;
        if number(entry, 4)? == 3 {
            let (offset, length) = (number(entry + 8, 8)?, number(entry + 32, 8)?);
            let mut name = vec![0; length as usize];
            file.read_exact_at(&mut name, offset)?;
            name.pop(); // the terminator
            return Ok(Some(String::from_utf8(name)?.into()));
        }
    }
    Ok(None)
}
