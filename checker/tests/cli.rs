//! The command line: exit statuses, messages for wrong usage, JSON, hints.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use common::{
    can_sandbox, can_show, checker, failures, levels, root, run, state, stderr,
    stdout,
};
use nix::unistd::geteuid;

#[test]
fn wrong_usage_is_2() {
    for arguments in [
        &["check"][..],
        &["check", "99"],
        &["check", "pivto-root"],
        &["check", "00", "--all"],
        &["check", "00", "--bin", "/no/such/program"],
        &["check", "00", "--bin", "/tmp"],
        &["check", "00", "--solutions", "--bin", "/bin/true"],
        &["check", "00", "--limit", "0"],
        &["check", "--mistake", "zombie"],
        &["check", "00", "--solutions", "--mistake", "zombie"],
        &["try", "00", "--solution", "--mistake", "zombie"],
        &["xray", "00", "--bin", "/bin/true", "--mistake", "zombie"],
        &["hint", "00", "4"],
        &["no-such-command"],
        &["image", "import", "a/b", "/dev/null"],
    ] {
        let (output, status) = run(arguments);
        assert_eq!(status, 2, "{arguments:?}: {}", stderr(&output));
        assert!(!stderr(&output).is_empty(), "{arguments:?} says nothing");
        assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
    }
}

#[test]
fn a_wrong_name_gets_the_nearest_ones() {
    let (output, _) = run(&["check", "pivto"]);
    assert!(
        stderr(&output).contains("03-pivot-root"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_wrong_mistake_gets_the_nearest_ones() {
    for (name, near) in [
        (
            "propagation-left-shard",
            "did you mean propagation-left-shared?",
        ),
        (
            "unshare",
            "did you mean unshare-forgotten or unshare-in-parent",
        ),
        ("no such thing at all", "checker/variations/02-mount-ns"),
    ] {
        let (output, status) = run(&["try", "02", "--mistake", name]);
        assert_eq!(status, 2, "{}", stdout(&output));
        let said = stderr(&output);
        assert!(said.contains(near), "{name}: {said}");
    }
}

/// What `author verify` builds, by hand.
#[test]
fn a_mistake_of_the_catalogue_can_be_tried() {
    if !can_sandbox() {
        return;
    }
    let of_root = ["--", "break-out", "ls", "-d", "/workshop"];
    let try_03 = |which: &[&str]| {
        let arguments = [&["try", "03"], which, &of_root].concat();
        let (output, status) = run(&arguments);
        (stdout(&output), stderr(&output), status)
    };
    let (seen, _, status) = try_03(&["--solution"]);
    assert_ne!((seen.as_str(), status), ("/workshop\n", 0));
    let (seen, said, status) = try_03(&["--mistake", "chroot-kept"]);
    assert_eq!((seen.as_str(), status), ("/workshop\n", 0), "{said}");
    assert!(
        said.contains("mistake-03 run -i base -- break-out"),
        "{said}"
    );

    let check = ["check", "03", "--mistake", "chroot-kept", "--json"];
    let (output, status) = run(&check);
    assert_eq!(status, 1);
    let level = levels(&output).remove(0);
    assert!(
        failures(&level).contains(&"pivot.old-root-gone".into()),
        "{level}"
    );

    let (output, status) = run(&["xray", "03", "--mistake", "chroot-kept"]);
    assert_eq!(status, 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("to do"), "{}", stdout(&output));
}

#[test]
fn a_failure_is_1_and_a_pass_is_0() {
    if !can_sandbox() {
        return;
    }
    let (output, status) = run(&["check", "00", "--bin", "/bin/true", "--json"]);
    assert_eq!(status, 1);
    assert_eq!(levels(&output)[0]["verdict"], "fail");
    let (_, status) = run(&["check", "00", "--solutions"]);
    assert_eq!(status, 0);
}

/// Who ignores SIGCHLD has no children to wait for, and an exec keeps that.
#[test]
fn a_caller_that_ignores_its_children_changes_nothing() {
    if !can_sandbox() {
        return;
    }
    let words = "trap '' CHLD; exec \"$@\" check 00 --solutions";
    let status = Command::new("sh")
        .args(["-c", words, "sh", env!("CARGO_BIN_EXE_checker")])
        .current_dir(root())
        .env("XDG_STATE_HOME", state())
        .output()
        .expect("sh")
        .status;
    assert_eq!(status.code(), Some(0));
}

/// What a program prints proves nothing.
#[test]
fn an_echo_passes_nothing() {
    if !can_sandbox() {
        return;
    }
    let (output, _) = run(&["check", "--all", "--bin", "/bin/echo", "--json"]);
    for level in levels(&output) {
        let checks = level["checks"].as_array().expect("checks");
        assert!(
            checks.iter().all(|check| check["finding"] != "pass"),
            "{level:#}"
        );
    }
}

/// A level that does nothing yet is told what to do.
#[test]
fn without_a_command_it_says_what_to_do() {
    if !can_sandbox() {
        return;
    }
    let (output, status) = run(&[]);
    let text = stdout(&output);
    // Somebody may have solved all levels in this very checkout.
    if status == 1 {
        assert!(text.contains("Your turn: level"), "{text}");
        assert!(text.contains("README.md"), "{text}");
    }
}

#[test]
fn hints_come_in_three_steps() {
    for level in ["00", "01", "02", "03"] {
        for step in ["1", "2", "3"] {
            let (output, status) = run(&["hint", level, step]);
            assert_eq!(status, 0, "hint {level} {step}: {}", stderr(&output));
            assert!(stdout(&output).lines().count() > 3, "hint {level} {step}");
        }
    }
}

#[test]
fn where_cargo_cannot_write_nothing_is_said_about_the_level() {
    // Not even root can make a folder there.
    let check = |options: &[&str]| {
        let mut check = checker(&["check", "00"]);
        check.args(options).env("CARGO_TARGET_DIR", "/sys/nowhere");
        check.output().expect("the checker can be started")
    };
    let level = levels(&check(&["--json"])).remove(0);
    assert_eq!(level["verdict"], "cannot", "{level}");
    let cure = level["cure"].as_str().unwrap_or_default();
    assert!(cure.contains("CARGO_TARGET_DIR="), "{level}");
    assert_eq!(check(&[]).status.code(), Some(0));
    assert_eq!(check(&["--strict"]).status.code(), Some(1));
}

/// Who is in another PID namespace doesn't see that a checker is alive: its groups are
/// no leftovers.
#[test]
fn a_checker_in_another_pid_namespace_clears_nothing_away() {
    if !can_show("07") {
        return;
    }
    let words = "for top in /sys/fs/cgroup/pids /sys/fs/cgroup; do \
                 mkdir $top/mine && break; done; echo ready; read line; test -d $top/mine";
    let mut held = checker(&["try", "07", "--solution", "--outside", "--"])
        .args(["sh", "-c", words])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the checker can be started");
    let mut said = BufReader::new(held.stdout.take().expect("stdout"));
    let mut line = String::new();
    said.read_line(&mut line).expect("read");
    assert_eq!(line, "ready\n");
    let mut other = Command::new("unshare");
    if !geteuid().is_root() {
        other.args(["--user", "--map-current-user"]);
    }
    let done = other
        .args(["--pid", "--fork", "--mount-proc", "--kill-child"])
        .arg(env!("CARGO_BIN_EXE_checker"))
        .args(["check", "07", "--bin", "/bin/true", "--json"])
        .env("XDG_STATE_HOME", state())
        .stdin(Stdio::null())
        .output()
        .expect("unshare, of util-linux");
    let verdict = levels(&done).remove(0);
    assert_eq!(verdict["verdict"], "fail", "{}", stderr(&done));
    held.stdin
        .take()
        .expect("stdin")
        .write_all(b"\n")
        .expect("write");
    assert!(held.wait().expect("wait").success(), "the group is gone");
}

/// Whoever helps wants to know what machine it is.
#[test]
fn doctor_names_the_machine_first() {
    let (output, status) = run(&["doctor"]);
    assert_eq!(status, 0, "{}", stderr(&output));
    let text = stdout(&output);
    let first = text.lines().next().unwrap_or_default();
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease");
    let release = release.expect("read the kernel's release");
    let wanted = format!("Linux {}, ", release.trim());
    assert!(first.contains(&wanted), "{text}");
}
