//! The finished levels pass, and so do complete runtimes that nobody here wrote.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{
    can_sandbox, cannot, failures, has, levels, root, run, stderr, stdout,
};

const ALL: [&str; 4] = ["00", "01", "02", "03"];

#[test]
fn every_solution_passes_its_level() {
    if !can_sandbox() {
        return;
    }
    let (output, status) = run(&["check", "--all", "--solutions", "--strict"]);
    assert_eq!(status, 0, "{}{}", stdout(&output), stderr(&output));
}

/// A finished level passes the checks of every level before it.
#[test]
fn a_solution_passes_all_earlier_levels() {
    if !can_sandbox() {
        return;
    }
    // Built by the checker, as everybody builds them.
    run(&["check", "--all", "--solutions"]);
    let target = PathBuf::from(env!("CARGO_BIN_EXE_checker"));
    let folder = target.parent().expect("a folder");
    for (index, number) in ALL.iter().enumerate() {
        let program = folder.join(format!("solution-{number}"));
        passes(&program, &ALL[..=index]);
    }
}

fn passes(program: &std::path::Path, numbers: &[&str]) {
    passes_within(30, program, numbers);
}

/// No run may take longer than `seconds`.
fn passes_within(seconds: u32, program: &std::path::Path, numbers: &[&str]) {
    let program = program.to_str().expect("a plain name");
    let limit = seconds.to_string();
    let arguments = [
        &["check", "--json", "--limit", &limit, "--bin", program],
        numbers,
    ]
    .concat();
    let (output, status) = run(&arguments);
    for level in levels(&output) {
        let failed = failures(&level);
        assert!(failed.is_empty(), "{program}: {failed:?}\n{level:#}");
    }
    assert_eq!(status, 0, "{program}: {}", stderr(&output));
}

fn runtime(name: &str) -> PathBuf {
    root().join("checker/tests/runtimes").join(name)
}

/// Compile a runtime that is written in C.
fn compiled(name: &str) -> PathBuf {
    let program =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name.replace(".c", "-c"));
    let status = Command::new("cc")
        .args(["-O1", "-Wall", "-o"])
        .arg(&program)
        .arg(runtime(name))
        .status();
    assert!(status.is_ok_and(|status| status.success()), "cc {name}");
    program
}

#[test]
fn a_shell_script_passes() {
    if can_sandbox() {
        passes(&runtime("fork_exec.sh"), &["00"]);
    }
}

fn has_util_linux() -> bool {
    let tools = ["bash", "unshare", "mount", "tar"].map(has);
    // It is no program of ordinary users, whose PATH may lack this directory.
    let chroot = Path::new("/usr/sbin/chroot").exists();
    chroot && !tools.contains(&false) || cannot("there is no util-linux or GNU tar")
}

#[test]
fn a_script_around_util_linux_passes() {
    if can_sandbox() && has_util_linux() {
        passes(&runtime("container.sh"), &ALL[..3]);
    }
}

/// Of two containers, the first one waits while the second one starts: that is no
/// time of its own.
#[test]
fn a_program_that_starts_slowly_passes() {
    if !can_sandbox() || !has_util_linux() {
        return;
    }
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("slow");
    let script = std::fs::read_to_string(runtime("container.sh")).expect("read");
    let script = script.replacen("run() {", "run() {\n    sleep 3", 1);
    std::fs::write(&program, script).expect("write the script");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).expect("chmod");
    passes_within(5, &program, &["02"]);
}

#[test]
fn programs_in_c_pass() {
    if can_sandbox() {
        passes(&compiled("fork_exec.c"), &["00"]);
        passes(&compiled("container.c"), &ALL);
    }
}

#[test]
fn programs_in_python_pass() {
    if can_sandbox() && (has("python3") || cannot("there is no python3")) {
        passes(&runtime("fork_exec.py"), &["00"]);
        passes(&runtime("container.py"), &ALL);
    }
}

#[test]
fn bubblewrap_passes() {
    if can_sandbox() && (has("bwrap") || cannot("bubblewrap is not installed")) {
        passes(&runtime("bwrap.py"), &ALL);
    }
}

#[test]
fn runc_passes() {
    if can_sandbox() && (has("runc") || cannot("runc is not installed")) {
        passes(&runtime("runc.py"), &ALL);
    }
}
