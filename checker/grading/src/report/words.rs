//! What all formats say in plain text. People who were judged had a say in most of it:
//! all of that goes through `text`.

use std::collections::BTreeMap;

use report::{Diagnosis, Finding, Judged, Judgement, Outcome, Submission, Verdict};

use super::Head;
use super::signs::{self, Kind, Sign, UNSTEADY};
pub use super::text::name;
use super::text::{self, PART, line, lines};

/// `1 learner`, `2 learners`.
pub fn count(number: usize, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

/// Points as people write them: at most two decimals.
pub fn points(points: f64) -> String {
    let text = format!("{points:.2}");
    text.trim_end_matches('0').trim_end_matches('.').into()
}

/// That parts of the class are missing, if they are.
pub fn missing(head: &Head) -> Option<String> {
    let (is, parts) = match head.missing.as_slice() {
        [] => return None,
        [_] => ("is", "part"),
        _ => ("are", "parts"),
    };
    let missing = text::list(&head.missing).join(", ");
    Some(format!("{parts} {missing} of the class {is} missing"))
}

/// A level's folder: `05-uts-ns`.
pub fn folder(outcome: &Outcome) -> String {
    line(&format!("{}-{}", outcome.level, outcome.name))
}

/// The verdict, in a few words.
pub fn headline(outcome: &Outcome) -> String {
    let (passed, all) = passed(outcome);
    match &outcome.verdict {
        Verdict::Pass => format!("all {all} checks hold"),
        Verdict::Fail => {
            format!("{passed} of {all} checks hold, {}", amiss(outcome))
        }
        Verdict::Untouched { reason } => {
            format!("{}: {}", outcome.verdict.word(), line(reason))
        }
        other => Kind::of(other).sign().meaning.into(),
    }
}

/// The levels that nobody has touched, a line for each reason.
pub fn untouched(submission: &Submission) -> Vec<String> {
    let Sign { sign, word, .. } = Kind::Untouched.sign();
    let mut levels: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for graded in &submission.levels {
        let outcome = &graded.judged.outcome;
        if let Verdict::Untouched { reason } = &outcome.verdict {
            levels.entry(reason).or_default().push(&outcome.level);
        }
    }
    let told = levels.into_iter().map(|(reason, levels)| {
        let levels = line(&levels.join(", "));
        format!("{sign} {word}: {levels}: {}", line(reason))
    });
    told.collect()
}

/// How many checks hold, and of how many.
pub fn passed(outcome: &Outcome) -> (usize, usize) {
    let held = |check: &&Judgement| check.finding == Finding::Pass;
    (
        outcome.checks.iter().filter(held).count(),
        outcome.checks.len(),
    )
}

/// What doesn't hold, counted: `1 fails, 2 wait`.
pub fn amiss(outcome: &Outcome) -> String {
    let count = |fits: fn(&Finding) -> bool| {
        let checks = outcome.checks.iter();
        checks.filter(|check| fits(&check.finding)).count()
    };
    let fail = count(|finding| matches!(finding, Finding::Fail(_)));
    let wait = count(|finding| matches!(finding, Finding::Waits { .. }));
    let cannot = count(|finding| matches!(finding, Finding::Cannot { .. }));
    let ending = |number| if number == 1 { "s" } else { "" };
    let counts = [
        (fail, format!("{fail} fail{}", ending(fail))),
        (wait, format!("{wait} wait{}", ending(wait))),
        (cannot, format!("{cannot} can't be shown")),
    ];
    let there = counts.into_iter().filter(|(count, _)| *count > 0);
    there.map(|(_, told)| told).collect::<Vec<_>>().join(", ")
}

/// Why there is such a verdict, when the checks don't tell: the compiler's words, what
/// the machine lacks, what went wrong in the checker. One or more lines.
pub fn why(verdict: &Verdict) -> Option<String> {
    match verdict {
        // The headline has told it.
        Verdict::Untouched { .. } => None,
        Verdict::Pass | Verdict::Fail => None,
        Verdict::Unbuilt { output } => Some(lines(output, PART)),
        Verdict::Cannot { reason, cure } => Some(cannot(reason, cure)),
        Verdict::Broken { reason } => Some(part("reason", reason)),
    }
}

/// What this machine lacks, and what to do about it.
pub fn cannot(reason: &str, cure: &str) -> String {
    format!("{}\n{}", part("reason", reason), part("cure", cure))
}

/// A failure: a line or more for each part, each with its name before it.
pub fn diagnosis(level: &str, diagnosis: &Diagnosis) -> String {
    let more = format!("cargo checker hint {level} · {}", diagnosis.more);
    let parts = [
        ("ran", &diagnosis.ran),
        ("wanted", &diagnosis.wanted),
        ("saw", &diagnosis.saw),
        ("likely", &diagnosis.likely),
        ("try", &diagnosis.next),
        ("more", &more),
    ];
    parts.map(|(name, text)| part(name, text)).join("\n")
}

/// A named text; its other lines stand under the first one.
fn part(name: &str, text: &str) -> String {
    let text = lines(text, PART);
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let mut out = format!("{name:<8}{first}").trim_end().to_string();
    for line in lines {
        out.push_str(&format!("\n{:8}{line}", ""));
    }
    out
}

/// What came of a check that neither holds nor fails, on one line.
pub fn open(finding: &Finding) -> Option<String> {
    match finding {
        Finding::Pass | Finding::Fail(_) => None,
        Finding::Waits { on } => Some(format!("waits for {}", line(on))),
        Finding::Cannot { reason, .. } => {
            Some(format!("this machine can't show it: {}", line(reason)))
        }
    }
}

/// Of a level that did not always come to the same: what it came to each time.
pub fn unsteady(judged: &Judged) -> Option<String> {
    let times = text::list(&judged.unsteady);
    (!times.is_empty()).then(|| {
        let times = times.join("; ");
        let Sign {
            sign,
            word,
            meaning,
        } = UNSTEADY;
        format!("{sign} {word}, {meaning}: {times}")
    })
}

/// The checks that fail, explained.
pub fn failures(
    outcome: &Outcome,
) -> impl Iterator<Item = (&Judgement, &Diagnosis)> {
    let checks = outcome.checks.iter();
    checks.filter_map(|check| match &check.finding {
        Finding::Fail(diagnosis) => Some((check, diagnosis.as_ref())),
        _ => None,
    })
}

/// What doesn't hold beside the failures that were explained, by names alone:
/// `also: uts.ipc; waiting: uts.hostname`.
pub fn others(outcome: &Outcome, explained: usize) -> Option<String> {
    let names = |fits: fn(&Finding) -> bool| {
        let checks = outcome.checks.iter().filter(move |one| fits(&one.finding));
        checks.map(|check| line(&check.id))
    };
    let also: Vec<String> = names(|finding| matches!(finding, Finding::Fail(_)))
        .skip(explained)
        .collect();
    let waiting: Vec<String> =
        names(|finding| matches!(finding, Finding::Waits { .. })).collect();
    let parts = [("also", also), ("waiting", waiting)];
    let parts = parts.into_iter().filter(|(_, names)| !names.is_empty());
    let parts: Vec<String> = parts
        .map(|(what, names)| format!("{what}: {}", names.join(", ")))
        .collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// All that is to be said about a level, with every failure in full.
pub fn level(judged: &Judged) -> String {
    let outcome = &judged.outcome;
    let mut parts = vec![headline(outcome)];
    parts.extend(unsteady(judged));
    parts.extend(why(&outcome.verdict).map(|why| format!("\n{why}")));
    if !outcome.checks.is_empty() {
        parts.push(String::new());
    }
    for check in &outcome.checks {
        parts.push(self::check(&outcome.level, check));
    }
    parts.join("\n") + "\n"
}

fn check(level: &str, check: &Judgement) -> String {
    let (id, claim) = (line(&check.id), line(&check.claim));
    let sign = signs::of_finding(&check.finding).sign;
    match &check.finding {
        Finding::Pass => format!("{sign} {id}: {claim}"),
        Finding::Fail(told) => {
            let told = diagnosis(level, told).replace('\n', "\n    ");
            format!("{sign} {id}: {claim}\n    {told}")
        }
        other => format!("{sign} {id}: {}", open(other).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn points_are_short() {
        assert_eq!(
            [0.0, 1.0, 2.5, 10.0, 2.5 / 3.0].map(points),
            ["0", "1", "2.5", "10", "0.83"]
        );
    }

    #[test]
    fn what_is_missing_is_told() {
        let (mut head, _) = sample::class();
        assert_eq!(missing(&head), None);
        head.missing = vec!["2/3".into()];
        let told = "part 2/3 of the class is missing";
        assert_eq!(missing(&head).as_deref(), Some(told));
        head.missing.push("3/3".into());
        let told = "parts 2/3, 3/3 of the class are missing";
        assert_eq!(missing(&head).as_deref(), Some(told));
    }

    #[test]
    fn what_is_amiss_is_counted() {
        let (_, submissions) = sample::class();
        let told = |submission: usize, level: usize| {
            let outcome = &submissions[submission].levels[level].judged.outcome;
            (amiss(outcome), others(outcome, 1).unwrap_or_default())
        };
        let two = "also: uts.too-long; waiting: uts.caller-name";
        assert_eq!(told(1, 1), ("2 fail, 1 waits".into(), two.into()));
        assert_eq!(told(1, 2), ("1 fails".into(), String::new()));
        assert_eq!(told(2, 2), ("1 can't be shown".into(), String::new()));
    }

    #[test]
    fn numbers_are_told() {
        assert_eq!(count(1, "level"), "1 level");
        assert_eq!(count(0, "level"), "0 levels");
    }

    #[test]
    fn levels() {
        let (_, submissions) = sample::class();
        let mut told = String::new();
        for submission in submissions {
            told += &format!("# {}\n", name(&submission.name));
            for graded in &submission.levels {
                told += &format!("## {}\n", folder(&graded.judged.outcome));
                told += &level(&graded.judged);
            }
        }
        insta::assert_snapshot!(told);
    }
}
