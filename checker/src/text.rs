//! Text for people, made of bytes that may be anything.

/// Show bytes as text: what isn't printable becomes an escape, and so does what turns
/// the direction of what follows.
pub fn escape(bytes: &[u8]) -> String {
    let mut shown = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\'' | '"' | '\\' => shown.push(character),
                _ => shown.extend(character.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown
}

/// Show output that may have several lines: each line by itself, without control
/// characters, at most `most` lines.
pub fn lines(text: &str, most: usize) -> Vec<String> {
    let all: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let mut shown: Vec<String> = all
        .iter()
        .take(most)
        .map(|line| clip(&escape(line.as_bytes()), 200))
        .collect();
    if all.len() > most {
        shown.push(format!("… and {} more lines", all.len() - most));
    }
    shown
}

/// Cut text that is longer than `most` characters.
pub fn clip(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most).collect();
    cut.push('…');
    cut
}

/// An amount of bytes, in MiB or KiB.
pub fn amount(bytes: u64) -> String {
    match bytes {
        n if n >= 1 << 20 => format!("{} MiB", n >> 20),
        n if n >= 1 << 10 => format!("{} KiB", n >> 10),
        n => format!("{n} bytes"),
    }
}

/// Those of the names that are nearly this word, begin so, or have it in them; the
/// nearest first, three at most.
pub fn near<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let letters = word.chars().count();
    let distance = |name: &str| {
        let beginning: String = name.chars().take(letters).collect();
        let [whole, begun] =
            [name, &beginning].map(|name| strsim::damerau_levenshtein(word, name));
        let inside = (letters > 2 && name.contains(word)).then_some(1);
        whole.min(begun).min(inside.unwrap_or(usize::MAX))
    };
    let mut all: Vec<&str> = names
        .filter(|name| distance(name) <= letters.div_ceil(3))
        .collect();
    all.sort_by_key(|name| distance(name));
    all.truncate(3);
    all
}

/// Print to standard output. Nobody reads on (`… | head`): then this is the end.
pub fn say(text: &str) {
    use std::io::{ErrorKind, Write};
    let mut out = std::io::stdout().lock();
    let said = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(error) = said {
        if error.kind() != ErrorKind::BrokenPipe {
            let _ = writeln!(std::io::stderr(), "error: write to stdout: {error}");
        }
        std::process::exit(1);
    }
}

/// Undo the octal escapes of the kernel's tables (man 5 proc, "mountinfo").
pub fn unescape(text: &str) -> String {
    let mut plain = text.to_owned();
    for (escape, character) in [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\054", ","),
        ("\\075", "="),
        ("\\134", "\\"),
    ] {
        plain = plain.replace(escape, character);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found() {
        let near =
            |word| super::near(word, ["old-root-kept", "no-put-old"].into_iter());
        assert_eq!(near("old-rot-kept"), ["old-root-kept"]);
        assert_eq!(near("old-roo"), ["old-root-kept"]);
        assert_eq!(near("put"), ["no-put-old"]);
        assert!(near("something").is_empty());
    }

    #[test]
    fn only_what_can_be_read_is_shown_as_it_is() {
        assert_eq!(
            escape("na\u{ef}ve 'x' \"y\" \\ …".as_bytes()),
            "naïve 'x' \"y\" \\ …"
        );
        assert_eq!(escape(b"\x1b[31m\n\t\xff"), "\\u{1b}[31m\\n\\t\\xff");
        assert_eq!(escape("a\u{202e}b".as_bytes()), "a\\u{202e}b");
    }
}
