//! How much is read of a submission, and why no more.

/// Bytes of one file. The finished levels' largest has 20 KiB; nobody writes 1 MiB.
pub const FILE: u64 = 1 << 20;

/// Files of one level. The finished levels have up to four.
pub const FILES: usize = 200;

/// Bytes read of the files of one submission. Ten levels of 1000 long lines each.
pub const TOTAL: u64 = 8 << 20;

/// Entries looked at in one archive, commit, or student's folder. A fork that was
/// compiled has some ten thousands of them in `target`.
pub const ENTRIES: u64 = 1_000_000;

/// Names in one folder: they are held in memory, to be sorted.
pub const NAMES: usize = 100_000;

/// Bytes that come out of one archive, counted as they come: forks hold `target` by
/// mistake, bombs would never end.
pub const UNPACKED: u64 = 512 << 20;

/// Bytes of a name or of one header in an archive, held in memory.
pub const HEADER: u64 = 64 << 10;

/// Submissions, students' folders, and archives remembered of one argument.
pub const REMEMBERED: usize = 100_000;

/// Folders between an argument, or an archive's top, and a submission: exports of
/// learning platforms have up to four.
pub const DEPTH: usize = 8;

/// Folders below a level's `src`.
pub const SOURCE_DEPTH: usize = 16;

/// Bytes of a file's name (`NAME_MAX`, limits.h).
pub const NAME: usize = 255;

/// Bytes of a file's path below `src`. Together with the folder that it is written to
/// it has to stay below `PATH_MAX`, 4096.
pub const PATH: usize = 1024;

/// Lines that are said about one submission.
pub const NOTES: usize = 20;

/// Characters of a hostile name, or of a program's message, in a note.
pub const SHOWN: usize = 120;
