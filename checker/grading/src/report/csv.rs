//! A gradebook: a line for each submission, with its points, as RFC 4180 has it.

use std::io::Write;

use anyhow::Result;
use csv::{QuoteStyle, WriterBuilder};
use report::Submission;

use super::{Class, Head, words};

/// A column with names, one for each level, the sum, and what could be had. A level that
/// has no points, since nothing can be said about it, leaves its field empty.
///
/// Errors: the class can't be read, or `out` can't be written.
pub fn write(class: &dyn Class, out: &mut dyn Write) -> Result<()> {
    let head = class.head();
    let mut table = WriterBuilder::new()
        // Names, also where a spreadsheet expects semicolons.
        .quote_style(QuoteStyle::NonNumeric)
        .from_writer(out);
    let levels = head.levels.iter().map(|level| &level.info);
    let levels = levels.map(|info| format!("{}-{}", info.level, info.name));
    let mut titles = vec!["name".to_owned()];
    titles.extend(levels);
    titles.extend(["total", "of"].map(String::from));
    table.write_record(titles)?;
    class.each(&mut |submission| Ok(table.write_record(row(head, &submission))?))?;
    table.flush()?;
    Ok(())
}

fn row(head: &Head, submission: &Submission) -> Vec<String> {
    let levels = head.levels_of(submission);
    let earned = levels.map(|level| level.and_then(|graded| graded.points));
    let mut row = vec![plain(words::name(&submission.name))];
    row.extend(earned.map(|points| points.map_or(String::new(), words::points)));
    row.extend([submission.points, submission.of].map(words::points));
    row
}

/// Text that no spreadsheet takes for a formula (owasp.org, "CSV Injection").
fn plain(text: String) -> String {
    match text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r'])
    {
        true => format!("'{text}"),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn csv(class: &dyn Class) -> String {
        let mut out = Vec::new();
        write(class, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_gradebook() {
        insta::assert_snapshot!(csv(&sample::class()));
    }

    #[test]
    fn what_is_read_again_is_the_same() {
        let (head, mut submissions) = sample::class();
        let names = [
            "=cmd|' /C calc'!A0",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "Öz, \"Ada\"",
            "a;=1",
            "two\nlines",
            "＝1",
            "",
            "ada",
        ];
        let one = submissions.remove(0);
        let of_name = |name: &&str| Submission {
            name: (*name).into(),
            ..one.clone()
        };
        let class = (head, names.iter().map(of_name).collect::<Vec<_>>());
        let text = csv(&class);
        assert!(text.contains("\n\"a;=1\","), "{text}");
        let mut read = csv::Reader::from_reader(text.as_bytes());
        let read: Vec<String> = read
            .records()
            .map(|record| record.unwrap().get(0).unwrap().to_owned())
            .collect();
        let expected = [
            "'=cmd|' /C calc'!A0",
            "'+1",
            "'-1",
            "'@SUM(A1)",
            "\\t=1",
            "Öz, \"Ada\"",
            "a;=1",
            "two\\nlines",
            "'＝1",
            "\"\"",
            "ada",
        ];
        assert_eq!(read, expected);
    }
}
