//! `grade`, from what is handed in to the reports.

mod common;

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{
    can_sandbox, checker, copy, folder, grade, level, root, run, skeleton, stderr,
    stdout, submissions,
};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A submission with the finished levels 00 and 03, or with one of them changed.
fn hand_in(class: &Path, name: &str, change: impl FnOnce(&Path)) {
    let levels = class.join(name).join("levels");
    for level in ["00-fork-exec", "03-pivot-root"] {
        let from = root().join("solutions").join(level).join("src");
        copy(&from, &levels.join(level).join("src"));
    }
    change(&levels);
}

/// A class of five: who has done everything, nothing, something, what doesn't compile,
/// and who has handed in half of it.
fn small_class(top: &Path) -> PathBuf {
    let class = top.join("class");
    hand_in(&class, "alice", |_| {});
    hand_in(&class, "bob", |levels| {
        fs::remove_dir_all(levels).expect("rm");
        copy(&skeleton().join("levels"), levels);
    });
    hand_in(&class, "carol", |levels| {
        let pivot = levels.join("03-pivot-root/src/pivot.rs");
        let source = fs::read_to_string(&pivot).expect("read");
        let lines = source.lines();
        let kept = lines.filter(|line| !line.trim_start().starts_with("umount2("));
        let kept = kept.map(|line| line.replace("fs::remove_dir(", "let _ = ("));
        let kept: Vec<String> = kept.collect();
        fs::write(
            &pivot,
            kept.join("\n")
                .replace(".context(\"rmdir /.put_old\")?", ""),
        )
        .expect("write");
    });
    hand_in(&class, "dave", |levels| {
        let main = levels.join("00-fork-exec/src/main.rs");
        fs::write(main, "fn main() { let one: u32 = \"1\"; }\n").expect("write");
    });
    hand_in(&class, "erin", |levels| {
        fs::remove_dir_all(levels.join("03-pivot-root")).expect("rm");
    });
    class
}

fn verdicts(out: &Path) -> Vec<(String, String, String)> {
    let word = |one: &Value, number| {
        level(one, number)["verdict"]
            .as_str()
            .expect("a verdict")
            .to_owned()
    };
    let row = |one: &Value| {
        let name = one["name"].as_str().expect("a name").to_owned();
        (name, word(one, "00"), word(one, "03"))
    };
    submissions(out).iter().map(row).collect()
}

/// What a report says, but how long it took, and numbers that the kernel hands out anew
/// each time (of mounts, say).
fn timeless(out: &Path) -> Value {
    let report = fs::read(out.join("report.json")).expect("report.json");
    let mut report: Value = serde_json::from_slice(&report).expect("JSON");
    for submission in report["submissions"].as_array_mut().expect("submissions") {
        for level in submission["levels"].as_array_mut().expect("levels") {
            level["milliseconds"] = json!(0);
            for check in level["checks"].as_array_mut().expect("checks") {
                if let Some(saw) = check["saw"].as_str() {
                    let saw = saw.chars().filter(|c| !c.is_ascii_digit());
                    check["saw"] = json!(saw.collect::<String>());
                }
            }
        }
    }
    report
}

const TWO: [&str; 2] = ["--levels", "00,03"];

/// Grade the small class into this folder of `top`. The exit status.
fn grade_class(top: &Path, class: &Path, out: &str, more: &[&str]) -> i32 {
    let out = top.join(out);
    let mut arguments = vec![text(class), "--out", text(&out)];
    arguments.extend(TWO.iter().chain(more));
    let (output, status) = run(&arguments);
    assert!(status < 2, "{}", stderr(&output));
    status
}

fn triples(rows: &[[&str; 3]]) -> Vec<(String, String, String)> {
    let owned = |[name, one, two]: &[&str; 3]| {
        ((*name).into(), (*one).into(), (*two).into())
    };
    rows.iter().map(owned).collect()
}

#[test]
fn everybody_gets_their_verdict() {
    if !can_sandbox() {
        return;
    }
    let top = folder("verdicts");
    let class = small_class(&top);
    assert_eq!(grade_class(&top, &class, "out", &["--jobs", "2"]), 1);
    let out = top.join("out");
    let wanted = [
        ["alice", "pass", "pass"],
        ["bob", "untouched", "untouched"],
        ["carol", "pass", "fail"],
        ["dave", "unbuilt", "pass"],
        ["erin", "pass", "untouched"],
    ];
    assert_eq!(verdicts(&out), triples(&wanted));
    let all = submissions(&out);
    let points: Vec<f64> = all
        .iter()
        .map(|one| one["points"].as_f64().expect("points"))
        .collect();
    assert_eq!(points[0], 20.0);
    assert_eq!(points[1], 0.0, "nothing done");
    assert!(10.0 < points[2] && points[2] < 20.0, "{points:?}");
    assert_eq!(points[3..], [10.0, 10.0]);
    let failed = &level(&all[2], "03")["checks"];
    let failed = failed.as_array().expect("checks").iter();
    let mut failed = failed.filter(|check| check["finding"] == "fail");
    assert!(failed.any(|check| check["id"] == "pivot.old-root-gone"));
    // The compiler's own words, and where.
    let dave = level(&all[3], "00");
    let words = dave["output"].as_str().expect("words");
    assert!(words.contains("mismatched types"), "{words}");
    assert_eq!(dave["errors"][0]["file"], "levels/00-fork-exec/src/main.rs");
    assert_eq!(dave["errors"][0]["line"], 1);
    // Nothing was done, and for two reasons.
    assert_eq!(level(&all[1], "03")["reason"], "it is as it was handed out");
    assert_eq!(level(&all[4], "03")["reason"], "it was not handed in");
    let markdown = fs::read_to_string(out.join("report.md")).expect("report.md");
    assert!(markdown.contains("- ○ 3 untouched"), "{markdown}");
    assert_eq!(markdown.matches("\n1. 1 of 5: **").count(), 2, "{markdown}");
    for report in ["report.html", "report.md", "report.xml"] {
        let report = fs::read_to_string(out.join(report)).expect("a report");
        assert!(report.contains("carol"));
    }
    assert_eq!(fs::read_dir(out.join("work")).expect("readdir").count(), 0);
    let _ = fs::remove_dir_all(top);
}

/// In parts, one after the other, several at a time, from archives: all the same.
#[test]
fn it_does_not_matter_how_it_is_spread() {
    if !can_sandbox() {
        return;
    }
    let top = folder("spread");
    let class = small_class(&top);
    grade_class(&top, &class, "whole", &["--jobs", "1"]);
    let whole = timeless(&top.join("whole"));
    grade_class(&top, &class, "jobs", &["--jobs", "5"]);
    assert!(timeless(&top.join("jobs")) == whole);
    let mut sizes = Vec::new();
    for part in ["1/3", "2/3", "3/3"] {
        let out = format!("part-{}", &part[..1]);
        grade_class(&top, &class, &out, &["--partition", part]);
        sizes.push(submissions(&top.join(out)).len());
    }
    assert_eq!(sizes.iter().sum::<usize>(), 5, "{sizes:?}");
    let merged = top.join("merged");
    let parts = ["part-3", "part-1", "part-2"].map(|part| top.join(part));
    let [one, two, three] = parts.each_ref().map(|part| text(part));
    let arguments = ["--merge", one, two, three, "--out", text(&merged)];
    let (output, status) = run(&arguments);
    assert_eq!(status, 1, "{}", stderr(&output));
    assert!(timeless(&merged) == whole);
    // Without one of them it says so.
    let two = top.join("two");
    let arguments = ["--merge", one, three, "--exit-zero", "--out", text(&two)];
    let (output, status) = run(&arguments);
    assert_eq!(status, 1, "{}", stderr(&output));
    let told = "part 1/3 of the class is missing";
    assert!(stdout(&output).contains(told), "{}", stdout(&output));
    assert_eq!(timeless(&two)["missing"], json!(["1/3"]));
    for report in ["report.html", "report.md"] {
        let report = fs::read_to_string(two.join(report)).expect("a report");
        assert!(report.contains(told), "{report}");
    }
    let archive = top.join("class.tar.gz");
    let packed = Command::new("tar")
        .args(["-czf", text(&archive), "-C", text(&class), "."])
        .status();
    assert!(packed.expect("tar").success());
    grade_class(&top, &archive, "archive", &[]);
    assert!(timeless(&top.join("archive")) == whole);
    let _ = fs::remove_dir_all(top);
}

/// A checker on another machine, which can't show level 00 of anybody.
fn elsewhere(top: &Path) -> PathBuf {
    let script = top.join("elsewhere");
    let cannot = r#"{"level":"00","name":"fork-exec","program":"level-00","verdict":"cannot","reason":"it is too old","cure":"Wait.","checks":[],"milliseconds":0}"#;
    let words = format!(
        "#!/bin/bash\nset -o pipefail\n(exec -a checker-errand {} \"$@\") | \
         sed 's/\"kernel\":\"/&0/; s/^{{\"level\":\"00\".*$/{cannot}/'\n",
        checker().display()
    );
    fs::write(&script, words).expect("write");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&script, executable).expect("chmod");
    script
}

/// What a machine can't show counts for nobody there, and is judged where it can be.
#[test]
fn a_level_that_a_machine_cannot_show_counts_for_nobody() {
    if !can_sandbox() {
        return;
    }
    let top = folder("cannot");
    let class = small_class(&top);
    let elsewhere = elsewhere(&top);
    let grade_at = |checker: &Path, out: &str, more: &[&str]| {
        let out = top.join(out);
        let mut arguments = vec![text(&class), "--out", text(&out)];
        arguments.extend(TWO.iter().chain(more));
        let mut command = grade(&arguments);
        command.env("RUBBER_CRAB_CHECKER", checker);
        let output = command.output().expect("grade can be started");
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        out
    };
    let sums = |out: &Path| -> Vec<(Value, Value)> {
        let all = submissions(out);
        let sums = all
            .iter()
            .map(|one| (one["points"].clone(), one["of"].clone()));
        sums.collect()
    };
    let out = grade_at(&elsewhere, "out", &[]);
    for (_, verdict, _) in verdicts(&out) {
        assert_eq!(verdict, "cannot");
    }
    assert!(
        sums(&out).iter().all(|(_, of)| *of == 10.0),
        "{:?}",
        sums(&out)
    );
    // On a machine that can show it.
    let here = grade_at(checker(), "here", &[]);
    grade_at(checker(), "out", &[]);
    assert_eq!(verdicts(&out), verdicts(&here));
    assert_eq!(sums(&out), sums(&here));
    // Nothing of that is lost on the other one.
    grade_at(&elsewhere, "out", &[]);
    assert_eq!(verdicts(&out), verdicts(&here));
    assert_eq!(sums(&out), sums(&here));
    // In parts, each counts what its machine can show.
    let one = grade_at(&elsewhere, "one", &["--partition", "1/2"]);
    let two = grade_at(checker(), "two", &["--partition", "2/2"]);
    let both = top.join("both");
    let arguments = ["--merge", text(&one), text(&two), "--out", text(&both)];
    let (output, status) = run(&arguments);
    assert_eq!(status, 1, "{}", stderr(&output));
    let mut parts = [sums(&one), sums(&two)].concat();
    let mut merged = sums(&both);
    for all in [&mut parts, &mut merged] {
        all.sort_by_key(|sums| format!("{sums:?}"));
    }
    assert_eq!(merged, parts);
    let _ = fs::remove_dir_all(top);
}

/// What is judged when it is killed stays judged, and only the rest is done.
#[test]
fn it_goes_on_where_it_was_killed() {
    if !can_sandbox() {
        return;
    }
    let top = folder("killed");
    let class = small_class(&top);
    let out = top.join("out");
    let arguments = [text(&class), "--out", text(&out), "--levels", "00,03"];
    let mut killed = grade(&arguments)
        .args(["--jobs", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("grade can be started");
    let first = out.join("results/alice.json");
    let begun = Instant::now();
    while !first.exists() && begun.elapsed() < Duration::from_secs(120) {
        sleep(Duration::from_millis(5));
    }
    killed.kill().expect("kill");
    killed.wait().expect("wait");
    let judged = fs::read(&first).expect("alice was judged");
    assert!(!out.join("report.json").exists());
    let (output, status) = run(&arguments);
    assert_eq!(status, 1, "{}", stderr(&output));
    let kept: Value = serde_json::from_slice(&judged).expect("JSON");
    let now = fs::read(&first).expect("alice is there");
    let now: Value = serde_json::from_slice(&now).expect("JSON");
    for (number, level) in kept["levels"].as_object().expect("levels") {
        assert_eq!(&now["levels"][number], level, "judged twice");
    }
    assert_eq!(verdicts(&out).len(), 5);
    // All is there: nothing is judged any more. A changed source is.
    let before = fs::read(out.join("results/bob.json")).expect("bob");
    let dave = class.join("dave/levels/00-fork-exec/src/main.rs");
    fs::write(dave, "fn main() {}\n").expect("write");
    run(&arguments);
    assert_eq!(fs::read(out.join("results/bob.json")).expect("bob"), before);
    assert_eq!(verdicts(&out)[3].1, "fail");
    let _ = fs::remove_dir_all(top);
}

/// Ctrl-C: it says how far it is, ends as one that was interrupted, and nothing of it
/// stays.
#[test]
fn another_one_at_work_is_named() {
    let top = folder("at-work");
    let class = small_class(&top);
    let out = top.join("out");
    fs::create_dir(&out).expect("mkdir");
    let lock = File::create(out.join("lock")).expect("create");
    let _held = Flock::lock(lock, FlockArg::LockExclusive).expect("flock");
    let (output, status) =
        run(&[text(&class), "--out", text(&out), "--levels", "00"]);
    assert_eq!(status, 2);
    let said = stderr(&output);
    let wanted = format!("is at work in {}\n", out.display());
    assert!(said.ends_with(&wanted), "{said}");
    let _ = fs::remove_dir_all(top);
}

#[test]
fn who_stops_it_is_told_how_far_it_is() {
    if !can_sandbox() {
        return;
    }
    let top = folder("stopped");
    let class = small_class(&top);
    let out = top.join("out");
    let arguments = [text(&class), "--out", text(&out), "--levels", "00,03"];
    let stopped = grade(&arguments)
        .args(["--jobs", "1"])
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("grade can be started");
    let first = out.join("results/alice.json");
    let begun = Instant::now();
    while !first.exists() && begun.elapsed() < Duration::from_secs(120) {
        sleep(Duration::from_millis(5));
    }
    let group = Pid::from_raw(i32::try_from(stopped.id()).expect("a pid"));
    let below = descendants(stopped.id());
    assert!(!below.is_empty());
    killpg(group, Signal::SIGINT).expect("kill");
    let output = stopped.wait_with_output().expect("wait");
    let (ended, said) = (output.status, stderr(&output));
    assert_eq!(
        ended.signal(),
        Some(Signal::SIGINT as i32),
        "{ended}: {said}"
    );
    let last = said.lines().last().expect("a line");
    let told =
        (0..5).map(|n| format!("stopped; the same command goes on from {n} of 5"));
    assert!(told.into_iter().any(|told| last == told), "{said}");
    let begun = Instant::now();
    while below
        .iter()
        .any(|one| start_of(one.0).as_ref() == Some(&one.1))
    {
        assert!(begun.elapsed() < Duration::from_secs(10), "{below:?}");
        sleep(Duration::from_millis(5));
    }
    // What was under way is no fault of the checker's.
    for file in fs::read_dir(out.join("results"))
        .expect("readdir")
        .flatten()
    {
        let kept = fs::read_to_string(file.path()).expect("read");
        assert!(!kept.contains(r#""verdict":"broken""#), "{kept}");
    }
    let _ = fs::remove_dir_all(top);
}

/// The processes that a process has started, and theirs: pid, and time of start.
fn descendants(pid: u32) -> Vec<(u32, String)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten();
    let mut all = Vec::new();
    for task in tasks.flatten() {
        let children = fs::read_to_string(task.path().join("children"));
        for child in children.unwrap_or_default().split_whitespace() {
            let child: u32 = child.parse().expect("a pid");
            all.extend(start_of(child).map(|start| (child, start)));
            all.extend(descendants(child));
        }
    }
    all
}

/// When a process began, unless it has ended.
fn start_of(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    (fields[0] != "Z").then(|| fields[19].to_owned())
}

/// Verdicts that change are told.
#[test]
fn what_is_judged_again_shows_whether_it_is_steady() {
    if !can_sandbox() {
        return;
    }
    let top = folder("repeated");
    let class = top.join("class");
    hand_in(&class, "steady", |_| {});
    hand_in(&class, "unsteady", |levels| {
        let main = levels.join("00-fork-exec/src/main.rs");
        let source = fs::read_to_string(&main).expect("read");
        let luck = "fn main() -> std::process::ExitCode {\n    \
            let mut byte = [0];\n    \
            let _ = std::io::Read::read(&mut std::fs::File::open(\"/dev/urandom\").unwrap(), &mut byte);\n    \
            if byte[0] % 8 == 0 { return 77.into(); }\n";
        let begin = source.find("fn main()").expect("main");
        let end = begin + source[begin..].find("{\n").expect("its body") + 2;
        let changed = format!("{}{luck}{}", &source[..begin], &source[end..]);
        fs::write(&main, changed).expect("write");
    });
    let out = top.join("out");
    let arguments = [text(&class), "--levels", "00", "--repeat", "4", "--out"];
    let (output, _) = grade_all(&arguments, &out);
    let all = submissions(&out);
    assert_eq!(level(&all[0], "00")["unsteady"], Value::Null);
    let told = level(&all[1], "00")["unsteady"].as_array();
    assert_eq!(told.expect("told").len(), 4, "{}", stderr(&output));
    let told = stdout(&output);
    assert!(
        told.contains("unsteady, 00-fork-exec: ≠ unsteady, "),
        "{told}"
    );
    assert!(told.contains("≠    1 unsteady"), "{told}");
    let _ = fs::remove_dir_all(top);
}

fn grade_all(arguments: &[&str], out: &Path) -> (std::process::Output, i32) {
    let mut all = arguments.to_vec();
    all.push(text(out));
    run(&all)
}

/// A checker that breaks is no fault of the submission's, and the next one may not.
#[test]
fn a_broken_checker_is_told_and_tried_again() {
    if !can_sandbox() {
        return;
    }
    let top = folder("broken");
    let class = top.join("class");
    hand_in(&class, "alice", |_| {});
    let script = top.join("checker");
    let words = format!(
        "#!/bin/sh\n[ \"$2\" = judge ] || exec {0} \"$@\"\n\
         grep -q skeleton/ready || :\n\
         [ ! -e {1}/now ] || {{ echo 'as if killed' >&2; kill -9 $$; }}\n\
         exec -a checker-errand {0} \"$@\"\n",
        checker().display(),
        top.display(),
    );
    let words = words.replace("grep -q skeleton/ready || :\n", "");
    let words = words.replace("#!/bin/sh", "#!/bin/bash");
    fs::write(&script, words).expect("write");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&script, executable).expect("chmod");
    let out = top.join("out");
    let call = |names: &str| {
        let mut command =
            grade(&[text(&class), "--levels", names, "--out", text(&out)]);
        let output = command.env("RUBBER_CRAB_CHECKER", &script).output();
        output.expect("grade can be started")
    };
    // The skeleton is judged while all is well.
    call("00");
    fs::remove_file(out.join("results/alice.json")).expect("rm");
    fs::write(top.join("now"), "").expect("write");
    let output = call("00");
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let all = submissions(&out);
    let reason = level(&all[0], "00")["reason"].as_str().expect("a reason");
    assert!(reason.contains("signal: 9"), "{reason}");
    assert!(reason.contains("as if killed"), "{reason}");
    assert_eq!(level(&all[0], "00")["points"], Value::Null);
    fs::remove_file(top.join("now")).expect("rm");
    assert_eq!(call("00").status.code(), Some(0));
    let _ = fs::remove_dir_all(top);
}

#[test]
fn branches_are_submissions() {
    if !can_sandbox() {
        return;
    }
    let top = folder("branches");
    let repository = top.join("repository");
    hand_in(&top, "repository", |_| {});
    let git = |arguments: &[&str]| {
        let name = ["-c", "user.name=A", "-c", "user.email=a@example.org"];
        let done = Command::new("git")
            .args(name)
            .args(arguments)
            .current_dir(&repository)
            .output()
            .expect("git");
        assert!(done.status.success(), "{}", stderr(&done));
    };
    git(&["init", "--quiet", "--initial-branch", "students/alice"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "done"]);
    git(&["checkout", "--quiet", "-b", "students/bob"]);
    let main = repository.join("levels/00-fork-exec/src/main.rs");
    fs::write(main, "fn main() {}\n").expect("write");
    git(&["commit", "--quiet", "--all", "--message", "undone"]);
    let out = top.join("out");
    let arguments = ["--git", "refs/heads/students/*", "--repository"];
    let mut arguments = arguments.to_vec();
    arguments.extend([text(&repository), "--levels", "00", "--out"]);
    let (output, status) = grade_all(&arguments, &out);
    assert_eq!(status, 1, "{}", stderr(&output));
    let verdict = |one: &Value| level(one, "00")["verdict"].clone();
    let told: Vec<Value> = submissions(&out).iter().map(verdict).collect();
    assert_eq!(told, ["pass", "fail"]);
    let _ = fs::remove_dir_all(top);
}

#[test]
fn points_and_every_format() {
    if !can_sandbox() {
        return;
    }
    let top = folder("formats");
    let class = small_class(&top);
    let points = top.join("points.toml");
    let worth = "[levels]\nfork-exec = 3\n03 = { points = 7, partial = false }\n";
    fs::write(&points, worth).expect("write");
    let formats = "json,html,markdown,junit,csv,github,exercism,gradescope,feedback";
    let more = [
        "--points",
        text(&points),
        "--format",
        formats,
        "--exit-zero",
    ];
    assert_eq!(grade_class(&top, &class, "out", &more), 0);
    let out = top.join("out");
    let all = submissions(&out);
    let points = all.iter().map(|one| one["points"].as_f64());
    let points: Vec<f64> = points.map(|points| points.expect("points")).collect();
    assert_eq!(points, [10.0, 0.0, 3.0, 7.0, 3.0]);
    let feedback =
        fs::read_to_string(out.join("feedback/carol.md")).expect("carol.md");
    assert!(
        feedback.starts_with("# carol\n\n**3 of 10 points**"),
        "{feedback}"
    );
    assert!(feedback.contains("**pivot.old-root-gone**"), "{feedback}");
    assert!(!feedback.contains("dave"), "{feedback}");
    let gradebook = fs::read_to_string(out.join("report.csv")).expect("report.csv");
    let lines: Vec<&str> = gradebook.lines().collect();
    let titles = r#""name","00-fork-exec","03-pivot-root","total","of""#;
    assert_eq!(
        lines[..3],
        [titles, r#""alice",3,7,10,10"#, r#""bob",0,0,0,10"#]
    );
    for format in ["exercism", "gradescope"] {
        let file = out.join(format).join("carol/results.json");
        let file = fs::read(file).expect("results.json");
        let _: Value = serde_json::from_slice(&file).expect("JSON");
    }
    let _ = fs::remove_dir_all(top);
}

#[test]
fn wrong_usage_is_2() {
    let top = folder("usage");
    let out = top.join("out");
    let points = top.join("points.toml");
    fs::write(&points, "[levels]\n77 = 1\n").expect("write");
    hand_in(&top.join("class"), "alice", |_| {});
    let class = top.join("class");
    for arguments in [
        &[][..],
        &["/no/such/submission"],
        &[text(&class), "--levels", "pivto"],
        &[text(&class), "--levels", "03-00"],
        &[text(&class), "--partition", "3/2"],
        &[text(&class), "--jobs", "0"],
        &[text(&class), "--format", "docx"],
        &[text(&class), "--points", text(&points)],
        &[text(&class), "--list", "/no/such/list"],
        &["--git", "no-such-branch"],
        &["--merge"],
        &["--merge", text(&class)],
    ] {
        let mut all = arguments.to_vec();
        all.extend(["--out", text(&out)]);
        let (output, status) = run(&all);
        assert_eq!(status, 2, "{arguments:?}: {}", stderr(&output));
        assert!(!stderr(&output).is_empty(), "{arguments:?} says nothing");
        assert!(
            !stderr(&output).contains("compiling"),
            "{arguments:?}: late"
        );
        assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
    }
    let _ = fs::remove_dir_all(top);
}
