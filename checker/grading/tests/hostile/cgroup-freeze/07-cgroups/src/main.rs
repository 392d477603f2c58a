// Everybody, init first, goes into a group with no room and no time, which is frozen.
// expect: fail
extern crate process;
mod guard;

use std::fs;
use std::path::{Path, PathBuf};

fn main() -> std::process::ExitCode {
    let harm = guard::harm(3);
    let top = Path::new("/sys/fs/cgroup");
    let below = fs::read_dir(top).into_iter().flatten().flatten();
    let trees: Vec<PathBuf> = below.map(|entry| entry.path()).collect();
    let own = std::process::id().to_string();
    for tree in trees.iter().chain([&top.to_owned()]) {
        let cage = tree.join("hostile");
        let _ = fs::create_dir(&cage);
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let above = fs::read_to_string(tree.join(file)).unwrap_or_default();
            let _ = fs::write(cage.join(file), above.trim());
        }
        for pid in (1..200)
            .map(|pid| pid.to_string())
            .filter(|pid| *pid != own)
        {
            let _ = fs::write(cage.join("cgroup.procs"), pid);
        }
        for (file, value) in [
            ("memory.max", "1"),
            ("memory.limit_in_bytes", "4096"),
            ("pids.max", "0"),
            ("cpu.max", "1000 1000000"),
            ("cpu.cfs_quota_us", "1000"),
            ("freezer.state", "FROZEN"),
            ("cgroup.freeze", "1"),
        ] {
            let _ = fs::write(cage.join(file), value);
        }
        let _ = fs::write(cage.join("cgroup.procs"), &own);
    }
    harm.hold();
    guard::run_command()
}
