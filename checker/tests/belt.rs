//! Holding under bad luck and bad code: whatever the program does that is judged, and
//! whatever happens to the checker meanwhile, there is a plain verdict or one clear
//! error, and nothing of it is left on the host.
//!
//! The programs are `examples/hostile`. Read `belt/host.rs` for what counts as "the
//! host", and `belt/run.rs` for how many checkers are run at once and watched.

mod common;
#[path = "belt/host.rs"]
mod host;
#[path = "belt/run.rs"]
mod run;

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{can_sandbox, cannot, has, root};
use host::{Bait, Host};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::openpty;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::sys::termios::tcgetattr;
use nix::unistd::{geteuid, mkfifo};
use run::{Done, Job};
use serde_json::Value;

/// The most memory that the checker itself may have, in bytes.
const MOST_MEMORY: u64 = 30 << 20;
/// How many checkers run at once. Each may have 512 MiB for its programs.
const AT_ONCE: usize = 7;
/// Whose uid and gid stand for an ordinary user's when root runs the tests.
const NOBODY: u32 = 65534;

/// Behaviours that may pass, and why; all others must fail.
const MAY_PASS: [(&str, &str); 7] = [
    (
        "clear-keys",
        "the caller's session isn't theirs: nothing to clear",
    ),
    (
        "kill-everyone",
        "nobody is there yet; then the command is run",
    ),
    (
        "long-names",
        "at level 03 in a directory of containers it may do that",
    ),
    (
        "open-devices",
        "finds those that everybody may open, and no other",
    ),
    ("reach-network", "there is none to be reached"),
    ("send-fds", "nobody takes what it sends"),
    ("type-into-terminal", "there is none to type into"),
];

/// The behaviours that are also judged as containers, where there is more to spoil: each
/// does its harm, and then becomes a finished level 03.
const AS_CONTAINERS: [&str; 21] = [
    "close-descriptors",
    "delete-everything",
    "detach-daemon",
    "escape-by-proc",
    "expire-init",
    "fill-disk",
    "ignore-and-run",
    "kill-everyone",
    "leave-cgroup",
    "long-names",
    "mount-over-everything",
    "plant-traps",
    "send-fds",
    "spoil-image",
    "stack-mounts",
    "starve-init",
    "stop-newcomers",
    "strange-names",
    "swap-links",
    "unmount-everything",
    "write-host",
];

/// Those that are judged where there are control groups to be divided up, likewise.
const WITH_GROUPS: [&str; 8] = [
    "cage-everyone",
    "delete-everything",
    "fork-and-hold",
    "freeze-everyone",
    "kill-everyone",
    "many-groups",
    "mount-over-everything",
    "stop-itself",
];

/// Those that find nothing to do where there are no control groups.
const NEEDING_GROUPS: [&str; 3] =
    ["cage-everyone", "freeze-everyone", "many-groups"];

/// The user who runs the checker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Ourselves,
    Nobody,
}

impl Who {
    fn all() -> Vec<Self> {
        match geteuid().is_root() {
            true => vec![Self::Ourselves, Self::Nobody],
            false => vec![Self::Ourselves],
        }
    }
}

/// A folder of this test's own that anybody may enter, with all that is run. Removed
/// when this is dropped.
struct Scene {
    folder: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let name = format!("rubber-crab-test-{}", std::process::id());
        let scene = Self {
            folder: Path::new("/var/tmp").join(name),
        };
        for folder in ["", "host", "host/bin", "host/container", "out"] {
            fs::create_dir_all(scene.path(folder)).expect("a folder in /var/tmp");
            set_mode(&scene.path(folder), 0o755);
        }
        set_mode(&scene.path("out"), 0o1777);
        copy(checker().as_path(), &scene.path("host/bin/checker"));
        for who in Who::all() {
            let home = scene.home(who);
            fs::create_dir(&home).expect("a home");
            if who == Who::Nobody {
                chown(&home, Some(NOBODY), Some(NOBODY)).expect("chown");
            }
        }
        scene
    }

    /// With a script for each hostile behaviour. `real` is what they run in the end,
    /// instead of the command.
    fn with_hostile(folder: &str, real: Option<&Path>) -> (Self, Vec<String>) {
        let scene = Self::new();
        let hostile = scene.path(folder).join("hostile");
        copy(&example("hostile"), &hostile);
        if let Some(real) = real {
            copy(real, &hostile.with_extension("real"));
        }
        let said = |arguments: &[&str]| {
            let mut command = Command::new(&hostile);
            command
                .args(arguments)
                .env("RUBBER_CRAB_HOSTILE_SECONDS", "4");
            let output = command.output().expect("hostile");
            assert!(output.status.success(), "hostile {arguments:?}");
            String::from_utf8(output.stdout).expect("text")
        };
        let list = said(&["list"]);
        let names = list.lines().filter_map(|line| line.split(' ').next());
        let names: Vec<String> = names.map(str::to_owned).collect();
        assert!(names.len() >= 49, "{list}");
        for name in &names {
            let script = scene.path(folder).join(name);
            fs::write(&script, said(&["script", name])).expect("a script");
            set_mode(&script, 0o755);
        }
        (scene, names)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn home(&self, who: Who) -> PathBuf {
        self.path("host")
            .join(format!("home of {who:?}").to_lowercase())
    }

    /// What nobody else writes to: there every change is the checker's, or the
    /// program's.
    fn host(&self) -> Host {
        Host::now(&self.path("host"))
    }

    /// A checker that takes its place, its home and its files from this scene.
    fn checker(&self, who: Who, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path("host/bin/checker"));
        command.args(arguments);
        self.dress(&mut command, who);
        command
    }

    fn dress(&self, command: &mut Command, who: Who) {
        let home = self.home(who);
        command
            .current_dir(&home)
            .env_remove("RUST_BACKTRACE")
            .env("HOME", &home)
            .env("TMPDIR", &home)
            .stdin(Stdio::null());
        if who == Who::Nobody {
            command.uid(NOBODY).gid(NOBODY);
        }
    }

    /// Judge the program of this name with a hostile behaviour.
    fn judging(&self, who: Who, level: &str, limit: &str, program: &Path) -> Job {
        let behaviour = program.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{behaviour} at {level} by {who:?}");
        let evidence = self.evidence(&name);
        let text = |path: &Path| path.to_str().expect("a plain name").to_owned();
        let (program, evidence) = (text(program), text(&evidence));
        let arguments = [
            "check",
            level,
            "--bin",
            &program,
            "--limit",
            limit,
            "--json",
            "--evidence",
            &evidence,
        ];
        let mut command = self.checker(who, &arguments);
        if behaviour == "clear-keys" {
            // Only a key that is there can be lost.
            command = Command::new(program.replace("clear-keys", "hostile"));
            command
                .arg("with-key")
                .arg(self.path("host/bin/checker"))
                .args(arguments);
            self.dress(&mut command, who);
        }
        Job {
            name,
            command,
            signal: None,
        }
    }

    fn evidence(&self, name: &str) -> PathBuf {
        self.path("out").join(format!("evidence of {name}"))
    }

    fn run(&self, jobs: Vec<Job>) -> Vec<Done> {
        run::all(jobs, AT_ONCE, &self.path("out"))
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    set_mode(to, 0o755);
}

/// The checker as it was built.
fn checker() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_checker"))
}

/// A program that cargo puts beside the checker.
fn beside(name: &str) -> PathBuf {
    checker().with_file_name(name)
}

/// `cargo test --test belt` alone doesn't build examples.
fn example(name: &str) -> PathBuf {
    let target = beside("").parent().map(Path::to_owned).unwrap_or_default();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--quiet",
        "--package",
        "checker",
        "--example",
        name,
    ]);
    if beside("").ends_with("release") {
        cargo.arg("--release");
    }
    cargo.arg("--target-dir").arg(target).current_dir(root());
    let built = cargo.status().is_ok_and(|status| status.success());
    assert!(built, "cargo build --example {name}");
    beside("examples").join(name)
}

/// Build the finished levels, as everybody does: by judging them. How long that takes
/// once they are built; `None` when they don't pass.
fn solutions() -> Option<Duration> {
    let judge = || common::run(&["check", "--all", "--solutions"]).1 == 0;
    let built = judge();
    let begun = Instant::now();
    (built && judge()).then(|| begun.elapsed())
}

/// Does `deed` leave the host as it was? What ends is given three seconds to be gone.
fn host_stays(scene: &Scene, deed: impl FnOnce()) {
    let bait = Bait::lay();
    let before = scene.host();
    deed();
    let end = Instant::now() + Duration::from_secs(3);
    let mut difference = scene.host().since(&before);
    while !difference.is_empty() && Instant::now() < end {
        sleep(Duration::from_millis(100));
        difference = scene.host().since(&before);
    }
    drop(bait);
    assert!(difference.is_empty(), "the host has changed:\n{difference}");
}

// ---- Bad code --------------------------------------------------------------------

#[test]
fn every_hostile_behaviour_gets_a_verdict_and_leaves_nothing() {
    let _turn = run::alone();
    if !can_sandbox() {
        return;
    }
    let (scene, mut names) = Scene::with_hostile("host/bin", None);
    names.retain(|name| !NEEDING_GROUPS.contains(&name.as_str()));
    let jobs = |who: Who| {
        let judging = |name: &String| {
            let limit = if who == Who::Ourselves { "2" } else { "1" };
            scene.judging(who, "00", limit, &scene.path("host/bin").join(name))
        };
        names.iter().map(judging).collect::<Vec<_>>()
    };
    let jobs: Vec<Job> = Who::all().into_iter().flat_map(jobs).collect();
    host_stays(&scene, || no_complaints(&scene, &scene.run(jobs)));
}

#[test]
fn hostile_containers_get_a_verdict_and_leave_nothing() {
    let _turn = run::alone();
    if !can_sandbox() {
        return;
    }
    assert!(solutions().is_some(), "the finished levels don't pass");
    as_containers("03", &AS_CONTAINERS, &Who::all());
}

#[test]
fn hostile_containers_with_groups_leave_nothing() {
    let _turn = run::alone();
    // Without root there are no groups to be handed over; root's run shows it.
    if !can_sandbox() || !geteuid().is_root() {
        return;
    }
    assert!(solutions().is_some(), "the finished levels don't pass");
    as_containers("07", &WITH_GROUPS, &[Who::Ourselves]);
}

/// Judge these behaviours as what becomes the finished level in the end.
fn as_containers(level: &str, behaviours: &[&str], judges: &[Who]) {
    let real = beside(&format!("solution-{level}"));
    let (scene, names) = Scene::with_hostile("host/container", Some(&real));
    let mut jobs = Vec::new();
    for who in judges {
        for name in behaviours {
            assert!(names.iter().any(|known| known == name), "{name}");
            let program = scene.path("host/container").join(name);
            jobs.push(scene.judging(*who, level, "1", &program));
        }
    }
    host_stays(&scene, || no_complaints(&scene, &scene.run(jobs)));
}

/// Panics with all that is wrong with these judgements.
fn no_complaints(scene: &Scene, all: &[Done]) {
    let complaint = |done: &Done| {
        let wrong = complain(scene, done)?;
        Some(format!("{wrong}\n{}", done.told()))
    };
    let complaints: Vec<String> = all.iter().filter_map(complaint).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

/// What is wrong with the judgement of a hostile program?
fn complain(scene: &Scene, done: &Done) -> Option<String> {
    let behaviour = done.name.split(' ').next().unwrap_or_default();
    let evidence = fs::read_to_string(scene.evidence(&done.name));
    if let Ok(evidence) = evidence {
        if let Some((_, escape)) = evidence.split_once("ESCAPED: ") {
            return Some(format!("escaped: {}", escape.lines().next()?));
        }
    }
    if done.peak > MOST_MEMORY {
        return Some(format!("the checker took {} KiB", done.peak >> 10));
    }
    let may_pass = MAY_PASS.iter().any(|(name, _)| *name == behaviour);
    match (verdict(done), done.status.code()) {
        (Ok(Told::Pass), Some(0)) if may_pass => None,
        (Ok(Told::Pass), _) => Some("it passed".into()),
        (Ok(Told::Fail(saw)), Some(1)) if saw.trim().is_empty() => {
            Some("it failed, and nobody says of what".into())
        }
        (Ok(Told::Fail(_)), Some(1)) => None,
        (Ok(Told::Fail(_)), _) => Some("the exit status isn't the verdict's".into()),
        (Err(wrong), _) => Some(wrong),
    }
}

enum Told {
    Pass,
    /// What the first failed check saw.
    Fail(String),
}

/// The verdict on the one level of a JSON report. Anything but pass and fail is wrong.
fn verdict(done: &Done) -> Result<Told, String> {
    if done.told().contains("panicked") {
        return Err("the checker panicked".into());
    }
    let report: Value = serde_json::from_str(&done.stdout)
        .map_err(|error| format!("no report: {error}"))?;
    let level = &report["levels"][0];
    match level["verdict"].as_str() {
        Some("pass") => Ok(Told::Pass),
        Some("fail") => {
            let checks = level["checks"].as_array().cloned().unwrap_or_default();
            let failed = checks.iter().find(|check| check["finding"] == "fail");
            let saw = failed.and_then(|check| check["saw"].as_str());
            Ok(Told::Fail(saw.unwrap_or_default().into()))
        }
        other => Err(format!("the verdict is {other:?}: {}", level["reason"])),
    }
}

// ---- Bad luck --------------------------------------------------------------------

#[test]
fn a_checker_that_is_killed_leaves_nothing() {
    survives(&[Signal::SIGKILL], 20, 10);
}

#[test]
fn a_checker_that_is_asked_to_stop_leaves_nothing() {
    let signals = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];
    survives(&signals, 6, 4);
}

/// Send signals at so many moments of judging the finished levels, and of judging a
/// program that never ends.
fn survives(signals: &[Signal], judging: u32, waiting: u32) {
    let _turn = run::alone();
    if !can_sandbox() {
        return;
    }
    let whole = solutions().expect("the finished levels pass");
    let (scene, _) = Scene::with_hostile("host/bin", None);
    let mut jobs = Vec::new();
    for signal in signals {
        for moment in 0..judging {
            let mut command = common::checker(&["check", "--all", "--solutions"]);
            command.env("TMPDIR", scene.home(Who::Ourselves));
            let when = whole * moment / judging;
            jobs.push(shot(command, "solutions", when, *signal));
        }
        for moment in 0..waiting {
            // What is frozen can't even be ended, on version 1 of control groups.
            for (level, name) in [("00", "never-end"), ("07", "freeze-everyone")] {
                let program = scene.path("host/bin").join(name);
                let program = program.to_str().expect("a plain name");
                let arguments = ["check", level, "--bin", program, "--limit", "60"];
                let command = scene.checker(Who::Ourselves, &arguments);
                let when = Duration::from_millis(1000) * moment / waiting;
                jobs.push(shot(command, name, when, *signal));
            }
        }
    }
    host_stays(&scene, || {
        for done in run::all(jobs, 3, &scene.path("out")) {
            // The last moments may be too late.
            let ended =
                done.signal().is_some() || matches!(done.status.code(), Some(0 | 1));
            assert!(ended, "{}", done.told());
            assert!(!done.told().contains("panicked"), "{}", done.told());
        }
    });
}

fn shot(command: Command, what: &str, when: Duration, signal: Signal) -> Job {
    let name = format!("{what} and {signal} after {when:?}");
    Job {
        name,
        command,
        signal: Some((when, signal)),
    }
}

// ---- Odd circumstances -----------------------------------------------------------

/// What a shell does before it becomes the checker, and what comes of that.
const CIRCUMSTANCES: [(&str, &str, Outcome); 22] = {
    use Outcome::{Error, Pass, Quiet};
    [
        ("nothing", "exec \"$@\"", Pass),
        ("stdin closed", "exec \"$@\" <&-", Pass),
        ("stdout closed", "exec \"$@\" >&-", Quiet),
        ("stderr closed", "exec \"$@\" 2>&-", Pass),
        ("all closed", "exec \"$@\" <&- >&- 2>&-", Quiet),
        ("stdout full", "exec \"$@\" >/dev/full", Error),
        ("stderr full", "exec \"$@\" 2>/dev/full", Pass),
        ("both full", "exec \"$@\" >/dev/full 2>&1", Quiet),
        ("no home", "unset HOME; exec \"$@\"", Pass),
        ("home not there", "HOME=/nonexistent exec \"$@\"", Pass),
        ("no environment", "exec env -i PATH=\"$PATH\" \"$@\"", Pass),
        ("not even PATH", "exec env -i \"$@\"", Pass),
        (
            "directory gone",
            "cd ../../out && mkdir d && cd d && rmdir ../d && exec \"$@\"",
            Pass,
        ),
        ("umask 077", "umask 077; exec \"$@\"", Pass),
        ("umask 777", "umask 777; exec \"$@\"", Pass),
        ("no core files", "ulimit -c 0; exec \"$@\"", Pass),
        ("64 descriptors", "ulimit -n 64; exec \"$@\"", Pass),
        (
            "stack without limit",
            "ulimit -s unlimited; exec \"$@\"",
            Pass,
        ),
        ("SIGCHLD ignored", "trap '' CHLD; exec \"$@\"", Pass),
        ("SIGPIPE ignored", "trap '' PIPE; exec \"$@\"", Pass),
        (
            "all signals ignored",
            "trap '' HUP INT TERM USR1; exec \"$@\"",
            Pass,
        ),
        (
            "descriptors too many",
            "exec \"$@\" 5</ 7>/dev/null 9<&0",
            Pass,
        ),
    ]
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The program passes, as it does everywhere.
    Pass,
    /// One line about what can't be done.
    Error,
    /// Nobody can hear it.
    Quiet,
}

#[test]
fn odd_circumstances_change_no_verdict() {
    let _turn = run::alone();
    if !can_sandbox() {
        return;
    }
    let scene = Scene::new();
    let program = scene.path("host/bin/fork_exec.sh");
    copy(
        &root().join("checker/tests/runtimes/fork_exec.sh"),
        &program,
    );
    let program = program.to_str().expect("a plain name");
    let job = |(name, circumstance, _): &(&str, &str, Outcome)| {
        let mut command = Command::new("sh");
        let checker = scene.path("host/bin/checker");
        command.args(["-c", circumstance, "sh"]).arg(checker);
        command.args(["check", "00", "--json", "--bin", program]);
        scene.dress(&mut command, Who::Ourselves);
        Job {
            name: (*name).into(),
            command,
            signal: None,
        }
    };
    let jobs = CIRCUMSTANCES.iter().map(job).collect();
    host_stays(&scene, || {
        for done in scene.run(jobs) {
            let told = done.told();
            let (_, _, outcome) = CIRCUMSTANCES
                .iter()
                .find(|(name, _, _)| *name == done.name)
                .expect("it is in the table");
            assert!(!told.contains("panicked"), "{told}");
            assert!(matches!(done.status.code(), Some(0 | 1)), "{told}");
            match outcome {
                Outcome::Pass => {
                    assert!(matches!(verdict(&done), Ok(Told::Pass)), "{told}");
                }
                Outcome::Error => {
                    assert_eq!(done.stderr.lines().count(), 1, "{told}")
                }
                Outcome::Quiet => {
                    assert_eq!(done.stdout + &done.stderr, "", "{told}")
                }
            }
        }
    });
}

type Make = fn(&Path);

/// Files that are no programs, or odd ones, and how each is made.
const ODD_PROGRAMS: [(&str, Make); 11] = [
    ("a pipe", |path| {
        mkfifo(path, Mode::S_IRWXU).expect("mkfifo")
    }),
    ("empty", |path| made(path, b"")),
    ("no interpreter", |path| {
        made(path, b"#!/no/such/interpreter\n")
    }),
    ("its own interpreter", |path| {
        made(path, format!("#!{}\n", path.display()).as_bytes());
    }),
    ("text", |path| made(path, b"exit 0\n")),
    ("half an executable", |path| {
        made(path, b"\x7fELF\x02\x01\x01")
    }),
    ("not executable", |path| {
        made(path, b"#!/bin/sh\n");
        set_mode(path, 0o644);
    }),
    ("not readable", |path| {
        made(path, b"#!/bin/sh\n");
        set_mode(path, 0);
    }),
    ("a link to a device", |path| {
        symlink("/dev/null", path).expect("symlink")
    }),
    ("a link to nothing", |path| {
        symlink("nothing", path).expect("symlink")
    }),
    ("two\nlines \u{1b}[31m", |path| {
        made(path, b"#!/bin/sh\nexit 0\n")
    }),
];

fn made(path: &Path, content: &[u8]) {
    fs::write(path, content).expect("a file");
    set_mode(path, 0o755);
}

#[test]
fn odd_programs_get_a_verdict_or_one_line() {
    let _turn = run::alone();
    if !can_sandbox() {
        return;
    }
    let scene = Scene::new();
    let mut jobs = Vec::new();
    for who in Who::all() {
        for (name, make) in ODD_PROGRAMS {
            let program = scene.path("host").join(name);
            if program.symlink_metadata().is_err() {
                make(&program);
            }
            let mut command =
                scene.checker(who, &["check", "00", "--json", "--bin"]);
            command.arg(&program);
            let name = format!("{} by {who:?}", name.escape_debug());
            jobs.push(Job {
                name,
                command,
                signal: None,
            });
        }
    }
    host_stays(&scene, || {
        for done in scene.run(jobs) {
            let told = done.told();
            match done.status.code() {
                Some(1) => match verdict(&done) {
                    Ok(Told::Fail(saw)) => assert_ne!(saw, "", "{told}"),
                    _ => panic!("{told}"),
                },
                Some(2) => assert_eq!(done.stderr.lines().count(), 1, "{told}"),
                _ => panic!("{told}"),
            }
        }
    });
}

// ---- The terminal ----------------------------------------------------------------

#[test]
fn the_terminal_stays_as_it_is() {
    let _turn = run::alone();
    if !can_sandbox() || !(has("setsid") || cannot("there is no setsid")) {
        return;
    }
    let (scene, _) = Scene::with_hostile("host/bin", None);
    for name in [
        "type-into-terminal",
        "spoil-descriptors",
        "print-binary",
        "plant-traps",
        "strange-names",
    ] {
        let terminal = openpty(None, None).expect("openpty");
        let before = tcgetattr(&terminal.slave).expect("tcgetattr");
        let given = || Stdio::from(terminal.slave.try_clone().expect("dup"));
        let mut command = Command::new("setsid");
        let checker = scene.path("host/bin/checker");
        command.args(["--ctty", "--wait"]).arg(checker);
        command.args(["check", "00", "--verbose", "--limit", "2", "--bin"]);
        command.arg(scene.path("host/bin").join(name));
        scene.dress(&mut command, Who::Ourselves);
        command.stdin(given()).stdout(given()).stderr(given());
        let mut child = command.spawn().expect("setsid");
        drop(command);
        let mut output = Vec::new();
        let mut screen = unblocked(terminal.master);
        while child.try_wait().expect("waitpid").is_none() {
            read_some(&mut screen, &mut output);
            sleep(Duration::from_millis(4));
        }
        read_some(&mut screen, &mut output);
        let output = String::from_utf8_lossy(&output);
        assert!(output.contains("fork-exec.starts"), "{name}: {output}");
        let stray = without_colours(&output).find(|character: char| {
            character.is_control() && !matches!(character, '\r' | '\n' | '\t')
        });
        assert_eq!(stray, None, "{name}: {output:?}");
        let after = tcgetattr(&terminal.slave).expect("tcgetattr");
        assert_eq!(before, after, "{name} has changed the terminal's modes");
        let mut typed = Vec::new();
        read_some(&mut unblocked(terminal.slave), &mut typed);
        let typed = String::from_utf8_lossy(&typed);
        assert_eq!(typed, "", "{name} has typed this");
    }
}

fn unblocked(fd: std::os::fd::OwnedFd) -> File {
    fcntl(fd.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("fcntl");
    File::from(fd)
}

/// What can be read without waiting.
fn read_some(file: &mut File, all: &mut Vec<u8>) {
    if let Err(error) = file.read_to_end(all) {
        // A terminal whose other side is closed: EIO.
        let usual = error.kind() == ErrorKind::WouldBlock;
        assert!(usual || error.raw_os_error() == Some(5), "read: {error}");
    }
}

fn without_colours(text: &str) -> String {
    let mut plain = String::new();
    for (number, part) in text.split("\u{1b}[").enumerate() {
        let end = part.find(|c: char| !c.is_ascii_digit() && c != ';');
        match end {
            Some(end) if number > 0 && part[end..].starts_with('m') => {
                plain.push_str(&part[end + 1..]);
            }
            _ if number > 0 => plain.push_str(&format!("\u{1b}[{part}")),
            _ => plain.push_str(part),
        }
    }
    plain
}
