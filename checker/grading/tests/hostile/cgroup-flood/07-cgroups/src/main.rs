// Thousands of control groups, wide and deep, with processes in them.
// expect: fail
extern crate process;
mod guard;

use std::fs;
use std::path::{Path, PathBuf};

fn main() -> std::process::ExitCode {
    let harm = guard::harm(1);
    let top = Path::new("/sys/fs/cgroup");
    let below = fs::read_dir(top).into_iter().flatten().flatten();
    let trees: Vec<PathBuf> = below.map(|entry| entry.path()).collect();
    for tree in trees.iter().chain([&top.to_owned()]) {
        let _ = (0..2000).all(|number| {
            let made = fs::create_dir(tree.join(format!("hostile-{number}")));
            made.is_ok() && harm.goes_on()
        });
        let mut deep = tree.join("hostile-deep");
        for _ in 0..50 {
            if fs::create_dir(&deep).is_err() {
                break;
            }
            harm.child(|| {
                let _ = fs::write(deep.join("cgroup.procs"), "0");
                std::thread::sleep(std::time::Duration::from_secs(50));
            });
            deep = deep.join("d");
        }
    }
    guard::run_command()
}
