//! ARCHITECTURE.md is true: no module names one that it may not know, what is pure
//! touches nothing, `unsafe` and threads are where they may be.
//!
//! Comments don't count, nor what is only for tests. Read the tests first.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use common::root;

/// They never touch the machine.
const PURE: [&str; 6] =
    ["console", "evidence", "judge", "picture", "plan", "render"];
/// What touches it.
const IMPURE: [&str; 8] = [
    "anyhow", "env", "fs", "nix", "net", "process", "thread", "time",
];
/// What is pure of it: numbers, and their names.
const NAMES: [&str; 4] = [
    "nix::errno",
    "nix::libc",
    "nix::sys::signal::Signal",
    "std::time::Duration",
];

#[test]
fn modules_know_whom_they_may_know() {
    let page =
        fs::read_to_string(root().join("checker/ARCHITECTURE.md")).expect("read");
    let allowed = table(&page);
    let modules = modules();
    let named: BTreeSet<&str> = allowed.keys().copied().collect();
    let there: BTreeSet<&str> = modules.keys().map(String::as_str).collect();
    assert_eq!(named, there, "the modules in the table, and those in src/");
    let mut wrong = Vec::new();
    for (module, sources) in &modules {
        let may = &allowed[module.as_str()];
        for (path, code) in sources {
            let known = paths(code, "crate");
            let strange = known.iter().filter_map(|path| path.split("::").nth(1));
            let strange = strange.filter(|other| {
                there.contains(other) && other != module && !may.contains(other)
            });
            wrong
                .extend(strange.map(|other| format!("{}: {other}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_pure_touches_nothing() {
    let modules = modules();
    let mut wrong = Vec::new();
    for (path, code) in PURE.iter().flat_map(|module| &modules[*module]) {
        let used = [
            paths(code, "std"),
            paths(code, "nix"),
            paths(code, "anyhow"),
        ];
        for used in used.concat() {
            let pure = NAMES.iter().any(|name| used.starts_with(name));
            let parts = used.split("::");
            if !pure && parts.into_iter().any(|part| IMPURE.contains(&part)) {
                wrong.push(format!("{}: {used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn unsafe_code_is_where_it_may_be() {
    let all = [
        "checker/src",
        "checker/report",
        "checker/grading/src",
        "solutions",
    ];
    let mut allowing = Vec::new();
    for path in all
        .into_iter()
        .flat_map(|folder| sources(&root().join(folder)))
    {
        // Everywhere else the compiler denies it (Cargo.toml, lints).
        if fs::read_to_string(&path)
            .expect("read")
            .contains("(unsafe_code")
        {
            allowing.push(path.strip_prefix(root()).expect("below").to_owned());
        }
    }
    let may = [
        "checker/src/sys.rs",
        "solutions/00-fork-exec/src/process.rs",
    ];
    assert_eq!(allowing, may.map(PathBuf::from));
}

#[test]
fn the_checker_has_one_thread() {
    for (path, code) in modules().into_values().flatten() {
        for used in paths(&code, "std").iter().chain(&paths(&code, "thread")) {
            let thread = used.contains("thread") && !used.ends_with("::sleep");
            assert!(!thread, "{}: {used}", path.display());
        }
    }
}

#[test]
fn no_level_knows_the_checker() {
    for folder in ["solutions", "checker/grading", "checker/report"] {
        for manifest in manifests(&root().join(folder)) {
            let text = fs::read_to_string(&manifest).expect("read");
            let knows = text.lines().any(|line| line.starts_with("checker"));
            assert!(!knows, "{}", manifest.display());
        }
    }
}

/// The page's table of modules: each, and whom it may know.
fn table(page: &str) -> BTreeMap<&str, Vec<&str>> {
    let rows = page
        .lines()
        .skip_while(|line| !line.starts_with("| module |"));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').collect::<Vec<_>>());
    let cells: Vec<Vec<&str>> = cells.collect();
    let all: Vec<&str> = cells.iter().flat_map(|row| quoted(row[1])).collect();
    let mut table = BTreeMap::new();
    for row in &cells {
        for module in quoted(row[1]) {
            let known = match row[3].trim() {
                "all" => all.clone(),
                _ => quoted(row[3]),
            };
            assert!(table.insert(module, known).is_none(), "{module} twice");
        }
    }
    table
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The checker's modules: the code of each of their files.
fn modules() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let src = root().join("checker/src");
    let mut modules: BTreeMap<String, Vec<(PathBuf, String)>> = BTreeMap::new();
    for path in sources(&src) {
        if path.ends_with("tests.rs") {
            continue;
        }
        let short = path.strip_prefix(&src).expect("below src").to_owned();
        let top = short.iter().next().expect("a name").to_string_lossy();
        let module = top.trim_end_matches(".rs").to_owned();
        let code = code(&fs::read_to_string(&path).expect("read"));
        modules.entry(module).or_default().push((short, code));
    }
    modules
}

/// A source without strings and comments, and without the tests at its end.
fn code(text: &str) -> String {
    let lines = text
        .lines()
        .take_while(|line| !line.contains("#[cfg(test)]"));
    let lines = lines.map(|line| {
        let line = line.replace("\\\"", "");
        let bare: Vec<&str> = line.split('"').step_by(2).collect();
        let bare = bare.concat();
        bare.split("//").next().unwrap_or_default().to_owned() + "\n"
    });
    lines.collect()
}

/// All paths in a source that begin with this name, those in braces one by one:
/// `std::{env, fs::File}` is `std::env` and `std::fs::File`.
fn paths(code: &str, first: &str) -> Vec<String> {
    let mut found = Vec::new();
    let start = format!("{first}::");
    for (at, _) in code.match_indices(&start) {
        let before = code[..at].chars().next_back();
        if before.is_none_or(|c| !c.is_alphanumeric() && !"_:".contains(c)) {
            follow(first, &code[at + first.len()..], &mut found);
        }
    }
    found
}

/// Add the path that goes on here. Returns what is behind it.
fn follow<'a>(before: &str, rest: &'a str, found: &mut Vec<String>) -> &'a str {
    let Some(rest) = rest.strip_prefix("::") else {
        found.push(before.to_owned());
        return rest;
    };
    if let Some(mut inner) = rest.strip_prefix('{') {
        loop {
            inner =
                inner.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
            if let Some(behind) = inner.strip_prefix('}') {
                return behind;
            }
            let (name, behind) = word(inner);
            if name.is_empty() {
                return behind;
            }
            inner = follow(&format!("{before}::{name}"), behind, found);
        }
    }
    let (name, behind) = word(rest);
    match name.is_empty() {
        true => rest,
        false => follow(&format!("{before}::{name}"), behind, found),
    }
}

fn word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    text.split_at(end.unwrap_or(text.len()))
}

/// All Rust sources below a folder, in order.
fn sources(folder: &Path) -> Vec<PathBuf> {
    files(folder, |path| {
        path.extension().is_some_and(|end| end == "rs")
    })
}

fn manifests(folder: &Path) -> Vec<PathBuf> {
    files(folder, |path| path.ends_with("Cargo.toml"))
}

fn files(folder: &Path, fits: fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("read a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path, fits)),
            false if fits(&path) => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}

#[test]
fn paths_are_found() {
    let text =
        "use std::{env, fs::{self, File}};\nstd::io::stdin(); a::std::no; xstd::no";
    let found = [
        "std::env",
        "std::fs::self",
        "std::fs::File",
        "std::io::stdin",
    ];
    assert_eq!(paths(text, "std"), found);
    let text =
        "use a; // crate::b\nsay(\"crate::c \\\"\");\n#[cfg(test)]\nuse crate::c;";
    assert!(paths(&code(text), "crate").is_empty());
}

/// KERNEL.md has every system call that has to be called by its number: those are new.
#[test]
fn the_page_on_kernels_has_the_new_calls() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("read");
    let page = read("checker/KERNEL.md");
    let source = read("checker/src/sys.rs");
    let calls: BTreeSet<&str> = source
        .split("SYS_")
        .skip(1)
        .map(|rest| word(rest).0)
        .collect();
    assert!(calls.contains("open_tree"), "{calls:?}");
    for call in calls {
        assert!(
            page.contains(&format!("`{call}`")),
            "KERNEL.md has no {call}"
        );
    }
}
