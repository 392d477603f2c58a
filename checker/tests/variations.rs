//! Every mistake of the catalogue breaks the checks that it should and no other,
//! every other right way passes, and every exercise left undone is noticed. The
//! snapshots are what a learner reads.

mod common;

use common::{can_sandbox, run, stderr};
use serde_json::Value;

/// One test a level: while one is judged, the next is compiled.
#[test]
fn level_00() {
    verify("00");
}

#[test]
fn level_01() {
    verify("01");
}

#[test]
fn level_02() {
    verify("02");
}

#[test]
fn level_03() {
    verify("03");
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
    let text: Vec<String> = all.iter().map(|one| told(one)).collect();
    let wrong: Vec<&&Value> =
        all.iter().filter(|one| one["right"] != true).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    insta::assert_snapshot!(format!("level-{number}"), text.join("\n"));
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
    assert!(undone >= 3, "level {number} has {undone} exercises");
}

fn told(one: &Value) -> String {
    let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let diagnosis = text("diagnosis");
    // How many checks wait, and the host's own mounts, say nothing about the text.
    let waits = |line: &&str| !line.starts_with("  –");
    let lines = diagnosis.lines().skip(1).filter(waits).map(steady);
    let mut lines: Vec<String> = lines.collect();
    lines.dedup();
    format!(
        "## {}: {}\n{}\n",
        text("name"),
        text("title"),
        lines.join("\n")
    )
}

/// Take out what differs from run to run: ids of processes, threads, mounts
/// and containers.
fn steady(line: &str) -> String {
    if line.contains("(mount ") {
        return "              … (mounts)".into();
    }
    // There are more where the host has more mounts.
    if let Some((start, _)) = line.split_once("… and ") {
        return format!("{start}… and more");
    }
    let table = ["+ ", "- ", "~ "]
        .iter()
        .any(|mark| line.trim_start().starts_with(mark));
    let mut before = "";
    let mut words = Vec::new();
    for word in line.split(' ') {
        let counted =
            ["process", "waitpid", "pid", "mount", "'main'"].contains(&before);
        words.push(steady_word(word, table || counted));
        before = word.trim_start_matches('(');
    }
    words.join(" ")
}

fn steady_word(word: &str, table: bool) -> String {
    // Names of containers, in hexadecimal.
    let parts: Vec<String> = word
        .split_inclusive(['/', '.', ':'])
        .map(|part| {
            let name = part.trim_end_matches(['/', '.', ':']);
            let long =
                name.len() >= 8 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            if long {
                part.replace(name, "ID")
            } else {
                part.into()
            }
        })
        .collect();
    let word = parts.concat();
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
