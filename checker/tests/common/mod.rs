//! What the integration tests share: calling the checker, and leaving tests that the
//! host can't run.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The project's folder.
pub fn root() -> PathBuf {
    let checker = Path::new(env!("CARGO_MANIFEST_DIR"));
    checker
        .parent()
        .expect("checker/ is in the project")
        .to_owned()
}

/// The checker, in the project's folder, without a terminal.
pub fn checker(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_checker"));
    command
        .args(arguments)
        .current_dir(root())
        .env_remove("RUST_BACKTRACE")
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

/// Leave a test that this host can't run: says why. Always false.
pub fn cannot(reason: &str) -> bool {
    assert!(
        std::env::var_os("CI").is_none(),
        "cannot, under CI: {reason}"
    );
    eprintln!("cannot: {reason}");
    false
}

/// Is a program to be found in PATH?
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
