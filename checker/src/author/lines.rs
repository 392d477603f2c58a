//! Where two texts differ, line by line.

/// How many lines are shown before and after a difference.
const CONTEXT: usize = 3;

/// What became of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Removed,
    Added,
}

/// The differences from `old` to `new`, each with a few lines around it: ` ` before a
/// line that both have, `-` before one of `old` alone, `+` before one of `new` alone.
/// Empty when the texts are the same.
pub fn difference(old: &str, new: &str) -> String {
    let script = script(&split(old), &split(new));
    let mut text = String::new();
    let mut shown = 0;
    for (place, (_, line)) in script.iter().enumerate() {
        if !near_change(&script, place) {
            continue;
        }
        if shown < place || place == 0 {
            text += &format!("@@ line {} @@\n", line_in_new(&script, place));
        }
        shown = place + 1;
        text.push(match script[place].0 {
            Fate::Kept => ' ',
            Fate::Removed => '-',
            Fate::Added => '+',
        });
        text += line.trim_end_matches('\n');
        text += if line.ends_with('\n') {
            "\n"
        } else {
            " (no newline)\n"
        };
    }
    text
}

/// With their ends, so that a text without a last newline differs from one with it.
fn split(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn near_change(script: &[(Fate, &str)], place: usize) -> bool {
    let from = place.saturating_sub(CONTEXT);
    let to = script.len().min(place + CONTEXT + 1);
    script[from..to].iter().any(|(fate, _)| *fate != Fate::Kept)
}

fn line_in_new(script: &[(Fate, &str)], place: usize) -> usize {
    let before = &script[..place];
    1 + before
        .iter()
        .filter(|(fate, _)| *fate != Fate::Removed)
        .count()
}

/// The shortest way from `old` to `new`, by their longest common subsequence. It
/// takes a table of all pairs of lines, which is fine for files that people read.
fn script<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(Fate, &'a str)> {
    // common[i][j]: how many lines old[i..] and new[j..] have in common, in order.
    let mut common = vec![vec![0u32; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut script = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            script.push((Fate::Kept, old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len()
            || (i < old.len() && common[i + 1][j] >= common[i][j + 1])
        {
            script.push((Fate::Removed, old[i]));
            i += 1;
        } else {
            script.push((Fate::Added, new[j]));
            j += 1;
        }
    }
    script
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
