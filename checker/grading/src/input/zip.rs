//! Reads zip archives: by their central directory, one entry after the other.
//!
//! The `zip` crate holds the whole directory in memory, says nothing of entries with the
//! same name, and reserves memory as the archive asks. The format is in PKWARE's
//! APPNOTE.TXT, whose sections are named here.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt;

use anyhow::Result;
use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::entry::{End, Entry, Kind, Visitor, shown, split};
use super::limits;

/// Show every entry of a zip archive.
pub fn walk(archive: &File, visitor: &mut dyn Visitor) -> Result<End> {
    let mut directory = match Directory::find(archive) {
        Ok(directory) => directory,
        Err(error) => return Ok(damaged(&error)),
    };
    let mut entries = 0;
    loop {
        let record = match directory.next() {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(End::Whole),
            Err(error) => return Ok(damaged(&error)),
        };
        entries += 1;
        if entries > limits::ENTRIES {
            let limit = limits::ENTRIES;
            return Ok(End::Stopped(format!("it has more than {limit} entries")));
        }
        let (parts, bad) = split(&record.path);
        let entry = Entry {
            parts: &parts,
            bad,
            kind: record.kind,
            size: record.size,
        };
        let mut content = Content::Closed(archive, &record);
        if visitor.visit(&entry, &mut content)?.is_break() {
            return Ok(End::Whole);
        }
    }
}

fn damaged(error: &io::Error) -> End {
    End::Damaged(match error.kind() {
        ErrorKind::UnexpectedEof => "it is cut short".to_owned(),
        _ => shown(error.to_string()),
    })
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, message)
}

/// A part of a file. Others may read the same file at the same time.
struct Part<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_sub(self.at);
        let most = to.len().min(usize::try_from(left).unwrap_or(to.len()));
        let count = self.file.read_at(&mut to[..most], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Numbers in headers, which are little-endian.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn number<const SIZE: usize>(&self, at: usize) -> io::Result<[u8; SIZE]> {
        let bytes = self
            .0
            .get(at..at + SIZE)
            .and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or_else(|| invalid("a header in it is too short"))
    }

    fn u16(&self, at: usize) -> io::Result<u16> {
        self.number(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: usize) -> io::Result<u32> {
        self.number(at).map(u32::from_le_bytes)
    }

    fn u64(&self, at: usize) -> io::Result<u64> {
        self.number(at).map(u64::from_le_bytes)
    }
}

/// The central directory (4.3.12).
struct Directory<'a> {
    records: BufReader<Part<'a>>,
    left: u64,
    /// Bytes before the archive in its file: added to every offset.
    before: u64,
}

/// Bytes of an end record (4.3.16), of its locator (4.3.15) and itself (4.3.14) in zip64.
const END: u64 = 22;
const LOCATOR: u64 = 20;
const END64: u64 = 56;

impl<'a> Directory<'a> {
    fn find(archive: &'a File) -> io::Result<Self> {
        let length = archive.metadata()?.len();
        let (position, end) = end_record(archive, length)?;
        let end = Fields(&end);
        let mut size = u64::from(end.u32(12)?);
        let mut offset = u64::from(end.u32(16)?);
        let mut directory_end = position;
        let full = end.u16(10)? == u16::MAX
            || size == u64::from(u32::MAX)
            || offset == u64::from(u32::MAX);
        let end64 = match full {
            true => end_record_64(archive, position)?,
            false => None,
        };
        if let Some((at, end)) = end64 {
            let end = Fields(&end);
            size = end.u64(40)?;
            offset = end.u64(48)?;
            directory_end = at;
        }
        let start = directory_end
            .checked_sub(size)
            .ok_or_else(|| invalid("its directory is larger than itself"))?;
        let before = start
            .checked_sub(offset)
            .ok_or_else(|| invalid("its directory isn't where it is said to be"))?;
        Ok(Self {
            records: BufReader::new(Part {
                file: archive,
                at: start,
                end: directory_end,
            }),
            left: size,
            before,
        })
    }

    fn next(&mut self) -> io::Result<Option<Record>> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut header = [0; 46];
        self.records.read_exact(&mut header)?;
        if !header.starts_with(b"PK\x01\x02") {
            return Err(invalid("its directory is damaged"));
        }
        let header = Fields(&header);
        let path = self.bytes(header.u16(28)?)?;
        let extra = self.bytes(header.u16(30)?)?;
        let comment = self.bytes(header.u16(32)?)?;
        let used = 46 + path.len() + extra.len() + comment.len();
        self.left = self.left.saturating_sub(used as u64);
        Record::parse(&header, path, &extra, self.before).map(Some)
    }

    fn bytes(&mut self, length: u16) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::from(length)];
        self.records.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// The last end record whose comment fits into the file: where it is, and its bytes.
fn end_record(archive: &File, length: u64) -> io::Result<(u64, Vec<u8>)> {
    let from = length.saturating_sub(END + u64::from(u16::MAX));
    let mut tail = Vec::new();
    let mut part = Part {
        file: archive,
        at: from,
        end: length,
    };
    part.read_to_end(&mut tail)?;
    let last = tail.len().checked_sub(END as usize);
    for at in (0..=last.ok_or(ErrorKind::UnexpectedEof)?).rev() {
        let record = &tail[at..];
        if record.starts_with(b"PK\x05\x06")
            && usize::from(Fields(record).u16(20)?) + END as usize <= record.len()
        {
            return Ok((from + at as u64, record[..END as usize].to_vec()));
        }
    }
    Err(invalid("it has no zip directory, or is cut short"))
}

/// The end record of zip64, which a locator before the old one points to.
fn end_record_64(
    archive: &File,
    position: u64,
) -> io::Result<Option<(u64, [u8; END64 as usize])>> {
    let Some(at) = position.checked_sub(LOCATOR) else {
        return Ok(None);
    };
    let mut locator = [0; LOCATOR as usize];
    archive.read_exact_at(&mut locator, at)?;
    if !locator.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    // Where it points to, or right before it, if something stands before the archive.
    for place in [Some(Fields(&locator).u64(8)?), at.checked_sub(END64)] {
        let mut end = [0; END64 as usize];
        let Some(place) = place.filter(|place| *place < at) else {
            continue;
        };
        archive.read_exact_at(&mut end, place)?;
        if end.starts_with(b"PK\x06\x06") {
            return Ok(Some((place, end)));
        }
    }
    Err(invalid("its zip64 directory isn't where it is said to be"))
}

/// An entry of the central directory.
struct Record {
    path: Vec<u8>,
    kind: Kind,
    method: u16,
    checksum: u32,
    /// Bytes in the archive.
    packed: u64,
    /// Bytes of content, as the archive claims.
    size: u64,
    /// Where its local header is.
    offset: u64,
}

impl Record {
    fn parse(
        header: &Fields,
        mut path: Vec<u8>,
        extra: &[u8],
        before: u64,
    ) -> io::Result<Self> {
        let mut size = u64::from(header.u32(24)?);
        let mut packed = u64::from(header.u32(20)?);
        let mut offset = u64::from(header.u32(42)?);
        large(extra, [&mut size, &mut packed, &mut offset])?;
        // Some programs on Windows write them, against 4.4.17.
        for byte in &mut path {
            if *byte == b'\\' {
                *byte = b'/';
            }
        }
        let (flags, method) = (header.u16(8)?, header.u16(10)?);
        Ok(Self {
            kind: kind(&path, header.u32(38)?, flags, method),
            path,
            method,
            checksum: header.u32(16)?,
            packed,
            size,
            offset: offset
                .checked_add(before)
                .ok_or_else(|| invalid("an offset in it is too large"))?,
        })
    }
}

/// The zip64 field (4.5.3): numbers for those that didn't fit into the header.
fn large(mut extra: &[u8], numbers: [&mut u64; 3]) -> io::Result<()> {
    while extra.len() >= 4 {
        let length = usize::from(Fields(extra).u16(2)?);
        if Fields(extra).u16(0)? == 1 {
            let field = extra.get(4..4 + length).unwrap_or(&extra[4..]);
            let large = numbers.into_iter().filter(|n| **n == u64::from(u32::MAX));
            for (index, number) in large.enumerate() {
                *number = Fields(field).u64(8 * index)?;
            }
            return Ok(());
        }
        extra = extra.get(4 + length..).unwrap_or_default();
    }
    Ok(())
}

/// What an entry is: by its name, by the mode that Unix programs store in the upper half
/// of the attributes, by DOS's bit for folders, and by the general flags (4.4.4).
fn kind(path: &[u8], attributes: u32, flags: u16, method: u16) -> Kind {
    const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
    let format = (attributes >> 16) & 0o170_000;
    match format {
        0o120_000 => Kind::SymbolicLink,
        _ if path.ends_with(b"/") || attributes & 0x10 != 0 => Kind::Folder,
        0o040_000 => Kind::Folder,
        0 | 0o100_000 if flags & ENCRYPTED != 0 => Kind::Encrypted,
        0 | 0o100_000 if method != STORED && method != DEFLATED => {
            Kind::Packed(method)
        }
        0 | 0o100_000 => Kind::File,
        _ => Kind::Special,
    }
}

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// The content of an entry, opened when it is read.
enum Content<'a> {
    Closed(&'a File, &'a Record),
    Open {
        from: Box<dyn Read + 'a>,
        read: Crc,
        record: &'a Record,
    },
}

impl<'a> Content<'a> {
    fn open(archive: &'a File, record: &'a Record) -> io::Result<Self> {
        let mut header = [0; 30];
        archive.read_exact_at(&mut header, record.offset)?;
        if !header.starts_with(b"PK\x03\x04") {
            return Err(invalid("it isn't where the archive says"));
        }
        let header = Fields(&header);
        let names = u64::from(header.u16(26)?) + u64::from(header.u16(28)?);
        let at = record.offset.saturating_add(30 + names);
        let part = Part {
            file: archive,
            at,
            end: at.saturating_add(record.packed),
        };
        Ok(Self::Open {
            from: match record.method {
                STORED => Box::new(part),
                _ => Box::new(DeflateDecoder::new(part)),
            },
            read: Crc::new(),
            record,
        })
    }
}

impl Read for Content<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if let Self::Closed(archive, record) = *self {
            *self = Self::open(archive, record)?;
        }
        let Self::Open { from, read, record } = self else {
            return Ok(0);
        };
        let count = from.read(to)?;
        read.update(&to[..count]);
        let whole =
            read.sum() == record.checksum && u64::from(read.amount()) == record.size;
        if count == 0 && !to.is_empty() && !whole {
            return Err(invalid(
                "its length or checksum is not what the archive says",
            ));
        }
        Ok(count)
    }
}
