//! A picture as an SVG file: for lessons and slides, on light pages and dark ones. Where
//! no media query works, the cards are light; what stands beside them has a colour that
//! can be read on white and on black.

use std::fmt::Write;

use super::terminal::lines;
use super::{Mark, Namespace, Picture, Row};

/// All lengths are in the units of the view box.
const WIDTH: usize = 960;
const MARGIN: usize = 16;
/// The topics; the two cards, and what separates them.
const TOPICS: usize = 152;
const CARD: usize = 380;
const GAP: usize = 16;
/// The padding in a card; the height of a line of text.
const PADDING: usize = 18;
const LINE: usize = 21;
/// How many letters fit into a card. The widest of the usual fonts has letters as wide
/// as 0.61 of its size, here 14.
const LETTERS: usize = (CARD - 2 * PADDING) * 100 / (61 * 14);
/// A namespace's chip.
const CHIP: usize = 46;
const CHIP_GAP: usize = 10;
const CHIPS: usize = 104;
const HEAD: usize = 40;

const STYLE: &str = "\
text { font: 14px ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, \
'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif; }
.code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, \
'DejaVu Sans Mono', 'Liberation Mono', monospace; }
.title { font-size: 24px; font-weight: 700; }
.level { font-size: 13px; font-weight: 700; letter-spacing: 1.5px; }
.topic, .head { font-size: 15px; font-weight: 600; }
.small { font-size: 12px; }
.bold { font-weight: 600; }
.page { fill: #767676; }
.accent { fill: #d9480f; }
.card { fill: #ffffff; stroke: #b8c0c8; }
.own { stroke: #0b7285; stroke-width: 2.5; }
.ink { fill: #1f2328; }
.pale { fill: #6e7781; }
.line { stroke: #e3e7eb; }
.band { fill: #fff1e6; stroke: #d9480f; stroke-width: 1.5; }
.open { fill: #ffffff; stroke: #d9480f; stroke-width: 1.5; stroke-dasharray: 5 4; }
.news { fill: #b83b06; }
.chip-own { fill: #0b7285; }
.chip-new { fill: #c2410c; }
.chip-host { fill: none; stroke: #868e96; stroke-width: 1.5; stroke-dasharray: 4 4; }
.white { fill: #ffffff; }
@media (prefers-color-scheme: light) {
.page { fill: #424a53; }
}
@media (prefers-color-scheme: dark) {
.page { fill: #c9d1d9; }
.accent { fill: #ff922b; }
.card { fill: #161b22; stroke: #3d444d; }
.own { stroke: #22b8cf; }
.ink { fill: #e6edf3; }
.pale { fill: #8b949e; }
.line { stroke: #2a313a; }
.band { fill: #3b2314; stroke: #ff922b; }
.open { fill: #161b22; stroke: #ff922b; }
.news { fill: #ffb066; }
}
";

/// Draw a picture.
pub fn render(picture: &Picture) -> String {
    let heights: Vec<usize> = picture.rows.iter().map(height).collect();
    let top = CHIPS + CHIP + 28;
    let cards = HEAD + heights.iter().sum::<usize>();
    let bottom = top + cards + MARGIN;
    let mut out = String::new();
    let level = escape(&picture.level);
    // A page may hold several of them.
    let (title, description) = (format!("title-{level}"), format!("text-{level}"));
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {bottom}\" \
         role=\"img\" aria-labelledby=\"{title} {description}\">\n\
         <title id=\"{title}\">Level {level} ({}): what the container sees, and what \
         the host sees</title>\n<desc id=\"{description}\">{}</desc>\n\
         <style>\n{STYLE}</style>\n",
        escape(&picture.title),
        escape(&words(picture)),
    );
    header(&mut out, picture);
    chips(&mut out, &picture.namespaces);
    frame(&mut out, top, cards);
    let mut y = top + HEAD;
    for (index, (row, height)) in picture.rows.iter().zip(heights).enumerate() {
        let plain = |index: usize| picture.rows[index].mark == Mark::None;
        if index > 0 && plain(index) && plain(index - 1) {
            separator(&mut out, y);
        }
        draw(&mut out, row, y, height);
        y += height;
    }
    out.push_str("</svg>\n");
    out
}

/// Everything that is in it, as text for those who don't see it.
fn words(picture: &Picture) -> String {
    let mut text = format!(
        "Started by: {}. Namespaces of the container's own: {}. The host's: {}.",
        picture.command,
        picture.names(true),
        picture.names(false)
    );
    for row in &picture.rows {
        let side = |side: &[String]| {
            let lines = side.iter().map(|line| line.trim_start_matches([' ', '└']));
            lines.collect::<Vec<_>>().join("; ")
        };
        let _ = write!(
            text,
            "\n{}{}. The container: {}. The host: {}.",
            row.topic,
            match row.mark {
                Mark::None => "",
                Mark::New => " (new)",
                Mark::Open => " (to do)",
            },
            side(&row.inside),
            side(&row.outside)
        );
    }
    text
}

fn header(out: &mut String, picture: &Picture) {
    let level = format!("LEVEL {}", picture.level);
    text(out, MARGIN, 26, "level accent", &level);
    text(out, MARGIN, 54, "title page", &picture.title);
    let right = WIDTH - MARGIN;
    let is_open = picture.rows.iter().any(|row| row.mark == Mark::Open);
    let (word, legend) = match is_open {
        true => ("to do", "what this level is to bring"),
        false => ("new", "brought by this level"),
    };
    let _ = writeln!(
        out,
        "<text x=\"{right}\" y=\"26\" text-anchor=\"end\" class=\"small page\">\
         <tspan class=\"accent bold\">{word}</tspan> {legend}</text>"
    );
    let letters = (WIDTH - 2 * MARGIN) * 100 / (61 * 14);
    let command = lines(&picture.command, letters - 1);
    let more = if command.len() > 1 { "…" } else { "" };
    text(
        out,
        MARGIN,
        80,
        "code page",
        &format!("{}{more}", command[0]),
    );
}

fn chips(out: &mut String, namespaces: &[Namespace]) {
    let count = namespaces.len().max(1);
    let room = WIDTH - 2 * MARGIN - TOPICS + CHIP_GAP;
    let width = room / count - CHIP_GAP;
    text(
        out,
        MARGIN,
        CHIPS + CHIP / 2 + 5,
        "topic page",
        "namespaces",
    );
    for (index, one) in namespaces.iter().enumerate() {
        let x = MARGIN + TOPICS + index * (width + CHIP_GAP);
        let (shape, ink, state) = match (one.own, one.mark) {
            (true, Mark::New) => ("chip-new", "white", "its own, new"),
            (true, _) => ("chip-own", "white", "its own"),
            (false, Mark::Open) => ("chip-host", "page", "to do"),
            (false, _) => ("chip-host", "page", "the host's"),
        };
        rectangle(out, [x, CHIPS, width, CHIP], 10, shape);
        let middle = x + width / 2;
        for (y, class, words) in [
            (CHIPS + 20, "code bold", one.name),
            (CHIPS + 36, "small", state),
        ] {
            let _ = writeln!(
                out,
                "<text x=\"{middle}\" y=\"{y}\" text-anchor=\"middle\" \
                 class=\"{class} {ink}\">{}</text>",
                escape(words)
            );
        }
    }
}

/// Where the two cards begin.
const CARDS: [usize; 2] = [MARGIN + TOPICS, MARGIN + TOPICS + CARD + GAP];

fn frame(out: &mut String, y: usize, height: usize) {
    for (x, class, head) in [
        (CARDS[0], "card own", "The container sees"),
        (CARDS[1], "card", "The host sees"),
    ] {
        rectangle(out, [x, y, CARD, height], 12, class);
        text(out, x + PADDING, y + 27, "head ink", head);
    }
    separator(out, y + HEAD);
}

fn separator(out: &mut String, y: usize) {
    for x in CARDS {
        let (from, to) = (x + 2, x + CARD - 2);
        let _ = writeln!(
            out,
            "<path class=\"line\" d=\"M{from} {y}H{to}\" fill=\"none\"/>"
        );
    }
}

fn height(row: &Row) -> usize {
    let count = |side: &[String]| wrapped(side).len();
    let lines = count(&row.inside).max(count(&row.outside));
    let least = if row.mark == Mark::None { 1 } else { 2 };
    lines.max(least) * LINE + 18
}

fn wrapped(side: &[String]) -> Vec<String> {
    side.iter().flat_map(|line| lines(line, LETTERS)).collect()
}

fn draw(out: &mut String, row: &Row, y: usize, height: usize) {
    let first = y + 24;
    let topic = match row.mark {
        Mark::None => "topic page",
        _ => "topic ink",
    };
    if row.mark != Mark::None {
        let (class, word) = match row.mark {
            Mark::Open => ("open", "to do"),
            _ => ("band", "new"),
        };
        let all = [2, y + 2, WIDTH - 4, height - 4];
        rectangle(out, all, 10, class);
        let (x, top) = (MARGIN, first + LINE);
        let arrow = format!("M{x} {}l9 5l-9 5z", top - 10);
        let _ = writeln!(out, "<path class=\"news\" d=\"{arrow}\"/>");
        text(out, x + 14, top, "small bold news", word);
    }
    text(out, MARGIN, first, topic, row.topic);
    // What is still the host's stays in the background.
    let ink = match row.own || row.mark != Mark::None {
        true => "code ink",
        false => "code pale",
    };
    for (x, side) in CARDS.into_iter().zip([&row.inside, &row.outside]) {
        for (index, line) in wrapped(side).iter().enumerate() {
            let words = line.trim_start_matches(' ');
            let indent = (line.len() - words.len()) * 8;
            let x = x + PADDING + indent;
            text(out, x, first + index * LINE, ink, words);
        }
    }
}

fn rectangle(out: &mut String, area: [usize; 4], round: usize, class: &str) {
    let [x, y, width, height] = area;
    let _ = writeln!(
        out,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
         rx=\"{round}\" class=\"{class}\"/>"
    );
}

/// Several blanks are to stay several: XML's readers make one of them.
fn text(out: &mut String, x: usize, y: usize, class: &str, words: &str) {
    let words = escape(words).replace("  ", "\u{a0}\u{a0}");
    let _ = writeln!(
        out,
        "<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{words}</text>"
    );
}

/// Text in XML. Control characters, which XML can't have, are not in a picture.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
