//! The three steps of a level's HINTS.md, for `hint` and for the book.

/// The headings of a file of hints, and what stands below each, in order.
pub fn steps(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let sections = text.split("\n## ").skip(1);
    sections.map(|section| section.split_once('\n').unwrap_or((section, "")))
}

/// What a section says in general, then what it says of each exercise: paragraphs and
/// blocks of code. An exercise begins with its title in bold.
pub fn parts(section: &str) -> Vec<Vec<&str>> {
    let mut parts = vec![Vec::new()];
    let mut rest = section.trim_start();
    while !rest.is_empty() {
        let end = match rest.strip_prefix("```") {
            Some(code) => code.find("\n```").map(|end| end + "```\n```".len()),
            None => rest.find("\n\n"),
        };
        let (block, after) = rest.split_at(end.unwrap_or(rest.len()));
        if block.starts_with("**") {
            parts.push(Vec::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push(block);
        }
        rest = after.trim_start();
    }
    parts
}

/// The exercise that a block begins to speak of, and what follows its title.
pub fn exercise(block: &str) -> Option<(&str, &str)> {
    let (title, rest) = block.strip_prefix("**")?.split_once("**")?;
    Some((title.trim_end_matches('.'), rest.trim_start()))
}
