//! A cgroup for the sandbox, where one can be had: below the one that the checker
//! is in, on version 1 and 2 alike. Without one, the checker watches the sandbox's
//! memory itself (see `watch`).

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;
use std::{fs, io};

use nix::unistd::Pid;

use super::tree::unescape;

/// What a sandbox may use at the most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes, files in tmpfs included.
    pub memory: u64,
    /// Processes and threads.
    pub processes: u64,
}

/// The directories of a sandbox's cgroup, one for each hierarchy.
#[derive(Debug, Default)]
pub struct Cgroup {
    directories: Vec<PathBuf>,
}

const NAME: &str = "rubber-crab-";

impl Cgroup {
    /// Make a cgroup with these limits. Both limits or nothing: `None` where the
    /// caller may not, or where a controller isn't there.
    pub fn make(limits: Limits) -> Option<Self> {
        let name = format!("{NAME}{}", std::process::id());
        let mut made = Self::default();
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
            let Some((parent, version)) = home_of(controller) else {
                made.remove();
                return None;
            };
            sweep(&parent);
            let directory = parent.join(&name);
            if !made.directories.contains(&directory) {
                if fs::create_dir(&directory).is_err() {
                    made.remove();
                    return None;
                }
                made.directories.push(directory.clone());
            }
            for (index, (v2, v1, value)) in files.into_iter().enumerate() {
                let file = if version == 2 { v2 } else { v1 };
                let written = fs::write(directory.join(file), value.to_string());
                // Only the limit itself must be there: a kernel may be built
                // without swap accounting.
                if index == 0 && written.is_err() {
                    made.remove();
                    return None;
                }
            }
        }
        Some(made)
    }

    /// Put the calling process, and so all that it will start, into the cgroup.
    pub fn join(&self) -> io::Result<()> {
        let me = std::process::id().to_string();
        self.directories
            .iter()
            .try_for_each(|directory| fs::write(directory.join("cgroup.procs"), &me))
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
        let (parent, version) = home_of("memory")?;
        let directory = parent.join(format!("{NAME}{janitor}"));
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
            .map(|name| self.number("memory.stat", name))
            .sum()
    }

    /// How many processes the kernel has ended because there was no more.
    pub fn kills(&self) -> u64 {
        let file = match self.version {
            2 => "memory.events",
            _ => "memory.oom_control",
        };
        self.number(file, "oom_kill")
    }

    fn number(&self, file: &str, name: &str) -> u64 {
        let text = fs::read_to_string(self.directory.join(file)).unwrap_or_default();
        let fields = |line: &str| {
            let (field, number) = line.split_once(' ')?;
            (field == name).then(|| number.parse().ok()).flatten()
        };
        text.lines().find_map(fields).unwrap_or(0)
    }
}

/// The directory below which a group with this controller can be made, and the
/// version of its hierarchy.
fn home_of(controller: &str) -> Option<(PathBuf, u8)> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        if controllers.split(',').any(|name| name == controller) {
            let mount = mount_of(&mounts, "cgroup", Some(controller))?;
            return Some((below(&mount, path)?, 1));
        }
    }
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mount = mount_of(&mounts, "cgroup2", None)?;
    // Version 2 keeps processes out of groups that hand controllers to children:
    // the nearest ancestor that already does is where a group can go
    // (Documentation/admin-guide/cgroup-v2.rst, "No Internal Process Constraint").
    let own = below(&mount, own)?;
    let mut candidate = Some(own.as_path());
    while let Some(directory) = candidate.filter(|d| d.starts_with(&mount.point)) {
        let handed = fs::read_to_string(directory.join("cgroup.subtree_control"));
        let has = |name: &str| {
            handed
                .as_ref()
                .is_ok_and(|all| all.split_whitespace().any(|c| c == name))
        };
        if has("memory") && has("pids") {
            return Some((directory.to_owned(), 2));
        }
        candidate = directory.parent();
    }
    None
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

/// Remove what checkers left that were killed together with their janitors.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(NAME));
        if let Some(pid) = owner.and_then(|pid| pid.parse::<u32>().ok()) {
            if !Path::new(&format!("/proc/{pid}")).exists() {
                let _ = remove_tree(&entry.path());
            }
        }
    }
}
