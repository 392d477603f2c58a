//! The finished levels pass, and so do complete runtimes that nobody here wrote.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use common::{
    can_sandbox, cannot, failures, go_cache, has, lacks, levels, numbers, root, run,
    stderr, stdout,
};

#[test]
fn every_solution_passes_its_level() {
    if !can_sandbox() {
        return;
    }
    let (output, status) = run(&["check", "--all", "--solutions", "--json"]);
    assert_eq!(status, 0, "{}{}", stdout(&output), stderr(&output));
    for level in levels(&output) {
        assert!(holds(&level), "{level:#}");
    }
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
    for number in numbers() {
        let program = folder.join(format!("solution-{number}"));
        passes(&program, &up_to(&number));
    }
}

/// All levels, this one the last.
fn up_to(last: &str) -> Vec<String> {
    let mut all = numbers();
    all.retain(|number| number.as_str() <= last);
    all
}

fn passes(program: &Path, numbers: &[impl AsRef<str>]) {
    passes_within(30, program, numbers);
}

/// No run may take longer than `seconds`.
fn passes_within(seconds: u32, program: &Path, numbers: &[impl AsRef<str>]) {
    let program = program.to_str().expect("a plain name");
    let limit = seconds.to_string();
    let mut arguments = vec!["check", "--json", "--limit", &limit, "--bin", program];
    arguments.extend(numbers.iter().map(AsRef::as_ref));
    let (output, status) = run(&arguments);
    for level in levels(&output) {
        let failed = failures(&level);
        assert!(holds(&level), "{program}: {failed:?}\n{level:#}");
    }
    assert_eq!(status, 0, "{program}: {}", stderr(&output));
}

/// Is all of a level seen to hold, if it can be seen here?
fn holds(level: &Value) -> bool {
    let number = level["level"].as_str().unwrap_or_default();
    match level["verdict"].as_str() {
        Some("pass") => true,
        Some("cannot") => {
            let reason = level["reason"].as_str().unwrap_or_default();
            lacks(number, reason)
        }
        _ => false,
    }
}

fn runtime(name: &str) -> PathBuf {
    root().join("checker/tests/runtimes").join(name)
}

/// Compile a runtime that is written in C.
fn compiled(name: &str) -> PathBuf {
    let program = temporary(&name.replace(".c", "-c"));
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-Wall", "-o"]).arg(&program);
    succeeds(compiler.arg(runtime(name)));
    program
}

/// Compile a runtime in Go: a file, or a folder, which is a module.
fn compiled_by_go(name: &str) -> PathBuf {
    let program = temporary(&name.replace(".go", "-go"));
    let source = runtime(name);
    let mut compiler = Command::new("go");
    compiler.args(["build", "-o"]).arg(&program);
    compiler.env("GOCACHE", go_cache());
    match source.is_dir() {
        true => compiler.current_dir(source),
        false => compiler.arg(source),
    };
    succeeds(&mut compiler);
    program
}

fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn succeeds(command: &mut Command) {
    let status = command.status();
    assert!(status.is_ok_and(|status| status.success()), "{command:?}");
}

#[test]
fn a_shell_script_passes() {
    if can_sandbox() {
        passes(&runtime("fork_exec.sh"), &["00"]);
    }
}

fn has_util_linux() -> bool {
    let tools = ["bash", "unshare", "mount", "tar", "hostname", "ip"].map(has);
    // It is no program of ordinary users, whose PATH may lack this directory.
    let chroot = Path::new("/usr/sbin/chroot").exists();
    let all = chroot && !tools.contains(&false);
    all || cannot("there is no util-linux, GNU tar, hostname or iproute2")
}

#[test]
fn a_script_around_util_linux_passes() {
    if can_sandbox() && has_util_linux() {
        passes(
            &runtime("container.sh"),
            &["00", "01", "02", "04", "05", "06"],
        );
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
        passes(&compiled("container.c"), &up_to("07"));
    }
}

#[test]
fn programs_in_go_pass() {
    if can_sandbox() && (has("go") || cannot("there is no go")) {
        passes(&compiled_by_go("fork_exec.go"), &["00"]);
        passes(&compiled_by_go("container-go"), &numbers());
    }
}

/// Zig is in few distributions: it is judged where somebody has brought it.
#[test]
fn a_program_in_zig_passes() {
    if !has("zig") {
        eprintln!("skipped: there is no zig");
    } else if can_sandbox() {
        let program = temporary("fork_exec-zig");
        let mut compiler = Command::new("zig");
        compiler
            .args(["build-exe", "-lc"])
            .arg(runtime("fork_exec.zig"));
        compiler.arg(format!("-femit-bin={}", program.display()));
        compiler.env("ZIG_GLOBAL_CACHE_DIR", temporary("zig-cache"));
        succeeds(compiler.current_dir(temporary("")));
        passes(&program, &["00"]);
    }
}

#[test]
fn programs_in_python_pass() {
    if can_sandbox() && (has("python3") || cannot("there is no python3")) {
        passes(&runtime("fork_exec.py"), &["00"]);
        passes(&runtime("container.py"), &up_to("09"));
    }
}

#[test]
fn bubblewrap_passes() {
    if can_sandbox() && (has("bwrap") || cannot("bubblewrap is not installed")) {
        passes(&runtime("bwrap.py"), &up_to("06"));
    }
}

#[test]
fn runc_passes() {
    if can_sandbox() && (has("runc") || cannot("runc is not installed")) {
        passes(&runtime("runc.py"), &up_to("08"));
    }
}
