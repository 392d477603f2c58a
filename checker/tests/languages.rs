//! The page for those who don't write Rust, levels/OTHER-LANGUAGES.md, is true: its
//! commands are run, its recipes are pieces of the runtimes that `solutions` judges, and
//! its links lead to files.

mod common;
#[path = "../src/console.rs"]
#[allow(dead_code, reason = "lessons need more of it")]
mod console;
#[path = "../src/markdown.rs"]
#[allow(dead_code, reason = "lessons need more of it")]
mod markdown;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{can_sandbox, cannot, checker, go_cache, has, root, run, stdout};
use console::{commands, difference};

/// The kinds of blocks that are recipes, and how their sources' names end.
const RECIPES: [(&str, &str); 5] = [
    ("bash", "sh"),
    ("c", "c"),
    ("go", "go"),
    ("python", "py"),
    ("zig", "zig"),
];

fn page() -> String {
    fs::read_to_string(root().join("levels/OTHER-LANGUAGES.md")).expect("read")
}

#[test]
fn its_commands_print_what_it_shows() {
    if !can_sandbox() {
        return;
    }
    let missing: Vec<&str> = ["crab-go", "crab-zig"]
        .into_iter()
        .filter(|program| !can_build(program))
        .collect();
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("languages");
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&home).expect("mkdir");
    for shown in commands(&page()) {
        let lacks = |program: &&str| shown.command.contains(*program);
        if missing.iter().any(lacks) {
            continue;
        }
        let came = typed(&shown.command, &home);
        let difference = difference(&shown.output, &came).unwrap_or_default();
        let place = format!("OTHER-LANGUAGES.md:{}", shown.line);
        assert!(
            difference.is_empty(),
            "{place}: {}\n{difference}",
            shown.command
        );
    }
}

/// Is the compiler here for a program that the page has built? Zig is on few machines.
fn can_build(program: &str) -> bool {
    match program {
        "crab-go" => has("go") || cannot("there is no go"),
        _ if !has("zig") => {
            eprintln!("skipped: there is no zig");
            false
        }
        _ => true,
    }
}

/// What a command prints that is typed in the project's folder.
///
/// Panics when it fails.
fn typed(command: &str, home: &Path) -> String {
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!(
            "cargo() {{ shift; \"$CHECKER\" \"$@\"; }}; {command}"
        ))
        .env("CHECKER", checker(&[]).get_program())
        .env("HOME", home)
        .env("GOCACHE", go_cache())
        .env("XDG_STATE_HOME", home.join("state"))
        .env("XDG_CACHE_HOME", home.join("cache"))
        .current_dir(root());
    let output = shell.output().expect("sh");
    let errors = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command}:\n{printed}{errors}");
    printed.into_owned()
}

#[test]
fn its_recipes_are_pieces_of_runtimes() {
    let strays = strays(&page());
    assert!(
        strays.is_empty(),
        "in no runtime:\n{}",
        strays.join("\n---\n")
    );
}

#[test]
fn a_recipe_of_its_own_is_found() {
    let text =
        "```c\nexecvp(command[0], command);\n```\n\n```go\nos.Exit(77)\n```\n";
    assert_eq!(strays(text), ["os.Exit(77)"]);
}

#[test]
fn its_links_lead_to_files() {
    let levels = root().join("levels");
    let page = page();
    let links = page
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let files = links.filter(|link| !link.starts_with('#'));
    for link in files {
        assert!(levels.join(link).exists(), "a link to {link}");
    }
}

/// The others are written in Rust.
#[test]
fn a_failure_points_to_the_first_hints() {
    if can_sandbox() {
        let (output, _) = run(&["check", "00", "--bin", "/bin/true"]);
        let text = stdout(&output);
        assert!(text.contains("cargo checker hint 00 1 "), "{text}");
    }
}

/// The recipes of a page that are not, line by line, in a runtime of their language.
fn strays(page: &str) -> Vec<String> {
    let mut strays = Vec::new();
    for (kind, ending) in RECIPES {
        let sources = sources(ending);
        let fence = format!("```{kind}\n");
        let blocks = page.split(&fence).skip(1);
        for block in blocks.filter_map(|rest| rest.split("\n```").next()) {
            let block = plain(block);
            if !sources.iter().any(|source| source.contains(&block)) {
                strays.push(block.trim().to_owned());
            }
        }
    }
    strays
}

/// The runtimes in one language.
fn sources(ending: &str) -> Vec<String> {
    let folder = root().join("checker/tests/runtimes");
    let files = [folder.clone(), folder.join("container-go")]
        .into_iter()
        .flat_map(|folder| fs::read_dir(folder).expect("read the folder"))
        .map(|entry| entry.expect("an entry").path());
    let fits = |path: &PathBuf| path.extension().is_some_and(|end| end == ending);
    let text = |path: PathBuf| plain(&fs::read_to_string(path).expect("read"));
    files.filter(fits).map(text).collect()
}

/// Lines without what they are indented by, each with its end and its beginning.
fn plain(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    lines.fold("\n".into(), |all, line| all + line + "\n")
}
