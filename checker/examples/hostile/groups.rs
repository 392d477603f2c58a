//! Control groups that were handed over, turned against those who did.

use super::*;

/// The trees of control groups in sight: each one's top.
fn trees() -> Vec<PathBuf> {
    let is_tree = |mount: &Mount| mount.kind.starts_with("cgroup");
    mounts()
        .into_iter()
        .filter(is_tree)
        .map(|mount| mount.at)
        .collect()
}

/// Every group below this one, to some depth.
fn groups_in(top: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(top).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && depth > 0 {
            found.push(entry.path());
            groups_in(&entry.path(), depth - 1, found);
        }
    }
}

/// Everybody in sight goes into one small cage in each tree, init before all others.
fn cage() -> Vec<PathBuf> {
    let mut cages = Vec::new();
    for tree in trees() {
        for controller in ["+memory", "+pids", "+cpu", "+cpuset"] {
            let _ = fs::write(tree.join("cgroup.subtree_control"), controller);
        }
        let cage = tree.join(MARK);
        let _ = fs::create_dir(&cage);
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let above = fs::read_to_string(tree.join(file)).unwrap_or_default();
            let _ = fs::write(cage.join(file), above.trim());
        }
        for pid in std::iter::once(1).chain(pids()) {
            let _ = fs::write(cage.join("cgroup.procs"), pid.to_string());
        }
        cages.push(cage);
    }
    cages
}

/// Next to no memory, processor time and processes for anybody.
pub fn cage_everyone(_: &Stage) -> Result<()> {
    for cage in cage() {
        for (file, value) in [
            ("memory.max", "1"),
            ("memory.limit_in_bytes", "4096"),
            ("pids.max", "0"),
            ("cpu.max", "1000 1000000"),
            ("cpu.cfs_period_us", "1000000"),
            ("cpu.cfs_quota_us", "1000"),
        ] {
            let _ = fs::write(cage.join(file), value);
        }
    }
    Ok(())
}

/// Nobody runs on: not even init.
pub fn freeze_everyone(_: &Stage) -> Result<()> {
    let mut groups = cage();
    for tree in trees() {
        groups_in(&tree, 8, &mut groups);
    }
    for group in groups {
        let _ = fs::write(group.join("freezer.state"), "FROZEN");
        let _ = fs::write(group.join("cgroup.freeze"), "1");
    }
    Ok(())
}

/// More groups than anybody wants to remove, wide and deep, some with a sleeper in it.
pub fn many_groups(stage: &Stage) -> Result<()> {
    for tree in trees() {
        for number in 0..1000 {
            let _ = fs::create_dir(tree.join(format!("{MARK}-{number}")));
        }
        let mut deep = tree.join(MARK);
        for depth in 0..60 {
            if fs::create_dir(&deep).is_err() {
                break;
            }
            if depth % 20 == 0 {
                let procs = deep.join("cgroup.procs");
                stage.daemon(|| {
                    let _ = fs::write(&procs, "0");
                    stage.hold();
                })?;
            }
            deep = deep.join("d");
        }
    }
    Ok(())
}
