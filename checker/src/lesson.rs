//! The way on, from the level's own files: the exercise that is next, and when all is
//! done, the experiments of the lesson.

use std::fs;
use std::path::{Path, PathBuf};

use colored::Colorize;

use crate::author::sources;
use crate::belt;
use crate::judge::Level;
use crate::judge::levels::ALL;
use crate::workspace::{self, Whose};

/// An exercise that nobody has touched.
pub struct Step {
    /// From the project's root on, and the line in it, counted from 1.
    pub file: PathBuf,
    pub line: usize,
    /// `EXERCISE 2: Swap the roots`
    pub title: String,
    number: u32,
    instruction: Vec<String>,
}

/// What the title of an exercise ends in that only cgroup version 2 asks for.
const VERSION_2: &str = " (version 2)";

/// The first exercise that nobody has touched, of those that this machine needs.
pub fn next_step(root: &Path, level: &Level) -> Option<Step> {
    let needed = |step: &Step| {
        !step.title.ends_with(VERSION_2) || belt::cgroup_version() == 2
    };
    untouched(root, level).into_iter().find(needed)
}

/// The exercises below whose instruction stands what stood there at first, in order.
fn untouched(root: &Path, level: &Level) -> Vec<Step> {
    let ours = Whose::Learner.folder(level);
    let mut untouched: Vec<Step> = Vec::new();
    let mine = sources::learners(root, level).unwrap_or_default();
    for (path, first) in sources::skeleton(root, level).unwrap_or_default() {
        let file = ours.join(&path);
        let Some(mine) = mine.get(&path) else {
            continue;
        };
        let mine = String::from_utf8_lossy(mine);
        let first = exercises(&String::from_utf8_lossy(&first));
        for (step, below) in exercises(&mine) {
            let same = |(other, rest): &&(Step, Vec<String>)| {
                other.title == step.title && *rest == below
            };
            if let Some((told, _)) = first.iter().find(same) {
                untouched.push(Step {
                    file: file.clone(),
                    // The learner's own comments are none of it.
                    instruction: told.instruction.clone(),
                    ..step
                });
            }
        }
    }
    untouched.sort_by_key(|step| step.number);
    untouched
}

/// The exercises that a source names, and the two lines below each instruction.
fn exercises(source: &str) -> Vec<(Step, Vec<String>)> {
    let lines: Vec<&str> = source.lines().collect();
    let mut all = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(title) = line.trim_start().strip_prefix("// EXERCISE ") else {
            continue;
        };
        let words = lines[index + 1..]
            .iter()
            .map_while(|line| line.trim_start().strip_prefix("//"));
        let instruction: Vec<String> =
            words.map(|line| line.trim().to_owned()).collect();
        let below = lines[index + 1 + instruction.len()..].iter();
        let below = below.take(2).map(|line| line.trim().to_owned()).collect();
        let number = title.split(':').next().unwrap_or_default();
        let step = Step {
            file: PathBuf::new(),
            number: number.trim().parse().unwrap_or(u32::MAX),
            line: index + 1,
            title: format!("EXERCISE {title}"),
            instruction,
        };
        all.push((step, below));
    }
    all
}

/// What is to be done at this level; does it compile?
pub fn directions(root: &Path, level: &Level, compiles: bool) -> Vec<String> {
    let folder = Whose::Learner.folder(level);
    let short = folder.display();
    let gone = |what: &str, cure: String| {
        vec![
            format!("{what} is gone."),
            format!("  {cure}   puts it back"),
        ]
    };
    if !root.join(&folder).is_dir() {
        return gone(&short.to_string(), format!("git restore {short}"));
    }
    let skeleton = sources::skeleton(root, level).unwrap_or_default();
    let missing = skeleton.keys().find(|path| {
        let about = fs::metadata(root.join(&folder).join(path));
        about.map_or(true, |about| about.len() == 0)
    });
    if let Some(path) = missing {
        let path = folder.join(path);
        let reset = format!("cargo checker reset {}", level.number);
        return gone(&path.display().to_string(), reset);
    }
    let mut lines = vec![format!("{}  {short}/README.md", "Read".bold())];
    let own = workspace::own().unwrap_or_default();
    let below = own.iter().filter(|one| one.number < level.number);
    let below: Vec<String> = below.map(|one| one.folder()).collect();
    if !below.is_empty() {
        let below = below.join(", ");
        lines.push(format!("{}   it is built on your {below}", "Own".bold()));
    }
    if !compiles {
        let what = "make it compile: the first error is above";
        lines.push(format!("{}  {what}", "Next".bold()));
        return lines;
    }
    match next_step(root, level) {
        Some(step) => {
            let before = untouched(root, level);
            let before = before.iter().filter(|one| one.number < step.number);
            for other in before.clone() {
                lines.push(format!(
                    "{}  {} isn't needed on this machine, which has cgroup version 1",
                    "Note".bold(),
                    other.title
                ));
            }
            // Exercises count from 1: has nothing been done yet?
            if step.number > 1 + before.count() as u32 {
                let what = "mend what fails above, if it is of what you have done; then:";
                lines.push(format!("{}  {what}", "Next".bold()));
            }
            let place = format!("{}:{}", step.file.display(), step.line);
            lines.push(format!("{}  {}   {place}", "Next".bold(), step.title));
            // Whoever shows it breaks the lines where the window ends.
            let paragraphs = step.instruction.split(String::is_empty);
            let joined = paragraphs.map(|lines| lines.join(" "));
            lines.extend(joined.map(|text| format!("      {text}")));
        }
        None => lines.push(format!(
            "{}  every exercise has something in it; the first failure says what is missing",
            "Next".bold()
        )),
    }
    lines
}

/// What an unfinished level needs so that rustc keeps quiet about what isn't used yet.
const LENIENT: &str = "#![allow(dead_code";

/// The level after this one.
pub fn next_level(level: &Level) -> Option<&'static Level> {
    let mut rest = ALL.iter().skip_while(|other| other.number != level.number);
    rest.nth(1).copied()
}

/// The level is done: two lines of what was built and what comes, then what there is to
/// try. `keys`: are there keys to go on with?
pub fn farewell(root: &Path, level: &Level, keys: bool) -> Vec<String> {
    let folder = Whose::Learner.folder(level);
    let (goes, compares) = match keys {
        true => ("n goes to ", "d compares"),
        false => ("", "`cargo checker diff` compares"),
    };
    let next = match next_level(level) {
        Some(next) => format!("{goes}level {}: {}", next.number, next.title),
        None => format!("that was the last level; {compares} yours with solutions/"),
    };
    let Level { title, learned, .. } = level;
    let mut lines = vec![
        format!("Done: {title}. You can say now: {learned}."),
        format!("{}  {next}", "Next".bold()),
    ];
    let readme = folder.join("README.md");
    let mine = sources::learners(root, level).unwrap_or_default();
    let lenient = mine
        .iter()
        .filter(|(_, text)| String::from_utf8_lossy(text).contains(LENIENT));
    let files: Vec<String> = lenient
        .map(|(path, _)| path.display().to_string())
        .collect();
    let first = match files.is_empty() {
        true => String::new(),
        false => {
            let files = files.join(" and ");
            format!("take out #![allow(…)] at the top of {files}; then ")
        }
    };
    let lesson = fs::read_to_string(root.join(&readme));
    let experiments = experiments(&lesson.unwrap_or_default());
    if !experiments.is_empty() {
        lines.push(format!(
            "{}   {first}the experiments of {}:",
            "Try".bold(),
            readme.display()
        ));
    }
    for (title, command) in experiments {
        lines.push(format!("     {title}"));
        lines.extend(command.map(|command| format!("       {command}")));
    }
    lines
}

/// The experiments of a lesson: title, and the first command of each.
fn experiments(lesson: &str) -> Vec<(String, Option<String>)> {
    let part = lesson
        .split("\n## ")
        .find(|part| part.starts_with("See it"));
    let all = part.unwrap_or_default().split("\n### ").skip(1);
    all.map(|one| {
        let title = one.lines().next().unwrap_or_default().to_owned();
        let command = one.lines().find_map(|line| line.strip_prefix("$ "));
        (title, command.map(String::from))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_has_a_first_step_and_experiments() {
        let root = workspace::root().unwrap();
        for level in ALL {
            let titles: Vec<String> = sources::skeleton(&root, level)
                .unwrap()
                .values()
                .flat_map(|text| exercises(&String::from_utf8_lossy(text)))
                .map(|(step, _)| step.title)
                .collect();
            assert!(titles.iter().any(|title| title.starts_with("EXERCISE 1: ")));
            let lesson = root.join(Whose::Learner.folder(level)).join("README.md");
            let found = experiments(&fs::read_to_string(lesson).unwrap());
            assert!(!found.is_empty(), "{}", level.number);
            assert!(found.iter().all(|(_, command)| command.is_some()));
        }
    }

    #[test]
    fn an_exercise_is_untouched_as_long_as_nothing_stands_below_it() {
        let first =
            "fn f() {\n    // EXERCISE 1: One\n    // Do it.\n\n    Ok(())\n}\n";
        let begun = first.replace("it.\n", "it.\n    done();\n");
        let (step, below) = &exercises(first)[0];
        assert_eq!((step.line, step.title.as_str()), (2, "EXERCISE 1: One"));
        assert_eq!(step.instruction, ["Do it."]);
        assert_ne!(exercises(&begun)[0].1, *below);
        assert_eq!(exercises(&format!("\n{first}"))[0].1, *below);
    }
}
