//! Markdown, as far as our pages use it: which lines are code, what a heading's anchor
//! is, where links are.
//!
//! The checker's tests include this file, too: it uses nothing of the checker.

use std::ops::Range;

/// Every line, and whether it belongs to a code block.
pub fn marked(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut inside = false;
    text.lines().map(move |line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        (inside || fence, line)
    })
}

/// The headings outside of code, without their `#`.
pub fn headings(text: &str) -> impl Iterator<Item = &str> {
    marked(text).filter_map(|(in_code, line)| {
        let title = line.trim_start_matches('#');
        let is_heading = !in_code && title.len() < line.len();
        title.strip_prefix(' ').filter(|_| is_heading)
    })
}

/// What a link to this heading says behind `#`: as GitHub and mdBook make it.
pub fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        _ => letter.is_alphanumeric().then_some(letter),
    });
    kept.flat_map(char::to_lowercase).collect()
}

/// A link `[words](target)`, or a picture `![words](target)`.
pub struct Link {
    /// Where it stands, in bytes: all of it, and its parts.
    pub whole: Range<usize>,
    pub words: Range<usize>,
    pub target: Range<usize>,
}

/// The links of a page, in their order. Code has none.
pub fn links(text: &str) -> Vec<Link> {
    let mut found = Vec::new();
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        let rest = &text[at..];
        match byte {
            b'\\' => at += 1,
            b'`' => at += code(rest) - 1,
            b'[' => open.push(at),
            b']' => {
                let target = rest[1..].strip_prefix('(');
                let length = target.and_then(|target| target.find(')'));
                if let Some((start, length)) = open.pop().zip(length) {
                    let target = at + 2..at + 2 + length;
                    let picture = text[..start].ends_with('!');
                    found.push(Link {
                        whole: start - usize::from(picture)..target.end + 1,
                        words: start + 1..at,
                        target,
                    });
                }
            }
            _ => {}
        }
        at += 1;
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    found
}

/// How long is the code that begins here? One mark that nothing ends is no code.
fn code(text: &str) -> usize {
    let marks = text.len() - text.trim_start_matches('`').len();
    let (fence, mut at) = (&text[..marks], marks);
    while let Some(next) = text[at..].find(fence) {
        let end = at + next;
        let run = text[end..].len() - text[end..].trim_start_matches('`').len();
        at = end + run;
        if run == marks {
            return at;
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found() {
        let text = "[a](b.md) é `[no](x)` ![`p](`](c.svg)\n[two\nwords](d#e) \\[no](y)\n\
                    ```sh\n[no](z) `\n```\n[not this] [but (this)](f) ``` ` [g](h)";
        let found = links(text);
        let parts: Vec<(&str, &str, &str)> = found
            .iter()
            .map(|link| {
                let part = |range: &Range<usize>| &text[range.clone()];
                (part(&link.whole), part(&link.words), part(&link.target))
            })
            .collect();
        assert_eq!(
            parts,
            [
                ("[a](b.md)", "a", "b.md"),
                ("![`p](`](c.svg)", "`p](`", "c.svg"),
                ("[two\nwords](d#e)", "two\nwords", "d#e"),
                ("[but (this)](f)", "but (this)", "f"),
                ("[g](h)", "g", "h"),
            ]
        );
    }

    #[test]
    fn headings_have_anchors() {
        let text = "# One\n#no\n```sh\n# no\n```\n### `put_old`, C++ & more\n";
        let found: Vec<&str> = headings(text).collect();
        assert_eq!(found, ["One", "`put_old`, C++ & more"]);
        assert_eq!(anchor(found[1]), "put_old-c--more");
    }
}
