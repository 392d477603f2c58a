//! Reads tar archives: one entry after the other, with the memory of a block.
//!
//! The `tar` crate reads headers here, not archives: it holds names, pax headers and
//! maps of sparse files in memory, however long they are said to be. The format is in
//! the manual pages of libarchive, `man 5 tar`, and in POSIX, `pax`.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read};

use anyhow::Result;
use tar::{EntryType, Header};

use super::entry::{End, Entry, Kind, Visitor, shown, split};
use super::limits;

const BLOCK: u64 = 512;

/// The error of a reader at its limit.
#[derive(Debug)]
struct Limit;

impl std::fmt::Display for Limit {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let limit = limits::UNPACKED >> 20;
        write!(to, "more than {limit} MiB come out of it")
    }
}

impl std::error::Error for Limit {}

/// Counts what is really read, and ends it at [`limits::UNPACKED`]. After an error
/// nothing is read any more: decompressors may take an error for the end.
struct Counted<R> {
    from: R,
    left: u64,
    failed: Option<io::Error>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = &self.failed {
            return Err(again(error));
        }
        let result = match self.left {
            0 => Err(io::Error::other(Limit)),
            left => {
                let most = to.len().min(usize::try_from(left).unwrap_or(to.len()));
                self.from.read(&mut to[..most])
            }
        };
        match result {
            Ok(count) => {
                self.left -= count as u64;
                Ok(count)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
            Err(error) => {
                self.failed = Some(again(&error));
                Err(error)
            }
        }
    }
}

/// The same error once more.
fn again(error: &io::Error) -> io::Error {
    match is_limit(error) {
        true => io::Error::other(Limit),
        false => io::Error::new(error.kind(), error.to_string()),
    }
}

fn is_limit(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Limit>())
}

/// Show every entry of a tar archive. `compressed`: it comes out of gzip.
pub fn walk(
    archive: impl Read,
    compressed: bool,
    visitor: &mut dyn Visitor,
) -> Result<End> {
    let input = RefCell::new(Counted {
        from: archive,
        left: limits::UNPACKED,
        failed: None,
    });
    let mut tar = Tar {
        input: &input,
        entries: 0,
    };
    loop {
        let member = match tar.next() {
            Ok(Some(member)) => member,
            Ok(None) => break,
            Err(error) => return Ok(end(&error)),
        };
        tar.entries += 1;
        if tar.entries > limits::ENTRIES {
            return Ok(End::Stopped(format!(
                "it has more than {} entries",
                limits::ENTRIES
            )));
        }
        let (parts, bad) = split(&member.path);
        let entry = Entry {
            parts: &parts,
            bad: bad.or(member.bad),
            kind: member.kind,
            size: member.size,
        };
        let mut content = Source(&input).take(member.size);
        if visitor.visit(&entry, &mut content)?.is_break() {
            return Ok(End::Whole);
        }
        let left = content.limit();
        if let Err(error) = tar.skip(left).and_then(|()| tar.pad(member.size)) {
            return Ok(end(&error));
        }
    }
    if tar.entries == 0 {
        return Ok(End::Damaged("there is nothing in it".to_owned()));
    }
    Ok(rest(&input, compressed))
}

/// What an error in an archive means for what was read of it.
fn end(error: &io::Error) -> End {
    if is_limit(error) {
        return End::Stopped(error.to_string());
    }
    End::Damaged(match error.kind() {
        ErrorKind::UnexpectedEof => "it is cut short".to_owned(),
        _ => shown(error.to_string()),
    })
}

/// Read gzip's rest: its checksum comes last. What follows the archive itself may be
/// long, or anything: padding of tapes, say.
fn rest<R: Read>(input: &RefCell<Counted<R>>, compressed: bool) -> End {
    if !compressed {
        return End::Whole;
    }
    match io::copy(&mut Source(input), &mut io::sink()) {
        Ok(_) => End::Whole,
        Err(error) if is_limit(&error) => End::Whole,
        Err(error) if error.to_string() == "invalid gzip header" => End::Whole,
        Err(error) => end(&error),
    }
}

/// The archive, as the content of one of its members, and as a whole.
struct Source<'a, R>(&'a RefCell<Counted<R>>);

impl<R: Read> Read for Source<'_, R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(to)
    }
}

struct Tar<'a, R> {
    input: &'a RefCell<Counted<R>>,
    entries: u64,
}

/// A member of an archive. Its content comes next.
struct Member {
    path: Vec<u8>,
    bad: Option<&'static str>,
    kind: Kind,
    /// Bytes of content in the archive.
    size: u64,
}

/// What extra headers say of the next member.
#[derive(Default)]
struct Extra {
    path: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
    too_long: bool,
}

impl<R: Read> Tar<'_, R> {
    /// The next member. `None` at the end, which is a block of zeros or, as GNU tar has
    /// it, too, just an end.
    fn next(&mut self) -> io::Result<Option<Member>> {
        let mut extra = Extra::default();
        loop {
            let Some(block) = self.block()? else {
                return Ok(None);
            };
            if block.iter().all(|byte| *byte == 0) {
                return Ok(None);
            }
            let header = Header::from_byte_slice(&block);
            check(header)?;
            let size = header.entry_size()?;
            match header.entry_type() {
                EntryType::GNULongName => {
                    let name = self.extra(size, &mut extra)?;
                    let name = name.split(|byte| *byte == 0).next();
                    extra.path = name.filter(|name| !name.is_empty()).map(Vec::from);
                }
                EntryType::XHeader => {
                    let records = self.extra(size, &mut extra)?;
                    pax(&records, &mut extra);
                }
                EntryType::GNULongLink | EntryType::XGlobalHeader => {
                    self.skip(size)?;
                    self.pad(size)?;
                }
                _ => return self.member(header, extra).map(Some),
            }
        }
    }

    fn member(&mut self, header: &Header, extra: Extra) -> io::Result<Member> {
        let path = match extra.path {
            Some(path) => path,
            None => header.path_bytes().to_vec(),
        };
        let size = match extra.size {
            Some(size) => size,
            None => header.entry_size()?,
        };
        let kind = match header.entry_type() {
            EntryType::Regular | EntryType::Continuous if extra.sparse => {
                Kind::Sparse
            }
            // Before POSIX, a slash at the end was what told a folder from a file.
            EntryType::Regular if path.ends_with(b"/") => Kind::Folder,
            EntryType::Regular | EntryType::Continuous => Kind::File,
            EntryType::Directory => Kind::Folder,
            EntryType::Symlink => Kind::SymbolicLink,
            EntryType::Link => Kind::HardLink,
            EntryType::GNUSparse => {
                self.skip_sparse_map(header)?;
                Kind::Sparse
            }
            _ => Kind::Special,
        };
        Ok(Member {
            path,
            bad: extra.too_long.then_some("its header is too long"),
            kind,
            size,
        })
    }

    /// A block, or `None` if there is nothing any more.
    fn block(&mut self) -> io::Result<Option<[u8; BLOCK as usize]>> {
        let mut block = [0; BLOCK as usize];
        let mut filled = 0;
        while filled < block.len() {
            match Source(self.input).read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(block))
    }

    /// The content of a header about the next member.
    fn extra(&mut self, size: u64, extra: &mut Extra) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        match size > limits::HEADER {
            true => {
                extra.too_long = true;
                self.skip(size)?;
            }
            false => {
                Source(self.input)
                    .take(size)
                    .read_to_end(&mut content)
                    .and_then(|count| match count as u64 == size {
                        true => Ok(()),
                        false => Err(ErrorKind::UnexpectedEof.into()),
                    })?;
            }
        }
        self.pad(size)?;
        Ok(content)
    }

    /// Old GNU sparse files: blocks with more of the map stand before the content.
    fn skip_sparse_map(&mut self, header: &Header) -> io::Result<()> {
        let mut more = header.as_gnu().is_some_and(|gnu| gnu.is_extended());
        while more {
            let block = self.block()?.ok_or(ErrorKind::UnexpectedEof)?;
            // After 21 records of 24 bytes: is there another block?
            more = block[504] == 1;
        }
        Ok(())
    }

    fn skip(&mut self, size: u64) -> io::Result<()> {
        let mut content = Source(self.input).take(size);
        match io::copy(&mut content, &mut io::sink())? == size {
            true => Ok(()),
            false => Err(ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Content fills whole blocks.
    fn pad(&mut self, size: u64) -> io::Result<()> {
        self.skip((BLOCK - size % BLOCK) % BLOCK)
    }
}

/// Is this a header? The sum of its bytes says so, counted with its own field blank.
fn check(header: &Header) -> io::Result<()> {
    let bytes = header.as_bytes();
    let sum: u32 = bytes[..148]
        .iter()
        .chain(&bytes[156..])
        .map(|b| u32::from(*b))
        .sum();
    match header.cksum() {
        Ok(expected) if expected == sum + 8 * u32::from(b' ') => Ok(()),
        _ => Err(io::Error::new(
            ErrorKind::InvalidData,
            "something in it is no tar header",
        )),
    }
}

/// Records of a pax header: `LENGTH KEY=VALUE\n`, the length in decimal and of all of it.
fn pax(records: &[u8], extra: &mut Extra) {
    let mut rest = records;
    while let Some((record, next)) = pax_record(rest) {
        rest = next;
        let Some(equals) = record.iter().position(|byte| *byte == b'=') else {
            continue;
        };
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        match key {
            b"path" => extra.path = Some(value.to_vec()),
            b"size" => {
                let size = std::str::from_utf8(value).ok();
                extra.size = size.and_then(|size| size.parse().ok());
            }
            _ if key.starts_with(b"GNU.sparse.") => extra.sparse = true,
            _ => {}
        }
        if key == b"GNU.sparse.name" {
            extra.path = Some(value.to_vec());
        }
    }
}

/// The first record without its length and line break, and what follows it.
fn pax_record(records: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = records.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
    let record = records.get(space + 1..length)?.strip_suffix(b"\n")?;
    Some((record, &records[length..]))
}
