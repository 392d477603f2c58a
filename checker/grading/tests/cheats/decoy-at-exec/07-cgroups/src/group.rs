//! A control group of a container's own: a directory in a file system of the
//! kernel's. Version 2 has one tree for all controllers; version 1, which old and
//! hybrid hosts have, has a tree for each. Read `Group` from the top, then `place`,
//! which is there already: it finds where a group can be made.
//> -
//>| // Take this line out when all exercises are done:
//>| #![allow(dead_code, unused_imports, unused_mut, unused_variables)]
//<

use std::fmt::Display;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How the names of our groups begin; the container's id follows.
const PREFIX: &str = "container-";

/// What the group of the container with this id is called.
pub fn name(id: &str) -> String {
    format!("{PREFIX}{id}")
}

/// The version of a tree of groups (`man 7 cgroups`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}

/// A container's group: a directory in each tree that is needed. They are removed
/// when this value goes out of scope.
pub struct Group {
    name: String,
    /// Each is locked for as long as the runtime lives: who can take the lock knows
    /// that the group was left behind.
    nodes: Vec<(Node, Flock<File>)>,
}

/// A group's directory in one tree.
pub struct Node {
    pub version: Version,
    pub directory: PathBuf,
}

impl Group {
    /// The group of the container with this id. No directory is made yet.
    pub fn new(id: &str) -> Group {
        Group {
            name: name(id),
            nodes: Vec::new(),
        }
    }

    /// The group's directory in the tree that has this controller: made, if it isn't
    /// there yet.
    ///
    /// # Errors
    /// When there is no such controller; `EACCES` when no part of the tree is ours
    /// (`man 7 cgroups`, "delegation").
    pub fn with(&mut self, controller: &str) -> Result<&Node> {
        let (version, parent) = place(controller)?;
        // The freezer is a controller on version 1 only; on 2 every group has it.
        if version == Version::V2 && controller != "freezer" {
            hand_down(&parent, controller)?;
        }
        let directory = parent.join(&self.name);
        let is_it = |(node, _): &(Node, _)| node.directory == directory;
        let index = match self.nodes.iter().position(is_it) {
            Some(index) => index,
            None => {
                sweep(&parent);
                let lock = make(&directory)?;
                self.nodes.push((Node { version, directory }, lock));
                self.nodes.len() - 1
            }
        };
        Ok(&self.nodes[index].0)
    }
}

/// Lets the groups below `parent` have limits of this controller (version 2).
fn hand_down(parent: &Path, controller: &str) -> Result<()> {
    let file = parent.join("cgroup.subtree_control");
    //> 1. Hand the controller down (version 2)
    //> A group's children have a controller only when it is in the group's file
    //> `cgroup.subtree_control`: write the controller's name with a `+` before it.
    //> `fs::write` does. (`cargo checker doctor` says which version your machine has.
    //> On version 1 nobody calls this function.)
    fs::write(&file, format!("+{controller}"))
        .with_context(|| format!("write +{controller} to {}", file.display()))?;
    //<
    Ok(())
}

/// Makes a group's directory, and locks it.
fn make(directory: &Path) -> Result<Flock<File>> {
    // Between mkdir and the lock another runtime may take it for one left behind.
    for _ in 0..100 {
        //> 2. Make the group
        //> A group is a directory: `fs::create_dir`. The kernel fills it with files.
        fs::create_dir(directory)
            .with_context(|| format!("mkdir {}", directory.display()))?;
        //<
        if let Some(lock) = lock(directory, FlockArg::LockExclusive) {
            return Ok(lock);
        }
    }
    Err(Errno::ENOENT).with_context(|| format!("flock {}", directory.display()))
}

impl Group {
    /// Puts this process into the group. What it starts from now on, is born there.
    ///
    /// # Errors
    /// Those of `man 7 cgroups`, "cgroup.procs".
    pub fn join(&self) -> Result<()> {
        for (node, _) in &self.nodes {
            //> 3. Join
            //> The file `node.members()` takes the pid of a process that is to join;
            //> 0 is whoever writes it. The spine calls this in the child, before exec.
            //> `node.write(file, value)` writes into one of the group's files.
            node.write(node.members(), 0)?;
            //<
        }
        Ok(())
    }
}

impl Group {
    /// Puts another process into the group.
    pub fn admit(&self, child: Pid) -> Result<()> {
        for (node, _) in &self.nodes {
            node.write("cgroup.procs", child)?;
        }
        Ok(())
    }
}

impl Node {
    /// The file through which a new child joins.
    pub fn members(&self) -> &'static str {
        match self.version {
            // It takes single threads, and our child has no more than one. Before the
            // kernel moves a whole process, by `cgroup.procs`, it keeps all others from
            // starting threads: more than 10 ms are gone until every CPU knows.
            Version::V1 => "tasks",
            Version::V2 => "cgroup.procs",
        }
    }

    /// Is there such a file?
    pub fn has(&self, file: &str) -> bool {
        self.directory.join(file).exists()
    }

    /// Writes a value into one of the group's files.
    ///
    /// # Errors
    /// The errno of the write: it tells what the kernel makes of the value.
    pub fn write(&self, file: &str, value: impl Display) -> Result<()> {
        let path = self.directory.join(file);
        fs::write(&path, value.to_string())
            .with_context(|| format!("write {value} to {}", path.display()))
    }
}

impl Drop for Group {
    /// Removes the group: its last process has ended.
    fn drop(&mut self) {
        for (node, _) in &self.nodes {
            //> 4. Leave nothing behind
            //> Call `remove` with the node's directory, and hand an error to
            //> `process::complain`.
            if let Err(error) = remove(&node.directory) {
                process::complain(&error);
            }
            //<
        }
    }
}

/// Ends what is still in a group, and removes its directory, and before it the groups
/// that the container made below. The files in it are the kernel's, and go with it.
fn remove(directory: &Path) -> Result<()> {
    for _ in 0..200 {
        match fs::remove_dir(directory) {
            Err(error) if error.raw_os_error() == Some(Errno::EBUSY as i32) => {}
            done => {
                return done
                    .with_context(|| format!("rmdir {}", directory.display()));
            }
        }
        end_all(directory);
        for below in groups_in(directory) {
            let _ = remove(&below);
        }
        sleep(Duration::from_millis(5));
    }
    bail!("rmdir {}: EBUSY, for a second", directory.display())
}

/// The groups in a group: what is a directory there.
fn groups_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.is_dir()).collect()
}

/// Kills every process in a group. (`cgroup.kill` does it, from Linux 5.14 on and on
/// version 2 only.)
fn end_all(directory: &Path) {
    let listed = fs::read_to_string(directory.join("cgroup.procs"));
    let pids = listed.unwrap_or_default();
    // A process of a PID namespace that we don't see is listed as 0. To kill(2), 0
    // would be our whole process group.
    let others = pids.lines().flat_map(str::parse).map(Pid::from_raw);
    for pid in others.filter(|&pid| pid.as_raw() > 0 && pid != Pid::this()) {
        let _ = kill(pid, Signal::SIGKILL);
    }
    // On version 1 a frozen process doesn't even die.
    let _ = fs::write(directory.join("freezer.state"), "THAWED");
}

/// Removes the groups of containers whose runtime was killed.
fn sweep(parent: &Path) {
    let ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
    };
    for group in groups_in(parent).into_iter().filter(ours) {
        let free = lock(&group, FlockArg::LockExclusiveNonblock);
        if free.is_some() {
            let _ = remove(&group);
        }
    }
}

/// Locks a directory, if it can be had and is still there then.
fn lock(directory: &Path, how: FlockArg) -> Option<Flock<File>> {
    let open = File::open(directory).ok()?;
    let lock = Flock::lock(open, how).ok()?;
    let inode = |found: std::io::Result<fs::Metadata>| Some(found.ok()?.ino());
    let there = inode(fs::metadata(directory))? == inode(lock.metadata())?;
    there.then_some(lock)
}

/// The directory below which our groups go, in the tree that has this controller.
///
/// # Errors
/// When no tree has it, or none that is mounted here.
pub fn place(controller: &str) -> Result<(Version, PathBuf)> {
    let groups = fs::read_to_string("/proc/self/cgroup").context("read cgroup")?;
    let mounts =
        fs::read_to_string("/proc/self/mountinfo").context("read mountinfo")?;
    // Lines are `number:controllers:path`; version 2 is `0::path`.
    let lines: Vec<Vec<&str>> = groups
        .lines()
        .map(|line| line.splitn(3, ':').collect())
        .collect();
    let path_in = |wanted: &dyn Fn(&str) -> bool| {
        lines
            .iter()
            .find(|line| wanted(line[1]))
            .map(|line| line[2])
    };
    let has = |all: &str| all.split(',').any(|one| one == controller);
    if let Some(own) = path_in(&has) {
        let mount = tree(&mounts, "cgroup", &has);
        let mount =
            mount.with_context(|| format!("cgroup v1 {controller}: not mounted"))?;
        return Ok((Version::V1, mount.below(own)?));
    }
    let own = path_in(&|all| all.is_empty()).context("cgroup v2: not there")?;
    let mount =
        tree(&mounts, "cgroup2", &|_| true).context("cgroup v2: not mounted")?;
    let mut parent = mount.below(own)?;
    // Version 2 wants processes in the leaves only: a group that hands down
    // controllers must have none itself (Documentation/admin-guide/cgroup-v2.rst,
    // "No Internal Process Constraint"). So ours go beside the one that we are in.
    while parent != mount.point && has_processes(&parent) {
        parent.pop();
    }
    Ok((Version::V2, parent))
}

fn has_processes(group: &Path) -> bool {
    fs::read_to_string(group.join("cgroup.procs")).is_ok_and(|all| !all.is_empty())
}

/// Where a tree is mounted, and which part of it.
struct Tree {
    point: PathBuf,
    root: PathBuf,
}

impl Tree {
    /// Where the group `path` is seen.
    fn below(&self, path: &str) -> Result<PathBuf> {
        let rest = Path::new(path).strip_prefix(&self.root);
        let rest =
            rest.with_context(|| format!("cgroup {path}: not mounted here"))?;
        Ok(self.point.join(rest))
    }
}

/// Finds a tree in a mount table (`man 5 proc`, "mountinfo"), by its type and the
/// options that name its controllers.
fn tree(mounts: &str, kind: &str, wanted: &dyn Fn(&str) -> bool) -> Option<Tree> {
    mounts.lines().find_map(|line| {
        let (place, what) = line.split_once(" - ")?;
        let mut what = what.split(' ');
        let fits = what.next()? == kind && wanted(what.nth(1)?);
        let mut place = place.split(' ').skip(3).map(PathBuf::from);
        let (root, point) = (place.next()?, place.next()?);
        fits.then_some(Tree { point, root })
    })
}
