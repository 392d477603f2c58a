//! `cargo checker` in a real terminal: a pseudo-terminal driven by keys, with its
//! screens as snapshots. Each test has a copy of the project to save into.

mod common;
#[path = "common/screen.rs"]
mod screen;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{build_of_copies, can_sandbox, copy_project};
use nix::fcntl::Flock;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::tcgetattr;
use screen::{Terminal, others};

/// A copy of the project, where a learner's files may be changed.
struct Project {
    folder: PathBuf,
    target: PathBuf,
    _alone: Flock<File>,
}

impl Project {
    fn copy() -> Self {
        let (target, alone) = build_of_copies();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("watch");
        copy_project(&folder);
        Self {
            folder,
            target,
            _alone: alone,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn save(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("save");
    }

    /// Level 00, finished.
    fn finish(&self) {
        for file in ["main.rs", "process.rs"] {
            let name = format!("solutions/00-fork-exec/src/{file}");
            let solution = fs::read_to_string(self.path(&name)).expect("read");
            self.save(&format!("levels/00-fork-exec/src/{file}"), &solution);
        }
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The workshop, on a terminal of its own.
fn open(project: &Project, rows: u16, columns: u16, terminal: &str) -> Terminal {
    Terminal::open(&[], (rows, columns), |session| {
        session
            .current_dir(&project.folder)
            .env("TERM", terminal)
            .env("XDG_STATE_HOME", project.path("state"))
            .env("CARGO_TARGET_DIR", &project.target)
            .env("EDITOR", "sed -i s/EXERCISE/edited/")
            .env_remove("VISUAL");
    })
}

/// Until this level's verdict is there, and nothing is under way.
fn verdict(terminal: &mut Terminal, text: &str) {
    terminal.until(text, |shown| {
        shown.contains(text) && !shown.contains("judging")
    });
}

/// What differs from run to run.
fn steady(shown: &str) -> String {
    let line = |line: &str| match line.rfind(" ms") {
        Some(end) => {
            let start = line[..end].rfind(' ').map_or(0, |start| start + 1);
            format!("{}N{}", &line[..start], &line[end..])
        }
        None => line.trim_end().to_owned(),
    };
    shown.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_level_is_judged_when_it_is_saved() {
    if !can_sandbox() {
        return;
    }
    let project = Project::copy();
    let mut terminal = open(&project, 24, 90, "xterm-256color");
    verdict(&mut terminal, "fork-exec.starts");
    insta::assert_snapshot!("first", steady(&terminal.shown()));

    project.save("levels/00-fork-exec/src/main.rs", "fn main() { oh no }\n");
    verdict(&mut terminal, "unbuilt");
    insta::assert_snapshot!("unbuilt", steady(&terminal.shown()));

    project.finish();
    verdict(&mut terminal, "the container sees");
    insta::assert_snapshot!("passed", steady(&terminal.shown()));

    terminal.press("?");
    terminal.wait("when this one passes");
    insta::assert_snapshot!("keys", steady(&terminal.shown()));
    terminal.press("x");
    terminal.wait("sees all the host's processes");
    terminal.press("d");
    terminal.wait("levels/00-fork-exec");
    terminal.press("l");
    terminal.wait("Enter goes there");
    insta::assert_snapshot!("list", steady(&terminal.shown()));
    terminal.press("\x1b");
    terminal.press("n");
    verdict(&mut terminal, "chroot.starts");
    terminal.press("n");
    terminal.wait("N goes on anyway");
    terminal.press("d");
    terminal.wait("d again shows");
    terminal.press("?");
    terminal.wait("this list");
    terminal.press("d");
    terminal.wait("d again shows");
    terminal.press("d");
    terminal.wait("levels/01-chroot");
    terminal.press("h");
    terminal.wait("The concept");
    insta::assert_snapshot!("hint", steady(&terminal.shown()));

    terminal.press("\x1b");
    terminal.press("e");
    verdict(&mut terminal, "chroot.starts");
    let edited = fs::read_to_string(project.path("levels/01-chroot/src/image.rs"));
    assert!(edited.expect("read").contains("// edited 1"));

    terminal.press("q");
    terminal.left("0");
    assert!(others(&terminal.session).is_empty());

    // Where it was left, it goes on.
    let mut terminal = open(&project, 24, 90, "xterm-256color");
    verdict(&mut terminal, "01 chroot");
    terminal.press("q");
    terminal.left("0");
}

#[test]
fn the_newest_of_many_saves_is_judged() {
    if !can_sandbox() {
        return;
    }
    let project = Project::copy();
    let mut terminal = open(&project, 24, 90, "xterm");
    verdict(&mut terminal, "fork-exec.starts");
    for number in 0..200 {
        let text = format!("fn main() {{ let number_{number}; }}\n");
        project.save("levels/00-fork-exec/src/main.rs", &text);
        sleep(Duration::from_millis(5));
    }
    project.finish();
    verdict(&mut terminal, "pass: all");
    // A folder that goes, and comes back.
    let (folder, aside) =
        (project.path("levels/00-fork-exec"), project.path("aside"));
    fs::rename(&folder, &aside).expect("rename");
    terminal.wait("is gone");
    fs::rename(&aside, &folder).expect("rename");
    verdict(&mut terminal, "pass: all");
    terminal.press("q");
    terminal.left("0");
}

#[test]
fn any_window_will_do() {
    if !can_sandbox() {
        return;
    }
    let project = Project::copy();
    let mut terminal = open(&project, 5, 20, "xterm");
    verdict(&mut terminal, "fail");
    insta::assert_snapshot!("tiny", steady(&terminal.shown()));
    for (rows, columns) in [(1, 1), (2, 3), (3, 200), (60, 2), (24, 80), (1, 100)] {
        terminal.resize(rows, columns);
        for keys in ["j", " ", "k", "l", "?", "\x1b"] {
            terminal.press(keys);
            terminal.look();
        }
    }
    terminal.resize(24, 80);
    verdict(&mut terminal, "fork-exec.starts");
    terminal.press("q");
    terminal.left("0");
}

#[test]
fn whoever_ends_it_finds_the_terminal_as_it_was() {
    if !can_sandbox() {
        return;
    }
    let project = Project::copy();
    // In the middle of building, of judging, and when all is calm.
    for wait in [0, 30, 100, 200, 400, 800, 3000] {
        let mut terminal = open(&project, 24, 80, "xterm");
        terminal.pid();
        sleep(Duration::from_millis(wait));
        terminal.press("\x03");
        // Before it has the terminal, Ctrl-C is the kernel's signal.
        let end = Instant::now() + Duration::from_secs(20);
        while !String::from_utf8_lossy(&terminal.sent).contains("status=") {
            assert!(
                Instant::now() < end,
                "Ctrl-C after {wait} ms: {}",
                terminal.shown()
            );
            terminal.look();
        }
        let begun = Instant::now();
        while !others(&terminal.session).is_empty() {
            let all = others(&terminal.session);
            assert!(begun.elapsed() < Duration::from_secs(5), "{all:?}");
            sleep(Duration::from_millis(10));
        }
        assert_eq!(
            tcgetattr(&terminal.slave).expect("tcgetattr"),
            terminal.settings
        );
    }
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGKILL] {
        let mut terminal = open(&project, 24, 80, "xterm");
        verdict(&mut terminal, "fork-exec.starts");
        let pid = terminal.pid();
        kill(pid, signal).expect("kill");
        terminal.left(if signal == Signal::SIGKILL {
            "137"
        } else {
            "0"
        });
        let begun = Instant::now();
        while !others(&terminal.session).is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(5));
            sleep(Duration::from_millis(10));
        }
    }
    // With another program in front.
    project.finish();
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGKILL] {
        let mut terminal = open(&project, 24, 80, "xterm");
        verdict(&mut terminal, "pass: all");
        let pid = terminal.pid();
        terminal.press("t");
        terminal.wait("/workshop # ");
        terminal.press("echo in $((40 + 2))\r");
        terminal.wait("in 42");
        kill(pid, signal).expect("kill");
        terminal.left(match signal {
            Signal::SIGKILL => "137",
            _ => "0",
        });
        let begun = Instant::now();
        while !others(&terminal.session).is_empty() {
            let all = others(&terminal.session);
            assert!(begun.elapsed() < Duration::from_secs(5), "{all:?}");
            sleep(Duration::from_millis(10));
        }
    }
    // What it was at must not go on without it: cargo may, to the end of its build.
    for wait in [50, 200, 400, 800] {
        let mut terminal = open(&project, 24, 80, "xterm");
        let pid = terminal.pid();
        sleep(Duration::from_millis(wait));
        kill(pid, Signal::SIGKILL).expect("kill");
        let begun = Instant::now();
        while !others(&terminal.session).is_empty() {
            let all = others(&terminal.session);
            assert!(begun.elapsed() < Duration::from_secs(10), "{all:?}");
            sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn nothing_to_do_takes_no_time() {
    if !can_sandbox() {
        return;
    }
    let project = Project::copy();
    let mut terminal = open(&project, 24, 80, "xterm");
    verdict(&mut terminal, "fork-exec.starts");
    let pid = terminal.pid();
    let ticks = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("stat");
        let (_, rest) = stat.rsplit_once(") ").expect("stat");
        let fields: Vec<u64> = rest
            .split(' ')
            .filter_map(|field| field.parse().ok())
            .collect();
        // utime and stime (man 5 proc), without pid, name and state before them.
        fields[10] + fields[11]
    };
    let (before, sent) = (ticks(), terminal.sent.len());
    sleep(Duration::from_secs(3));
    terminal.look();
    assert_eq!(ticks(), before);
    assert_eq!(terminal.sent.len(), sent);
    terminal.press("q");
    terminal.left("0");
}

#[test]
fn a_simple_terminal_gets_lines() {
    if !can_sandbox() {
        return;
    }
    let project = Project::copy();
    let mut terminal = open(&project, 200, 100, "dumb");
    terminal.wait("EXERCISE 1");
    project.finish();
    terminal.wait("n goes to level 01");
    terminal.press("n\r");
    terminal.wait("chroot.starts");
    terminal.press("what\r");
    terminal.wait("none of the keys");
    let escapes = terminal.sent.contains(&0x1b);
    assert!(!escapes, "{}", String::from_utf8_lossy(&terminal.sent));
    terminal.press("q\r");
    terminal.left("0");
}
