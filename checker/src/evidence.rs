//! What was seen: plain data, from which every verdict is made. Nothing in here
//! touches the machine, so that verdicts can be tested on recorded evidence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::belt::{End, Facts};

/// Everything that was seen of one level's program.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// The level's number, two digits.
    pub level: String,
    /// The program's name, as messages call it.
    pub program: String,
    /// The sandbox: the namespaces of the runtime's caller.
    pub belt: Facts,
    /// The caller's root directory.
    pub caller_root: FileId,
    /// The caller's mount table before the first run.
    pub caller_mounts: Vec<Mount>,
    /// Was the program given images, or is it one that only starts commands?
    pub contained: bool,
    /// What the test image holds: path without leading slash → file.
    pub image: BTreeMap<String, FileFact>,
    /// Each time the program was run, by the name the level gives it.
    pub runs: BTreeMap<String, Run>,
}

impl Evidence {
    /// The run of this name.
    ///
    /// Panics when the level did not ask for it: a mistake in the checker.
    pub fn run(&self, name: &str) -> &Run {
        self.runs
            .get(name)
            .unwrap_or_else(|| panic!("no run {name:?} in the evidence"))
    }
}

/// One run of the program, from the caller's side.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Run {
    /// The command line, for people.
    pub shown: String,
    /// Is there a command to be run? Otherwise the program has to say what is wrong.
    pub has_command: bool,
    /// Could the program itself be executed? Otherwise the errno's name.
    pub refused: Option<String>,
    /// The process that the command became, as the kernel describes it.
    pub seen: Option<Seen>,
    /// What the command reported of what it was asked to do: act → outcome.
    pub acts: BTreeMap<String, String>,
    /// What the command was told to do at last: leave with this status, or by
    /// this signal.
    pub told: Option<End>,
    /// How the program ended.
    pub end: Ending,
    /// Was the program left a child that it knows nothing of?
    #[serde(default)]
    pub given_child: bool,
    /// Did the program end while its command was still there?
    pub left_early: bool,
    /// What was on standard error, as text; long output is cut.
    pub stderr: String,
    /// What others than the command wrote to standard output; long output is cut.
    pub noise: String,
    /// Children that nobody waited for, so that init had to.
    pub orphans: Vec<Orphan>,
    /// Processes that were still there after the program's end.
    pub remaining: Vec<String>,
    /// The caller's mounts while the command ran and after the program's end,
    /// against before: lines of mountinfo, `+` new, `-` gone, `~` changed.
    pub mounts_during: Vec<String>,
    pub mounts_after: Vec<String>,
    /// Files that came (`+`), went (`-`) or changed (`~`) outside the container.
    pub files_after: Vec<String>,
}

/// A process that was left to the sandbox's init.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orphan {
    /// Was it the command itself?
    pub command: bool,
    /// What the kernel called it.
    #[serde(default)]
    pub name: String,
    /// Did it end while the program ran, and the command too if there was one? Then
    /// it was a child of neither: a tool of the program's has left it behind.
    #[serde(default)]
    pub early: bool,
    pub end: End,
}

/// How a run came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    #[default]
    NotRun,
    Exited(i32),
    Signaled(i32),
    /// It was ended after this many seconds.
    TimedOut(u64),
    /// It was ended because it printed more than this many bytes.
    TooMuchOutput(u64),
    /// It was ended because it used more memory than this many bytes.
    TooMuchMemory(u64),
    /// It ended the sandbox itself, by this signal to init: reboot(2) does that.
    BrokeOut(i32),
}

impl Ending {
    /// Did the checker have to end it?
    pub fn was_stopped(self) -> bool {
        matches!(
            self,
            Self::TimedOut(_)
                | Self::TooMuchOutput(_)
                | Self::TooMuchMemory(_)
                | Self::BrokeOut(_)
        )
    }
}

/// The command's process, from outside.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Seen {
    /// Its pid in the sandbox.
    pub pid: i32,
    /// Was it found by the credentials on its output, or by looking for it?
    pub output_is_direct: bool,
    /// How many parents up the runtime is: 0 is the runtime itself; `None` when the
    /// runtime is no ancestor.
    pub distance: Option<u32>,
    /// Its arguments, byte for byte.
    pub arguments: Vec<Vec<u8>>,
    /// Its environment, byte for byte.
    pub environment: Vec<Vec<u8>>,
    pub descriptors: Vec<Descriptor>,
    pub root: FileId,
    /// Where its root directory is: as the runtime's caller finds it, or else (on a
    /// file system of the container's own) as its mount namespace names it.
    pub root_name: String,
    pub directory: FileId,
    /// Where its working directory is, as the kernel names it.
    pub directory_name: String,
    /// Name of a namespace → its inode number.
    pub namespaces: BTreeMap<String, u64>,
    /// The mounts that it can reach, named from its own root.
    pub own_mounts: Vec<Mount>,
    /// Every mount of its mount namespace, named from the namespace's root.
    pub mounts: Vec<Mount>,
    /// The mounts that come to light when the namespace's root is unmounted, in a
    /// copy of the namespace; none if that can't be done.
    #[serde(default)]
    pub beneath: Vec<Mount>,
    /// The runtime's own mount namespace, while the command was there.
    #[serde(default)]
    pub runtime_mount_namespace: Option<u64>,
    /// The root directory of its mount namespace, and the mount that this is on;
    /// then the mount that its own root is on.
    pub namespace_root: FileId,
    pub namespace_root_mount: u64,
    pub root_mount: u64,
    /// Files below its root: path without leading slash → file.
    pub files: BTreeMap<String, FileFact>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    pub number: i32,
    /// What /proc/PID/fd says it is.
    pub target: String,
    /// Which of the caller's descriptors it is the same file as.
    pub callers: Option<i32>,
}

/// A file's identity: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FileId {
    pub device: u64,
    pub inode: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    File,
    Directory,
    Link,
    Character,
    Other,
}

/// One file, as lstat and reading it say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFact {
    pub kind: FileKind,
    /// Permission bits, setuid and the like included.
    pub mode: u32,
    /// Bytes, for a file.
    pub size: u64,
    /// The link's target, or a small file's content as text.
    pub content: String,
    /// Major and minor, for a device.
    pub device: (u64, u64),
    /// What it is a hard link of: equal for two names of one file.
    pub id: FileId,
    /// Is something mounted here?
    pub mounted: bool,
    /// When a file's content last changed, in nanoseconds; 0 for the rest.
    pub modified: i64,
}

/// A line of mountinfo (man 5 proc).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    pub id: u64,
    pub parent: u64,
    /// The part of the file system that is mounted.
    pub root: String,
    pub point: String,
    pub options: String,
    /// `shared:N`, `master:N` …
    pub propagation: String,
    pub kind: String,
    pub source: String,
    /// Major and minor of the file system.
    pub device: (u64, u64),
}

impl Mount {
    /// Read a mount table.
    pub fn table(text: &str) -> Vec<Self> {
        text.lines().filter_map(Self::parse).collect()
    }

    fn parse(line: &str) -> Option<Self> {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ');
        let mut right = right.split(' ');
        let id = left.next()?.parse().ok()?;
        let parent = left.next()?.parse().ok()?;
        let (major, minor) = left.next()?.split_once(':')?;
        Some(Self {
            id,
            parent,
            device: (major.parse().ok()?, minor.parse().ok()?),
            root: crate::belt::unescape(left.next()?),
            point: crate::belt::unescape(left.next()?),
            options: left.next()?.into(),
            propagation: left.collect::<Vec<_>>().join(" "),
            kind: right.next()?.into(),
            source: right.next()?.into(),
        })
    }
}
