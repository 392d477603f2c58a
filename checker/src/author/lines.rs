//! Where two texts differ, line by line.

use similar::{ChangeTag, TextDiff};

/// How many lines are shown before and after a difference.
const CONTEXT: usize = 3;

/// The differences from `old` to `new`, each with a few lines around it: ` ` before a
/// line that both have, `-` before one of `old` alone, `+` before one of `new` alone.
/// Empty when the texts are the same.
pub fn difference(old: &str, new: &str) -> String {
    let mut text = String::new();
    let lines = TextDiff::from_lines(old, new);
    for group in lines.grouped_ops(CONTEXT) {
        let begin = group.first().map_or(0, |part| part.new_range().start);
        text += &format!("@@ line {} @@\n", begin + 1);
        for change in group.iter().flat_map(|part| lines.iter_changes(part)) {
            text.push(match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            });
            text += change.value().trim_end_matches('\n');
            text += match change.missing_newline() {
                false => "\n",
                true => " (no newline)\n",
            };
        }
    }
    text
}

/// How many lines `old` has that `new` hasn't, and the other way round.
pub fn count(old: &str, new: &str) -> (usize, usize) {
    let lines = TextDiff::from_lines(old, new);
    let count = |tag| {
        let changes = lines.iter_all_changes();
        changes.filter(|change| change.tag() == tag).count()
    };
    (count(ChangeTag::Delete), count(ChangeTag::Insert))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_texts_have_no_difference() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), "");
        assert_eq!(difference("", ""), "");
    }

    #[test]
    fn a_difference_is_shown_with_what_is_around_it() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n";
        let new = "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\nten\n11\n12\n";
        let text = "\
@@ line 1 @@
+0
 1
 2
 3
@@ line 8 @@
 7
 8
 9
-10
+ten
 11
 12
";
        assert_eq!(difference(old, new), text);
    }

    #[test]
    fn a_missing_last_newline_shows() {
        assert_eq!(
            difference("a", "a\n"),
            "@@ line 1 @@\n-a (no newline)\n+a\n"
        );
    }
}
