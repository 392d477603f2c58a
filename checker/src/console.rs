//! Commands on a page, and what they print, as lessons and slides have them. A command
//! stands in a block of the kind `console`, behind `$ `; its output follows. In the
//! output, a line `…` stands for any lines, and a `…` within a line for any text.
//!
//! The checker's tests include this file, too: it uses nothing of the checker but
//! `markdown`.

use crate::markdown::marked;

/// What stands for any lines, or for any text in a line.
const GAP: &str = "…";

/// A command on a page.
pub struct Shown {
    /// Where it stands, counted from 1.
    pub line: usize,
    pub command: String,
    /// What it prints, as the page has it.
    pub output: String,
}

/// The commands of a page, in its blocks of the kind `console`.
pub fn commands(page: &str) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    let mut kind = "";
    for (index, (in_code, line)) in marked(page).enumerate() {
        if !in_code {
            kind = "";
        } else if let Some(fence) = line.strip_prefix("```") {
            kind = fence;
        } else if kind != "console" {
            continue;
        } else if let Some(command) = line.strip_prefix("$ ") {
            let (command, output) = (command.to_owned(), String::new());
            all.push(Shown {
                line: index + 1,
                command,
                output,
            });
        } else if let Some(shown) = all.last_mut() {
            shown.output.push_str(line);
            shown.output.push('\n');
        }
    }
    all
}

/// What came, without its first line if that says what is run, as `try` does. Pages may
/// leave that line out.
pub fn without_announcement(came: &str) -> &str {
    match came.split_once('\n') {
        Some((first, rest)) if is_announcement(first) => rest,
        _ => came,
    }
}

/// `level-03 run -i base -- ls`
fn is_announcement(line: &str) -> bool {
    let mut words = line.split(' ');
    let ours = |word: &str| {
        ["level-", "solution-", "mistake-"]
            .iter()
            .any(|kind| word.starts_with(kind))
    };
    words.next().is_some_and(ours) && words.next() == Some("run")
}

/// Shows where `came` is not what `shown` says; nothing if it is.
pub fn difference(shown: &str, came: &str) -> Option<String> {
    let shown: Vec<&str> = shown.trim_end().lines().map(str::trim_end).collect();
    let came: Vec<&str> = came.trim_end().lines().map(str::trim_end).collect();
    let (expected, got) = parting(&shown, &came)?;
    let list = |lines: &[&str], at: usize| {
        let mut text = String::new();
        for (index, line) in lines.iter().enumerate() {
            let mark = if index == at { ">" } else { " " };
            text.push_str(&format!("  {mark} {line}\n"));
        }
        match at < lines.len() {
            true => text,
            false => text + "  > (the end)\n",
        }
    };
    Some(format!(
        "what is shown:\n{}what came out:\n{}",
        list(&shown, expected),
        list(&came, got)
    ))
}

/// Where two texts part: the farthest line of `shown` that can be reached, and the
/// line that came in its place. Nothing if they are the same but for the gaps.
fn parting(shown: &[&str], came: &[&str]) -> Option<(usize, usize)> {
    let Some((first, others)) = shown.split_first() else {
        return (!came.is_empty()).then_some((0, 0));
    };
    if first.trim() == GAP {
        let mut farthest = (0, 0);
        for skipped in 0..=came.len() {
            let (expected, got) = parting(others, &came[skipped..])?;
            // On equal terms the first: there the reader begins to look.
            if expected + 1 > farthest.0 {
                farthest = (expected + 1, got + skipped);
            }
        }
        return Some(farthest);
    }
    match came.split_first() {
        Some((line, rest)) if is_like(first, line) => {
            parting(others, rest).map(|(expected, got)| (expected + 1, got + 1))
        }
        _ => Some((0, 0)),
    }
}

/// Is this the line that was shown, but for the gaps in it?
fn is_like(shown: &str, line: &str) -> bool {
    let Some((before, after)) = shown.split_once(GAP) else {
        return shown == line;
    };
    let Some(rest) = line.strip_prefix(before) else {
        return false;
    };
    let starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    starts.into_iter().any(|at| is_like(after, &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_compared_line_by_line() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(difference("a  \n\n", "a"), None);
        assert_eq!(difference("", ""), None);
        assert!(difference("a\n", "").is_some());
        assert!(difference("", "a\n").is_some());
        assert!(difference("a\nb", "a").is_some());
        assert!(difference("a", "a\nb").is_some());
        assert!(difference("a b", "a  b").is_some());
    }

    #[test]
    fn a_gap_is_any_lines_or_any_text() {
        assert_eq!(difference("…", ""), None);
        assert_eq!(difference("a\n…\nd\n", "a\nb\nc\nd\n"), None);
        assert_eq!(difference("a\n…\nd\n", "a\nd\n"), None);
        assert_eq!(difference("…\nb\n…\nb\n", "b\nb\n"), None);
        assert_eq!(difference("pid … of …\n", "pid 3 of init\n"), None);
        assert_eq!(difference("x…y…y", "xyéy"), None);
        assert!(difference("a\n…\nd\n", "a\nb\n").is_some());
        assert!(difference("pid … of", "pid 3").is_some());
        assert!(difference("…b", "abc").is_some());
    }

    #[test]
    fn a_difference_is_marked_where_it_begins() {
        let expected = "what is shown:\n    a\n    …\n  > y\n    z\n\
                        what came out:\n    a\n  > x\n    z\n";
        assert_eq!(
            difference("a\n…\ny\nz", "a\nx\nz").as_deref(),
            Some(expected)
        );
        let expected =
            "what is shown:\n    a\n  > b\nwhat came out:\n    a\n  > (the end)\n";
        assert_eq!(difference("a\nb", "a").as_deref(), Some(expected));
    }

    #[test]
    fn commands_are_found_in_their_blocks() {
        let page = "$ none\n```console\n$ one\nout\n\n## out\n$ two\n```\n\
                    ```text\n$ none\n```\n";
        let found = commands(page);
        let found: Vec<(usize, &str, &str)> = found
            .iter()
            .map(|one| (one.line, &*one.command, &*one.output))
            .collect();
        assert_eq!(found, [(3, "one", "out\n\n## out\n"), (7, "two", "")]);
    }

    #[test]
    fn what_try_says_first_may_be_left_out() {
        assert_eq!(without_announcement("mistake-03 run -- ls\na\n"), "a\n");
        assert_eq!(without_announcement("level-03 runs\n"), "level-03 runs\n");
    }
}
