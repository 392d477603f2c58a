//! For GitHub's own eyes: annotations, which are lines on a step's standard output, and
//! the step's summary.
//!
//! The runner takes every line that begins with `::` for a command. What is written
//! here are such lines and no others, and no text can end one: line ends are escaped
//! as the runner itself undoes it (actions/runner, `ActionCommand.cs`).

use std::io::Write;

use anyhow::Result;
use report::{Graded, Judged, Outcome, Submission, Verdict};

use super::signs::{Counts, Kind, Sign};
use super::{Class, markdown, text, words};

/// GitHub shows ten annotations of a kind for a step, and drops the others.
const SHOWN: usize = 10;
/// How many of the compiler's errors are told of one level.
const ERRORS: usize = 3;
/// A title longer than that isn't shown.
const TITLE: usize = 200;
/// Bytes of a step's summary: GitHub shows nothing of a longer one.
const SUMMARY: usize = 1024 * 1024;

/// Errors, a line each: for a level that doesn't compile what the compiler says, for
/// one that fails its first failing check. What GitHub wouldn't show is counted, and so
/// are untouched levels.
///
/// Errors: the class can't be read, or `out` can't be written.
pub fn annotations(class: &dyn Class, out: &mut dyn Write) -> Result<()> {
    let mut submissions = 0;
    class.each(&mut |_| {
        submissions += 1;
        Ok(())
    })?;
    let mut told = 0;
    let mut more = 0;
    let mut counts = Counts::default();
    class.each(&mut |submission| {
        for graded in &submission.levels {
            counts.add(&graded.judged);
            for note in notes(&submission, graded, submissions == 1) {
                match told < SHOWN {
                    true => writeln!(out, "{}", note.command("error"))?,
                    false => more += 1,
                }
                told += 1;
            }
        }
        Ok(())
    })?;
    let mut sum = |kind, message| {
        let note = Note {
            file: None,
            title: "cargo checker grade".into(),
            message,
        };
        writeln!(out, "{}", note.command(kind))
    };
    if more > 0 {
        let message = format!("{more} more errors are in the report only");
        sum("warning", message)?;
    }
    let untouched = counts.of(Kind::Untouched);
    if untouched > 0 {
        let Sign { word, meaning, .. } = Kind::Untouched.sign();
        let levels = words::count(untouched, "level");
        sum("notice", format!("{levels} {word}: {meaning}"))?;
    }
    Ok(())
}

/// One annotation. All of it may be anybody's text.
struct Note {
    /// From the repository's root on, with line and column.
    file: Option<(String, u64, u64)>,
    title: String,
    message: String,
}

impl Note {
    fn command(&self, kind: &str) -> String {
        let file = self.file.as_ref().map(|(file, line, column)| {
            format!("file={},line={line},col={column},", property(file))
        });
        let file = file.unwrap_or_default();
        let title = property(&text::cut(&self.title, TITLE));
        format!("::{kind} {file}title={title}::{}", data(&self.message))
    }
}

/// The annotations for one level. Only one person's work can be the repository that is
/// annotated: of more, the places are told in the messages.
fn notes(submission: &Submission, graded: &Graded, alone: bool) -> Vec<Note> {
    let outcome = &graded.judged.outcome;
    let (name, folder) = (text::name(&submission.name), words::folder(outcome));
    let title = format!("{}: {folder}", text::cut(&name, TITLE / 2));
    let headline = words::headline(outcome);
    let whole = |message: String| {
        vec![Note {
            file: None,
            title: title.clone(),
            message: format!("{headline}\n{message}"),
        }]
    };
    match &outcome.verdict {
        Verdict::Pass | Verdict::Untouched { .. } | Verdict::Cannot { .. } => {
            Vec::new()
        }
        Verdict::Unbuilt { .. } if !graded.judged.errors.is_empty() => {
            places(&graded.judged, &title, alone)
        }
        Verdict::Fail => whole(first(outcome)),
        Verdict::Unbuilt { .. } | Verdict::Broken { .. } => {
            whole(words::why(&outcome.verdict).unwrap_or_default())
        }
    }
}

/// Where the compiler found errors: the first few.
fn places(judged: &Judged, title: &str, alone: bool) -> Vec<Note> {
    let places = judged.errors.iter().take(ERRORS);
    places
        .map(|place| {
            let (file, message) =
                (text::line(&place.file), text::line(&place.message));
            let (line, column) = (place.line, place.column);
            match alone {
                true => Note {
                    file: Some((file, line, column)),
                    title: title.into(),
                    message,
                },
                false => Note {
                    file: None,
                    title: title.into(),
                    message: format!("{file}:{line}:{column}: {message}"),
                },
            }
        })
        .collect()
}

/// The first check that fails, explained, and the names of the others.
fn first(outcome: &Outcome) -> String {
    let Some((check, diagnosis)) = words::failures(outcome).next() else {
        return String::new();
    };
    let told = words::diagnosis(&outcome.level, diagnosis);
    let (id, claim) = (text::line(&check.id), text::line(&check.claim));
    let others = words::others(outcome, 1).map(|others| format!("\n{others}"));
    format!("{id}: {claim}\n{told}{}", others.unwrap_or_default())
}

/// A command's message. The runner prints it in its log, line by line, and whoever shows
/// the log would take a `##[group]` there for its own.
fn data(text: &str) -> String {
    let text = text::without_commands(text).replace('%', "%25");
    text.replace('\r', "%0D").replace('\n', "%0A")
}

/// One of a command's properties.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The Markdown report, as much of it as GitHub takes.
///
/// Errors: the class can't be read, or `out` can't be written.
pub fn summary(class: &dyn Class, out: &mut dyn Write) -> Result<()> {
    const CUT: &str = "\n\n**It is cut here:** GitHub takes no more than 1 MiB for a \
        step's summary. The whole report is in the files.\n";
    let mut limited = Limited {
        out,
        left: SUMMARY - CUT.len(),
        full: false,
    };
    markdown::write(class, &mut limited)?;
    if limited.full {
        limited.out.write_all(CUT.as_bytes())?;
    }
    Ok(())
}

/// Lets through what fits, call by call; after the first that doesn't, nothing.
struct Limited<'a> {
    out: &'a mut dyn Write,
    /// Bytes.
    left: usize,
    full: bool,
}

impl Write for Limited<'_> {
    fn write(&mut self, block: &[u8]) -> std::io::Result<usize> {
        self.full |= block.len() > self.left;
        if !self.full {
            self.out.write_all(block)?;
            self.left -= block.len();
        }
        Ok(block.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Head, sample};

    fn annotated(class: &dyn Class) -> String {
        let mut out = Vec::new();
        annotations(class, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn summarized(class: &dyn Class) -> String {
        let mut out = Vec::new();
        summary(class, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn one(index: usize) -> (Head, Vec<Submission>) {
        let (head, mut submissions) = sample::class();
        (head, vec![submissions.swap_remove(index)])
    }

    #[test]
    fn a_class() {
        insta::assert_snapshot!(annotated(&sample::class()));
    }

    #[test]
    fn one_person() {
        insta::assert_snapshot!(annotated(&one(2)));
    }

    #[test]
    fn one_hostile_person() {
        insta::assert_snapshot!(annotated(&one(3)));
    }

    /// As the runner reads a line: all up to the second `::` are properties.
    #[test]
    fn every_line_is_one_command_of_ours() {
        let mut text = annotated(&sample::class());
        text += &annotated(&one(3));
        for line in text.split(['\n', '\r']).filter(|line| !line.is_empty()) {
            let (command, data) = line[2..].split_once("::").unwrap();
            let (kind, properties) = command.split_once(' ').unwrap();
            assert!(line.starts_with("::") && !data.is_empty());
            assert!(["error", "notice"].contains(&kind));
            for property in properties.split(',') {
                let (key, _) = property.split_once('=').unwrap();
                assert!(["file", "line", "col", "title"].contains(&key), "{line}");
            }
        }
    }

    #[test]
    fn a_property_ends_where_we_say() {
        assert_eq!(property("a,line=1::b%\r\n"), "a%2Cline=1%3A%3Ab%25%0D%0A");
        assert_eq!(data("a,b: 1%\n"), "a,b: 1%25%0A");
    }

    #[test]
    fn no_line_of_a_message_is_a_command() {
        let text = annotated(&sample::class());
        assert!(text.contains("\\u{5b}error]owned"), "{text}");
        assert!(!text.contains("##["), "{text}");
    }

    #[test]
    fn what_github_would_drop_is_counted() {
        let (head, submissions) = sample::class();
        let many = submissions.iter().cycle().take(25).cloned().collect();
        let text = annotated(&(head, many));
        let sums: Vec<&str> = text.lines().skip(SHOWN).collect();
        let wanted = [
            "::warning title=cargo checker grade::30 more errors are in the report only",
            "::notice title=cargo checker grade::5 levels untouched: nothing was done",
        ];
        assert_eq!(sums, wanted);
    }

    #[test]
    fn a_summary_is_the_markdown_report() {
        let mut whole = Vec::new();
        markdown::write(&sample::class(), &mut whole).unwrap();
        assert_eq!(summarized(&sample::class()).as_bytes(), whole);
    }

    #[test]
    fn a_summary_that_is_too_long_is_cut_between_two_parts() {
        let (head, submissions) = sample::class();
        let many = submissions[..3]
            .iter()
            .cycle()
            .take(4000)
            .cloned()
            .collect();
        let class = (head, many);
        let text = summarized(&class);
        assert!(
            (SUMMARY - 1000..=SUMMARY).contains(&text.len()),
            "{}",
            text.len()
        );
        let (kept, note) = text.split_once("\n\n**It is cut here:**").unwrap();
        assert!(note.ends_with("The whole report is in the files.\n"));
        assert!(kept.ends_with("```\n\n"));
        let mut whole = Vec::new();
        markdown::write(&class, &mut whole).unwrap();
        assert!(whole.len() > SUMMARY && whole.starts_with(kept.as_bytes()));
    }
}
