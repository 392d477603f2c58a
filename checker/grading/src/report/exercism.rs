//! What a test runner for Exercism answers, version 3, a file for each submission:
//! <https://exercism.org/docs/building/tooling/test-runners/interface>.
//!
//! A test is a check. Exercism knows no test that can't be made here: such ones are
//! left out. Its `output` is for what the learner's program prints, and may have 500
//! characters: the checker keeps nothing of that, so there is none.

use anyhow::Result;
use report::{Finding, Graded, Judgement, Submission, Verdict};
use serde::Serialize;

use super::{Head, text, words};

/// What fits into `message` at the top: bytes, because what counts as a character there
/// is not said for more than ASCII.
const MESSAGE: usize = 65535;

#[derive(Serialize)]
struct Results {
    version: u8,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tests: Vec<Test>,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Status {
    Pass,
    Fail,
    Error,
}

#[derive(Serialize)]
struct Test {
    name: String,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// The command that the check looked at. It is known of those that fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    test_code: Option<String>,
    /// Which of the graded levels, counted from 1: as the tasks in an exercise's
    /// instructions are.
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<usize>,
}

/// The file's content.
pub fn of(submission: &Submission, head: &Head) -> Result<String> {
    let levels = submission.levels.iter();
    let tests: Vec<Test> = levels.flat_map(|graded| level(graded, head)).collect();
    let has = |status| tests.iter().any(|test| test.status == status);
    let status = match (has(Status::Pass) || has(Status::Fail), has(Status::Error)) {
        (false, _) => Status::Error,
        (true, false) if !has(Status::Fail) => Status::Pass,
        (true, _) => Status::Fail,
    };
    let results = match status {
        Status::Error => Results {
            version: 3,
            status,
            message: Some(message(submission)),
            tests: Vec::new(),
        },
        _ => Results {
            version: 3,
            status,
            message: None,
            tests,
        },
    };
    Ok(serde_json::to_string_pretty(&results)? + "\n")
}

/// Why there is no test at all: the compiler's words, mostly.
fn message(submission: &Submission) -> String {
    let mut parts = Vec::new();
    for graded in &submission.levels {
        let outcome = &graded.judged.outcome;
        let (folder, headline) = (words::folder(outcome), words::headline(outcome));
        let why = words::why(&outcome.verdict).unwrap_or_default();
        parts.push(format!("{folder}: {headline}\n\n{why}"));
    }
    parts.extend(text::list(&submission.notes));
    let mut message = parts.join("\n\n");
    if message.is_empty() {
        message.push_str("nothing was handed in");
    }
    let end = (0..=MESSAGE.min(message.len()))
        .rev()
        .find(|end| message.is_char_boundary(*end));
    message.truncate(end.unwrap_or(0));
    message
}

fn level(graded: &Graded, head: &Head) -> Vec<Test> {
    let outcome = &graded.judged.outcome;
    let known = head.level(&outcome.level);
    let task_id = known.map(|(place, _)| place + 1);
    let unsteady = words::unsteady(&graded.judged);
    let mut tests = Vec::new();
    if matches!(
        outcome.verdict,
        Verdict::Unbuilt { .. } | Verdict::Untouched { .. } | Verdict::Broken { .. }
    ) {
        tests.push(Test {
            name: format!(
                "{}: {}",
                words::folder(outcome),
                words::headline(outcome)
            ),
            status: Status::Error,
            message: words::why(&outcome.verdict)
                .or_else(|| Some(words::headline(outcome))),
            test_code: None,
            task_id,
        });
    }
    for check in &outcome.checks {
        tests.extend(test(&outcome.level, check, task_id));
    }
    for test in tests.iter_mut().filter(|test| test.status != Status::Pass) {
        let parts = [test.message.take(), unsteady.clone()];
        test.message =
            Some(parts.into_iter().flatten().collect::<Vec<_>>().join("\n"));
    }
    tests
}

fn test(level: &str, check: &Judgement, task_id: Option<usize>) -> Option<Test> {
    let (id, claim) = (text::line(&check.id), text::line(&check.claim));
    let (status, message, test_code) = match &check.finding {
        Finding::Pass => (Status::Pass, None, None),
        Finding::Fail(diagnosis) => (
            Status::Fail,
            Some(words::diagnosis(level, diagnosis)),
            Some(text::line(&diagnosis.ran)),
        ),
        Finding::Waits { .. } => (Status::Error, words::open(&check.finding), None),
        Finding::Cannot { .. } => return None,
    };
    Some(Test {
        name: format!("{id}: {claim}"),
        status,
        message,
        test_code,
        task_id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn results(index: usize) -> (String, serde_json::Value) {
        let (head, submissions) = sample::class();
        let text = of(&submissions[index], &head).unwrap();
        let value = serde_json::from_str(&text).unwrap();
        (text, value)
    }

    #[test]
    fn what_cannot_be_shown_is_left_out() {
        let (_, ada) = results(0);
        assert_eq!(ada["status"], "pass");
        assert_eq!(ada["tests"].as_array().unwrap().len(), 2 + 4);
        assert_eq!(ada["message"], serde_json::Value::Null);
    }

    #[test]
    fn a_failure() {
        insta::assert_snapshot!(results(1).0);
    }

    /// Of bob's levels one doesn't compile, and of another one check holds.
    #[test]
    fn a_level_that_does_not_compile_beside_another() {
        let (text, bob) = results(2);
        assert_eq!(bob["status"], "fail");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn nothing_compiles() {
        let (head, submissions) = sample::class();
        let mut bob = submissions[2].clone();
        bob.levels.truncate(1);
        insta::assert_snapshot!(of(&bob, &head).unwrap());
        bob.levels.clear();
        insta::assert_snapshot!("nothing", of(&bob, &head).unwrap());
    }

    #[test]
    fn a_message_is_no_longer_than_exercism_allows() {
        let (head, submissions) = sample::class();
        let mut hostile = submissions[3].clone();
        hostile.levels = vec![hostile.levels[0].clone(); 40];
        let text = of(&hostile, &head).unwrap();
        let results: serde_json::Value = serde_json::from_str(&text).unwrap();
        let length = results["message"].as_str().unwrap().len();
        assert!((MESSAGE - 3..=MESSAGE).contains(&length), "{length}");
    }

    /// The specification's rules, for all of the sample.
    #[test]
    fn the_specification_holds() {
        for index in 0..5 {
            let (text, results) = results(index);
            assert_eq!(results["version"], 3);
            let error = results["status"] == "error";
            assert_eq!(results["message"].is_string(), error, "{text}");
            assert_eq!(results["tests"].is_array(), !error, "{text}");
            for test in results["tests"].as_array().into_iter().flatten() {
                assert!(test["name"].is_string() && test["task_id"].is_u64());
                assert_eq!(test["message"].is_string(), test["status"] != "pass");
            }
        }
    }
}
