//! Something to hand back: for each learner a file of Markdown, with their own results
//! and nothing about anybody else.

use std::fmt::Write;

use anyhow::Result;
use report::{Graded, Submission, Verdict};

use super::signs::Counts;
use super::{Head, markdown, words};

/// The file's content: points, a row for each level, and every failure explained.
pub fn of(submission: &Submission, head: &Head) -> Result<String> {
    let points = words::points(submission.points);
    let of = words::points(submission.of);
    let name = markdown::name(submission);
    let mut out = format!("# {name}\n\n**{points} of {of} points**\n\n");
    out.push_str("| level | | points |\n|:-|:-|-:|\n");
    let mut counts = Counts::default();
    for (graded, level) in head.levels_of(submission).zip(&head.levels) {
        let info = &level.info;
        let called = format!("{} {}: {}", info.level, info.name, info.title);
        let (cell, points) = match graded {
            Some(graded) => {
                counts.add(&graded.judged);
                (
                    markdown::cell(&graded.judged),
                    points_of(graded, level.points),
                )
            }
            None => ("not judged".into(), String::new()),
        };
        writeln!(out, "| {} | {cell} | {points} |", markdown::inline(&called))?;
    }
    out.push_str(&markdown::key(&counts));
    out.push_str(&markdown::notes(submission));
    for graded in submission.levels.iter().filter(|graded| is_told(graded)) {
        out.push_str(&markdown::level(&graded.judged, usize::MAX));
    }
    if let Some(machine) = head.machines.get(submission.machine) {
        writeln!(out, "Where it was judged: {}", markdown::facts(machine))?;
    }
    Ok(out)
}

fn points_of(graded: &Graded, worth: f64) -> String {
    match graded.points {
        Some(points) => {
            format!("{} of {}", words::points(points), words::points(worth))
        }
        None => "don't count".into(),
    }
}

/// Is there more to say than what the table does?
fn is_told(graded: &Graded) -> bool {
    match graded.judged.outcome.verdict {
        Verdict::Pass | Verdict::Untouched { .. } => {
            !graded.judged.unsteady.is_empty()
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn everybody() {
        let (head, mut submissions) = sample::class();
        submissions.retain(|one| one.name != sample::hostile_name());
        let files = submissions.iter().map(|one| of(one, &head).unwrap());
        let files: Vec<String> = files.collect();
        insta::assert_snapshot!(
            files.join("\n~~~~~~~~ the next one's ~~~~~~~~\n\n")
        );
    }

    #[test]
    fn nobody_elses_name_or_machine_is_in_it() {
        let (mut head, submissions) = sample::class();
        head.machines[0].kernel = "ada's kernel".into();
        let alice = of(&submissions[1], &head).unwrap();
        for other in ["ada's", "bob", "zoë"] {
            assert!(!alice.contains(other), "{other} is in {alice}");
        }
    }
}
