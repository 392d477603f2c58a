//! What the integration tests share: calling the checker, and leaving tests that the
//! host can't run.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;

/// The project's folder.
pub fn root() -> PathBuf {
    let checker = Path::new(env!("CARGO_MANIFEST_DIR"));
    checker
        .parent()
        .expect("checker/ is in the project")
        .to_owned()
}

/// The numbers of all levels, two digits each, in their order.
pub fn numbers() -> Vec<String> {
    let entries = fs::read_dir(root().join("solutions")).expect("read solutions/");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("an entry").file_name().to_string_lossy()[..2].to_owned()
    };
    let mut numbers: Vec<String> = entries.map(name).collect();
    numbers.sort();
    numbers
}

/// The levels to test: all, or the one that RUBBER_CRAB_LEVEL names by its number.
pub fn chosen() -> Vec<String> {
    let mut all = numbers();
    if let Ok(one) = std::env::var("RUBBER_CRAB_LEVEL") {
        all.retain(|number| *number == one);
        assert!(!all.is_empty(), "RUBBER_CRAB_LEVEL={one}: no such level");
    }
    all
}

/// What the tests of one file do is no progress of who runs them: this is in place of
/// their state folder, empty in the beginning.
pub fn state() -> &'static Path {
    static STATE: OnceLock<PathBuf> = OnceLock::new();
    STATE.get_or_init(|| {
        let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join("state");
        let state = state.join(env!("CARGO_CRATE_NAME"));
        let _ = fs::remove_dir_all(&state);
        state
    })
}

/// The checker, in the project's folder, without a terminal.
pub fn checker(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_checker"));
    command
        .args(arguments)
        .current_dir(root())
        .env_remove("RUST_BACKTRACE")
        .env("XDG_STATE_HOME", state())
        .stdin(Stdio::null());
    command
}

/// Its output, and its exit status.
pub fn run(arguments: &[&str]) -> (Output, i32) {
    let output = checker(arguments)
        .output()
        .expect("the checker can be started");
    let status = output.status.code().unwrap_or(-1);
    (output, status)
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The levels of a JSON report.
///
/// Panics when the output is no such report, with all that was said.
pub fn levels(output: &Output) -> Vec<Value> {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| {
        panic!("no report ({e}):\n{}{}", stdout(output), stderr(output))
    });
    report["levels"].as_array().cloned().unwrap_or_default()
}

/// What a level's failed checks are, and what a person would read about the first.
pub fn failures(level: &Value) -> Vec<String> {
    let checks = level["checks"].as_array().cloned().unwrap_or_default();
    let failed = checks.iter().filter(|check| check["finding"] != "pass");
    failed
        .map(|check| check["id"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Can this host have a sandbox? If not, say so; under CI that is a failure.
pub fn can_sandbox() -> bool {
    let (output, _) = run(&["check", "00", "--bin", "/bin/true", "--json"]);
    let level = levels(&output).remove(0);
    if level["verdict"] != "cannot" {
        return true;
    }
    cannot(level["reason"].as_str().unwrap_or("no reason given"))
}

/// The levels that need control groups, which ordinary users often don't have.
const WITH_GROUPS: [&str; 2] = ["07", "08"];

/// May this host be unable to show this level? Root's can, as a rule.
pub fn lacks(number: &str, reason: &str) -> bool {
    let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    eprintln!("level {number}: {reason}");
    WITH_GROUPS.contains(&number) && !(root && std::env::var_os("CI").is_some())
}

/// Can this host show the finished level? If not, and it has to, that is a failure.
pub fn can_show(number: &str) -> bool {
    let (output, _) = run(&["check", number, "--solutions", "--json"]);
    let told = levels(&output).remove(0);
    let reason = told["reason"].as_str().unwrap_or_default();
    told["verdict"] != "cannot" || !lacks(number, reason) && cannot(reason)
}

/// Leave a test that this host can't run: says why. Always false.
pub fn cannot(reason: &str) -> bool {
    assert!(
        std::env::var_os("CI").is_none(),
        "cannot, under CI: {reason}"
    );
    eprintln!("cannot: {reason}");
    false
}

/// Copy the project to this folder, for a test to change its files. Of the checker there
/// is only what cargo wants to see.
pub fn copy_project(folder: &Path) {
    copy_sources(folder, &[]);
    let manifest = "Cargo.toml";
    let whole = fs::read_to_string(folder.join(manifest)).expect("read");
    let without = whole.replace(", \"checker/grading\"", "");
    assert_ne!(without, whole, "the members of the workspace");
    fs::write(folder.join(manifest), without).expect("write");
    for package in ["checker", "checker/report"] {
        let (from, to) = (root().join(package), folder.join(package));
        fs::create_dir_all(to.join("src")).expect("mkdir");
        fs::copy(from.join(manifest), to.join(manifest)).expect("copy");
        for source in ["main.rs", "lib.rs"].map(|name| Path::new("src").join(name)) {
            if from.join(&source).exists() {
                fs::write(to.join(source), "fn main() {}\n").expect("write");
            }
        }
    }
}

/// Copy the levels to this folder, and what else is asked for. The levels are there as
/// they are in the beginning, whatever a learner has made of them here.
pub fn copy_sources(folder: &Path, others: &[&str]) {
    let _ = fs::remove_dir_all(folder);
    // Without this one, the checker would take it for a folder of this project.
    fs::create_dir_all(folder.join("checker")).expect("mkdir");
    // Not with their times: all copies are built in one place, where cargo would take
    // what another copy has built since for this one's.
    let copied = Command::new("cp")
        .arg("-r")
        .args(["Cargo.toml", "Cargo.lock", ".cargo", "rustfmt.toml"])
        .args(["levels", "solutions"])
        .args(others)
        .arg(folder)
        .current_dir(root())
        .status();
    assert!(copied.expect("cp").success());
    let state = folder.with_extension("state");
    let call = |arguments: &[&str]| {
        let mut command = checker(arguments);
        command.current_dir(folder).env("XDG_STATE_HOME", &state);
        command.output().expect("the checker can be started");
    };
    let levels = numbers();
    let mut reset = vec!["reset", "--yes"];
    reset.extend(levels.iter().map(String::as_str));
    call(&reset);
    for level in &levels {
        call(&["own", level, "--undo"]);
    }
    let _ = fs::remove_dir_all(state);
}

/// Where copies are built, and the right to: a second one at the same time would put its
/// programs in place of the first one's.
pub fn build_of_copies() -> (PathBuf, Flock<File>) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("copies");
    fs::create_dir_all(&folder).expect("mkdir");
    let lock = File::create(folder.join("lock")).expect("create");
    let lock = Flock::lock(lock, FlockArg::LockExclusive);
    let lock = lock.map_err(|(_, errno)| errno).expect("flock");
    (folder.join("target"), lock)
}

/// Where Go keeps what it has compiled: its standard library takes a minute.
pub fn go_cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-cache")
}

/// Is a program to be found in PATH?
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
