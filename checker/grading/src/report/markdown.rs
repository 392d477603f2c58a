//! Markdown, as GitHub and GitLab show it. Texts of others stand in tables, lists and
//! headings with each letter escaped that could mean something, and what has more lines
//! stands in fences longer than any that it brings.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write;

use anyhow::Result;
use report::{Graded, Judged, Machine, Submission, Verdict};

use super::signs::{Counts, Kind, Sign, UNSTEADY};
use super::tally::{Mistake, Tally, Trouble};
use super::{Class, Head, text, words};

/// How many of the most common mistakes are told.
const COMMON: usize = 10;
/// How many explanations of one.
const VARIANTS: usize = 3;

/// The report for people. Whatever may be cut off is written with one call, so that
/// what came before is whole: a paragraph, a row, a list's item with all in it.
///
/// Errors: the class can't be read, or `out` can't be written.
pub fn write(class: &dyn Class, out: &mut dyn Write) -> Result<()> {
    let head = class.head();
    let mut tally = Tally::new(head);
    let mut counts = Counts::default();
    block(out, "# Who has built what\n\n")?;
    if let Some(missing) = words::missing(head) {
        block(
            out,
            &format!("**Not the whole class:** {}.\n\n", escaped(&missing)),
        )?;
    }
    block(out, &columns(head))?;
    class.each(&mut |submission| {
        tally.count(&submission, &[]);
        for graded in &submission.levels {
            counts.add(&graded.judged);
        }
        block(out, &row(head, &submission))
    })?;
    block(out, &key(&counts))?;
    machines(head, out)?;
    troubles(&tally, head, out)?;
    mistakes(&tally, head, out)?;
    class.each(&mut |submission| failures(&submission, out))
}

fn block(out: &mut dyn Write, text: &str) -> Result<()> {
    Ok(out.write_all(text.as_bytes())?)
}

fn columns(head: &Head) -> String {
    let mut names = "| |".to_string();
    let mut rules = "|:-|".to_string();
    for level in &head.levels {
        let _ = write!(
            names,
            " {} {} |",
            inline(&level.info.level),
            inline(&level.info.name)
        );
        rules.push_str(":-|");
    }
    format!("{names} points |\n{rules}-:|\n")
}

fn row(head: &Head, submission: &Submission) -> String {
    let mut out = format!("| {} |", name(submission));
    for graded in head.levels_of(submission) {
        let _ = write!(
            out,
            " {} |",
            graded.map_or("not judged".into(), |one| cell(&one.judged))
        );
    }
    let (points, of) = (
        words::points(submission.points),
        words::points(submission.of),
    );
    let _ = writeln!(out, " {points} of {of} |");
    out
}

/// The verdict, in a table.
pub fn cell(judged: &Judged) -> String {
    let outcome = &judged.outcome;
    let Sign { sign, word, .. } = Kind::of(&outcome.verdict).sign();
    let verdict = match &outcome.verdict {
        Verdict::Pass => sign.to_string(),
        Verdict::Fail => format!("{sign} {}", words::amiss(outcome)),
        _ => format!("{sign} {word}"),
    };
    match judged.unsteady.is_empty() {
        true => verdict,
        false => format!("{verdict} {}", UNSTEADY.sign),
    }
}

/// What the signs in the table mean, and how often each is there.
pub fn key(counts: &Counts) -> String {
    let mut out = String::from("\n");
    for (
        Sign {
            sign,
            word,
            meaning,
        },
        count,
    ) in counts.key()
    {
        let _ = writeln!(out, "- {sign} {count} {word}: {meaning}");
    }
    out + "\n"
}

fn machines(head: &Head, out: &mut dyn Write) -> Result<()> {
    block(out, "## Where it was judged\n\n")?;
    for (index, machine) in head.machines.iter().enumerate() {
        let called = called(head, &BTreeSet::from([index]));
        block(out, &format!("- {called}{}\n", facts(machine)))?;
    }
    block(out, "\n")
}

/// A machine, on one line.
pub fn facts(machine: &Machine) -> String {
    let facts = [
        ("kernel", &machine.kernel),
        ("control groups", &machine.cgroup),
        ("sandbox", &machine.sandbox),
        ("checker", &machine.checker),
        ("compiler", &machine.rustc),
    ];
    let facts = facts.map(|(what, is)| format!("{what}: {}", inline(is)));
    facts.join(" · ")
}

/// With one machine only, nobody has to say which.
fn called(head: &Head, machines: &BTreeSet<usize>) -> String {
    let numbers = machines.iter().map(|machine| (machine + 1).to_string());
    let numbers = numbers.collect::<Vec<_>>().join(", ");
    match (head.machines.len(), machines.len()) {
        (0 | 1, _) => String::new(),
        (_, 1) => format!("machine {numbers}: "),
        _ => format!("machines {numbers}: "),
    }
}

fn troubles(tally: &Tally, head: &Head, out: &mut dyn Write) -> Result<()> {
    let troubles = tally.troubles();
    if troubles.is_empty() {
        return Ok(());
    }
    block(
        out,
        "## What could not be judged\n\nIt costs nobody points.\n\n",
    )?;
    for trouble in troubles {
        block(out, &self::trouble(trouble, head))?;
    }
    if tally.more_troubles > 0 {
        block(out, &format!("- and {} more\n", tally.more_troubles))?;
    }
    block(out, "\n")
}

fn trouble(trouble: &Trouble, head: &Head) -> String {
    let Trouble {
        broken,
        reason,
        cure,
        places,
        machines,
        ..
    } = trouble;
    let places: Vec<String> = places
        .iter()
        .map(|(level, check)| match check {
            Some(id) => escaped(id),
            None => format!("level {}", inline(&head.levels[*level].info.level)),
        })
        .collect();
    let (machines, places) = (called(head, machines), places.join(", "));
    let [reason, cure] = [reason, cure].map(|text| escaped(&text::joined(text)));
    let reason = reason.trim_end_matches('.');
    let told = match broken {
        true => format!("the checker is at fault: {reason}"),
        false => format!("{reason}. {cure}"),
    };
    format!("- {machines}{places}: {}\n", told.trim_end())
}

fn mistakes(tally: &Tally, head: &Head, out: &mut dyn Write) -> Result<()> {
    let mistakes = tally.mistakes();
    if mistakes.is_empty() {
        return Ok(());
    }
    block(out, "## The most common mistakes\n\n")?;
    for mistake in mistakes.into_iter().take(COMMON) {
        block(out, &self::mistake(mistake, head, tally.submissions))?;
    }
    block(out, "\n")
}

/// A mistake, and below it how many had it for which reason.
fn mistake(mistake: &Mistake, head: &Head, all: usize) -> String {
    let count = mistake.learners.count;
    let mut out = match &mistake.check {
        Some((id, claim)) => {
            let (id, claim) = (escaped(id), escaped(claim));
            format!("1. {count} of {all}: **{id}** ({claim})\n")
        }
        None => {
            let level = inline(&head.levels[mistake.level].info.level);
            format!("1. {count} of {all}: **level {level}** doesn't compile\n")
        }
    };
    let mut others = count;
    for variant in mistake.variants().into_iter().take(VARIANTS) {
        let (count, likely) = (variant.learners.count, &variant.likely);
        let likely = match likely.is_empty() {
            true => "no reason is known".into(),
            false => escaped(&text::joined(likely)),
        };
        let _ = writeln!(out, "   - {count}: {likely}");
        others = others.saturating_sub(count);
    }
    if others > 0 {
        let _ = writeln!(out, "   - {others}: for other reasons");
    }
    out
}

/// What went wrong in a submission: nothing, for most of them it is hoped.
fn failures(submission: &Submission, out: &mut dyn Write) -> Result<()> {
    let notes = self::notes(submission);
    let mut title = format!("## {}\n\n", name(submission));
    if !notes.is_empty() {
        block(out, &format!("{title}{notes}"))?;
        title.clear();
    }
    for graded in &submission.levels {
        if let Some(told) = failure(graded) {
            block(out, &format!("{title}{told}"))?;
            title.clear();
        }
    }
    Ok(())
}

/// What was left untouched, and what was left out.
pub fn notes(submission: &Submission) -> String {
    let mut notes = words::untouched(submission);
    notes.extend(text::list(&submission.notes));
    let items = notes.iter().map(|note| format!("- {}\n", escaped(note)));
    match notes.is_empty() {
        true => String::new(),
        false => items.collect::<String>() + "\n",
    }
}

/// A level that isn't as it should be. What the machine can't show was told before.
fn failure(graded: &Graded) -> Option<String> {
    let bad = match graded.judged.outcome.verdict {
        Verdict::Pass | Verdict::Untouched { .. } | Verdict::Cannot { .. } => {
            !graded.judged.unsteady.is_empty()
        }
        _ => true,
    };
    bad.then(|| level(&graded.judged, 1))
}

/// A level, with the first checks that fail, and the names of the others.
pub fn level(judged: &Judged, explained: usize) -> String {
    let outcome = &judged.outcome;
    let title = inline(&format!("{} {}", outcome.level, outcome.name));
    let mut out = format!("### {title}: {}\n\n", words::headline(outcome));
    if let Some(unsteady) = words::unsteady(judged) {
        let _ = write!(out, "{}\n\n", escaped(&unsteady));
    }
    if let Some(why) = words::why(&outcome.verdict) {
        out.push_str(&fence(&why));
    }
    for (check, diagnosis) in words::failures(outcome).take(explained) {
        let (id, claim) = (inline(&check.id), inline(&check.claim));
        let _ = write!(out, "**{id}**: {claim}\n\n");
        out.push_str(&fence(&words::diagnosis(&outcome.level, diagnosis)));
    }
    if let Some(others) = words::others(outcome, explained) {
        let _ = write!(out, "{}\n\n", escaped(&others));
    }
    out
}

/// Of whom it is.
pub fn name(submission: &Submission) -> String {
    escaped(&text::name(&submission.name))
}

/// A text on one line, with nothing in it but letters.
pub fn inline(text: &str) -> String {
    escaped(&text::line(text))
}

/// Punctuation may be escaped with a backslash (CommonMark 2.4), but in tables parsers
/// do not agree on `\\|`: these two go as entities. An invisible letter, the word
/// joiner, keeps GitHub from taking `@name`, `#1` and mail addresses for links.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '|' => out.push_str("&#124;"),
            '\\' => out.push_str("&#92;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' | '#' => {
                let _ = write!(out, "\u{2060}\\{letter}\u{2060}");
            }
            // `https://`, `:smile:`, but no colon in prose; and `www.`
            ':' if letters.peek().is_none_or(|next| *next == ' ') => {
                out.push(letter)
            }
            '.' if out.to_lowercase().ends_with("www") => out.push_str("\\."),
            _ if HARMLESS.contains(letter) => out.push(letter),
            _ if letter.is_ascii_punctuation() => out.extend(['\\', letter]),
            _ => out.push(letter),
        }
    }
    out
}

/// Punctuation that means nothing to Markdown within a line.
const HARMLESS: &str = ".,;-+/()'\"%=?";

/// A text of many lines, as it is.
fn fence(text: &str) -> String {
    let runs = text.split(|letter| letter != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or(0).max(2) + 1);
    format!("{fence}text\n{text}\n{fence}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn written(class: &dyn Class) -> String {
        let mut out = Vec::new();
        write(class, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_class() {
        insta::assert_snapshot!(written(&sample::class()));
    }

    #[test]
    fn nobody() {
        let (head, _) = sample::class();
        insta::assert_snapshot!(written(&(head, Vec::new())));
    }

    #[test]
    fn what_is_missing_stands_first() {
        let (mut head, submissions) = sample::class();
        head.missing = vec!["2/3".into()];
        let text = written(&(head, submissions));
        let told = "# Who has built what\n\n\
            **Not the whole class:** part 2/3 of the class is missing.\n\n| |";
        assert!(text.starts_with(told), "{text}");
    }

    #[test]
    fn every_row_has_as_many_cells() {
        let text = written(&sample::class());
        let rows: Vec<_> =
            text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(rows.len(), 2 + 5);
        for row in rows {
            assert_eq!(row.matches('|').count(), 6, "{row}");
        }
    }

    /// Between fences, no line means anything but what is written here.
    #[test]
    fn hostile_text_opens_nothing() {
        let text = written(&sample::class());
        let mut fence: Option<&str> = None;
        for line in text.lines() {
            let run = line.trim_end_matches("text");
            let ticks = run.len() >= 3 && run.chars().all(|letter| letter == '`');
            match fence {
                Some(open) if ticks && run.len() >= open.len() => fence = None,
                Some(_) => {}
                None if ticks => fence = Some(run),
                None => {
                    let known = ["# ", "## ", "### ", "| ", "|:-", "- ", "1. "];
                    let known = known.iter().any(|start| line.starts_with(start));
                    let plain = line.starts_with(|letter: char| {
                        letter.is_alphabetic() || "≠*".contains(letter)
                    });
                    assert!(
                        known || plain || line.is_empty() || line.starts_with("   "),
                        "{line}"
                    );
                    let line = unescaped(line);
                    for bad in ["<", "](", "www.", "http:", "`", "e@e", "@o", " #"] {
                        assert!(!line.contains(bad), "{bad} in {line}");
                    }
                }
            }
        }
        assert_eq!(fence, None);
    }

    /// A line without what a backslash makes harmless.
    fn unescaped(line: &str) -> String {
        let mut parts = line.split('\\');
        let first = parts.next().unwrap_or_default().to_string();
        let others = parts.map(|part| part.chars().skip(1).collect::<String>());
        others.fold(first, |line, part| line + "·" + &part)
    }

    #[test]
    fn prose_can_be_read_as_it_is() {
        let prose = "it isn't \"ok\": 1/2, (see a.b)";
        assert_eq!(inline(prose), prose);
        assert_eq!(
            inline("CLONE_NEWUTS https://a WWW.b"),
            "CLONE\\_NEWUTS https\\://a WWW\\.b"
        );
    }

    #[test]
    fn a_fence_is_longer_than_any_in_it() {
        assert_eq!(fence("a"), "```text\na\n```\n\n");
        assert_eq!(fence("```\n````\n"), "`````text\n```\n````\n\n`````\n\n");
    }
}
