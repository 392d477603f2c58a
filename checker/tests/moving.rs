//! Moving about: list, hint, diff, reset, solve, own, and the progress behind them.
//! Each test has a state folder of its own, and a copy of the project to change.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{
    build_of_copies, can_sandbox, cannot, copy_project, levels, numbers, root,
    stderr, stdout,
};
use serde_json::{Value, json};

/// A copy of the project, and a state folder beside it.
struct Scene {
    folder: PathBuf,
}

/// What a command came to.
struct Came {
    status: i32,
    out: String,
    err: String,
}

impl Scene {
    fn new(name: &str) -> Self {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("moving");
        Self::at(all.join(name))
    }

    fn at(folder: PathBuf) -> Self {
        let _ = fs::remove_dir_all(&folder);
        let scene = Self { folder };
        copy_project(&scene.project());
        scene
    }

    fn project(&self) -> PathBuf {
        self.folder.join("project")
    }

    fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    fn file(&self) -> PathBuf {
        self.state().join("rubber-crab/progress.json")
    }

    fn checker(&self, arguments: &[&str]) -> Command {
        let mut command = common::checker(arguments);
        command
            .current_dir(self.project())
            .env("XDG_STATE_HOME", self.state())
            .env("NO_COLOR", "1")
            .env_remove("SUDO_UID");
        command
    }

    fn run(&self, arguments: &[&str]) -> Came {
        came(&mut self.checker(arguments))
    }

    /// Like `run`, but it has to succeed.
    fn done(&self, arguments: &[&str]) -> String {
        let came = self.run(arguments);
        assert_eq!(came.status, 0, "{arguments:?}: {}{}", came.out, came.err);
        came.out
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.project().join(path)).expect(path)
    }

    fn append(&self, path: &str, text: &str) {
        let text = self.read(path) + text;
        fs::write(self.project().join(path), text).expect(path);
    }

    /// The learner's files, with what is in them.
    fn level(&self, folder: &str) -> BTreeMap<String, String> {
        let folder = self.project().join("levels").join(folder).join("src");
        let entries = fs::read_dir(folder).expect("src");
        let entries = entries.map(|entry| entry.expect("entry"));
        entries
            .map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                (name, fs::read_to_string(entry.path()).expect("text"))
            })
            .collect()
    }

    fn progress(&self) -> Value {
        let text = fs::read_to_string(self.file()).expect("progress.json");
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    }

    fn write_progress(&self, text: &str) {
        fs::create_dir_all(self.state().join("rubber-crab")).expect("mkdir");
        fs::write(self.file(), text).expect("write");
    }

    /// The names in the state folder.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.state().join("rubber-crab")).expect("state");
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.expect("entry").file_name().to_string_lossy().into()
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn came(command: &mut Command) -> Came {
    let output = command.output().expect("the checker can be started");
    Came {
        status: output.status.code().unwrap_or(-1),
        out: stdout(&output),
        err: stderr(&output),
    }
}

const NET: &str = "levels/06-net-ns/src/loopback.rs";

#[test]
fn levels_are_listed_with_how_far_one_is() {
    let scene = Scene::new("list");
    let marks = |scene: &Scene| -> Vec<String> {
        let out = scene.done(&["list"]);
        let lines = out.lines().take_while(|line| !line.is_empty()).step_by(2);
        lines.map(|line| line.chars().take(15).collect()).collect()
    };
    assert_eq!(marks(&scene)[..2], ["→ · not yet  00", "  · not yet  01"]);
    assert!(!scene.file().exists(), "looking changes nothing");
    let passed = json!({"passed": true});
    let book =
        json!({"version": 1, "levels": {"fork-exec": passed, "pid-ns": passed}});
    scene.write_progress(&book.to_string());
    let now = marks(&scene);
    assert_eq!(now[..2], ["  ✓ passed   00", "→ · not yet  01"]);
    assert_eq!(now[4], "  ✓ passed   04");
    let out = scene.done(&["list"]);
    assert!(out.contains("you are at level 01-chroot"), "{out}");
}

#[test]
fn an_unknown_level_gets_the_nearest_names() {
    let scene = Scene::new("unknown");
    for command in ["hint", "diff", "reset", "solve", "own", "check"] {
        let came = scene.run(&[command, "pivto"]);
        assert_eq!(came.status, 2, "{command}");
        let near = "no level \"pivto\": did you mean 03-pivot-root";
        assert!(came.err.contains(near), "{command}: {}", came.err);
    }
    let came = scene.run(&["pivot"]);
    assert_eq!(came.status, 2);
    assert!(came.err.contains("cargo checker check 03"), "{}", came.err);
    let came = scene.run(&["pivto"]);
    assert!(came.err.contains("03-pivot-root"), "{}", came.err);
}

#[test]
fn hints_go_on_where_they_stopped() {
    let scene = Scene::new("hints");
    let before = scene.level("00-fork-exec");
    let hints = scene.read("levels/00-fork-exec/HINTS.md");
    let titles: Vec<&str> = hints.split("\n## ").skip(1).collect();
    for (call, step) in [(1, 0), (2, 1), (3, 2), (4, 2)] {
        let out = scene.done(&["hint"]);
        let title = titles[step].lines().next().expect("title");
        assert!(out.contains(title), "call {call}: {out}");
        let last = out.contains("That was the last hint");
        assert_eq!(last, step == 2, "call {call}: {out}");
    }
    // Another level begins at its own first; a step by number is that step, whole.
    let first = scene.done(&["hint", "pivot-root"]);
    assert!(first.contains("More: cargo checker hint 03\n"), "{first}");
    assert!(first.contains("A mount point.") && !first.contains("Swap the roots"));
    let whole = scene.done(&["hint", "03", "1"]);
    assert!(whole.contains("More: cargo checker hint 03 2\n"), "{whole}");
    assert!(whole.contains("A mount point.") && whole.contains("Swap the roots"));
    let second = scene.done(&["hint", "03"]);
    assert!(
        second.contains("For all exercises: cargo checker hint 03 2\n"),
        "{second}"
    );
    // To look back is no step back.
    scene.done(&["hint", "03", "1"]);
    let third = scene.done(&["hint", "03"]);
    assert!(third.contains("That was the last hint"), "{third}");
    // The next exercise begins at its first step, and what came before is there.
    let pivot = "levels/03-pivot-root/src/pivot.rs";
    let begun = scene.read(pivot);
    let second = "    // EXERCISE 2";
    let begun = begun.replacen(second, &format!("    mount();\n{second}"), 1);
    fs::write(scene.project().join(pivot), begun).expect("write");
    let next = scene.done(&["hint", "03"]);
    let order = [
        "1. The concept",
        "Swap the roots.",
        "before it",
        "A mount point.",
    ];
    let places = order.map(|words| next.find(words));
    assert!(places.is_sorted() && places[0].is_some(), "{next}");
    assert!(!next.contains("Leave no trace"), "{next}");
    // In the workshop there is a key for more, also from within a scope of systemd's.
    let mut checker = scene.checker(&["hint", "05"]);
    let within = came(checker.env("RUBBER_CRAB_SCOPE", "checker-errand"));
    assert!(within.out.contains("More: h\n"), "{}", within.out);
    assert_eq!(scene.progress()["current"], Value::Null);
    assert_eq!(scene.level("00-fork-exec"), before);
}

#[test]
fn a_diff_shows_ones_own_against_the_finished_level() {
    let scene = Scene::new("diff");
    let mine = "levels/04-pid-ns/src/mine.rs";
    fs::write(scene.project().join(mine), "// mine").expect("write");
    fs::remove_file(scene.project().join("levels/04-pid-ns/src/main.rs"))
        .expect("rm");
    let out = scene.done(&["diff", "pid"]);
    let (main, rest) = out.split_once("--- levels").expect("two files or more");
    assert!(
        main.starts_with("--- /dev/null\t(yours: no such file)\n"),
        "{main}"
    );
    insta::assert_snapshot!("diff", format!("--- levels{rest}"));
    scene.done(&["solve", "04", "--yes"]);
    let same = "levels/04-pid-ns is the finished level.\n";
    assert_eq!(scene.done(&["diff", "04"]), same);
}

#[test]
fn a_reset_keeps_a_copy_and_brings_the_skeleton_back() {
    let scene = Scene::new("reset");
    let skeleton = scene.level("06-net-ns");
    let out = scene.done(&["reset", "06"]);
    assert!(out.contains("nothing to lose"), "{out}");

    scene.append(NET, "// my work\n");
    let extra = scene.project().join("levels/06-net-ns/src/extra.rs");
    fs::write(&extra, "// more\n").expect("write");
    scene.append("levels/06-net-ns/Cargo.toml", "# mine\n");
    scene.done(&["hint", "06"]);
    let mine = scene.level("06-net-ns");

    // Nobody to ask.
    let refused = scene.run(&["reset", "06"]);
    assert_eq!(refused.status, 2);
    assert!(refused.err.contains("--yes"), "{}", refused.err);
    assert!(refused.out.contains("-// my work"), "{}", refused.out);
    assert!(
        refused.out.contains("extra.rs  -1 +0 lines"),
        "{}",
        refused.out
    );
    assert_eq!(scene.level("06-net-ns"), mine);

    let out = scene.done(&["reset", "06", "--yes"]);
    assert_eq!(scene.level("06-net-ns"), skeleton);
    assert!(!scene.read("levels/06-net-ns/Cargo.toml").contains("# mine"));
    assert_eq!(
        scene.progress()["levels"],
        json!({}),
        "hints start over, too"
    );
    assert_eq!(scene.run(&["author", "sync", "--check"]).status, 0);

    // The command that it says brings all back.
    let way_back = out.split_once("To get it back: ").expect("a way back").1;
    let status = Command::new("sh")
        .args(["-c", way_back.lines().next().expect("a command")])
        .current_dir(scene.project())
        .status()
        .expect("sh");
    assert!(status.success(), "{way_back}");
    assert_eq!(scene.level("06-net-ns"), mine);
    assert!(scene.read("levels/06-net-ns/Cargo.toml").contains("# mine"));

    // A second copy stands beside the first.
    scene.append(NET, "// later\n");
    scene.done(&["reset", "06", "--yes"]);
    let kept = |number: u32| {
        let name = format!("kept/net-ns-{number}/src/loopback.rs");
        fs::read_to_string(scene.state().join("rubber-crab").join(name))
            .expect("kept")
    };
    assert!(kept(1).ends_with("// my work\n"));
    assert!(kept(2).ends_with("// later\n"));
}

#[test]
fn without_a_place_for_a_copy_nothing_is_changed() {
    let scene = Scene::new("no-copy");
    scene.append(NET, "// my work\n");
    let mine = scene.level("06-net-ns");
    for command in ["reset", "solve"] {
        let mut checker = scene.checker(&[command, "06", "--yes"]);
        let came = came(checker.env("XDG_STATE_HOME", "/proc"));
        assert_eq!(came.status, 2);
        assert!(came.err.contains("nothing was changed"), "{}", came.err);
        assert_eq!(scene.level("06-net-ns"), mine, "{command}");
    }
}

/// On a terminal it asks, and only `y` is a yes.
#[test]
fn on_a_terminal_it_asks() {
    let scene = Scene::new("asks");
    scene.append(NET, "// my work\n");
    let mine = scene.level("06-net-ns");
    for (answer, changed) in [("\n", false), ("n\n", false), ("y\n", true)] {
        let screen =
            typed(&mut scene.checker(&["reset", "06"]), &[("[y/N]", answer)]);
        assert!(screen.contains("-// my work"), "{screen}");
        assert_eq!(screen.contains("Nothing was changed"), !changed, "{screen}");
        assert_eq!(
            scene.level("06-net-ns") != mine,
            changed,
            "{answer:?}: {screen}"
        );
    }
}

/// Run a command on a terminal, and after each prompt type the keys that belong to it.
/// Returns all that was on the screen.
fn typed(command: &mut Command, dialog: &[(&str, &str)]) -> String {
    let terminal = nix::pty::openpty(None, None).expect("openpty");
    let end = || Stdio::from(terminal.slave.try_clone().expect("dup"));
    let mut child = command
        .stdin(end())
        .stdout(end())
        .stderr(end())
        .spawn()
        .expect("it can be started");
    *command = Command::new("true"); // it has copies of the terminal
    drop(terminal.slave);
    let mut screen = String::new();
    let mut dialog = dialog.iter().peekable();
    let mut chunk = [0; 4096];
    // EIO: everybody has closed it (man 4 pts).
    while let Ok(count) = nix::unistd::read(&terminal.master, &mut chunk) {
        screen += &String::from_utf8_lossy(&chunk[..count]);
        if let Some((_, keys)) =
            dialog.next_if(|(prompt, _)| screen.contains(prompt))
        {
            nix::unistd::write(&terminal.master, keys.as_bytes()).expect("type");
        }
    }
    child.wait().expect("wait");
    screen
}

/// What `solve` put there passes, and counts for nothing; the learner's own counts. And
/// what others build on a level is theirs or the finished one, as `own` says.
#[test]
fn who_wrote_a_level_matters() {
    if !can_sandbox() {
        return;
    }
    let scene = Scene::new("own");
    let (target, _alone) = build_of_copies();
    let check = |level: &str| {
        let mut checker = scene.checker(&["check", level, "--json"]);
        let came = checker.env("CARGO_TARGET_DIR", &target).output();
        levels(&came.expect("check")).remove(0)
    };
    let manifest = scene.read("Cargo.toml");

    // As found: it fails, and one is at that level now.
    scene.append(NET, "// mine\n");
    assert_eq!(check("06")["verdict"], "fail");
    assert_eq!(scene.progress()["current"], "net-ns");
    let out = scene.done(&["solve", "--yes"]);
    assert!(out.contains("cargo checker reset 06"), "{out}");
    assert!(out.contains("kept/net-ns-1"), "{out}");
    assert!(!scene.read(NET).contains("//>"), "no markers");
    let passes = check("06")["verdict"] == "pass";
    assert_eq!(
        scene.progress()["levels"]["net-ns"],
        json!({"solved": true})
    );
    assert!(scene.done(&["list"]).contains("+ solved   06"));
    if passes {
        scene.append(NET, "// my own words\n");
        check("06");
        assert_eq!(
            scene.progress()["levels"]["net-ns"],
            json!({"passed": true})
        );
        assert!(scene.done(&["list"]).contains("✓ passed   06"));
    }

    // Nothing but one line of Cargo.toml.
    let asked = scene.run(&["own", "05"]);
    assert!(
        asked.out.contains("05-uts-ns hasn't passed yet"),
        "{}",
        asked.out
    );
    assert!(asked.err.contains("--yes"), "{}", asked.err);
    assert_eq!(scene.read("Cargo.toml"), manifest);
    scene.done(&["own", "05", "--yes"]);
    let line =
        "hostname = { package = \"solution-05\", path = \"solutions/05-uts-ns\" }";
    let mine = "hostname = { package = \"level-05\", path = \"levels/05-uts-ns\" }";
    assert_eq!(scene.read("Cargo.toml"), manifest.replace(line, mine));
    let list = scene.done(&["list"]);
    let line = list.lines().find(|line| line.contains("05 uts-ns"));
    assert!(
        line.is_some_and(|line| line.ends_with("build on yours)")),
        "{list}"
    );
    let yours = "05  uts-ns       yours     levels/05-uts-ns";
    assert!(scene.done(&["own"]).contains(yours));
    scene.append(
        "levels/05-uts-ns/src/hostname.rs",
        "compile_error!(\"this is the learner's\");\n",
    );
    let level = check("06");
    assert_eq!(level["verdict"], "unbuilt");
    let words = level["output"].as_str().expect("output");
    assert!(words.contains("this is the learner's"), "{words}");

    scene.done(&["reset", "05", "--yes"]);
    assert_ne!(check("06")["verdict"], "unbuilt");
    scene.done(&["own", "05", "--undo"]);
    assert_eq!(scene.read("Cargo.toml"), manifest);
    assert!(scene.done(&["own", "05", "--undo"]).contains("already"));

    let newest = numbers().pop().expect("a level");
    let last = scene.run(&["own", &newest]);
    assert_eq!(last.status, 2);
    assert!(
        last.err
            .contains(&format!("nothing builds on level {newest}")),
        "{}",
        last.err
    );
}

#[test]
fn a_corrupt_file_is_set_aside() {
    let scene = Scene::new("corrupt");
    let half = "{\"version\": 1, \"levels\": {\"fork-exec\": {\"pas";
    let corrupt = [
        "",
        half,
        "[]",
        "{\"version\": 1, \"levels\": 3}",
        "\u{0}\u{0}",
    ];
    for (index, text) in corrupt.iter().enumerate() {
        scene.write_progress(text);
        let came = scene.run(&["list"]);
        assert_eq!(came.status, 0);
        assert!(came.err.contains("was corrupt"), "{text}: {}", came.err);
        let aside = format!("progress.json.corrupt-{}", index + 1);
        assert!(came.err.contains(&aside), "{}", came.err);
        let aside = scene.state().join("rubber-crab").join(aside);
        assert_eq!(fs::read_to_string(aside).expect("aside"), *text);
        // And then all goes on.
        let came = scene.run(&["hint", "00"]);
        assert_eq!((came.status, came.err.as_str()), (0, ""));
        assert_eq!(scene.progress()["levels"]["fork-exec"]["hint"], 1);
    }
}

#[test]
fn what_a_newer_version_wrote_stays() {
    let scene = Scene::new("newer");
    let newer = json!({
        "version": 1,
        "theme": {"dark": true},
        "current": "a-level-of-tomorrow",
        "levels": {
            "fork-exec": {"passed": true, "stars": 3},
            "a-level-of-tomorrow": {"passed": true, "hint": 7, "when": [1, 2]},
        },
    });
    scene.write_progress(&newer.to_string());
    assert!(scene.done(&["hint"]).contains("Level 01-chroot"));
    let mut wanted = newer.clone();
    wanted["levels"]["chroot"] =
        json!({"hint": 1, "exercise": "EXERCISE 1: Unpack the image"});
    assert_eq!(scene.progress(), wanted);
    scene.append("levels/00-fork-exec/src/process.rs", "// mine\n");
    scene.done(&["reset", "00", "--yes"]);
    wanted["levels"]["fork-exec"] = json!({"stars": 3});
    assert_eq!(scene.progress(), wanted);
    let text = fs::read_to_string(scene.file()).expect("text");
    assert!(text.lines().count() > 10, "a person can read it: {text}");

    // What can't be understood at all is left alone.
    let alien = "{\"version\": 2, \"levels\": [\"fork-exec\"]}";
    scene.write_progress(alien);
    let came = scene.run(&["hint", "00"]);
    assert_eq!(came.status, 0);
    assert_eq!(
        came.err.matches("newer Rubber Crab").count(),
        1,
        "{}",
        came.err
    );
    assert_eq!(fs::read_to_string(scene.file()).expect("text"), alien);
}

/// Many checkers at once, and a second checkout among them: nothing gets lost.
#[test]
fn many_writers_lose_nothing() {
    let scene = Scene::new("many");
    let mut children = Vec::new();
    for level in 0..10 {
        for step in 1..=3 {
            let arguments = ["hint", &level.to_string(), &step.to_string()];
            let mut checker = scene.checker(&arguments);
            if step == 2 {
                checker.current_dir(root());
            }
            let quiet = checker.stdout(Stdio::null()).stderr(Stdio::piped());
            children.push(quiet.spawn().expect("spawn"));
        }
    }
    for child in children {
        let output = child.wait_with_output().expect("wait");
        assert!(output.status.success());
        assert_eq!(stderr(&output), "");
    }
    let levels = scene.progress()["levels"].clone();
    let levels = levels.as_object().expect("levels");
    assert_eq!(levels.len(), 10);
    assert!(
        levels.values().all(|level| level["hint"] == 3),
        "{levels:?}"
    );
}

/// Killed at any moment, and most of all while it writes: the file is the old one or the
/// new one.
#[test]
fn a_killed_writer_leaves_a_whole_file() {
    let scene = Scene::new("killed");
    // So much that writing takes a while.
    let ballast = "of a newer version ".repeat(200_000);
    let book = json!({"version": 1, "levels": {}, "ballast": ballast}).to_string();
    let state = scene.state().join("rubber-crab");
    // The length of each file there, and which file it is.
    let look = || -> Vec<(u64, u64)> {
        let names = ["progress.json", "progress.json.new"];
        let files = names.map(|name| fs::metadata(state.join(name)));
        let files = files.into_iter().flatten();
        files.map(|it| (it.len(), it.ino())).collect()
    };
    let mut old = 0;
    for round in 0..25 {
        scene.write_progress(&book);
        let before = look();
        let mut child = scene
            .checker(&["hint", "00"])
            .stdout(Stdio::null())
            .spawn()
            .expect("spawn");
        while look() == before && child.try_wait().expect("wait").is_none() {}
        std::thread::sleep(Duration::from_micros(round * 200));
        let _ = child.kill();
        child.wait().expect("wait");
        let mut after = scene.progress();
        old += usize::from(after["levels"] == json!({}));
        after["levels"] = json!({});
        assert!(after.to_string().len() == book.len(), "round {round}");
    }
    assert!(
        (1..40).contains(&old),
        "{old} of 40 were killed before the end"
    );
    // Nothing piles up, and nothing is in the way.
    scene.done(&["hint", "01"]);
    assert_eq!(scene.names(), ["progress.json", "progress.lock"]);
}

/// A checker that was stopped while it held the lock isn't waited for without end.
#[test]
fn a_lock_that_is_never_given_back_stops_nobody() {
    let scene = Scene::new("lock");
    scene.done(&["hint", "00"]);
    let path = scene.state().join("rubber-crab/progress.lock");
    let file = fs::File::open(path).expect("lock");
    let lock = nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusive);
    let came = scene.run(&["hint", "00"]);
    assert_eq!(came.status, 0);
    assert!(came.out.contains("Level 00"), "{}", came.out);
    assert!(came.err.contains("flock"), "{}", came.err);
    drop(lock);
}

#[test]
fn without_a_state_folder_all_goes_on() {
    let scene = Scene::new("nowhere");
    for place in [None, Some("/proc"), Some("relative")] {
        for arguments in [&["hint", "00"][..], &["list"]] {
            let mut checker = scene.checker(arguments);
            checker.env_remove("XDG_STATE_HOME").env_remove("HOME");
            if let Some(place) = place {
                checker.env("XDG_STATE_HOME", place);
            }
            let came = came(&mut checker);
            assert_eq!(came.status, 0);
            assert!(came.out.contains("00"), "{}", came.out);
            let said = came.err.matches("progress isn't saved").count();
            // To look, nothing needs to be made.
            let wanted =
                usize::from(arguments[0] == "hint" || place != Some("/proc"));
            assert_eq!(said, wanted, "{place:?} {arguments:?}: {}", came.err);
        }
    }
}

/// Read-only: what is there is read, and nothing more.
#[test]
fn a_read_only_state_folder_is_read() {
    let scene = Scene::new("read-only");
    scene.write_progress(&json!({"version": 1, "current": "chroot"}).to_string());
    let state = scene.state().join("rubber-crab");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o555)).expect("chmod");
    let mut checker = scene.checker(&["hint"]);
    if nix::unistd::geteuid().is_root() {
        // Root may write anywhere but on a read-only mount.
        let words = "mount --bind \"$1\" \"$1\" || exit 99
            mount -o remount,bind,ro \"$1\" || exit 99; shift; exec \"$@\"";
        checker = Command::new("unshare");
        checker
            .args(["--mount", "--propagation", "private"])
            .args(["sh", "-c", words, "sh"])
            .arg(&state)
            .arg(env!("CARGO_BIN_EXE_checker"))
            .arg("hint")
            .current_dir(scene.project())
            .env("XDG_STATE_HOME", scene.state());
    }
    let came = came(&mut checker);
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).expect("chmod");
    if came.status == 99 || came.err.contains("unshare:") {
        cannot(&format!("a read-only mount: {}", came.err));
        return;
    }
    assert_eq!(came.status, 0, "{}", came.err);
    assert!(came.out.contains("Level 01-chroot"), "{}", came.out);
    let said = came.err.matches("progress isn't saved").count();
    assert_eq!(said, 1, "{}", came.err);
    let book = json!({"version": 1, "current": "chroot"});
    assert_eq!(scene.progress(), book);
}

/// sudo: whatever is made in a user's home is the user's.
#[test]
fn behind_sudo_the_files_are_the_users() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("only root can try this");
        return;
    }
    let nobody = 65534;
    // Where everybody may go.
    let name = format!("rubber-crab-moving-{}", std::process::id());
    let scene = Scene::at(std::env::temp_dir().join(name));
    let home = scene.folder.join("home");
    fs::create_dir(&home).expect("mkdir");
    chown(&home, Some(nobody), Some(nobody)).expect("chown");
    let level = scene.project().join("levels/06-net-ns");
    for path in ["", "src", "src/loopback.rs", "src/main.rs", "Cargo.toml"] {
        chown(level.join(path), Some(nobody), Some(nobody)).expect("chown");
    }
    let file = level.join("src/loopback.rs");
    scene.append(NET, "// mine\n");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("chmod");
    let mut checker = scene.checker(&["reset", "06", "--yes"]);
    checker.env_remove("XDG_STATE_HOME").env("HOME", &home);
    let came = came(&mut checker);
    assert_eq!(came.status, 0, "{}", came.err);
    let mut seen = 0;
    let mut folders = vec![home, level];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("folder") {
            let path = entry.expect("entry").path();
            // Nobody writes to these.
            let other = ["README.md", "HINTS.md", "picture.svg"];
            if other.iter().any(|name| path.ends_with(name)) {
                continue;
            }
            let it = fs::symlink_metadata(&path).expect("stat");
            assert_eq!(it.uid(), nobody, "{}", path.display());
            seen += 1;
            if it.is_dir() {
                folders.push(path);
            }
        }
    }
    assert!(seen > 10, "{seen}");
    assert_eq!(fs::metadata(file).expect("stat").mode() & 0o777, 0o600);
}

/// In real shells, after `cargo checker` and what else may stand there.
#[test]
fn shells_complete_commands_and_levels() {
    let scene = Scene::new("completions");
    let script = |shell: &str| {
        let path = scene.folder.join(shell);
        fs::write(&path, scene.done(&["completions", shell])).expect("write");
        path
    };
    let bash = script("bash");
    let words = "source \"$0\"
        COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)) COMPREPLY=()
        [[ $(complete -p cargo) =~ -F\\ ([^ ]+) ]]
        \"${BASH_REMATCH[1]}\" cargo \"${@: -1}\" \"${@: -2:1}\"
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut shells = vec![("bash", Vec::from(["--norc", "-c", words]), bash)];
    let fish = script("fish");
    let words = "source $argv[1]; complete -C (string join ' ' -- $argv[2..])";
    if common::has("fish") {
        shells.push(("fish", Vec::from(["--no-config", "-c", words]), fish));
    }
    for (shell, options, script) in shells {
        for (line, offered, not) in [
            ("cargo checker hi", "hint", "image"),
            ("cargo checker hint 0", "03-pivot-root", "hint"),
            ("cargo checker own pivot", "pivot-root", "uts-ns"),
            ("cargo -q checker reset 00 up", "", "hint"),
            ("cargo -q checker reset 00 ut", "uts-ns", "hint"),
            ("cargo checker reset --y", "--yes", "--all"),
            ("cargo checker completions f", "fish", "zsh"),
            ("cargo checker de", "demo", "doctor"),
            ("cargo checker demo 0", "03-pivot-root", "demo"),
            ("cargo checker demo 03 --p", "--play", "--notes"),
            ("cargo checker try 03 --mi", "--mistake", "--solution"),
            ("cargo checker xray 03 --mi", "--mistake", "--solution"),
            // Not ours.
            ("cargo build hi", "", "hint"),
        ] {
            let mut command = Command::new(shell);
            command.args(&options).arg(&script).args(line.split(' '));
            let came =
                came(command.current_dir(scene.state().parent().expect("it")));
            let words: Vec<&str> = came
                .out
                .lines()
                .filter_map(|line| line.split('\t').next())
                .collect();
            let said = format!("{shell}, {line}: {words:?}\n{}", came.err);
            assert!(offered.is_empty() || words.contains(&offered), "{said}");
            assert!(!words.contains(&not), "{said}");
        }
    }
    let zsh = script("zsh");
    if common::has("zsh") {
        zsh_completes(&zsh);
    }
}

/// zsh completes only what is typed on a terminal.
fn zsh_completes(script: &Path) {
    let setup = script.with_extension("setup");
    let words = format!(
        "autoload -U compinit; compinit -u -D; source '{}'
        show() {{ print -r -- \"<$BUFFER>\"; exit }}; zle -N show; bindkey '^X' show
        PS1=ready:",
        script.display()
    );
    fs::write(&setup, words).expect("write");
    for (typing, completed) in [
        ("cargo checker hi\t", "<cargo checker hint >"),
        ("cargo checker own 05\t", "<cargo checker own 05-uts-ns >"),
        (
            "cargo -q checker reset 00 pivot\t",
            " reset 00 pivot-root >",
        ),
        ("checker solve --y\t", "<checker solve --yes >"),
        ("cargo build hi\t", "<cargo build hi>"),
    ] {
        let mut zsh = Command::new("timeout");
        zsh.args(["20", "setsid", "--ctty", "--wait", "zsh", "-f", "-i"])
            .env("PS1", "begin:")
            .env("TERM", "dumb");
        let load = format!("source '{}'\n", setup.display());
        let keys = format!("{typing}\u{18}");
        let screen = typed(&mut zsh, &[("begin:", &load), ("ready:", &keys)]);
        assert!(screen.contains(completed), "{typing}: {screen}");
    }
}

#[test]
fn the_file_may_be_a_link_but_nothing_to_wait_for() {
    let scene = Scene::new("link");
    let kept = scene.folder.join("kept.json");
    fs::write(&kept, "{\"version\": 1}").expect("write");
    fs::create_dir_all(scene.state().join("rubber-crab")).expect("mkdir");
    std::os::unix::fs::symlink(&kept, scene.file()).expect("symlink");
    scene.done(&["hint", "00"]);
    assert!(
        fs::read_to_string(&kept)
            .expect("read")
            .contains("fork-exec")
    );
    assert!(scene.file().is_symlink());
    fs::remove_file(scene.file()).expect("unlink");
    nix::unistd::mkfifo(&scene.file(), nix::sys::stat::Mode::S_IRWXU)
        .expect("mkfifo");
    let came = scene.run(&["hint", "00"]);
    assert_eq!(came.status, 0);
    assert!(came.err.contains("is no plain file"), "{}", came.err);
}

/// What is no plain file is nobody's source: it is neither read nor waited for.
#[test]
fn odd_files_are_in_nobodys_way() {
    let scene = Scene::new("odd");
    let source = scene.project().join("levels/06-net-ns/src");
    nix::unistd::mkfifo(&source.join("pipe.rs"), nix::sys::stat::Mode::S_IRWXU)
        .expect("mkfifo");
    std::os::unix::fs::symlink("nowhere", source.join("link.rs")).expect("symlink");
    let name = std::ffi::OsStr::from_bytes(b"\xff.rs");
    // Not every file system takes such a name.
    let _ = fs::write(source.join(name), "");
    scene.append(NET, "// my work\n");
    assert!(scene.done(&["diff", "06"]).contains("my work"));
    scene.done(&["hint", "06"]);
    scene.done(&["reset", "06", "--yes"]);
    assert!(!scene.read(NET).contains("my work"));
}

#[test]
fn a_solution_that_cannot_be_put_there_takes_nothing_away() {
    let scene = Scene::new("unsolved");
    let book = json!({"version": 1, "levels": {"pivot-root": {"passed": true}}});
    scene.write_progress(&book.to_string());
    // No file takes the place of a directory with something in it.
    let place = scene.project().join("levels/03-pivot-root/src/pivot.rs");
    fs::remove_file(&place).expect("unlink");
    fs::create_dir(&place).expect("mkdir");
    fs::write(place.join("file"), "").expect("write");
    let came = scene.run(&["solve", "03", "--yes"]);
    assert_ne!(came.status, 0, "{}", came.out);
    assert!(scene.done(&["list"]).contains("✓ passed   03"));
}
