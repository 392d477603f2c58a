//! A cgroup for the sandbox, where one can be had: below the one that the checker
//! is in, on version 1 and 2 alike. Without one, the checker watches the sandbox's
//! memory itself (see `watch`).

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;
use std::{fs, io};

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{Pid, geteuid};

use super::identity::Identity;
use crate::evidence::Tree;
use crate::text::unescape;

/// What a sandbox may use at the most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes, files in tmpfs included.
    pub memory: u64,
    /// Processes and threads.
    pub processes: u64,
}

/// The controllers that levels have to do with, and one of version 1 that runc doesn't
/// do without.
const CONTROLLERS: [&str; 6] =
    ["cpu", "cpuset", "devices", "freezer", "memory", "pids"];
/// The part of a sandbox's cgroup that is handed to it.
const HANDED: &str = "sandbox";
/// In version 2: where the sandbox's processes are, so that the part above them may
/// hand controllers to others (Documentation/admin-guide/cgroup-v2.rst, "No Internal
/// Process Constraint").
const CALLER: &str = "caller";
const NAME: &str = "rubber-crab-";

/// The directories of a sandbox's cgroup, one for each hierarchy.
#[derive(Debug, Default)]
pub struct Cgroup {
    directories: Vec<PathBuf>,
    /// Their locks. Who can take one knows that the group was left behind: pids don't
    /// tell, as others may be in another PID namespace.
    locks: Vec<Flock<File>>,
    /// What of it is the sandbox's own to divide up.
    pub trees: Vec<Tree>,
}

impl Cgroup {
    /// Make a cgroup with these limits. Both limits or nothing: `None` where the
    /// caller may not, or where a controller isn't there.
    ///
    /// With `owner`, the sandbox's root, part of it is theirs, in every hierarchy
    /// where that can be.
    pub fn make(limits: Limits, owner: Option<Identity>) -> Option<Self> {
        let mut made = Self::default();
        let done = made.limit(limits).and_then(|()| match owner {
            Some(owner) => made.hand_over(owner),
            None => Some(()),
        });
        if done.is_none() {
            made.remove();
        }
        done.map(|()| made)
    }

    fn limit(&mut self, limits: Limits) -> Option<()> {
        for (controller, files) in [
            (
                "memory",
                [
                    ("memory.max", "memory.limit_in_bytes", limits.memory),
                    ("memory.swap.max", "memory.swappiness", 0),
                ],
            ),
            (
                "pids",
                [
                    ("pids.max", "pids.max", limits.processes),
                    ("pids.max", "pids.max", limits.processes),
                ],
            ),
        ] {
            let home = Home::of(controller)?;
            let directory = self.group_in(&home)?;
            for (index, (v2, v1, value)) in files.into_iter().enumerate() {
                let file = if home.version == 2 { v2 } else { v1 };
                let written = fs::write(directory.join(file), value.to_string());
                // Only the limit itself must be there: a kernel may be built
                // without swap accounting.
                if index == 0 && written.is_err() {
                    return None;
                }
            }
        }
        Some(())
    }

    /// The sandbox's group in this hierarchy, made if it isn't there yet.
    fn group_in(&mut self, home: &Home) -> Option<PathBuf> {
        let name = format!("{NAME}{}", std::process::id());
        let directory = home.directory.join(name);
        if !self.directories.contains(&directory) {
            sweep(&home.directory);
            self.locks.push(claim(&directory)?);
            self.directories.push(directory.clone());
            inherit_cpus(&directory);
        }
        Some(directory)
    }

    /// Make a part of the group the sandbox's own, in each hierarchy.
    fn hand_over(&mut self, owner: Identity) -> Option<()> {
        let v1 = CONTROLLERS.into_iter().filter_map(Home::of_v1);
        let homes: Vec<Home> = v1.chain(Home::of_v2()).collect();
        for home in homes {
            // Those of memory and pids are there by now. A user to whom no others
            // were given does without them.
            let Some(outer) = self.group_in(&home) else {
                continue;
            };
            let directory = outer.join(HANDED);
            if self.trees.iter().any(|tree| tree.directory == directory) {
                continue;
            }
            let controllers = match home.version {
                2 => hand_down(&outer),
                _ => home.controllers.clone(),
            };
            fs::create_dir(&directory).ok()?;
            inherit_cpus(&directory);
            give(&directory, owner)?;
            if home.version == 2 {
                fs::create_dir(directory.join(CALLER)).ok()?;
                give(&directory.join(CALLER), owner)?;
            }
            let name = outer.file_name()?;
            self.trees.push(Tree {
                version: home.version,
                controllers,
                path: home.path.join(name).join(HANDED),
                directory,
            });
        }
        Some(())
    }

    /// Put the calling process, and so all that it will start, into the cgroup: into
    /// the sandbox's part, if there is one.
    pub fn join(&self) -> io::Result<()> {
        let handed = self.trees.iter().map(|tree| &tree.directory);
        let others = self.directories.iter().filter(|outer| {
            !self
                .trees
                .iter()
                .any(|tree| tree.directory.starts_with(outer))
        });
        let me = std::process::id().to_string();
        handed
            .chain(others)
            .try_for_each(|group| fs::write(group.join("cgroup.procs"), &me))
    }

    /// Step aside in version 2: the sandbox's part must have no process of its own.
    pub fn step_aside(&self) -> io::Result<()> {
        self.trees
            .iter()
            .filter(|tree| tree.version == 2)
            .map(|tree| tree.directory.join(CALLER).join("cgroup.procs"))
            .try_for_each(|file| fs::write(file, "0"))
    }

    /// The descriptors that hold its locks.
    pub fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        self.locks.iter().map(|lock| lock.as_raw_fd())
    }

    /// Has the sandbox a part that it may divide up?
    pub fn is_divided(&self) -> bool {
        !self.trees.is_empty()
    }

    /// Let all in it go on that are frozen: init among them, maybe.
    pub fn thaw(&self) {
        for group in self.directories.iter().flat_map(|top| groups_below(top)) {
            let _ = fs::write(group.join("freezer.state"), "THAWED");
            if group.join("cgroup.freeze").exists() {
                let _ = fs::write(group.join("cgroup.freeze"), "0");
            }
        }
    }

    /// Remove the cgroup, and what was made below it: where the caller is the group's
    /// owner, programs are, too. The last process may still be on its way out.
    pub fn remove(&self) {
        for directory in &self.directories {
            for _ in 0..200 {
                match remove_tree(directory) {
                    Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                        sleep(Duration::from_millis(10));
                    }
                    _ => break,
                }
            }
        }
    }
}

/// Of which version the hierarchy is that has the memory controller here.
pub fn version() -> u8 {
    match Home::of_v1("memory") {
        Some(_) => 1,
        None => 2,
    }
}

/// Which versions there are here, for people.
pub fn versions() -> &'static str {
    match (Home::of_v1("memory").is_some(), has_v2()) {
        (true, true) => "v1 and v2",
        (true, false) => "v1",
        (false, true) => "v2",
        (false, false) => "none",
    }
}

/// Let the groups below this one have whatever it has itself (version 2). What they
/// have then.
fn hand_down(group: &Path) -> Vec<String> {
    let listed = fs::read_to_string(group.join("cgroup.controllers"));
    let listed = listed.unwrap_or_default();
    let given = |name: &&str| {
        let file = group.join("cgroup.subtree_control");
        CONTROLLERS.contains(name) && fs::write(file, format!("+{name}")).is_ok()
    };
    listed
        .split_whitespace()
        .filter(given)
        .map(String::from)
        .collect()
}

/// Give a group away: who owns these files may divide it up (man 7 cgroups,
/// "Delegation").
fn give(group: &Path, owner: Identity) -> Option<()> {
    let files = [
        "cgroup.procs",
        "cgroup.threads",
        "cgroup.subtree_control",
        "tasks",
    ];
    let there = files
        .iter()
        .map(|file| group.join(file))
        .filter(|file| file.exists());
    std::iter::once(group.to_owned())
        .chain(there)
        .try_for_each(|path| chown(&path, Some(owner.uid), Some(owner.gid)))
        .ok()
}

/// A new group of version 1's cpuset takes no process until it has CPUs and memory
/// nodes (man 7 cpuset): those of the one above.
fn inherit_cpus(group: &Path) {
    let parent = group.parent().unwrap_or(group);
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = fs::read_to_string(group.join(file)).unwrap_or_default();
        if let (true, Ok(above)) =
            (own.trim().is_empty(), fs::read_to_string(parent.join(file)))
        {
            let _ = fs::write(group.join(file), above.trim());
        }
    }
}

/// The groups below this one, parents first, or the first few hundred of them.
pub fn groups_below(top: &Path) -> Vec<PathBuf> {
    const MOST: usize = 200;
    let (mut all, mut next) = (vec![top.to_owned()], 0);
    while next < all.len() && all.len() < MOST {
        let entries = fs::read_dir(&all[next]).into_iter().flatten().flatten();
        let groups =
            entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir()));
        let groups: Vec<PathBuf> =
            groups.map(|group| group.path()).take(MOST).collect();
        all.extend(groups);
        next += 1;
    }
    all.remove(0);
    all
}

/// Its groups can be removed, its files can't, and needn't be.
fn remove_tree(group: &Path) -> io::Result<()> {
    for entry in fs::read_dir(group)?.flatten() {
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}

/// What a sandbox's cgroup says of its memory.
#[derive(Debug)]
pub struct Memory {
    directory: PathBuf,
    version: u8,
}

impl Memory {
    /// That of the sandbox which this janitor made.
    pub fn of(janitor: Pid) -> Option<Self> {
        let Home {
            directory, version, ..
        } = Home::of("memory")?;
        let directory = directory.join(format!("{NAME}{janitor}"));
        directory.is_dir().then_some(Self { directory, version })
    }

    /// Bytes in use that the kernel can't take back: those of processes, and of files
    /// in memory.
    pub fn used(&self) -> u64 {
        let names = match self.version {
            2 => ["anon", "shmem"],
            _ => ["total_rss", "total_shmem"],
        };
        names
            .iter()
            .map(|name| self.number(Path::new("memory.stat"), name))
            .sum()
    }

    /// How often this very limit has cost a process its life; those of groups below
    /// don't count.
    pub fn kills(&self) -> u64 {
        match self.version {
            2 => self.number(Path::new("memory.events.local"), "oom"),
            _ => {
                let own = Path::new("memory.oom_control");
                let handed = Path::new(HANDED).join(own);
                self.number(own, "oom_kill") + self.number(&handed, "oom_kill")
            }
        }
    }

    fn number(&self, file: &Path, name: &str) -> u64 {
        let text = fs::read_to_string(self.directory.join(file)).unwrap_or_default();
        let fields = |line: &str| {
            let (field, number) = line.split_once(' ')?;
            (field == name).then(|| number.parse().ok()).flatten()
        };
        text.lines().find_map(fields).unwrap_or(0)
    }
}

/// Where groups of the checker's can be made in one hierarchy.
struct Home {
    version: u8,
    controllers: Vec<String>,
    /// The directory below which they go, and how /proc/PID/cgroup names it.
    directory: PathBuf,
    path: PathBuf,
}

impl Home {
    /// In the hierarchy that has this controller.
    fn of(controller: &str) -> Option<Self> {
        Self::of_v1(controller).or_else(Self::of_v2)
    }

    fn of_v1(controller: &str) -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        for line in groups.lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?);
            if controllers.split(',').any(|name| name == controller) {
                let mount = mount_of(&mounts, "cgroup", Some(controller))?;
                return Some(Self {
                    version: 1,
                    controllers: controllers.split(',').map(String::from).collect(),
                    directory: below(&mount, path)?,
                    path: path.into(),
                });
            }
        }
        None
    }

    /// In version 2's. Where version 1 has memory and pids, this one has nothing but
    /// groups. Otherwise it keeps processes out of groups that hand controllers to
    /// children: the nearest group above the checker's that hands down both is where
    /// one can go.
    fn of_v2() -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
        let mount = mount_of(&mounts, "cgroup2", None)?;
        let wanted = ["memory", "pids"];
        let v1 = |name: &&str| mount_of(&mounts, "cgroup", Some(name)).is_some();
        let wanted: Vec<&str> =
            wanted.into_iter().filter(|name| !v1(name)).collect();
        for path in Path::new(own).ancestors() {
            let directory = below(&mount, path.to_str()?)?;
            if !geteuid().is_root() && !wanted.is_empty() {
                // What was delegated to an ordinary user is theirs to hand down. Root
                // may change any group, and leaves the machine's as they are.
                hand_down(&directory);
            }
            let handed =
                fs::read_to_string(directory.join("cgroup.subtree_control"));
            let handed = handed.unwrap_or_default();
            let controllers: Vec<&str> = handed.split_whitespace().collect();
            if wanted.iter().all(|name| controllers.contains(name)) {
                return Some(Self {
                    version: 2,
                    controllers: Vec::new(),
                    directory,
                    path: path.into(),
                });
            }
        }
        None
    }
}

fn has_v2() -> bool {
    fs::read_to_string("/proc/self/mountinfo")
        .is_ok_and(|table| mount_of(&table, "cgroup2", None).is_some())
}

struct Mount {
    root: PathBuf,
    point: PathBuf,
}

fn mount_of(table: &str, kind: &str, option: Option<&str>) -> Option<Mount> {
    table.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut right = right.split(' ');
        let fits = right.next() == Some(kind)
            && option.is_none_or(|option| {
                right
                    .nth(1)
                    .is_some_and(|all| all.split(',').any(|one| one == option))
            });
        let mut left = left.split(' ').skip(3);
        let (root, point) = (left.next()?, left.next()?);
        fits.then(|| Mount {
            root: unescape(root).into(),
            point: unescape(point).into(),
        })
    })
}

/// Where the group `path` is seen, if the mount shows it at all.
fn below(mount: &Mount, path: &str) -> Option<PathBuf> {
    let rest = Path::new(path).strip_prefix(&mount.root).ok()?;
    Some(mount.point.join(rest))
}

/// Make a group, and lock it. Before it is locked, another checker may take it for one
/// that was left behind.
fn claim(directory: &Path) -> Option<Flock<File>> {
    (0..100).find_map(|_| {
        fs::create_dir(directory).ok()?;
        lock(directory, FlockArg::LockExclusive)
    })
}

/// The lock of a group, if it can be had, and the group is still there then.
fn lock(directory: &Path, how: FlockArg) -> Option<Flock<File>> {
    let lock = Flock::lock(File::open(directory).ok()?, how).ok()?;
    let there = fs::metadata(directory).ok()?.ino() == lock.metadata().ok()?.ino();
    there.then_some(lock)
}

/// Remove what checkers left that were killed together with their janitors.
fn sweep(parent: &Path) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(NAME));
        let left = |pid: u32| !Path::new(&format!("/proc/{pid}")).exists();
        if !owner.and_then(|pid| pid.parse().ok()).is_some_and(left) {
            continue;
        }
        if let Some(_ours) = lock(&entry.path(), FlockArg::LockExclusiveNonblock) {
            let _ = remove_tree(&entry.path());
        }
    }
}
