//! One outcome of one level, as HTML: what its diagnosis holds below the title.

use std::collections::BTreeMap;

use maud::{Markup, PreEscaped, html};
use report::{Diagnosis, Finding, Judged, Judgement, Place, Verdict};

use crate::report::signs::{self, UNSTEADY};
use crate::report::text;
use crate::report::words::count;

/// Characters of what the compiler says. What comes first matters most.
const OUTPUT: usize = 12_000;
/// Places with errors: the compiler's own words follow.
const PLACES: usize = 5;

/// Said of a check that holds before anybody has done anything.
const GIVEN: PreEscaped<&str> = PreEscaped(
    "<span class=\"aside\" title=\"it held before anything was done\">(given)</span>",
);

/// Everything that is said about it. `given`: the checks that hold before anybody has
/// done anything.
pub fn body(judged: &Judged, given: &[String]) -> Markup {
    let outcome = &judged.outcome;
    html! {
        (unsteady(&judged.unsteady))
        @match &outcome.verdict {
            Verdict::Unbuilt { output } => (unbuilt(output, &judged.errors)),
            Verdict::Cannot { reason, cure } => {
                dl.parts { (part("reason", reason)) (part("cure", cure)) }
            }
            Verdict::Broken { reason } => {
                dl.parts { (part("reason", reason)) }
                p {
                    "This says nothing about the work. Please report it, with the "
                    "output of " code { "cargo checker doctor" } "."
                }
            }
            Verdict::Untouched { .. } => {
                p { "No points, and no mistake: it wasn't judged." }
            }
            Verdict::Pass | Verdict::Fail => {}
        }
        @if !outcome.checks.is_empty() {
            ul.checks {
                @match &outcome.verdict {
                    Verdict::Pass => (each(&outcome.checks, given)),
                    _ => (first_what_matters(&outcome.checks, given)),
                }
            }
        }
    }
}

fn each(checks: &[Judgement], given: &[String]) -> Markup {
    html! { @for check in checks { (judgement(check, given)) } }
}

/// Failures, and what can't be judged; then the others, with no more than their names.
fn first_what_matters(checks: &[Judgement], given: &[String]) -> Markup {
    let mut held = Vec::new();
    let mut waiting: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut matters = Vec::new();
    for check in checks {
        match &check.finding {
            Finding::Fail(_) | Finding::Cannot { .. } => matters.push(check),
            Finding::Waits { on } => waiting.entry(on).or_default().push(&check.id),
            Finding::Pass => held.push(check.id.as_str()),
        }
    }
    html! {
        @for check in matters { (judgement(check, given)) }
        @for (on, checks) in waiting {
            li.waits {
                p {
                    span.word { "waits" } " for " code { (text::line(on)) } ": "
                    (names(&checks, &[]))
                }
            }
        }
        @if !held.is_empty() {
            li.pass { p { span.word { "pass" } " " (names(&held, given)) } }
        }
    }
}

/// Checks, by their names.
fn names(checks: &[&str], given: &[String]) -> Markup {
    html! {
        @for (place, check) in checks.iter().enumerate() {
            @if place > 0 { ", " }
            code { (text::line(check)) }
            @if given.iter().any(|given| given == check) {
                " " (GIVEN)
            }
        }
    }
}

/// What was left out of a submission.
pub fn notes(notes: &[String]) -> Markup {
    html! { ul { (list(notes)) } }
}

fn unsteady(times: &[String]) -> Markup {
    html! {
        @if !times.is_empty() {
            div.unsteady {
                p {
                    strong { (UNSTEADY.sign) " " (UNSTEADY.word) ":" } " judged " (count(times.len(), "time"))
                    ", and " (UNSTEADY.meaning) "."
                }
                ol { (list(times)) }
            }
        }
    }
}

/// Items: some lines of others.
fn list(lines: &[String]) -> Markup {
    html! { @for line in text::list(lines) { li dir="auto" { (line) } } }
}

fn unbuilt(output: &str, errors: &[Place]) -> Markup {
    html! {
        @if !errors.is_empty() {
            ul.places {
                @for place in errors.iter().take(PLACES) {
                    li {
                        code {
                            bdi { (text::line(&place.file)) }
                            ":" (place.line) ":" (place.column)
                        }
                        " " bdi { (text::line(&place.message)) }
                    }
                }
                @if errors.len() > PLACES {
                    li { "… and " (errors.len() - PLACES) " more" }
                }
            }
        }
        p { "The compiler's own words:" }
        pre.output { (text::lines(output, OUTPUT)) }
    }
}

fn judgement(check: &Judgement, given: &[String]) -> Markup {
    let word = signs::of_finding(&check.finding).word;
    html! {
        li class=(word) {
            p {
                span.word { (word) } " "
                code { (text::line(&check.id)) } " "
                span.claim { (text::line(&check.claim)) }
                @if let Finding::Waits { on } = &check.finding {
                    " " span.aside { "waits for " code { (text::line(on)) } }
                }
                @if given.contains(&check.id) { " " (GIVEN) }
            }
            @match &check.finding {
                Finding::Fail(diagnosis) => (failure(diagnosis)),
                Finding::Cannot { reason, cure, .. } => {
                    dl.parts { (part("reason", reason)) (part("cure", cure)) }
                }
                Finding::Pass | Finding::Waits { .. } => {}
            }
        }
    }
}

fn failure(diagnosis: &Diagnosis) -> Markup {
    let Diagnosis {
        ran,
        wanted,
        saw,
        likely,
        next,
        more,
    } = diagnosis;
    html! {
        dl.parts {
            (part("ran", ran))
            (part("wanted", wanted))
            (part("saw", saw))
            (part("likely", likely))
            (part("try", next))
            (part("more", more))
        }
    }
}

/// A part of a message, if it says anything.
fn part(name: &str, words: &str) -> Markup {
    html! {
        @if !words.trim().is_empty() {
            dt class=(name) { (name) }
            dd class=(name) dir="auto" { (text::lines(words, text::PART)) }
        }
    }
}
