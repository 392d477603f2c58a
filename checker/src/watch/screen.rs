//! What stands on the screen: lines of text, made of what is known. Nothing in here
//! touches the terminal.

use colored::Colorize;

use crate::judge::levels::ALL;
use crate::judge::{Finding, Judgement, Level, Outcome, Verdict};
use crate::render::terminal::{self, Style};

/// The keys, in the order in which they are shown, and what they do.
pub const KEYS: [(char, &str); 9] = [
    ('n', "next"),
    ('h', "hint"),
    ('t', "try"),
    ('x', "xray"),
    ('d', "diff"),
    ('l', "list"),
    ('r', "run"),
    ('e', "edit"),
    ('q', "quit"),
];

/// The size of a terminal's window, in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// What fills the window between its first and its last line.
pub struct Page {
    pub lines: Vec<String>,
    /// How many lines are above the window.
    pub above: usize,
}

/// A whole window: the head, as much of the page as there is room for, and the foot.
pub fn window(head: &str, page: &Page, foot: &str, size: Size) -> Vec<String> {
    let lines: Vec<String> = page
        .lines
        .iter()
        .flat_map(|line| fold(line, size.columns))
        .collect();
    let head = cut(head, size.columns);
    let room = room(size);
    let above = page.above.min(lines.len().saturating_sub(room));
    let below = lines.len().saturating_sub(above + room);
    let foot = match below {
        0 => cut(foot, size.columns),
        _ => cut(&format!("↓ {below} more  {foot}"), size.columns),
    };
    let shown = lines.into_iter().skip(above).take(room);
    let mut all: Vec<String> = Vec::new();
    if size.rows > 2 {
        all.push(head);
    }
    all.extend(shown);
    while all.len() + 1 < size.rows {
        all.push(String::new());
    }
    if size.rows > 1 {
        all.push(foot);
    }
    all
}

/// How many lines of a page are seen at once.
pub fn room(size: Size) -> usize {
    match size.rows {
        0..=1 => size.rows,
        2 => 1,
        rows => rows - 2,
    }
}

/// How far down a page must be moved for this one of its lines to be seen.
pub fn to_see(lines: &[String], index: usize, size: Size) -> usize {
    let count = |lines: &[String]| -> usize {
        lines
            .iter()
            .map(|line| fold(line, size.columns).len())
            .sum()
    };
    let end = count(&lines[..lines.len().min(index + 1)]);
    end.saturating_sub(room(size))
}

/// How far down a page can be moved.
pub fn lowest(page: &Page, size: Size) -> usize {
    to_see(&page.lines, page.lines.len(), size)
}

/// The first line: where in the workshop we are.
pub fn head(level: &Level, passed: &dyn Fn(&Level) -> bool) -> String {
    let mark = |one: &&Level| match (one.number == level.number, passed(one)) {
        (true, true) => "✓".green().bold().underline().to_string(),
        (true, false) => "▸".yellow().bold().to_string(),
        (false, true) => "✓".green().to_string(),
        (false, false) => "·".dimmed().to_string(),
    };
    let marks: String = ALL.iter().map(mark).collect();
    let count = ALL.iter().filter(|one| passed(one)).count();
    format!(
        "{} {}  {marks} {count}/{}  {}",
        level.number.bold(),
        level.name.bold(),
        ALL.len(),
        "Rubber Crab".dimmed()
    )
}

/// A verdict in two words.
pub fn short(outcome: &Outcome) -> String {
    let holds = |check: &&Judgement| check.finding == Finding::Pass;
    let held = outcome.checks.iter().filter(holds).count();
    match outcome.verdict {
        Verdict::Pass => "pass".green().to_string(),
        Verdict::Fail => format!("{} {held}/{}", "fail".red(), outcome.checks.len()),
        Verdict::Unbuilt { .. } => "unbuilt".red().to_string(),
        Verdict::Untouched { .. } => "untouched".yellow().to_string(),
        Verdict::Cannot { .. } => "cannot".yellow().to_string(),
        Verdict::Broken { .. } => "broken".magenta().to_string(),
    }
}

/// The last line: what can be typed. In a narrow window the letters alone.
pub fn keys(columns: usize) -> String {
    let long: Vec<String> = KEYS
        .iter()
        .map(|(key, what)| format!("{} {what}", key.to_string().bold()))
        .collect();
    let plain: usize = KEYS.iter().map(|(_, what)| what.len() + 4).sum();
    if plain <= columns + 2 {
        return long.join("  ");
    }
    let short: Vec<String> = KEYS
        .iter()
        .map(|(key, _)| key.to_string().bold().to_string())
        .collect();
    format!("{}  ? keys", short.join(" "))
}

/// What is said before the solution is shown.
pub const SPOILS: &str =
    "d again shows the finished level beside yours; any other key doesn't";

/// The keys, a line each.
pub fn help() -> Vec<String> {
    let meaning = |key: char| match key {
        'n' => "go to the next level, when this one passes; N: all the same",
        'h' => "the next hint for this level",
        't' => "try it: a shell in your container",
        'x' => "what the container sees beside what the host sees",
        'd' => "your level against the finished one; asks first",
        'l' => "all levels; go to any of them",
        'r' => "build and judge once more",
        'e' => "open the level in $EDITOR",
        _ => "leave; from a page: back to the verdict",
    };
    let mut lines: Vec<String> = KEYS
        .iter()
        .map(|(key, what)| {
            format!("{}  {what:<5} {}", key.to_string().bold(), meaning(*key))
        })
        .collect();
    lines.push(format!(
        "{}  full  all failures explained; again: the first",
        "v".bold()
    ));
    lines.push(format!("{}  keys  this list", "?".bold()));
    lines.push("↑ ↓ space  move the page;  Esc  back to the verdict".into());
    lines
}

/// A verdict, with the first failure or all in full, the others in a line each, and what
/// holds by its names.
pub fn verdict(outcome: &Outcome, columns: usize, in_full: bool) -> Vec<String> {
    let style = Style {
        width: columns.clamp(40, 110),
        verbose: in_full,
        any_language: false,
    };
    let holds = |check: &&Judgement| check.finding == Finding::Pass;
    let mut failing = outcome.clone();
    failing.checks.retain(|check| !holds(&check));
    let text = terminal::outcome(&failing, style);
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    // Counted without those that hold, it would be wrong.
    if let Some(first) = lines.first_mut() {
        *first = terminal::headline(outcome);
    }
    for line in &mut lines {
        *line = line.replace("--verbose explains", "v explains");
    }
    let ids = outcome.checks.iter().filter(holds).map(|check| &*check.id);
    let ids: Vec<&str> = ids.collect();
    if !ids.is_empty() {
        let held = format!("  {} {}", "✓".green(), ids.join(", ").dimmed());
        lines.push(held);
    }
    lines
}

/// Cut a line that is longer than the window is wide. Escape sequences take no room.
pub fn cut(line: &str, columns: usize) -> String {
    fold(line, columns).into_iter().next().unwrap_or_default()
}

/// A line on as many lines of the window as it takes, broken between words where that
/// can be, and indented like the first. Colours go on where it breaks.
pub fn fold(line: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let indent = line.len() - line.trim_start_matches(' ').len();
    let indent = if indent * 2 < columns { indent } else { 0 };
    let begin = |colours: String| Piece {
        text: format!("{:indent$}{colours}", ""),
        width: indent,
        colours,
    };
    let mut all = Vec::new();
    let mut now = Piece::default();
    // Where the last word of this piece begins, and how it looked before that.
    let mut gap: Option<(usize, usize, String)> = None;
    let mut rest = line.chars();
    while let Some(character) = rest.next() {
        if character == '\x1b' {
            let sequence = sequence(&mut rest);
            // Colours; others would move the cursor, and worse.
            if sequence.starts_with("\x1b[") && sequence.ends_with('m') {
                now.escape(&sequence);
            }
            continue;
        }
        let character = if character == '\t' { ' ' } else { character };
        if character.is_control() {
            continue;
        }
        let wide = textwrap::core::display_width(character.encode_utf8(&mut [0; 4]));
        if now.width + wide > columns {
            // A word that fills half of the line is broken.
            let word = gap.take().filter(|(_, width, _)| *width > columns / 2);
            let next = match word {
                Some((end, width, colours)) => {
                    let mut next = begin(colours.clone());
                    next.text.push_str(&now.text.split_off(end));
                    next.width += now.width - width;
                    next.colours = std::mem::replace(&mut now.colours, colours);
                    next
                }
                None => begin(now.colours.clone()),
            };
            all.push(std::mem::replace(&mut now, next).end());
        }
        now.text.push(character);
        now.width += wide;
        if character == ' ' {
            gap = Some((now.text.len(), now.width, now.colours.clone()));
        }
    }
    all.push(now.end());
    all
}

/// The rest of an escape sequence, up to the letter that ends it.
fn sequence(rest: &mut std::str::Chars) -> String {
    let mut sequence = String::from('\x1b');
    for next in rest.by_ref() {
        sequence.push(next);
        if next.is_ascii_alphabetic() {
            break;
        }
    }
    sequence
}

/// A line of the window that is being filled.
#[derive(Default)]
struct Piece {
    text: String,
    width: usize,
    /// The sequences that colour what comes next.
    colours: String,
}

impl Piece {
    fn escape(&mut self, sequence: &str) {
        match sequence {
            "\x1b[0m" | "\x1b[m" => self.colours.clear(),
            _ => self.colours.push_str(sequence),
        }
        self.text.push_str(sequence);
    }

    fn end(mut self) -> String {
        if !self.colours.is_empty() {
            self.text.push_str("\x1b[0m");
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_and_keep_their_colours() {
        assert_eq!(fold("one two three", 9), ["one two ", "three"]);
        assert_eq!(
            fold("a bc\x1b[1md efg\x1b[0m", 6),
            ["a bc\x1b[1md \x1b[0m", "\x1b[1mefg\x1b[0m"]
        );
        assert_eq!(fold("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(fold("  one two", 6), ["  one ", "  two"]);
        assert_eq!(fold("  abcdef", 6), ["  abcd", "  ef"]);
        assert_eq!(fold("", 4), [""]);
        assert_eq!(
            fold("a\x1b[31mbcd\x1b[0me", 2),
            ["a\x1b[31mb\x1b[0m", "\x1b[31mcd\x1b[0m", "e"]
        );
        assert_eq!(fold("日本語", 4), ["日本", "語"]);
        assert_eq!(fold("日", 1).concat(), "日");
        assert_eq!(fold("a\tb\x07c", 9), ["a bc"]);
        let hostile = fold("a\x1b[2Jb\x1b]0;title\x07c", 99);
        assert!(!hostile[0].contains('\x1b'));
    }

    #[test]
    fn a_window_has_exactly_its_lines_and_none_is_too_wide() {
        let page = Page {
            lines: (0..30)
                .map(|n| format!("line {n} {}", "x".repeat(n)))
                .collect(),
            above: 3,
        };
        for rows in 1..40 {
            for columns in 1..50 {
                let size = Size { columns, rows };
                let all = window("head", &page, "foot", size);
                assert_eq!(all.len(), rows.max(1), "{size:?}");
                let wide = |line: &String| textwrap::core::display_width(line);
                assert!(all.iter().all(|line| wide(line) <= columns), "{size:?}");
            }
        }
    }
}
