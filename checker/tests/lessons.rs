//! The lessons and the slides are true: every command in them is run, and what comes out
//! is compared with what they show. And each lesson has the parts that make a lesson.
//!
//! Read the tests first; then `Part`, how a lesson is read. `console` says how commands
//! stand there, and how text is compared.

#[path = "../src/console.rs"]
mod console;
#[path = "../src/markdown.rs"]
mod markdown;

use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use console::{Shown, commands, difference, without_announcement};
use markdown::{anchor, headings, links, marked};

/// The sections of a lesson, in their order.
const SECTIONS: [&str; 8] = [
    "The problem, seen",
    "The idea, in one picture",
    "The calls",
    "Your turn",
    "Check it",
    "See it",
    "How the real ones do it",
    "Further reading",
];
/// The steps of an experiment, each in the order of this.
const EXPERIMENT: [&str; 3] = ["**Predict.**", "**Try.**", "**Explain.**"];
/// The sections of a file of hints, in their order.
const HINTS: [&str; 3] = [
    "1. The concept",
    "2. The calls, and where they go",
    "3. The code, short of the last word",
];
/// How long a lesson is, in words; code blocks don't count.
const WORDS: RangeInclusive<usize> = 600..=1200;
const CHECKER: &str = env!("CARGO_BIN_EXE_checker");
/// The pages that belong to no level.
const PAGES: [&str; 10] = [
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE.md",
    "README.md",
    "checker/ARCHITECTURE.md",
    "checker/KERNEL.md",
    "checker/grading/README.md",
    "levels/GLOSSARY.md",
    "levels/HISTORY.md",
    "levels/README.md",
];
/// The longest that one command may take.
const PATIENCE: &str = "60s";

#[test]
fn commands_print_what_their_lesson_shows() {
    if !has_sandbox() {
        return;
    }
    let mut problems = Vec::new();
    for level in levels() {
        if !has_groups(&level) {
            continue;
        }
        for Shown {
            line,
            command,
            output,
        } in of_checker(&level.lesson)
        {
            let output = output.replace("solution-", "level-");
            if let Some(difference) = difference(&output, &run(&command)) {
                let place = format!("{}/README.md:{line}", level.folder);
                problems.push(format!("{place}: {command}\n{difference}"));
            }
        }
    }
    none(&problems);
}

#[test]
fn commands_print_what_their_slide_shows() {
    if !has_sandbox() {
        return;
    }
    let mut problems = Vec::new();
    for level in levels() {
        let deck = root().join("slides").join(format!("{}.md", level.folder));
        let text = fs::read_to_string(deck).unwrap_or_default();
        if !commands(&text).is_empty() && has_groups(&level) {
            problems.extend(wrong_on_slides(&level, "slides").err());
        }
    }
    none(&problems);
}

#[test]
fn a_wrong_slide_is_found() {
    if !has_sandbox() {
        return;
    }
    let first = Level::read(&root().join("levels/00-fork-exec"));
    assert_eq!(wrong_on_slides(&first, "checker/tests/slides"), Ok(()));
    let wrong = wrong_on_slides(&first, "checker/tests/slides-wrong");
    let wrong = wrong.expect_err("a wrong slide");
    assert!(wrong.contains("00-fork-exec.md:6"), "{wrong}");
}

#[test]
fn lessons_have_their_parts() {
    let mut problems = Vec::new();
    for level in levels() {
        let missing = missing_in_lesson(&level).into_iter();
        problems.extend(missing.map(|what| format!("{}: {what}", level.folder)));
    }
    none(&problems);
}

#[test]
fn hints_have_three_steps() {
    let mut problems = Vec::new();
    for level in levels() {
        let missing = missing_in_hints(&level).into_iter();
        problems.extend(missing.map(|what| format!("{}: {what}", level.folder)));
    }
    none(&problems);
}

#[test]
fn hints_are_printed_one_step_at_a_time() {
    for level in levels() {
        for (index, step) in parts(&level.hints, "## ").iter().enumerate() {
            let number = &level.folder[..2];
            let came = run(&format!("cargo checker hint {number} {}", index + 1));
            assert!(
                came.contains(step.title),
                "{:?} is not in: {came}",
                step.title
            );
            let words = |text: &str| {
                let plain = text.replace("**", "").replace("```rust", "");
                let plain = plain.replace("```", "");
                plain.split_whitespace().collect::<Vec<_>>().join(" ")
            };
            let whole = words(&came).contains(&words(&step.text));
            assert!(whole, "not whole: {came}");
        }
    }
}

#[test]
fn links_lead_to_files() {
    let mut problems = Vec::new();
    for (file, text) in pages() {
        problems.extend(broken(&file, &text));
    }
    none(&problems);
}

#[test]
fn a_broken_link_is_found() {
    let file = root().join("levels/README.md");
    let text = "[a](README.md) [b](#here) [c](GLOSSARY.md#none) [d](none.md)\n\
                `[e](none)` [f](GLOSSARY.md#image)\n# Here";
    let told: Vec<String> = broken(&file, text)
        .iter()
        .map(|problem| problem.rsplit_once(' ').unwrap().1.to_owned())
        .collect();
    assert_eq!(told, ["GLOSSARY.md#none", "none.md"]);
}

#[test]
fn the_glossary_is_whole() {
    let glossary = read("levels/GLOSSARY.md");
    let pages = pages().into_iter();
    let others = pages.filter(|(file, _)| !file.ends_with("GLOSSARY.md"));
    let others: Vec<String> = others.map(|(_, text)| text).collect();
    none(&wrong_in_glossary(&glossary, &others));
}

#[test]
fn a_wrong_glossary_is_found() {
    let entry =
        |term: &&str| format!("## {term}\n\nIs.\n\n`man 7 it` · [level 00](a)\n\n");
    let page = |terms: &[&str]| {
        let links = terms
            .iter()
            .map(|term| format!("[x](../GLOSSARY.md#{term}) "));
        links.collect::<String>()
    };
    let told = |terms: &[&str], linked: &[&str]| {
        let entries: String = terms.iter().map(entry).collect();
        wrong_in_glossary(&format!("# Glossary\n\n{entries}"), &[page(linked)])
    };
    assert_eq!(told(&["a b", "C"], &["a-b", "c"]), [""; 0]);
    assert_eq!(told(&["a", "b"], &["a"]), ["no lesson links to b"]);
    assert_eq!(told(&["b", "a"], &["a", "b"]), ["a: not in its place"]);
    assert_eq!(told(&["a", "a"], &["a"]), ["a: not in its place"]);
    let bare = "# Glossary\n\n## a\n\nOne. Two. Three. Four.\n";
    let told = wrong_in_glossary(bare, &[page(&["a"])]);
    assert_eq!(told, ["a: no source and level", "a: 4 sentences"]);
}

/// Fails with the problems, if there are any.
fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n\n"));
}

/// What a lesson lacks.
fn missing_in_lesson(level: &Level) -> Vec<String> {
    let mut missing = Vec::new();
    let words = words(&prose(&level.lesson));
    if !WORDS.contains(&words) {
        missing.push(format!("{words} words; wanted: {WORDS:?}"));
    }
    let sections = parts(&level.lesson, "## ");
    let titles: Vec<&str> = sections.iter().map(|section| section.title).collect();
    if titles != SECTIONS {
        missing.push(format!("sections {titles:?}; wanted: {SECTIONS:?}"));
        return missing;
    }
    let [_, picture, _, turn, _, see, ..] = sections.as_slice() else {
        unreachable!("there are eight");
    };
    if !picture.text.contains("```mermaid") && !picture.text.contains(".svg)") {
        missing.push("no picture, neither Mermaid nor SVG".into());
    }
    let told = numbered_titles(&turn.text);
    if told != level.exercises {
        missing.push(format!("exercises {told:?}; wanted: {:?}", level.exercises));
    }
    let experiments = parts(&see.text, "### ");
    if experiments.len() < 3 {
        missing.push(format!("{} experiments; wanted: 3", experiments.len()));
    }
    let incomplete = experiments
        .iter()
        .filter(|experiment| !is_whole(experiment));
    missing.extend(incomplete.map(|experiment| {
        format!(
            "experiment {:?}: wanted: {EXPERIMENT:?}, a command",
            experiment.title
        )
    }));
    missing
}

/// Does an experiment have its steps, and something to run or to read?
fn is_whole(experiment: &Part) -> bool {
    let places = EXPERIMENT.map(|step| experiment.text.find(step));
    places.iter().all(Option::is_some)
        && places.is_sorted()
        && experiment.text.contains("\n$ cargo checker ")
}

/// What a file of hints lacks.
fn missing_in_hints(level: &Level) -> Vec<String> {
    let steps = parts(&level.hints, "## ");
    let titles: Vec<&str> = steps.iter().map(|step| step.title).collect();
    if titles != HINTS {
        return vec![format!("hints {titles:?}; wanted: {HINTS:?}")];
    }
    let mut missing = Vec::new();
    for step in &steps {
        // `hint` finds what it says of an exercise by its title, in bold.
        let bold = marked(&step.text).filter_map(|(in_code, line)| {
            let title = line.strip_prefix("**").filter(|_| !in_code)?;
            Some(title.split_once("**")?.0.trim_end_matches('.'))
        });
        let bold: Vec<&str> = bold.collect();
        if level.exercises.iter().ne(&bold) {
            missing.push(format!("hints, {:?}: {bold:?}", step.title));
        }
    }
    if !steps[2].text.contains("____") {
        missing.push("hints: the last step leaves no word out".into());
    }
    missing
}

/// What people read in the project: each file, and its text.
fn pages() -> Vec<(PathBuf, String)> {
    let mut pages: Vec<(PathBuf, String)> = PAGES
        .iter()
        .map(|name| (root().join(name), read(name)))
        .collect();
    for level in all_levels() {
        let folder = root().join("levels").join(&level.folder);
        pages.push((folder.join("README.md"), level.lesson));
        pages.push((folder.join("HINTS.md"), level.hints));
    }
    pages
}

/// The links of a page that lead to no file, or to no heading in it.
fn broken(file: &Path, text: &str) -> Vec<String> {
    let folder = file.parent().expect("a folder");
    let leads = |target: &str| {
        let (name, place) = target.split_once('#').unwrap_or((target, ""));
        let there = |text: &str| headings(text).any(|one| anchor(one) == place);
        match (name, place) {
            ("", _) => there(text),
            (_, "") => folder.join(name).exists(),
            _ => {
                fs::read_to_string(folder.join(name)).is_ok_and(|text| there(&text))
            }
        }
    };
    let targets = links(text).into_iter().map(|link| &text[link.target]);
    let wrong = targets.filter(|target| !target.contains("://") && !leads(target));
    wrong
        .map(|target| format!("{}: a link to {target}", file.display()))
        .collect()
}

/// What is wrong with the glossary, which these pages link to: terms in their order,
/// each explained in a few sentences, with a source, and used.
fn wrong_in_glossary(glossary: &str, pages: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut last = String::new();
    for Part { title, text } in parts(glossary, "## ") {
        let key = title.replace('`', "").to_lowercase();
        if key <= last {
            wrong.push(format!("{title}: not in its place"));
        }
        last = key;
        let linked = format!("GLOSSARY.md#{}", anchor(title));
        let links_to = |page: &String| {
            links(page)
                .iter()
                .any(|link| page[link.target.clone()].ends_with(&linked))
        };
        if !pages.iter().any(links_to) {
            wrong.push(format!("no lesson links to {title}"));
        }
        let said = match text.trim().rsplit_once("\n\n") {
            Some((said, source)) if source.contains(" · [level ") => said,
            _ => {
                wrong.push(format!("{title}: no source and level"));
                text.trim()
            }
        };
        let sentences = said
            .split(['.', '?'])
            .filter(|rest| rest.is_empty() || rest.starts_with([' ', '\n']));
        let count = sentences.count();
        if count > 3 {
            wrong.push(format!("{title}: {count} sentences"));
        }
    }
    wrong
}

/// A file of the project.
fn read(name: &str) -> String {
    fs::read_to_string(root().join(name))
        .unwrap_or_else(|error| panic!("read {name}: {error}"))
}

/// A level, as far as it is text.
struct Level {
    /// `03-pivot-root`
    folder: String,
    lesson: String,
    hints: String,
    /// The titles of the exercises, in their order.
    exercises: Vec<String>,
}

/// The levels to test, in their order: all, or with RUBBER_CRAB_LEVEL=03 that one.
fn levels() -> Vec<Level> {
    let mut levels = all_levels();
    if let Ok(one) = env::var("RUBBER_CRAB_LEVEL") {
        levels.retain(|level| level.folder.starts_with(&one));
        assert!(!levels.is_empty(), "RUBBER_CRAB_LEVEL={one}: no such level");
    }
    levels
}

fn all_levels() -> Vec<Level> {
    let entries = fs::read_dir(root().join("levels")).expect("read levels/");
    let paths = entries.map(|entry| entry.expect("an entry of levels/").path());
    // The other folders are not a level's.
    let is_level = |path: &PathBuf| path.join("Cargo.toml").is_file();
    let mut folders: Vec<PathBuf> = paths.filter(is_level).collect();
    folders.sort();
    folders.iter().map(|folder| Level::read(folder)).collect()
}

/// A file's name.
fn named(path: &Path) -> String {
    let name = path.file_name().expect("a name");
    name.to_string_lossy().into_owned()
}

impl Level {
    fn read(path: &Path) -> Self {
        let text = |name: &str| {
            let path = path.join(name);
            fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
        };
        let folder = named(path);
        let exercises =
            exercises(&root().join("solutions").join(&folder).join("src"));
        Self {
            lesson: text("README.md"),
            hints: text("HINTS.md"),
            folder,
            exercises,
        }
    }
}

/// The project's folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a folder above")
}

/// The titles of the exercises that are marked in a solution. (In a level, which is
/// derived from it, a learner may have taken them away.)
fn exercises(folder: &Path) -> Vec<String> {
    let mut numbered = Vec::new();
    for entry in fs::read_dir(folder).expect("read a solution's src/") {
        let text = fs::read_to_string(entry.expect("an entry").path());
        for line in text.expect("read a solution's source").lines() {
            let marked = line.trim_start().strip_prefix("//> ");
            let Some((number, title)) =
                marked.and_then(|line| line.split_once(". "))
            else {
                continue;
            };
            if let Ok(number) = number.parse::<u32>() {
                numbered.push((number, title.to_owned()));
            }
        }
    }
    numbered.sort();
    numbered.into_iter().map(|(_, title)| title).collect()
}

/// The titles in a list like `1. **Make a child**: …`.
fn numbered_titles(text: &str) -> Vec<String> {
    let title = |line: &str| {
        let (number, rest) = line.split_once(". **")?;
        number.parse::<u32>().ok()?;
        let (title, _) = rest.split_once("**")?;
        Some(title.to_owned())
    };
    text.lines().filter_map(title).collect()
}

/// A part of a page, from one heading to the next of its kind.
struct Part<'a> {
    title: &'a str,
    text: String,
}

/// The parts of a page whose headings begin with `mark`.
fn parts<'a>(text: &'a str, mark: &str) -> Vec<Part<'a>> {
    let mut parts: Vec<Part> = Vec::new();
    for (in_code, line) in marked(text) {
        match line.strip_prefix(mark) {
            Some(title) if !in_code => {
                parts.push(Part {
                    title: title.trim(),
                    text: String::new(),
                });
            }
            _ => {
                if let Some(part) = parts.last_mut() {
                    part.text.push_str(line);
                    part.text.push('\n');
                }
            }
        }
    }
    parts
}

/// A page without its code blocks.
fn prose(text: &str) -> String {
    let lines = marked(text).filter(|(in_code, _)| !in_code);
    lines.map(|(_, line)| format!("{line}\n")).collect()
}

/// How many words: what has a letter or a digit in it.
fn words(text: &str) -> usize {
    let is_word = |word: &&str| word.contains(char::is_alphanumeric);
    text.split_whitespace().filter(is_word).count()
}

/// The commands of a lesson that are for the checker.
fn of_checker(lesson: &str) -> Vec<Shown> {
    let mut all = commands(lesson);
    all.retain(|shown| shown.command.starts_with("cargo checker "));
    all
}

/// What one of a lesson's commands prints here, on both outputs, with the finished
/// levels in place of the learner's.
fn run(command: &str) -> String {
    let command = finished(command);
    let checker = "cargo() { shift; timeout \"$PATIENCE\" \"$CHECKER\" \"$@\"; }";
    let output = in_project("sh")
        .arg("-c")
        .arg(format!("{checker}\nexec 2>&1\n{command}"))
        .env("CHECKER", CHECKER)
        .env("PATIENCE", PATIENCE)
        .output()
        .expect("start sh");
    let text =
        String::from_utf8_lossy(&output.stdout).replace("solution-", "level-");
    without_announcement(&text).to_owned()
}

/// A program, in the project's folder, without a terminal.
fn in_project(program: &str) -> Command {
    let state = concat!(env!("CARGO_TARGET_TMPDIR"), "/state/lessons");
    let mut command = Command::new(program);
    command
        .current_dir(root())
        .env("XDG_STATE_HOME", state)
        .env("NO_COLOR", "1")
        .env("LC_ALL", "C")
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null());
    command
}

/// The command, for the finished levels.
fn finished(command: &str) -> String {
    match command.contains(" --solution") {
        true => command.to_owned(),
        false => command
            .replace("cargo checker try ", "cargo checker try --solution ")
            .replace("cargo checker check ", "cargo checker check --solutions ")
            .replace("level-", "solution-"),
    }
}

/// Play a level's demo, with what its slides' notes have, from the decks of this folder.
/// Errors: what isn't as its slides show it.
fn wrong_on_slides(level: &Level, folder: &str) -> Result<(), String> {
    let played = in_project(CHECKER)
        .args([
            "demo",
            &level.folder,
            "--play",
            "--notes",
            "--slides",
            folder,
        ])
        .output()
        .expect("start the checker");
    match played.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&played.stderr).into_owned()),
    }
}

/// Has this host what this level needs beyond a sandbox? Control groups, from 07 on;
/// ordinary users have none of their own everywhere. If not, says so.
fn has_groups(level: &Level) -> bool {
    let number = &level.folder[..2];
    if !["07", "08"].contains(&number) {
        return true;
    }
    let command = format!("cargo checker check {number} --json 2>/dev/null");
    let report = run(&command);
    let value: serde_json::Value = serde_json::from_str(&report)
        .unwrap_or_else(|_| panic!("no JSON: {report}"));
    let told = &value["levels"][0];
    if told["verdict"] != "cannot" {
        return true;
    }
    let why = format!(
        "cannot: no command of lesson {number} was run: {}",
        told["reason"]
    );
    let _ = writeln!(io::stderr(), "{why}");
    false
}

/// Can levels be run here? Says why not. Where CI is set, not being able to is a
/// failure.
fn has_sandbox() -> bool {
    let report = run("cargo checker check 00 --json 2>/dev/null");
    let value: serde_json::Value = serde_json::from_str(&report)
        .unwrap_or_else(|_| panic!("no JSON: {report}"));
    let level = &value["levels"][0];
    if level["verdict"] != "cannot" {
        return true;
    }
    let text = |name: &str| level[name].as_str().unwrap_or_default().to_owned();
    let (reason, cure) = (text("reason"), text("cure"));
    let why =
        format!("cannot: no command of a lesson was run: {reason}; cure: {cure}");
    assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "{why}");
    // Not by eprintln: the test harness would hide it.
    let _ = writeln!(io::stderr(), "{why}");
    false
}

#[test]
fn a_lesson_is_read() {
    let lesson = "# T\nA word — two.\n```console\n$ cargo checker list\n## out\n$ ls\nx\n\
                  ```\n## S\n1. **One**: [a](b.md)\n```text\n$ cargo checker check\n```\n";
    let shown = of_checker(lesson);
    assert_eq!(shown.len(), 1);
    assert_eq!((shown[0].line, shown[0].output.as_str()), (4, "## out\n"));
    let sections = parts(lesson, "## ");
    assert_eq!(sections.len(), 1);
    assert_eq!(numbered_titles(&sections[0].text), ["One"]);
    assert_eq!(words(&prose(lesson)), 8);
}
