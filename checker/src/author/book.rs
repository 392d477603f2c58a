//! The book's pages, made of the project's own Markdown: the README, the lessons with
//! their hints, the contract, the glossary, the history, and the sources of each level.
//!
//! Read `pages` first, then `lead`, which leads links to where their files are in the
//! book. The command that makes a site of them is in `commands/book.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::sources::{self, Sources};
use crate::hints;
use crate::judge::Level;
use crate::judge::levels::ALL;
use crate::markdown::{anchor, headings, links, marked};
use crate::workspace::Whose;

/// The files of the book, by their path in it.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Pages that aren't a level's: file, page, title.
const FIRST: [&str; 3] = ["README.md", "index.md", "Rubber Crab"];
const REFERENCE: [[&str; 3]; 3] = [
    ["levels/README.md", "contract.md", "The contract"],
    ["levels/GLOSSARY.md", "glossary.md", "Glossary"],
    ["levels/HISTORY.md", "history.md", "History"],
];
/// What stands above a level's sources.
const TO_WORK_ON: &str = "The files of this level as you find them, to read along. \
    You work on those in `levels/`, in your editor.";
const SPOILER: &str = "> [!WARNING]\n> This is the finished level: it gives away every \
    exercise. `cargo checker diff` shows yours against it.";

/// Everything that mdbook wants to have: the pages, their pictures, and the list of
/// the pages, SUMMARY.md.
///
/// Errors: a file that can't be read, or a link in it that leads to no file.
pub fn pages(root: &Path) -> Result<Files> {
    let mut book = Book {
        root,
        places: places(),
        files: Files::new(),
    };
    for [file, page, _] in [FIRST].iter().chain(&REFERENCE) {
        let text = lead(&mut book, Path::new(file), Path::new(page))?;
        book.add(page, text);
    }
    for level in ALL {
        let folder = Whose::Learner.folder(level);
        let page = lesson_page(level);
        let lesson = lead(&mut book, &folder.join("README.md"), &page)?;
        let hints = lead(&mut book, &folder.join("HINTS.md"), &page)?;
        book.add(&page, with_hints(&lesson, &folded(&hints)?)?);
        let skeleton = sources::skeleton(root, level)?;
        let title = format!("{}, to work on", level.folder());
        let page = sources_page(Whose::Learner, level);
        book.add(page, of_sources(&title, TO_WORK_ON, &skeleton));
        let finished = sources::finished(root, level)?;
        let title = format!("{}, finished", level.folder());
        let page = sources_page(Whose::Solution, level);
        book.add(page, of_sources(&title, SPOILER, &finished));
    }
    book.add("SUMMARY.md", summary());
    Ok(book.files)
}

struct Book<'a> {
    root: &'a Path,
    places: BTreeMap<PathBuf, String>,
    files: Files,
}

impl Book<'_> {
    fn add(&mut self, page: impl Into<PathBuf>, text: String) {
        self.files.insert(page.into(), text.into_bytes());
    }
}

fn lesson_page(level: &Level) -> PathBuf {
    format!("{}.md", level.folder()).into()
}

fn sources_page(whose: Whose, level: &Level) -> PathBuf {
    let folder = match whose {
        Whose::Learner => "exercises",
        Whose::Solution => "finished",
    };
    Path::new(folder).join(lesson_page(level))
}

/// Where in the book the files of the project are, by their path in it: a page, or a
/// place on one.
fn places() -> BTreeMap<PathBuf, String> {
    let mut places = BTreeMap::new();
    for [file, page, _] in [FIRST].iter().chain(&REFERENCE) {
        places.insert(file.into(), (*page).to_owned());
    }
    for level in ALL {
        let page = lesson_page(level).display().to_string();
        let folder = Whose::Learner.folder(level);
        places.insert(folder.join("HINTS.md"), format!("{page}#hints"));
        places.insert(folder.join("README.md"), page);
    }
    places
}

/// A page's text, with its links and pictures as the book needs them.
fn lead(book: &mut Book, file: &Path, page: &Path) -> Result<String> {
    let path = book.root.join(file);
    let text = fs::read_to_string(&path)
        .with_context(|| format!("read {}", path.display()))?;
    let mut led = String::new();
    let mut at = 0;
    for link in links(&text) {
        let (words, target) = (&text[link.words], &text[link.target]);
        if target.contains("://") {
            continue;
        }
        led.push_str(&text[at..link.whole.start]);
        at = link.whole.end;
        let shown = match text[link.whole].starts_with('!') {
            true => picture(book, file, page, words, target),
            false => reference(book, file, page, words, target),
        };
        led.push_str(&shown.with_context(|| format!("in {}", file.display()))?);
    }
    led.push_str(&text[at..]);
    Ok(in_kinds(&led))
}

/// A link, as it leads in the book. What is not in the book is named by its path.
fn reference(
    book: &Book,
    file: &Path,
    page: &Path,
    words: &str,
    target: &str,
) -> Result<String> {
    let (name, place) = target.split_once('#').unwrap_or((target, ""));
    let wanted = match name {
        "" => file.to_owned(),
        name => joined(file, name)?,
    };
    let there = is_there(&book.root.join(&wanted), place);
    ensure!(there, "a link to {target}, which isn't there");
    let up = "../".repeat(page.components().count() - 1);
    if let Some(there) = book.places.get(&wanted) {
        let place = match place {
            "" => String::new(),
            place => format!("#{place}"),
        };
        return Ok(format!("[{words}]({up}{there}{place})"));
    }
    if let Some(there) = source(&wanted) {
        return Ok(format!("[{words}]({up}{there})"));
    }
    let shown = format!("`{}`", wanted.display());
    match words.trim_matches('`').trim_end_matches('/') {
        same if wanted.starts_with(same) => Ok(shown),
        _ => Ok(format!("{words} ({shown})")),
    }
}

/// Is this file there, and in it a heading with this anchor?
fn is_there(path: &Path, place: &str) -> bool {
    if place.is_empty() {
        return path.exists();
    }
    let text = fs::read_to_string(path).unwrap_or_default();
    headings(&text).any(|heading| anchor(heading) == place)
}

/// A picture, and a copy of its file.
fn picture(
    book: &mut Book,
    file: &Path,
    page: &Path,
    words: &str,
    target: &str,
) -> Result<String> {
    let wanted = joined(file, target)?;
    let path = book.root.join(&wanted);
    let bytes =
        fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    // Each lesson's is called picture.svg.
    let stem = match wanted.file_stem() {
        Some(stem) if stem == "picture" => wanted.parent().and_then(Path::file_name),
        stem => stem,
    };
    let mut name = stem.context("a picture without a name")?.to_owned();
    if let Some(kind) = wanted.extension() {
        name.push(".");
        name.push(kind);
    }
    let place = Path::new("pictures").join(name);
    let up = "../".repeat(page.components().count() - 1);
    let shown = format!("![{words}]({up}{})", place.display());
    book.files.insert(place, bytes);
    Ok(shown)
}

/// The place of a level's source: `finished/03-pivot-root.md#srcpivotrs`.
fn source(path: &Path) -> Option<String> {
    for level in ALL {
        for whose in [Whose::Learner, Whose::Solution] {
            if let Ok(name) = path.strip_prefix(whose.folder(level)) {
                let page = sources_page(whose, level);
                let place = anchor(&name.display().to_string());
                return Some(format!("{}#{place}", page.display()));
            }
        }
    }
    None
}

/// Where a link in `file` leads, as a path in the project.
fn joined(file: &Path, target: &str) -> Result<PathBuf> {
    let mut path = file.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => {
                ensure!(path.pop(), "{target} leads out of the project");
            }
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    Ok(path)
}

/// Code blocks of the kinds that the site shows: mdbook would offer to run Rust, and
/// our script draws what is in `pre.mermaid`.
fn in_kinds(text: &str) -> String {
    let mut page = String::new();
    let mut drawing = false;
    for (in_code, line) in marked(text) {
        match line {
            "```mermaid" => {
                drawing = true;
                page.push_str("<pre class=\"mermaid\">\n");
            }
            "```" if drawing => {
                drawing = false;
                page.push_str("</pre>\n");
            }
            "```rust" if in_code => page.push_str("```rust,noplayground\n"),
            _ if drawing => page.push_str(&format!("{}\n", escaped(line))),
            _ => page.push_str(&format!("{line}\n")),
        }
    }
    page
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The steps of a level's hints, each folded; in them each exercise, folded, too: who
/// asks about one doesn't want to read of the next.
fn folded(text: &str) -> Result<String> {
    let mut page = String::new();
    for (title, section) in hints::steps(text) {
        let parts = hints::parts(section);
        let [general, exercises @ ..] = &parts[..] else {
            bail!("hints say nothing under {title}");
        };
        let mut inside = format!("{}\n\n", general.join("\n\n"));
        for part in exercises {
            let Some((title, rest)) = hints::exercise(part[0]) else {
                bail!("hints: no exercise begins with {}", part[0]);
            };
            let blocks: Vec<&str> = [&[rest], &part[1..]].concat();
            inside.push_str(&fold(title, blocks.join("\n\n").trim()));
        }
        page.push_str(&fold(title, &inside));
    }
    Ok(page)
}

fn fold(title: &str, text: &str) -> String {
    format!("<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>\n\n")
}

/// A lesson with its hints where it speaks of them: at the end of "Check it".
fn with_hints(lesson: &str, hints: &str) -> Result<String> {
    let (before, after) = lesson
        .split_once("\n## See it\n")
        .context("a lesson has no section \"See it\"")?;
    Ok(format!(
        "{before}\n### Hints\n\nOpen one step at a time, and in it your exercise.\n\n\
         {hints}\n## See it\n{after}"
    ))
}

/// A page of sources, a heading each.
fn of_sources(title: &str, words: &str, files: &Sources) -> String {
    let mut page = format!("<div class=\"sources\">\n\n# {title}\n\n{words}\n");
    let (code, others): (Vec<_>, Vec<_>) =
        files.iter().partition(|(path, _)| path.starts_with("src"));
    for (path, bytes) in code.into_iter().chain(others) {
        let kind = match path.extension().and_then(|kind| kind.to_str()) {
            Some("rs") => "rust,noplayground",
            Some(kind) => kind,
            None => "text",
        };
        let text = String::from_utf8_lossy(bytes);
        page.push_str(&format!(
            "\n## {}\n\n````{kind}\n{}\n````\n",
            path.display(),
            text.trim_end()
        ));
    }
    page.push_str("\n</div>\n");
    page
}

/// The list of the pages: it is also their order.
fn summary() -> String {
    let list = |pages: &[[&str; 3]]| -> String {
        let line = |[_, page, title]: &[&str; 3]| format!("- [{title}]({page})\n");
        pages.iter().map(line).collect()
    };
    let levels = |page: &dyn Fn(&Level) -> PathBuf| -> String {
        let line = |level: &&Level| {
            let title = format!("{} {}", level.number, level.name);
            format!("- [{title}]({})\n", page(level).display())
        };
        ALL.iter().map(line).collect()
    };
    let [_, first, title] = FIRST;
    format!(
        "# Summary\n\n[{title}]({first})\n\n# Levels\n\n{}\n# Reference\n\n{}\n\
         # Sources, to work on\n\n{}\n# Sources, finished\n\n{}",
        levels(&lesson_page),
        list(&REFERENCE),
        levels(&|level| sources_page(Whose::Learner, level)),
        levels(&|level| sources_page(Whose::Solution, level)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    fn text(files: &Files, page: &str) -> String {
        String::from_utf8(files[Path::new(page)].clone()).unwrap()
    }

    #[test]
    fn the_book_has_every_page_and_each_in_its_list() {
        let files = pages(&workspace::root().unwrap()).unwrap();
        let summary = text(&files, "SUMMARY.md");
        let listed: Vec<&str> = links(&summary)
            .into_iter()
            .map(|link| &summary[link.target])
            .collect();
        assert_eq!(listed.len(), 4 + 3 * ALL.len());
        let is_page = |path: &&PathBuf| {
            path.extension().is_some_and(|kind| kind == "md")
                && *path != Path::new("SUMMARY.md")
        };
        for page in files.keys().filter(is_page) {
            assert!(listed.contains(&page.to_str().unwrap()), "{page:?}");
        }
        for level in ALL {
            let lesson = text(&files, &lesson_page(level).display().to_string());
            for step in ["<summary>1. ", "<summary>2. ", "<summary>3. "] {
                assert_eq!(lesson.matches(step).count(), 1);
            }
            assert!(lesson.contains("(finished/") || lesson.contains("(exercises/"));
        }
    }

    /// What a link in a lesson becomes.
    fn led(link: &str) -> Result<String> {
        let root = workspace::root().unwrap();
        let book = Book {
            root: &root,
            places: places(),
            files: Files::new(),
        };
        let lesson = Path::new("levels/03-pivot-root/README.md");
        let (words, target) = link.split_once('|').unwrap();
        reference(&book, lesson, Path::new("03-pivot-root.md"), words, target)
    }

    #[test]
    fn links_lead_to_where_their_files_are_in_the_book() {
        let same = [
            ("a|../README.md", "[a](contract.md)"),
            (
                "a|../README.md#level-00-fork-exec",
                "[a](contract.md#level-00-fork-exec)",
            ),
            ("a|#check-it", "[a](03-pivot-root.md#check-it)"),
            ("a|../GLOSSARY.md#put_old", "[a](glossary.md#put_old)"),
            ("a|HINTS.md", "[a](03-pivot-root.md#hints)"),
            (
                "a|src/pivot.rs",
                "[a](exercises/03-pivot-root.md#srcpivotrs)",
            ),
            (
                "a|../../solutions/09-overlayfs/src/main.rs",
                "[a](finished/09-overlayfs.md#srcmainrs)",
            ),
            ("a|../../slides/README.md", "a (`slides/README.md`)"),
            ("slides/|../../slides/README.md", "`slides/README.md`"),
        ];
        for (link, wanted) in same {
            assert_eq!(led(link).unwrap(), wanted, "{link}");
        }
        for wrong in [
            "a|none.md",
            "a|../README.md#none",
            "a|../../../x",
            "a|#none",
        ] {
            assert!(led(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn hints_are_folded_step_by_step_and_in_them_exercise_by_exercise() {
        let page = folded(
            "# H\n\n## 1. One\n\nAll.\n\n**A b.** Do it.\n\n```rust\nx\n```\n",
        )
        .unwrap();
        assert_eq!(
            page,
            "<details>\n<summary>1. One</summary>\n\nAll.\n\n\
             <details>\n<summary>A b</summary>\n\nDo it.\n\n```rust\nx\n```\n\n\
             </details>\n\n\n\n</details>\n\n"
        );
    }

    #[test]
    fn diagrams_are_left_to_the_browser() {
        let page = in_kinds("```mermaid\nA --> B[\"<b>\"]\n```\n```rust\nx\n```\n");
        let wanted = "<pre class=\"mermaid\">\nA --&gt; B[\"&lt;b&gt;\"]\n</pre>\n\
                      ```rust,noplayground\nx\n```\n";
        assert_eq!(page, wanted);
    }
}
