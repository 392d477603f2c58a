//! A picture as text: two columns, or in a narrow window one below the other. Every
//! line makes sense without its colours.

use std::fmt::Write;

use colored::{ColoredString, Colorize};
use textwrap::{Options, wrap};

use super::{Mark, Picture, Row};

/// From this width on, in columns, both sides fit beside each other.
const WIDE: usize = 72;
const NARROWEST: usize = 20;
/// The marks with a word, and the longest topic.
const MARK: usize = 8;
const TOPIC: usize = 10;
const BETWEEN: &str = " │ ";
const SIDES: [&str; 2] = ["the container sees", "the host sees"];

/// Draw a picture, `width` columns wide.
pub fn render(picture: &Picture, width: usize) -> String {
    let width = width.max(NARROWEST);
    let mut out = String::new();
    let title = format!("{} {}", picture.level, picture.title);
    for line in lines(&title, width) {
        let _ = writeln!(out, "{}", line.bold());
    }
    for line in lines(&picture.command, width) {
        let _ = writeln!(out, "{}", line.dimmed());
    }
    out.push('\n');
    let namespaces = format!("its own namespaces: {}", picture.names(true));
    let others = format!("the host's: {}", picture.names(false));
    for line in [namespaces, others]
        .iter()
        .flat_map(|all| lines(all, width))
    {
        let _ = writeln!(out, "{line}");
    }
    out.push('\n');
    match width >= WIDE {
        true => columns(&mut out, picture, width),
        false => picture
            .rows
            .iter()
            .for_each(|row| stack(&mut out, row, width)),
    }
    out
}

/// Both sides beside each other.
fn columns(out: &mut String, picture: &Picture, width: usize) {
    let room = width - MARK - TOPIC - BETWEEN.chars().count();
    let left = room / 2;
    let right = room - left;
    let margin = MARK + TOPIC;
    let [inside, outside] = SIDES;
    let head = format!("{:margin$}{inside:<left$}{BETWEEN}{outside}", "");
    let _ = writeln!(out, "{}", head.bold());
    for row in &picture.rows {
        let inside = all(&row.inside, left);
        let outside = all(&row.outside, right);
        for index in 0..inside.len().max(outside.len()) {
            let (mark, topic) = match index {
                0 => (word(row.mark), row.topic),
                _ => ("", ""),
            };
            let side = |all: &[String]| all.get(index).cloned().unwrap_or_default();
            let line = format!(
                "{}{}{}{BETWEEN}{}",
                coloured(format!("{mark:<MARK$}"), row),
                coloured(format!("{topic:<TOPIC$}"), row),
                coloured(format!("{:<left$}", side(&inside)), row),
                side(&outside).dimmed()
            );
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
}

/// One side below the other.
fn stack(out: &mut String, row: &Row, width: usize) {
    let title = format!("{:<1$}{2}", word(row.mark), MARK, row.topic);
    let _ = writeln!(out, "{}", coloured(title.trim_start().into(), row).bold());
    for (name, side) in SIDES.iter().zip([&row.inside, &row.outside]) {
        let _ = writeln!(out, " {}", name.dimmed());
        for line in all(side, width - 2) {
            let _ = writeln!(out, "  {line}");
        }
    }
}

fn word(mark: Mark) -> &'static str {
    match mark {
        Mark::None => "",
        Mark::New => "▶ new",
        Mark::Open => "○ to do",
    }
}

/// What is still the host's stays in the background.
fn coloured(text: String, row: &Row) -> ColoredString {
    match row.mark {
        Mark::New => text.green(),
        Mark::Open => text.yellow(),
        Mark::None if row.own => text.normal(),
        Mark::None => text.dimmed(),
    }
}

/// All lines of one side, each wrapped.
fn all(side: &[String], width: usize) -> Vec<String> {
    side.iter().flat_map(|line| lines(line, width)).collect()
}

/// A line, on as many as it needs. What stands below something stays below it.
pub fn lines(line: &str, width: usize) -> Vec<String> {
    let text = line.trim_start_matches(' ');
    let indent = " ".repeat((line.len() - text.len()).min(width / 2));
    let next = format!("{indent}  ");
    let options = Options::new(width)
        .initial_indent(&indent)
        .subsequent_indent(&next);
    wrap(text, options)
        .into_iter()
        .map(|line| line.into_owned())
        .collect()
}
