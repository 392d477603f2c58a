//! Gradescope's results.json, a file for each submission, as
//! <https://gradescope-autograders.readthedocs.io/en/latest/specs/> asks for it: a test
//! for each level, because points are for levels.

use anyhow::Result;
use report::{Graded, Submission, Verdict};
use serde::Serialize;

use super::{Head, text, words};

#[derive(Serialize)]
struct Results {
    /// Of the whole submission.
    score: f64,
    /// Seconds.
    execution_time: f64,
    output: String,
    output_format: &'static str,
    visibility: &'static str,
    /// What the checker prints while it works is the instructor's.
    stdout_visibility: &'static str,
    tests: Vec<Test>,
}

/// Where score and status are left out, Gradescope shows the text alone.
#[derive(Serialize)]
struct Test {
    name: String,
    number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    output: String,
    output_format: &'static str,
    visibility: &'static str,
}

/// The file's content. The tests' scores add up to the submission's points.
pub fn of(submission: &Submission, head: &Head) -> Result<String> {
    let times = submission.levels.iter();
    let milliseconds: u64 =
        times.map(|graded| graded.judged.outcome.milliseconds).sum();
    let levels = submission.levels.iter();
    let results = Results {
        score: submission.points,
        execution_time: milliseconds as f64 / 1000.0,
        output: output(submission, head),
        output_format: "text",
        visibility: "visible",
        stdout_visibility: "hidden",
        tests: levels.map(|graded| test(graded, head)).collect(),
    };
    Ok(serde_json::to_string_pretty(&results)? + "\n")
}

/// Where it was judged, and what was left out.
fn output(submission: &Submission, head: &Head) -> String {
    let machine = head.machines.get(submission.machine).map(|machine| {
        let facts = [
            format!("kernel {}", machine.kernel),
            format!("control groups: {}", machine.cgroup),
            format!("checker {}", machine.checker),
        ];
        text::line(&facts.join(", "))
    });
    let points = words::points(submission.points);
    let of = words::points(submission.of);
    let mut lines = vec![format!("{points} of {of} points")];
    lines.extend(machine);
    lines.extend(text::list(&submission.notes));
    lines.join("\n")
}

fn test(graded: &Graded, head: &Head) -> Test {
    let outcome = &graded.judged.outcome;
    let known = head.level(&outcome.level).map(|(_, known)| known);
    let title = known.map_or("", |known| known.info.title.as_str());
    let name = format!("{} {}: {title}", outcome.level, outcome.name);
    let worth = known.map(|known| known.points);
    let status = match outcome.verdict {
        Verdict::Pass => Some("passed"),
        Verdict::Fail | Verdict::Unbuilt { .. } | Verdict::Untouched { .. } => {
            Some("failed")
        }
        Verdict::Cannot { .. } | Verdict::Broken { .. } => None,
    };
    Test {
        name: text::line(&name),
        number: text::line(&outcome.level),
        score: graded.points,
        max_score: graded.points.and(worth),
        status,
        output: words::level(&graded.judged),
        output_format: "text",
        visibility: "visible",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn alice() {
        let (head, submissions) = sample::class();
        insta::assert_snapshot!(of(&submissions[1], &head).unwrap());
    }

    #[test]
    fn bob() {
        let (head, submissions) = sample::class();
        insta::assert_snapshot!(of(&submissions[2], &head).unwrap());
    }

    #[test]
    fn points_add_up() {
        let (head, submissions) = sample::class();
        for submission in submissions {
            let text = of(&submission, &head).unwrap();
            let results: serde_json::Value = serde_json::from_str(&text).unwrap();
            let tests = results["tests"].as_array().unwrap();
            let sum = |what: &str| -> f64 {
                tests.iter().filter_map(|test| test[what].as_f64()).sum()
            };
            assert_eq!(results["score"].as_f64(), Some(submission.points));
            assert!((sum("score") - submission.points).abs() < 1e-9);
            assert!((sum("max_score") - submission.of).abs() < 1e-9);
        }
    }

    #[test]
    fn hostile_text_has_an_end() {
        let (head, submissions) = sample::class();
        let text = of(&submissions[3], &head).unwrap();
        assert!(!text.contains("\\u001b") && !text.contains('\u{202e}'));
        assert!(text.len() < 50_000, "{}", text.len());
    }
}
