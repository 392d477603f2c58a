//! A level's demo, as its deck has it: `slides/NN-name.md`, Marp's Markdown. Its commands
//! stand in blocks of the kind `console`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::line::Line;
use crate::console;
use crate::judge::Level;
use crate::markdown::marked;

/// A command of a demo.
pub struct Step {
    /// The line of the deck where it stands, counted from 1.
    pub place: usize,
    /// The slide, counted from 1, and its heading.
    pub slide: usize,
    pub title: String,
    /// What the presenter says: the line `Say: …` of the slide's notes.
    pub say: Option<String>,
    /// Does it stand in the notes, not on the slide?
    pub aside: bool,
    pub line: Line,
    /// What it prints, as the slide shows it.
    pub output: String,
}

/// The demo of a level.
pub struct Deck {
    pub level: &'static Level,
    pub file: PathBuf,
    pub steps: Vec<Step>,
}

/// Where a level's deck is.
pub fn file(folder: &Path, level: &Level) -> PathBuf {
    folder.join(format!("{}.md", level.folder()))
}

impl Deck {
    /// The deck of a level in this folder; none: it has no deck.
    ///
    /// Errors: it can't be read, or a command in it is nothing for a demo.
    pub fn read(folder: &Path, level: &'static Level) -> Result<Option<Self>> {
        let file = file(folder, level);
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).context(format!("read {}", file.display()));
            }
        };
        let steps = steps(&text).with_context(|| format!("{}", file.display()))?;
        Ok(Some(Self { level, file, steps }))
    }
}

fn steps(text: &str) -> Result<Vec<Step>> {
    let slides = slides(text);
    let mut all = Vec::new();
    for shown in console::commands(text) {
        let place = shown.line;
        let number = slides.partition_point(|slide| slide.first <= place);
        let slide = slides.get(number.saturating_sub(1)).context("no slide")?;
        let line = Line::parse(&shown.command)
            .with_context(|| format!("line {place}: {}", shown.command))?;
        all.push(Step {
            place,
            slide: number,
            title: slide.title.clone(),
            say: slide.say.clone(),
            aside: slide.notes.contains(&place),
            line,
            output: shown.output,
        });
    }
    Ok(all)
}

struct Slide {
    /// Its first line, counted from 1.
    first: usize,
    title: String,
    say: Option<String>,
    /// The lines in HTML comments: the speaker's notes.
    notes: Vec<usize>,
}

/// The slides of a deck: at least one.
fn slides(text: &str) -> Vec<Slide> {
    let new = |first, title| Slide {
        first,
        title,
        say: None,
        notes: Vec::new(),
    };
    // The front matter is the first thing between rulers.
    let mut in_front_matter = text.lines().next().map(str::trim_end) == Some("---");
    let mut in_comment = false;
    let mut titled = false;
    let mut all = vec![new(1, String::new())];
    for (index, (in_code, line)) in marked(text).enumerate() {
        let (number, line) = (index + 1, line.trim_end());
        if in_front_matter {
            in_front_matter = number == 1 || line != "---";
            continue;
        }
        let Some(slide) = all.last_mut() else { break };
        let begins =
            !in_code && !in_comment && line.trim_start().starts_with("<!--");
        if in_comment || begins {
            slide.notes.push(number);
            let words = line
                .trim_start()
                .trim_start_matches("<!--")
                .trim_end_matches("-->");
            let said = words.trim_start().starts_with("Say:");
            if said && !in_code && slide.say.is_none() {
                slide.say = Some(words.trim().to_owned());
            }
            in_comment = in_code || !line.contains("-->");
        } else if in_code {
        } else if line == "---" {
            // One without a heading goes on with what was said before.
            let title = slide.title.clone();
            all.push(new(number, title));
            titled = false;
        } else if let (false, Some(title)) = (titled, heading(line)) {
            slide.title = title;
            titled = true;
        }
    }
    all
}

/// The words of `# …` or `## …`.
fn heading(line: &str) -> Option<String> {
    let (mark, words) = line.split_once(' ')?;
    // A directive for Marp.
    let words = words.split("<!--").next().unwrap_or_default();
    let plain = words.replace(['`', '*'], "");
    ["#", "##"].contains(&mark).then(|| plain.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECK: &str = "\
---
marp: true
---

###### Small

# One `thing` <!-- fit -->

<!--
Minutes: 2
Say: who has seen this?
Say: not this.

```console
$ cargo checker xray 05 --solution
…
```
-->

---

```console
$ cargo checker try 05 --solution -- echo -- --- '# no'
-- --- # no

$ cargo checker check 05 --solutions
…
```

<!-- Say: inline -->
---

```text
---
$ ls
```

## Three
";

    #[test]
    fn a_deck_is_read() {
        let steps = steps(DECK).unwrap();
        let seen: Vec<_> = steps
            .iter()
            .map(|step| {
                let say = step.say.as_deref().unwrap_or_default();
                (step.place, step.slide, &*step.title, say, step.aside)
            })
            .collect();
        assert_eq!(
            seen,
            [
                (15, 1, "One thing", "Say: who has seen this?", true),
                (23, 2, "One thing", "Say: inline", false),
                (26, 2, "One thing", "Say: inline", false),
            ]
        );
        assert_eq!(steps[1].output, "-- --- # no\n\n");
        assert_eq!(slides(DECK).last().unwrap().title, "Three");
    }

    #[test]
    fn what_is_no_demo_is_named() {
        let error = steps("# A\n```console\n$ ls\n```\n").err().unwrap();
        let error = format!("{error:#}");
        assert_eq!(error, "line 3: ls: a demo runs `cargo checker …`");
    }

    #[test]
    fn a_deck_may_lack_everything() {
        assert!(steps("").unwrap().is_empty());
        let bare = "```console\n$ cargo checker xray 05 --solution\n```";
        assert_eq!(steps(bare).unwrap()[0].title, "");
    }
}
