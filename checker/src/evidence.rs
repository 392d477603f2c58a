//! What was seen: plain data, from which every verdict is made. Nothing in here
//! touches the machine, so that verdicts can be tested on recorded evidence.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::text::unescape;

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
    /// What the machine has, where checks depend on it.
    #[serde(default)]
    pub machine: Machine,
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

/// What init says of itself when it is ready.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Name of a namespace (`mnt`, `pid`, …) and its inode number.
    pub namespaces: BTreeMap<String, u64>,
    /// Is there a cgroup that bounds memory and processes?
    pub cgroup: bool,
    /// The control groups that the sandbox may divide up.
    #[serde(default)]
    pub trees: Vec<Tree>,
    /// How many user ids are mapped: 1, or a range.
    pub ids: u32,
}

/// A hierarchy of control groups that the sandbox may divide up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    pub version: u8,
    /// What can be limited in it. In version 2: what can be handed to children.
    pub controllers: Vec<String>,
    /// The part of it that the sandbox has, as a directory of the host's, and as
    /// /proc/PID/cgroup names it.
    pub directory: PathBuf,
    pub path: PathBuf,
}

/// A hierarchy's name, for people.
pub fn tree_name(version: u8, controllers: &[String]) -> String {
    match version {
        1 => controllers.join(","),
        _ => "cgroup2".into(),
    }
}

/// What the machine has. Where it lacks something, a check can't be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The host name of the runtime's caller.
    pub hostname: String,
    /// The links of a new network namespace.
    pub links: Vec<String>,
    /// IPv6: a new network namespace has ::1.
    pub ipv6: bool,
    /// The CPUs that the caller may use, by number.
    pub cpus: Vec<usize>,
    /// The controllers of the control groups that the caller may divide up.
    pub controllers: Vec<String>,
    /// Of which version the tree with `memory` is; 0 where there is none.
    pub cgroup_version: u8,
    /// The kernel counts swap.
    pub swap: bool,
    /// The file system for containers keeps extended attributes of users (tmpfs: from
    /// Linux 6.6 on).
    pub user_attributes: bool,
}

/// In place of an outcome: the command said that it was done, and it isn't.
pub const NOT_SEEN: &str = "nothing of that is to be seen";

/// Likewise: the command was told to do it, and didn't say how that went; or was never
/// told.
pub const NO_ANSWER: &str = "no answer";

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
    /// Control groups that are new when the program has ended.
    #[serde(default)]
    pub groups_after: Vec<String>,
    /// The caller's host name while the command was there, or after the run, if it is
    /// another one than before.
    #[serde(default)]
    pub renamed: Option<String>,
    /// The caller's links at these moments, if they are not what they were.
    #[serde(default)]
    pub relinked: Option<Vec<Link>>,
    /// The command's process at later moments, by the name the level gives them.
    #[serde(default)]
    pub looks: BTreeMap<String, Seen>,
    /// Other calls of the program while this one ran, likewise.
    #[serde(default)]
    pub calls: BTreeMap<String, Call>,
    /// The command's control groups in the moment of exec, before its first
    /// instruction. `None`: the kernel didn't let us watch.
    #[serde(default)]
    pub groups_at_exec: Option<Vec<Grouped>>,
    /// Was somebody allowed to watch?
    #[serde(default)]
    pub traced: bool,
    /// The runtime was killed by the checker, with what it had unpacked by then: bytes.
    #[serde(default)]
    pub killed: Option<u64>,
    /// It, or one that ran beside it, was.
    #[serde(default)]
    pub beside_killed: bool,
}

impl Run {
    /// What came of an act: `ok`, an errno's name, or what the act says.
    pub fn outcome(&self, act: &str) -> &str {
        self.acts.get(act).map_or(NO_ANSWER, String::as_str)
    }
}

/// Another call of the program: `pause ID`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Call {
    pub shown: String,
    pub end: Ending,
    pub stderr: String,
    pub noise: String,
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

/// How a process ended (man 2 waitpid).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// With this exit status, 0 to 255.
    Exited(i32),
    /// By this signal.
    Signaled(i32),
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
    /// Its pid in its own PID namespace.
    #[serde(default)]
    pub own_pid: i32,
    /// What the kernel calls process 1 of its PID namespace.
    #[serde(default)]
    pub first_name: String,
    /// The processes of its PID namespace, as that numbers them.
    #[serde(default)]
    pub inhabitants: Vec<i32>,
    /// The numbers in the directory /proc below its root.
    #[serde(default)]
    pub listed: Vec<i32>,
    /// The host name in its UTS namespace.
    #[serde(default)]
    pub hostname: String,
    /// The links of its network namespace; `None` when it can't be joined.
    #[serde(default)]
    pub links: Option<Vec<Link>>,
    /// Which file system the POSIX message queues of its IPC namespace are in: major and
    /// minor. `None` when that can't be told.
    #[serde(default)]
    pub queues: Option<(u64, u64)>,
    /// The names in its /sys/class/net.
    #[serde(default)]
    pub shown_links: Vec<String>,
    /// Is `lo` up by its file there? `None`: there is none.
    #[serde(default)]
    pub shown_lo_up: Option<bool>,
    /// Where it is in the trees of control groups that the caller may divide up.
    #[serde(default)]
    pub groups: Vec<Grouped>,
    /// The CPUs that it may run on: `0-2,4`.
    #[serde(default)]
    pub cpus_allowed: String,
    /// Is it in the very control groups of the runtime, in every tree?
    #[serde(default)]
    pub in_runtimes_groups: bool,
    /// Who it is, and what it may do.
    #[serde(default)]
    pub credentials: Option<Credentials>,
    /// How long the processes of its PID namespace have run by then, in nanoseconds of
    /// processor time.
    #[serde(default)]
    pub run_time: u64,
    /// How many of them have not ended, not even as zombies.
    #[serde(default)]
    pub alive: usize,
    /// How many of them run, or want to (state R in `man 5 proc`, "/proc/PID/stat").
    /// One that is stopped, frozen or asleep doesn't.
    #[serde(default)]
    pub busy: usize,
    /// When it is on an overlay: what that is made of.
    #[serde(default)]
    pub overlay: Option<Overlay>,
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
    /// Directories that its caller had before the first run, and that are mounted there:
    /// the mount's id → the caller's path.
    #[serde(default)]
    pub of_caller: BTreeMap<u64, String>,
    /// Why the table of its mounts, or of those beneath, couldn't be read as a whole.
    #[serde(default)]
    pub unread: Option<String>,
    /// The runtime's own mount namespace, while the command was there.
    #[serde(default)]
    pub runtime_mount_namespace: Option<u64>,
    /// The PID namespace of the runtime's next child at that time. `None`: nobody has
    /// been born in there, or the kernel doesn't tell (man 7 namespaces).
    #[serde(default)]
    pub runtime_children_namespace: Option<u64>,
    /// The root directory of its mount namespace, and the mount that this is on;
    /// then the mount that its own root is on.
    pub namespace_root: FileId,
    pub namespace_root_mount: u64,
    pub root_mount: u64,
    /// Files below its root: path without leading slash → file.
    pub files: BTreeMap<String, FileFact>,
}

/// Who a process is, and what it may do (man 5 proc, "/proc/PID/status").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Its effective user and group, as its user namespace numbers them; `None` when
    /// that has no number for them.
    pub user: Option<u32>,
    pub group: Option<u32>,
    /// The same, as the host numbers them.
    pub host_user: u32,
    pub host_group: u32,
    /// Its effective capabilities, and those that this kernel has: bit n is number n
    /// (man 7 capabilities).
    pub capabilities: u64,
    pub every_capability: u64,
}

/// A link of a network namespace (man 7 netdevice).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub name: String,
    pub up: bool,
    /// Its addresses: `127.0.0.1`, `::1`.
    pub addresses: Vec<String>,
}

/// Where a process is in one tree of control groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grouped {
    /// 1 or 2.
    pub version: u8,
    /// What can be limited in this tree.
    pub controllers: Vec<String>,
    /// Its group's path, from the top of what the caller may divide up.
    pub path: String,
    /// That of the runtime.
    pub runtime: String,
    /// What the files of its group say, and those of the groups above it, up to the
    /// top: name → content. The innermost group first.
    pub files: Vec<BTreeMap<String, String>>,
}

impl Grouped {
    /// The tree's name, for people.
    pub fn name(&self) -> String {
        tree_name(self.version, &self.controllers)
    }
}

/// The parts of an overlay, as its mount names them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// The lower directories, the uppermost first, then the upper and the work
    /// directory: paths of the caller's.
    pub lower: Vec<String>,
    pub upper: String,
    pub work: String,
    /// Is the option `userxattr` set?
    pub user_attributes: bool,
    /// What the image's directory, which is the fullest of the lower ones, and the
    /// upper directory are, and hold; nothing if the caller can't find them.
    pub lower_id: FileId,
    pub upper_id: FileId,
    /// The permissions of the overlay's top directory, the container's `/`.
    pub mode: u32,
    /// The overlay's etc/motd: inode number and time of its last change of status, in
    /// nanoseconds. Both are those of the image's file, as long as nobody changes it.
    pub motd: Option<(u64, i64)>,
    pub lower_files: BTreeMap<String, FileFact>,
    pub upper_files: BTreeMap<String, FileFact>,
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
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
)]
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
    /// How many names it has (st_nlink in `man 3type stat`), here or elsewhere.
    #[serde(default)]
    pub names: u32,
    /// Is something mounted here?
    pub mounted: bool,
    /// When a file's content last changed, in nanoseconds; 0 for the rest.
    pub modified: i64,
}

impl FileFact {
    /// Is it as it was? How many names it has doesn't count: giving a file one more
    /// leaves it as it is.
    pub fn is_as(&self, was: &Self) -> bool {
        let names = was.names;
        *was == Self {
            names,
            ..self.clone()
        }
    }
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
    /// The file system's own options.
    #[serde(default)]
    pub details: String,
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
            root: unescape(left.next()?),
            point: unescape(left.next()?),
            options: left.next()?.into(),
            propagation: left.collect::<Vec<_>>().join(" "),
            kind: right.next()?.into(),
            source: right.next()?.into(),
            details: right.next().unwrap_or_default().into(),
        })
    }
}
