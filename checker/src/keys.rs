//! Keys, of the bytes that a terminal sends.

/// A key, as a terminal sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Letter(char),
    Enter,
    Escape,
    Up,
    Down,
    Left,
    Right,
    Home,
    PageUp,
    PageDown,
    /// Ctrl and a letter.
    Control(char),
}

/// The keys that these bytes stand for (xterm's ctlseqs, "PC-Style Function Keys").
/// What is pasted isn't typed.
pub fn keys(bytes: &[u8], pasting: &mut bool) -> Vec<Key> {
    let mut all = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        if *pasting {
            let end = b"\x1b[201~";
            let found = rest.windows(end.len()).position(|some| some == end);
            *pasting = found.is_none();
            rest = &rest[found.map_or(rest.len(), |at| at + end.len())..];
            continue;
        }
        let (first, after) = (rest[0], &rest[1..]);
        rest = after;
        let key = match first {
            0x1b if matches!(rest.first(), Some(b'[' | b'O')) => {
                let end = rest[1..]
                    .iter()
                    .position(|byte| (0x40..0x7f).contains(byte));
                let end = end.map_or(rest.len(), |end| end + 2);
                let (sequence, after) = rest.split_at(end);
                rest = after;
                match &sequence[1..] {
                    b"A" => Key::Up,
                    b"B" => Key::Down,
                    b"C" => Key::Right,
                    b"D" => Key::Left,
                    b"H" | b"1~" | b"7~" => Key::Home,
                    b"5~" => Key::PageUp,
                    b"6~" => Key::PageDown,
                    b"200~" => {
                        *pasting = true;
                        continue;
                    }
                    _ => continue,
                }
            }
            0x1b => Key::Escape,
            b'\r' | b'\n' => Key::Enter,
            1..=26 => Key::Control((first - 1 + b'a').into()),
            0x20..0x7f => Key::Letter(first.into()),
            _ => continue,
        };
        all.push(key);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read() {
        let keys = |bytes: &[u8]| super::keys(bytes, &mut false);
        assert_eq!(
            keys(b"n\x1b[A\x1bOB\x1b[6~\x1b[1;5C\x1b[D\x1b[1~\x03\r\x1b"),
            [
                Key::Letter('n'),
                Key::Up,
                Key::Down,
                Key::PageDown,
                Key::Left,
                Key::Home,
                Key::Control('c'),
                Key::Enter,
                Key::Escape,
            ]
        );
        let pasted = b"a\x1b[200~quite a lot\x1b[201~b";
        assert_eq!(keys(pasted), [Key::Letter('a'), Key::Letter('b')]);
    }

    #[test]
    fn what_is_pasted_in_many_parts_is_no_key() {
        let mut pasting = false;
        let mut all = Vec::new();
        for part in [&b"a\x1b[200~t"[..], b"nnn", b"ttt\x1b[201~b"] {
            all.extend(keys(part, &mut pasting));
        }
        assert_eq!(all, [Key::Letter('a'), Key::Letter('b')]);
        assert!(!pasting);
    }
}
