//! CONTRIBUTING.md is true: its worked example, a level from an empty folder to green, is
//! followed in a copy of the project. Its files are written, its changes made, its
//! commands run, and what they print is compared with what the page shows.
//!
//! Read `follow`, then `blocks`. `console` says how commands stand there.

mod common;
#[path = "../src/console.rs"]
mod console;
#[path = "../src/markdown.rs"]
#[allow(dead_code, reason = "lessons need more of it")]
mod markdown;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use common::{build_of_copies, can_sandbox, copy_sources, root};
use console::{Shown, commands, difference};

/// What is copied besides the levels: all that pages have links to.
const PARTS: [&str; 7] = [
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE.md",
    "LICENSES",
    "README.md",
    "REUSE.toml",
    "checker",
];
/// The heading of the part that is followed.
const EXAMPLE: &str = "## A level, from an empty folder to green";

#[test]
fn a_level_from_an_empty_folder_to_green() {
    if !can_sandbox() {
        return;
    }
    let page = fs::read_to_string(root().join("CONTRIBUTING.md")).expect("read");
    let steps = blocks(&page, EXAMPLE);
    assert!(steps.len() > 20, "{} steps", steps.len());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("contributing");
    let (target, _lock) = build_of_copies();
    copy_sources(&folder, &PARTS);
    // Nothing is written there; and it may have all of Node's modules in it.
    symlink(root().join("slides"), folder.join("slides")).expect("symlink");
    let followed = follow(&steps, &folder, &target);
    assert!(
        followed.is_ok(),
        "\nCONTRIBUTING.md:{}",
        followed.unwrap_err()
    );
}

#[test]
fn a_wrong_page_is_found() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrong-page");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("mkdir");
    let wrong = |steps: &str| {
        let page = format!("## Other\n```console\n$ false\n?\n```\n## E\n{steps}");
        follow(&blocks(&page, "## E"), &folder, &folder).err()
    };
    assert_eq!(
        wrong("`a/b`\n\n````text\n```\n## c\n```\n````\n## F\n```x\n+\n```"),
        None
    );
    assert_eq!(wrong("```console\n$ cat a/b\n…\n## c\n…\n```\n"), None);
    let output = wrong("```console\n$ true\n$ echo one\ntwo\n```\n");
    assert!(output.is_some_and(|why| why.starts_with("9: echo one\n")));
    assert_eq!(wrong("`a/b`\n```diff\n ```\n-## c\n+## d\n```\n"), None);
    let change = wrong("`a/b`\n```diff\n-## c\n+## e\n```\n");
    assert!(change.is_some_and(|why| why.starts_with("9: a/b doesn't have")));
    let twice = wrong("`a/b`\n```diff\n-```\n+## e\n```\n");
    assert!(twice.is_some_and(|why| why.contains("more than once")));
    let nameless = wrong("In `a/b`:\n\n```text\nwhat is this\n```\n");
    assert!(nameless.is_some_and(|why| why.contains("neither file nor command")));
}

/// A block of code on the page.
struct Block<'a> {
    /// Where its text begins, counted from 1.
    line: usize,
    kind: &'a str,
    /// The file that it is about, if it names one.
    path: &'a str,
    text: String,
}

/// The blocks below this heading, up to the next one of its kind. A line with nothing but
/// a path in backticks is about the block that follows it.
fn blocks<'a>(page: &'a str, heading: &str) -> Vec<Block<'a>> {
    let mut found = Vec::new();
    let mut below = false;
    let mut path = "";
    let mut lines = page.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let marks = line.len() - line.trim_start_matches('`').len();
        if marks < 3 {
            if line.starts_with("## ") {
                below = line == heading;
            }
            if !line.is_empty() {
                path = only_code(line).unwrap_or_default();
            }
            continue;
        }
        let (fence, kind) = line.split_at(marks);
        let text = lines.by_ref().map(|(_, line)| line);
        let text = text.take_while(|line| *line != fence);
        let text = text.map(|line| format!("{line}\n")).collect();
        if below {
            let line = index + 2;
            found.push(Block {
                line,
                kind,
                path,
                text,
            });
        }
        path = "";
    }
    found
}

/// `a/b` of a line that is only that, in backticks.
fn only_code(line: &str) -> Option<&str> {
    let code = line.strip_prefix('`')?.strip_suffix('`')?;
    (!code.contains('`')).then_some(code)
}

/// Do in this folder what these blocks say. Errors: the line, and what is wrong there.
fn follow(steps: &[Block], folder: &Path, target: &Path) -> Result<(), String> {
    for step in steps {
        let done = match (step.kind, step.path) {
            ("console", "") => run_all(step, folder, target),
            ("diff", path) => change(&folder.join(path), path, &step.text)
                .map_err(|why| format!("{}: {why}", step.line)),
            (_, "") => Err(format!("{}: neither file nor command", step.line)),
            (_, path) => {
                write(&folder.join(path), &step.text);
                Ok(())
            }
        };
        done?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("mkdir");
    fs::write(path, text).expect("write");
}

/// Make a change: ` ` before lines that stay, `-` before old ones, `+` before new ones.
fn change(file: &Path, path: &str, lines: &str) -> Result<(), String> {
    let side = |other: char| -> String {
        let kept = lines.lines().filter(|line| !line.starts_with(other));
        kept.map(|line| format!("{}\n", line.get(1..).unwrap_or_default()))
            .collect()
    };
    let (old, new) = (side('+'), side('-'));
    let text =
        fs::read_to_string(file).map_err(|error| format!("{path}: {error}"))?;
    match text.matches(&old).count() {
        1 => write(file, &text.replacen(&old, &new, 1)),
        0 => return Err(format!("{path} doesn't have these lines:\n{old}")),
        _ => return Err(format!("{path} has these lines more than once:\n{old}")),
    }
    Ok(())
}

/// Run the commands of a block.
fn run_all(step: &Block, folder: &Path, target: &Path) -> Result<(), String> {
    for shown in commands(&format!("```console\n{}```\n", step.text)) {
        let Shown {
            line,
            command,
            output,
        } = shown;
        if let Some(difference) = difference(&output, &run(&command, folder, target))
        {
            // The first line of those is the fence.
            let line = step.line + line - 2;
            return Err(format!("{line}: {command}\n{difference}"));
        }
    }
    Ok(())
}

/// What a command prints, on both outputs.
fn run(command: &str, folder: &Path, target: &Path) -> String {
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("exec 2>&1\n{command}"))
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_TERM_QUIET", "true")
        .env("XDG_STATE_HOME", folder.with_extension("state"))
        .env("NO_COLOR", "1")
        .env("LC_ALL", "C")
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUBBER_CRAB_LEVEL")
        .output()
        .expect("start sh");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
