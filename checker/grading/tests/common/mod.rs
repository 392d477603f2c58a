//! What the tests share: a class in a folder, `grade`, and what it says.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// The project's folder.
pub fn root() -> PathBuf {
    let grading = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = grading.ancestors().nth(2);
    root.expect("checker/grading is in the project").to_owned()
}

/// The checker, built.
pub fn checker() -> &'static Path {
    static CHECKER: OnceLock<PathBuf> = OnceLock::new();
    CHECKER.get_or_init(|| {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "checker"])
            .current_dir(root())
            .status();
        assert!(built.expect("cargo can be started").success());
        Path::new(env!("CARGO_BIN_EXE_grading")).with_file_name("checker")
    })
}

/// The levels as they are handed out: `levels/NN-name/…`.
pub fn skeleton() -> PathBuf {
    let prepared = Command::new(checker())
        .args(["grader", "prepare"])
        .current_dir(root())
        .output()
        .expect("the checker can be started");
    let prepared: Value = serde_json::from_slice(&prepared.stdout).expect("JSON");
    Path::new(prepared["folder"].as_str().expect("a folder")).join("skeleton")
}

/// An empty folder for a test.
pub fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("mkdir");
    folder
}

/// `grade` with these arguments, in the project's folder.
pub fn grade(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grading"));
    command
        .args(arguments)
        .current_dir(root())
        .env("RUBBER_CRAB_CHECKER", checker())
        .env_remove("RUST_BACKTRACE")
        .env_remove("GITHUB_ACTIONS")
        .stdin(Stdio::null());
    command
}

/// Its output, and its exit status.
pub fn run(arguments: &[&str]) -> (Output, i32) {
    let output = grade(arguments).output().expect("grade can be started");
    let status = output.status.code().unwrap_or(-1);
    (output, status)
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The submissions of the report in this folder.
pub fn submissions(out: &Path) -> Vec<Value> {
    let text = fs::read(out.join("report.json")).expect("report.json");
    let report: Value = serde_json::from_slice(&text).expect("JSON");
    report["submissions"]
        .as_array()
        .cloned()
        .expect("submissions")
}

/// A submission's verdict on a level.
pub fn level<'a>(submission: &'a Value, number: &str) -> &'a Value {
    let levels = submission["levels"].as_array().expect("levels");
    let found = levels.iter().find(|level| level["level"] == number);
    found.unwrap_or_else(|| panic!("no level {number}: {submission}"))
}

/// Can this host have a sandbox? If not, say so; under CI that is a failure.
pub fn can_sandbox() -> bool {
    let output = Command::new(checker())
        .args(["check", "00", "--bin", "/bin/true", "--json"])
        .current_dir(root())
        .output()
        .expect("the checker can be started");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    if report["levels"][0]["verdict"] != "cannot" {
        return true;
    }
    let reason = report["levels"][0]["reason"].as_str().unwrap_or_default();
    assert!(
        std::env::var_os("CI").is_none(),
        "cannot, under CI: {reason}"
    );
    eprintln!("cannot: {reason}");
    false
}

/// Copy a folder, with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("mkdir");
    for entry in fs::read_dir(from).expect("readdir").flatten() {
        let there = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy(&entry.path(), &there),
            false => {
                fs::copy(entry.path(), there).expect("copy");
            }
        }
    }
}

/// A class: each of these folders of `tests/` holds submissions, `NAME/NN-name/src/…`.
/// A level that is there lies over the finished one, so that only what is different
/// need be written. Returns the names.
pub fn class_of(kind: &str, into: &Path) -> Vec<String> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(kind);
    let mut names = Vec::new();
    for entry in fs::read_dir(all).expect("readdir").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        for level in fs::read_dir(entry.path()).expect("readdir").flatten() {
            let there = into.join(&name).join("levels").join(level.file_name());
            let finished = root().join("solutions").join(level.file_name());
            copy(&finished.join("src"), &there.join("src"));
            copy(&level.path(), &there);
        }
        names.push(name);
    }
    names.sort();
    names
}
