//! The tables of troubles are worded by what people see: it must be what is printed.

mod common;

use std::fs;
use std::path::Path;

use common::root;

/// What others print, not the checker: cargo, rustc, and the kernel by way of these.
const OTHERS: [&str; 7] = [
    "feature edition2024 is required",
    "rustc",
    "is not supported",
    "Permission denied (os error 13)",
    "Read-only file system (os error 30)",
    "target/",
    "linker `cc` not found",
];

#[test]
fn what_you_see_is_what_is_printed() {
    let printed = sources(&root().join("checker/src"));
    let mut quotes = 0;
    for page in ["README.md", "checker/environments/README.md"] {
        let text = fs::read_to_string(root().join(page)).expect(page);
        for quote in quotes_in(&text) {
            quotes += 1;
            for part in quote.split('…').map(|part| part.trim_matches([' ', ':']))
            {
                let known = OTHERS.contains(&part) || printed.contains(part);
                assert!(known, "{page}: nothing prints {part:?} of `{quote}`");
            }
        }
    }
    assert!(quotes > 40, "only {quotes} quotes were found");
}

/// What stands between backticks in the first column of a table of what you see.
fn quotes_in(page: &str) -> Vec<String> {
    let rows = page
        .lines()
        .skip_while(|line| !line.starts_with("| what you see |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    let quoted = |cell: &str| {
        let ticks = if cell.contains("``") { "``" } else { "`" };
        let quotes = cell.split(ticks).skip(1).step_by(2);
        quotes.map(String::from).collect::<Vec<_>>()
    };
    cells.flat_map(quoted).collect()
}

/// All sources, with strings that go over lines put together.
fn sources(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).expect("read a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            all += &sources(&path);
        } else {
            let text = fs::read_to_string(&path).unwrap_or_default();
            for piece in text.split("\\\n") {
                all += piece.trim_start();
            }
        }
    }
    all
}
