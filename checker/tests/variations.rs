//! Every mistake of the catalogue breaks the checks that it should and no other,
//! every other right way passes, and every exercise left undone is noticed. The
//! snapshots are what a learner reads.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::thread;

use common::{can_sandbox, chosen, levels, root, run, stderr};
use nix::unistd::geteuid;
use serde_json::Value;

/// How many levels at a time: while one is judged, the next is compiled.
const AT_ONCE: usize = 5;

/// All levels; with RUBBER_CRAB_LEVEL=03 that one.
#[test]
fn mistakes_fail_and_other_right_ways_pass() {
    let waiting = Mutex::new(chosen().into_iter());
    let wrong = Mutex::new(Vec::new());
    let next = || waiting.lock().expect("nobody panics").next();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(number) = next() {
                    // What is wrong with it was printed.
                    if catch_unwind(|| verify(&number)).is_err() {
                        wrong.lock().expect("nobody panics").push(number);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("nobody panics");
    assert!(wrong.is_empty(), "levels {wrong:?}");
}

/// What all containers keep; a mistake in one level shows that each can fail.
const COMMON: [&str; 5] = [
    "starts",
    "two-at-once",
    "failures",
    "quiet",
    "host-as-before",
];
/// Whatever breaks these has broken another check first, as far as anybody knows: they
/// are nets below it.
const NETS: [&str; 3] = ["limits.pids-hold", "overlay.upper", "pivot.break-out"];

#[test]
fn each_check_has_a_mistake_that_breaks_it() {
    if !can_sandbox() {
        return;
    }
    let all = ["check", "--all", "--bin", "/bin/true", "--json"];
    let mut broken = BTreeSet::new();
    let mut checks = BTreeSet::new();
    let chosen = chosen();
    for level in levels(&run(&all).0) {
        let number = level["level"].as_str().expect("a number");
        let folder = format!("{number}-{}", level["name"].as_str().expect("a name"));
        let folder = root().join("checker/variations").join(folder);
        for file in fs::read_dir(folder).expect("read the catalogue") {
            let text =
                fs::read_to_string(file.expect("a file").path()).expect("read");
            let line = text.lines().find_map(|line| line.strip_prefix("breaks:"));
            let names = line.unwrap_or_default().split_whitespace();
            for name in names {
                broken.insert(name.to_owned());
                broken.extend(common_part(name).map(str::to_owned));
            }
        }
        if chosen.iter().any(|one| one == number) {
            let ids = level["checks"].as_array().expect("checks").iter();
            checks.extend(
                ids.map(|check| check["id"].as_str().expect("id").to_owned()),
            );
        }
    }
    let unbroken: Vec<&String> = checks
        .iter()
        .filter(|id| !broken.contains(common_part(id).unwrap_or(id)))
        .collect();
    let nets = NETS.into_iter().filter(|id| checks.contains(*id));
    assert_eq!(unbroken, nets.collect::<Vec<_>>());
}

/// `quiet` of `pivot.quiet`.
fn common_part(id: &str) -> Option<&str> {
    let (_, part) = id.split_once('.')?;
    COMMON.contains(&part).then_some(part)
}

fn verify(number: &str) {
    if !can_sandbox() {
        return;
    }
    let (output, _) = run(&["author", "verify", number, "--json"]);
    let all: Vec<Value> = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)));
    let all: Vec<&Value> = all.iter().collect();
    enough(number, &all);
    // What this machine can't show, it can't judge; `.ci/run` does it elsewhere.
    let (skipped, judged): (Vec<&Value>, Vec<&Value>) =
        all.iter().partition(|one| one["skipped"].is_string());
    let wrong: Vec<&&Value> =
        judged.iter().filter(|one| one["right"] != true).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for one in &skipped {
        eprintln!(
            "level {number}: {} skipped: {}",
            one["name"], one["skipped"]
        );
    }
    // Without root nobody hands over control groups here; then a level can't be judged.
    let cannot = |one: &&&Value| needs(one).is_empty();
    let cannot = skipped.iter().filter(cannot).count();
    assert!(cannot == 0 || !geteuid().is_root(), "{skipped:#?}");
    // The files of control groups have other names on version 2.
    let other_names = skipped.iter().any(|one| needs(one) == "cgroup v1");
    if cannot > 0 || other_names {
        eprintln!(
            "level {number}: the snapshot is root's, of cgroup v1; not compared"
        );
        return;
    }
    let text: Vec<String> = judged.iter().map(|one| told(one)).collect();
    insta::assert_snapshot!(format!("level-{number}"), text.join("\n"));
}

/// What a skipped variation lacks here.
fn needs(one: &Value) -> &str {
    let reason = one["skipped"].as_str().unwrap_or_default();
    reason
        .strip_prefix("it shows on ")
        .and_then(|rest| rest.strip_suffix(" only"))
        .unwrap_or_default()
}

/// At least six mistakes a level, some other right ways, and the exercises.
fn enough(number: &str, all: &[&Value]) {
    let count =
        |fits: fn(&Value) -> bool| all.iter().filter(|one| fits(one)).count();
    let mistakes =
        count(|one| one["breaks"].as_array().is_some_and(|all| !all.is_empty()));
    let right = count(|one| one["breaks"].as_array().is_some_and(Vec::is_empty));
    let undone = count(|one| one["breaks"].is_null());
    assert!(mistakes >= 6, "level {number} has {mistakes} mistakes");
    assert!(right >= 1, "level {number} has {right} other right ways");
    assert!(undone >= 1, "level {number} has {undone} exercises");
}

fn told(one: &Value) -> String {
    let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let diagnosis = text("diagnosis");
    // How many checks wait, and the host's own mounts, say nothing about the text.
    let waits = |line: &&str| !line.starts_with("  –");
    let lines = diagnosis.lines().skip(1).filter(waits).map(steady);
    let lines: Vec<String> = lines.collect();
    let mut lines = without_races(lines);
    lines.dedup();
    format!(
        "## {}: {}\n{}\n",
        text("name"),
        text("title"),
        lines.join("\n")
    )
}

/// Of ten starts at once, nobody knows which one fails, and in which call; nor what is
/// missing from an image that was half unpacked.
fn without_races(lines: Vec<String>) -> Vec<String> {
    let mut racing = false;
    let mut kept: Vec<String> = Vec::new();
    for line in lines {
        let saw = line.starts_with("    saw ");
        let half = kept
            .last()
            .is_some_and(|wanted| wanted.contains("while it unpacked"));
        if saw && (half || line.starts_with("    saw       start-")) {
            racing = true;
            kept.push("    saw       …".into());
        } else if !(racing && line.starts_with("      ")) {
            racing = false;
            kept.push(line);
        }
    }
    kept
}

/// Take out what differs from run to run: ids of processes, threads, mounts
/// and containers.
fn steady(line: &str) -> String {
    if line.contains("(mount ") {
        return "              … (mounts)".into();
    }
    // What was measured.
    if ["they ran for ", " ms against "]
        .iter()
        .any(|mark| line.contains(mark))
    {
        let number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
        let words = line.split(' ').map(|word| match word {
            word if !word.is_empty() && number(word) => "N",
            word => word,
        });
        return words.collect::<Vec<_>>().join(" ");
    }
    // There are more where the host has more mounts.
    if let Some((start, _)) = line.split_once("… and ") {
        return format!("{start}… and more");
    }
    // Where a long line was cut depends on such names.
    if let Some((start, _)) = line.split_once(",workdir=") {
        return steady(&format!("{start}…"));
    }
    let text = line.trim_start();
    let text = text.strip_prefix("saw ").unwrap_or(text).trim_start();
    let table = ["+ ", "- ", "~ "].iter().any(|mark| text.starts_with(mark));
    let mut before = "";
    let mut words = Vec::new();
    for word in line.split(' ') {
        let counted =
            ["process", "waitpid", "pid", "mount", "'main'"].contains(&before);
        // Other machines have more CPUs.
        let cpus =
            ["CPU", "CPUs", "cpuset.cpus:", "--cpuset-cpus"].contains(&before);
        match cpus && word.starts_with(|c: char| c.is_ascii_digit()) {
            true => words.push("N".into()),
            false => words.push(steady_word(word, table || counted)),
        }
        before = word.trim_start_matches('(');
    }
    words.join(" ")
}

fn steady_word(word: &str, table: bool) -> String {
    let word = without_ids(word, &['/', '.', ':', '"', ',']);
    let word = without_ids(&word, &['/', '.', ':', '"', ',', '-']);
    if let Some((file, _)) = word.split_once(".rs:") {
        // In a solution, lines come and go.
        return format!("{file}.rs:N:N:");
    }
    let marked = word.contains(":[");
    let number = word.trim_matches(|c: char| !c.is_ascii_digit());
    let plain = !number.is_empty()
        && number
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b':');
    if plain && (table || marked || number.len() >= 10) {
        word.replace(number, "N")
    } else {
        word
    }
}

/// Names of containers and of unpacked images, in hexadecimal, are what stands between
/// these marks.
fn without_ids(word: &str, marks: &[char]) -> String {
    let parts = word.split_inclusive(marks).map(|part| {
        let name = part.trim_end_matches(marks);
        let digits = name.bytes().filter(u8::is_ascii_hexdigit).count();
        let all = name.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        // An amount of memory is none.
        let amount = matches!(name.len(), 8 | 9) && name.parse::<u64>().is_ok();
        match digits >= 8 && all && !amount {
            true => part.replace(name, "ID"),
            false => part.into(),
        }
    });
    parts.collect()
}
