//! Copies an archive and judges it on the way: only a whole, plain tar archive of a
//! file system comes through. Nothing is unpacked, so nothing in it can do harm
//! here.
//!
//! The format is that of `tar(5)` and POSIX `pax`: blocks of 512 bytes, a header
//! block before the data of each entry, and two blocks of zeros at the end. Field by
//! field it is read with the tar crate; the walk is our own, because the crate takes
//! an archive that stops between two entries for a whole one.

use std::fmt;
use std::io::{self, BufWriter, Read, Write};

use anyhow::{Context, Result};
use tar::{EntryType, Header};

use super::store::named;

const BLOCK: usize = 512;

/// The longest name or set of attributes that is held in memory, in bytes.
/// (An attribute's value may have 64 KiB, man 7 xattr.)
const LONGEST_EXTENSION: u64 = 1 << 20;

/// What was found in a whole archive.
#[derive(Debug, PartialEq, Eq)]
pub struct Contents {
    /// Files, directories, links and devices.
    pub entries: u64,
    /// Whether there is a bin/, a usr/ or a file that can be executed.
    pub looks_like_a_root: bool,
}

/// Why an archive isn't taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    Empty,
    /// It is compressed; the program that undoes it.
    Compressed {
        format: &'static str,
        undo: &'static str,
    },
    NotTar,
    /// The layers of an image, as `docker save` writes them.
    Saved,
    /// It ends where it must not; after how many bytes, and in what.
    Cut {
        bytes: u64,
        within: String,
    },
    /// A header that is none, after so many bytes.
    Damaged {
        bytes: u64,
        what: &'static str,
    },
    /// An archive of no files.
    Bare,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "it is empty"),
            Self::Compressed { format, undo } => {
                write!(f, "it is {format}-compressed: {undo} it first")
            }
            Self::NotTar => write!(f, "it is no tar archive"),
            Self::Saved => write!(
                f,
                "that is what `docker save` writes, an image in layers; use \
                 `docker export` on a container of it (`docker create IMAGE` makes one)"
            ),
            Self::Cut { bytes, within } => {
                write!(f, "it is cut short: it ends after {bytes} bytes, {within}")
            }
            Self::Damaged { bytes, what } => {
                write!(f, "it is damaged: {what} at byte {bytes}")
            }
            Self::Bare => write!(f, "there are no files in it"),
        }
    }
}

impl std::error::Error for Refusal {}

/// Copy the archive `input` to `output`, up to and with its end mark, and read on to
/// the end of `input`, so that whoever writes into a pipe doesn't get SIGPIPE.
///
/// Errors: [`Refusal`], or that of reading or writing.
pub fn copy(input: impl Read, output: impl Write) -> Result<Contents> {
    let mut copy = Copy {
        input,
        output: BufWriter::with_capacity(1 << 16, output),
        bytes: 0,
        buffer: vec![0; 1 << 16],
    };
    let mut top = TopLevel::default();
    let mut entries = 0;
    let mut within = "before its first entry".to_string();
    while let Some(entry) = copy.entry(&within)? {
        within = format!("in {}", String::from_utf8_lossy(&entry.name));
        copy.data(entry.size, &within, None)?;
        top.note(&entry);
        entries += 1;
        within = "without the two blocks of zeros that end an archive".to_string();
    }
    if entries == 0 {
        return Err(Refusal::Bare.into());
    }
    if top.is_saved_image() {
        return Err(Refusal::Saved.into());
    }
    copy.output.flush().map_err(named).context("write")?;
    io::copy(&mut copy.input, &mut io::sink())
        .map_err(named)
        .context("read")?;
    Ok(Contents {
        entries,
        looks_like_a_root: top.looks_like_a_root(),
    })
}

/// One file, directory, link or device of the archive.
struct Entry {
    name: Vec<u8>,
    /// Bytes of data after the header.
    size: u64,
    executable: bool,
}

struct Copy<R, W: Write> {
    input: R,
    output: BufWriter<W>,
    /// How many bytes have been read.
    bytes: u64,
    buffer: Vec<u8>,
}

impl<R: Read, W: Write> Copy<R, W> {
    /// The next entry, with what the extension headers before it say; None at the
    /// end mark. `within` is where we are, should the archive end here.
    fn entry(&mut self, within: &str) -> Result<Option<Entry>> {
        let mut long_name = None;
        let mut long_size = None;
        loop {
            let Some(block) = self.header(within)? else {
                return Ok(None);
            };
            let header = Header::from_byte_slice(&block);
            let damaged = |what| Refusal::Damaged {
                bytes: self.bytes - BLOCK as u64,
                what,
            };
            let size = header
                .entry_size()
                .map_err(|_| damaged("a size that is no number"))?;
            let mut extension = Vec::new();
            match header.entry_type() {
                EntryType::GNULongName => {
                    self.extension(size, &mut extension)?;
                    extension.truncate(
                        extension.iter().position(|b| *b == 0).unwrap_or(usize::MAX),
                    );
                    long_name = Some(extension);
                }
                EntryType::XHeader => {
                    self.extension(size, &mut extension)?;
                    for (key, value) in records(&extension) {
                        match key {
                            b"path" => long_name = Some(value.to_owned()),
                            b"size" => {
                                long_size = std::str::from_utf8(value)
                                    .ok()
                                    .and_then(|size| size.parse().ok())
                            }
                            _ => {}
                        }
                    }
                }
                EntryType::GNULongLink | EntryType::XGlobalHeader => {
                    self.extension(size, &mut extension)?;
                }
                kind => {
                    if kind.is_gnu_sparse() {
                        self.sparse_map(header)?;
                    }
                    let mode = header.mode().unwrap_or(0);
                    return Ok(Some(Entry {
                        name: long_name
                            .unwrap_or_else(|| header.path_bytes().into_owned()),
                        size: long_size.unwrap_or(size),
                        executable: kind.is_file() && mode & 0o111 != 0,
                    }));
                }
            }
        }
    }

    /// A header block, None for the two blocks of zeros at the end.
    fn header(&mut self, within: &str) -> Result<Option<[u8; BLOCK]>> {
        let start = self.bytes;
        let block = self.block(within)?;
        if block == [0; BLOCK] {
            let second =
                self.block("in the two blocks of zeros that end an archive")?;
            if second != [0; BLOCK] {
                let what = "one block of zeros where there must be two";
                return Err(Refusal::Damaged { bytes: start, what }.into());
            }
            return Ok(None);
        }
        if !checksum_holds(&block) {
            return Err(match start {
                0 => guess(&block),
                bytes => Refusal::Damaged {
                    bytes,
                    what: "a bad header",
                },
            }
            .into());
        }
        Ok(Some(block))
    }

    fn block(&mut self, within: &str) -> Result<[u8; BLOCK]> {
        let mut block = [0; BLOCK];
        let start = self.bytes;
        let got = self.fill(&mut block)?;
        match (start, got) {
            (_, BLOCK) => {}
            (0, 0) => return Err(Refusal::Empty.into()),
            (0, _) => return Err(guess(&block).into()),
            (_, 0) => return Err(self.cut(within)),
            _ => return Err(self.cut("in the middle of a header")),
        }
        Ok(block)
    }

    /// The data of an extension header, into `kept`.
    fn extension(&mut self, size: u64, kept: &mut Vec<u8>) -> Result<()> {
        if size > LONGEST_EXTENSION {
            let what = "an extension header of more than 1 MiB ends";
            return Err(Refusal::Damaged {
                bytes: self.bytes,
                what,
            }
            .into());
        }
        self.data(size, "in an extension header", Some(kept))
    }

    /// GNU's sparse files: the map of the holes may go on in blocks of its own.
    fn sparse_map(&mut self, header: &Header) -> Result<()> {
        // As in `struct sparse_header` of tar(5): the flag is byte 504 there.
        let mut goes_on = header.as_gnu().is_some_and(|gnu| gnu.is_extended());
        while goes_on {
            goes_on = self.block("in the map of a sparse file")?[504] == 1;
        }
        Ok(())
    }

    /// `size` bytes and what fills their last block.
    fn data(
        &mut self,
        size: u64,
        within: &str,
        mut kept: Option<&mut Vec<u8>>,
    ) -> Result<()> {
        let mut padded = match size.checked_next_multiple_of(BLOCK as u64) {
            Some(padded) => padded,
            None => return Err(self.cut(within)),
        };
        let mut wanted = size;
        let mut buffer = std::mem::take(&mut self.buffer);
        while padded > 0 {
            let length = padded.min(buffer.len() as u64) as usize;
            let part = &mut buffer[..length];
            if self.fill(part)? < length {
                return Err(self.cut(within));
            }
            let data = wanted.min(length as u64) as usize;
            if let Some(kept) = &mut kept {
                kept.extend_from_slice(&part[..data]);
            }
            wanted -= data as u64;
            padded -= length as u64;
        }
        self.buffer = buffer;
        Ok(())
    }

    /// Fill `part` as far as the input goes, and copy it; how many bytes that were.
    fn fill(&mut self, part: &mut [u8]) -> Result<usize> {
        let mut got = 0;
        while got < part.len() {
            match self.input.read(&mut part[got..]) {
                Ok(0) => break,
                Ok(more) => got += more,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(named(e).context("read")),
            }
        }
        self.bytes += got as u64;
        self.output
            .write_all(&part[..got])
            .map_err(named)
            .context("write")?;
        Ok(got)
    }

    fn cut(&self, within: &str) -> anyhow::Error {
        Refusal::Cut {
            bytes: self.bytes,
            within: within.to_owned(),
        }
        .into()
    }
}

/// The sum of all bytes of the header, its own field counted as blanks.
fn checksum_holds(block: &[u8; BLOCK]) -> bool {
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    let field: u32 = block[148..156].iter().map(|b| u32::from(*b)).sum();
    Header::from_byte_slice(block)
        .cksum()
        .is_ok_and(|c| c == sum - field + 8 * 32)
}

/// What a file is that doesn't begin as a tar archive does.
fn guess(start: &[u8]) -> Refusal {
    let known: [(&[u8], _, _); 6] = [
        (b"\x1f\x8b", "gzip", "gunzip"),
        (b"BZh", "bzip2", "bunzip2"),
        (b"\xfd7zXZ\0", "xz", "unxz"),
        (b"\x28\xb5\x2f\xfd", "zstd", "unzstd"),
        (b"\x04\x22\x4d\x18", "lz4", "unlz4"),
        (b"PK\x03\x04", "zip", "unzip"),
    ];
    known
        .into_iter()
        .find(|(magic, ..)| start.starts_with(magic))
        .map_or(Refusal::NotTar, |(_, format, undo)| Refusal::Compressed {
            format,
            undo,
        })
}

/// The records of a POSIX extended header: `LENGTH KEY=VALUE\n`, where the length
/// counts the whole record and a value may hold any byte, newlines too.
fn records(mut data: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let blank = data.iter().position(|b| *b == b' ')?;
        let length: usize =
            std::str::from_utf8(&data[..blank]).ok()?.parse().ok()?;
        let record = data.get(blank + 1..length.checked_sub(1)?)?;
        data = data.get(length..)?;
        let equals = record.iter().position(|b| *b == b'=')?;
        Some((&record[..equals], &record[equals + 1..]))
    })
}

/// What lies at the top of an archive says what kind of archive it is.
#[derive(Default)]
struct TopLevel {
    programs: bool,
    etc: bool,
    layers: bool,
}

impl TopLevel {
    fn note(&mut self, entry: &Entry) {
        let parts: Vec<&[u8]> = entry
            .name
            .split(|b| *b == b'/')
            .filter(|part| !part.is_empty() && *part != b".")
            .take(2)
            .collect();
        let top = parts.first().copied().unwrap_or_default();
        self.programs |= entry.executable || matches!(top, b"bin" | b"usr");
        self.etc |= top == b"etc";
        self.layers |=
            parts.len() == 1 && matches!(top, b"manifest.json" | b"oci-layout");
    }

    fn is_saved_image(&self) -> bool {
        self.layers && !self.programs && !self.etc
    }

    fn looks_like_a_root(&self) -> bool {
        self.programs
    }
}
