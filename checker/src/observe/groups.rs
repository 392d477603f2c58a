//! Control groups, as the host's files tell of them (man 7 cgroups).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::belt::{Tree, groups_below, tree_name};
use crate::evidence::Grouped;

/// The files of a group that checks ask for, on either version.
const FILES: [&str; 22] = [
    "cgroup.events",
    "cgroup.freeze",
    "cpu.cfs_period_us",
    "cpu.cfs_quota_us",
    "cpu.max",
    "cpu.shares",
    "cpu.stat",
    "cpu.weight",
    "cpuset.cpus",
    "cpuset.cpus.effective",
    "cpuset.effective_cpus",
    "freezer.state",
    "memory.events",
    "memory.limit_in_bytes",
    "memory.max",
    "memory.memsw.limit_in_bytes",
    "memory.oom_control",
    "memory.swap.max",
    "pids.current",
    "pids.events",
    "pids.max",
    "cgroup.type",
];

/// Where process `pid` is in each of these trees, and what the files of its groups
/// say; `runtime` is the process that started it.
pub fn of(pid: i32, runtime: i32, trees: &[Tree]) -> Vec<Grouped> {
    let grouped = |tree: &Tree| {
        let path = path_in(tree, pid)?;
        let above = Path::new(&path).ancestors();
        let groups = above.filter(|path| !path.as_os_str().is_empty());
        let files = groups.map(|path| files_of(&tree.directory.join(path)));
        Some(Grouped {
            version: tree.version,
            controllers: tree.controllers.clone(),
            files: files.collect(),
            path,
            runtime: path_in(tree, runtime).unwrap_or_default(),
        })
    };
    trees.iter().filter_map(grouped).collect()
}

/// Are two processes in the same group of every tree?
pub fn are_same(one: i32, other: i32) -> bool {
    let groups = |pid| fs::read(format!("/proc/{pid}/cgroup")).ok();
    groups(one).is_some_and(|one| groups(other) == Some(one))
}

/// The group of a process, named from the top of the sandbox's part; empty when it
/// is in that itself.
pub fn path_in(tree: &Tree, pid: i32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let path = text.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let is_it = match tree.version {
            1 => controllers.split(',').eq(tree.controllers.iter()),
            _ => controllers.is_empty(),
        };
        is_it.then_some(path)
    })?;
    let inside = Path::new(path).strip_prefix(&tree.path).ok()?;
    Some(inside.display().to_string())
}

fn files_of(group: &Path) -> BTreeMap<String, String> {
    let read = |name: &str| {
        let text = fs::read_to_string(group.join(name)).ok()?;
        Some((name.to_owned(), text.trim_end().to_owned()))
    };
    FILES.iter().filter_map(|name| read(name)).collect()
}

/// Let all go on that are frozen: on version 1, what is frozen can't even be ended.
pub fn thaw(trees: &[Tree]) {
    for tree in trees {
        let (file, value) = match tree.version {
            1 => ("freezer.state", "THAWED"),
            _ => ("cgroup.freeze", "0"),
        };
        if tree.version == 2 || tree.controllers.iter().any(|name| name == "freezer")
        {
            for group in groups_below(&tree.directory) {
                let _ = fs::write(group.join(file), value);
            }
        }
    }
}

/// Every group below these trees' tops, for people: `memory/container-1`.
pub fn list(trees: &[Tree]) -> Vec<String> {
    let mut all = Vec::new();
    for tree in trees {
        let name = tree_name(tree.version, &tree.controllers);
        let inside = |group: &PathBuf| {
            let path = group.strip_prefix(&tree.directory).ok()?;
            Some(format!("{name}/{}", path.display()))
        };
        all.extend(groups_below(&tree.directory).iter().filter_map(inside));
    }
    all
}
