//! A class as a table of signs, for whoever waits at a terminal.

use std::fmt::Write;

use anyhow::Result;
use report::Outcome;

use super::signs::{Counts, Kind, Sign, UNSTEADY};
use super::{Class, text, words};

/// A line for each submission, whose verdicts were unsteady, and a key with the sums.
///
/// Errors: the class can't be read.
pub fn table(class: &dyn Class) -> Result<(String, Counts)> {
    let mut counts = Counts::default();
    let mut unsteady = Vec::new();
    let levels = class.head().levels.iter();
    let numbers: Vec<&str> = levels.map(|one| one.info.level.as_str()).collect();
    let mut out = format!("levels {}\n", numbers.join(" "));
    class.each(&mut |submission| {
        let name = words::name(&submission.name);
        let mut row = String::new();
        for graded in class.head().levels_of(&submission) {
            let Some(graded) = graded else {
                row.push_str("   ");
                continue;
            };
            counts.add(&graded.judged);
            let told = words::unsteady(&graded.judged);
            let before = told.as_ref().map_or(' ', |_| UNSTEADY.sign);
            let folder = words::folder(&graded.judged.outcome);
            unsteady.extend(told.map(|told| format!("{name}, {folder}: {told}")));
            let _ = write!(row, " {before}{}", sign(&graded.judged.outcome));
        }
        let points = words::points(submission.points);
        let of = words::points(submission.of);
        writeln!(out, "      {row}  {points:>6} of {of}  {name}")?;
        Ok(())
    })?;
    let missing = words::missing(class.head());
    for line in missing.into_iter().chain(text::list(&unsteady)) {
        let _ = writeln!(out, "{line}");
    }
    for (
        Sign {
            sign,
            word,
            meaning,
        },
        count,
    ) in counts.key()
    {
        let _ = writeln!(out, "{sign} {count:>4} {word:<9}  {meaning}");
    }
    Ok((out, counts))
}

/// A sign for each outcome: `✓✓✗?`.
pub fn signs<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> String {
    outcomes.map(sign).collect()
}

fn sign(outcome: &Outcome) -> char {
    Kind::of(&outcome.verdict).sign().sign
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_class() {
        insta::assert_snapshot!(table(&sample::class()).unwrap().0);
    }
}
