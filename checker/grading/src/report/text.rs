//! Text of others, made harmless: nothing leaves here that does more than be read, that
//! nobody sees, or that has no end. It is the formats' matter to escape what has a
//! meaning to them alone.

use super::words::count;

/// How much is shown of what stands in a line. Characters.
const LINE: usize = 300;
/// The same, of a part of a message.
pub const PART: usize = 4000;
/// So many lines are shown of a list.
const LIST: usize = 20;

/// Text of any number of lines: at most `most` characters of it.
pub fn lines(text: &str, most: usize) -> String {
    clean(&cut(text.trim_end(), most))
}

/// Text on one line: whatever space was in it is one blank.
pub fn line(text: &str) -> String {
    without_commands(&clean(&cut(&joined(text), LINE)))
}

/// Text without line ends. The rest of it is as it was.
pub fn joined(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// A name on one line, all of it. It can be seen where it begins and where it ends; what
/// is no blank isn't shown as one.
pub fn name(name: &str) -> String {
    let shown = clean(name).replace('\t', "\\t").replace('\n', "\\n");
    let shown = without_commands(&shown);
    match shown.is_empty() || shown.trim_matches(is_blank) != shown {
        true => format!("\"{shown}\""),
        false => shown,
    }
}

/// Alone, a joiner joins nothing; and U+2800 is Braille without a dot.
fn is_blank(character: char) -> bool {
    character.is_whitespace()
        || matches!(character, '\u{200c}' | '\u{200d}' | '\u{2800}')
}

/// Some lines, each for itself, and how many there are that aren't shown.
pub fn list(all: &[String]) -> Vec<String> {
    let rest = all.len().saturating_sub(LIST);
    let more = (rest > 0).then(|| format!("… and {rest} more"));
    let shown = all.iter().take(LIST).map(|one| line(one));
    shown.chain(more).collect()
}

/// The beginning of a text, and how much was left out.
///
/// `most` is in characters; what is told about the rest comes on top.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.into(),
        Some((end, _)) => {
            let rest = count(text[end..].chars().count(), "more character");
            format!("{}… ({rest})", &text[..end])
        }
    }
}

/// Text whose line ends and tabs stay. What else nobody sees is written as Rust does it:
/// `\u{1b}`.
fn clean(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' | '\t' => shown.push(character),
            _ if character.is_control() || is_unseen(character) => {
                shown.extend(character.escape_default());
            }
            _ => shown.push(character),
        }
    }
    shown
}

/// Is this a character that takes no room, ends a line, turns the direction of others
/// (UAX 9), or is none at all (which XML forbids, 2.2)?
///
/// It is Unicode's list Default_Ignorable_Code_Point, and some more; without what other
/// people's letters need: joiners, and the selectors of variations.
fn is_unseen(character: char) -> bool {
    let none = u32::from(character) & 0xfffe == 0xfffe;
    none || matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fdd0}'..='\u{fdef}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e00ff}'
            | '\u{e01f0}'..='\u{e0fff}'
    )
}

/// Text that no runner takes for a command, when it is printed in a job. At any place in
/// a line, `##[` is one to GitHub's (actions/runner, `ActionCommand.cs`), `##vso[` to
/// Azure's, and `##teamcity[` to TeamCity's. The bracket is written out.
pub fn without_commands(text: &str) -> String {
    let mut parts = text.split('[');
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let before = shown.trim_end_matches(|c: char| c.is_ascii_alphanumeric());
        shown.push_str(match before.ends_with("##") {
            true => "\\u{5b}",
            false => "[",
        });
        shown.push_str(part);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    /// May it be in a text of one line?
    fn is_plain(character: char) -> bool {
        !character.is_control() && !is_unseen(character)
    }

    #[test]
    fn nothing_comes_through_that_does_more_than_be_read() {
        let hostile = sample::HOSTILE;
        assert!(!hostile.chars().all(is_plain));
        assert!(lines(hostile, PART).replace('\n', "").chars().all(is_plain));
        assert!(line(hostile).chars().all(is_plain));
        assert!(name(&sample::hostile_name()).chars().all(is_plain));
    }

    #[test]
    fn what_nobody_sees_is_written_out() {
        assert_eq!(
            lines("a\x1b[31mb\0\u{202e}c\u{1fffe}", 99),
            r"a\u{1b}[31mb\u{0}\u{202e}c\u{1fffe}"
        );
        assert_eq!(lines("one\r\ntwo\tx\ry\r\n", 99), "one\ntwo\tx\\ry");
        assert_eq!(line("one\r\n\ttwo\u{2028}three "), "one two three");
        assert_eq!(name("a\nb\t\u{1b}[2J\u{202e}"), r"a\nb\t\u{1b}[2J\u{202e}");
    }

    #[test]
    fn other_peoples_letters_stay() {
        let names = [
            "größte",
            "Zoe\u{308}",
            "名前",
            "葛\u{e0100}城",
            "שלום",
            "नमस्ते",
            "می\u{200c}خواهم",
            "👩\u{200d}💻",
        ];
        for text in names {
            assert_eq!([name(text), line(text), lines(text, 99)], [text; 3]);
        }
    }

    #[test]
    fn names_can_be_seen() {
        for text in ["", " ", "ada ", "\u{a0}ada", "ada\u{200d}", "\u{2800}"] {
            assert_eq!(name(text), format!("\"{text}\""));
        }
        assert_eq!(name(&"x".repeat(255)), "x".repeat(255));
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(cut("größe", 5), "größe");
        assert_eq!(cut("größe", 3), "grö… (2 more characters)");
        assert_eq!(cut("größe", 4), "größ… (1 more character)");
        assert_eq!(lines("a\nb\nc\n", 3), "a\nb… (2 more characters)");
        let long = "x".repeat(LINE + 1);
        assert_eq!(line(&long), cut(&long, LINE));
    }

    #[test]
    fn a_list_says_what_is_missing() {
        let all: Vec<String> = (1..=22).map(|n| format!("{n}\n{n}")).collect();
        let shown = list(&all);
        assert_eq!(shown.len(), LIST + 1);
        assert_eq!(shown[LIST - 1..], ["20 20", "… and 2 more"]);
        assert_eq!(list(&all[..1]), ["1 1"]);
    }

    #[test]
    fn no_runner_takes_a_line_for_a_command() {
        assert_eq!(name("eve ##[error]owned"), r"eve ##\u{5b}error]owned");
        assert_eq!(line("###[a##vso[b"), r"###\u{5b}a##vso\u{5b}b");
        assert_eq!(line("#[a] ## [b] c[0]"), "#[a] ## [b] c[0]");
    }
}
