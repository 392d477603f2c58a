//! JUnit XML, as GitLab, Jenkins and actions for GitHub show it: a suite for each
//! submission, a case for each check. Jenkins files `alice.05-uts-ns` under `alice`;
//! the others sort by suites.
//!
//! There is no standard but what is read. It keeps to Jenkins' junit-10.xsd, to which
//! `tests/schemas` holds it.

use std::io::Write;

use anyhow::Result;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use report::{CheckInfo, Finding, Judged, Judgement, Submission, Verdict};

use super::{Class, Head, text, words};

/// Errors: the class can't be read, or `out` can't be written.
pub fn write(class: &dyn Class, out: &mut dyn Write) -> Result<()> {
    let mut xml = Writer::new_with_indent(out, b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let all = BytesStart::new("testsuites");
    xml.write_event(Event::Start(
        all.with_attributes([("name", "cargo checker grade")]),
    ))?;
    class.each(&mut |submission| suite(&mut xml, class.head(), &submission))?;
    xml.write_event(Event::End(BytesEnd::new("testsuites")))?;
    writeln!(xml.get_mut())?;
    Ok(())
}

/// One line of a report: a check, or that there was nothing to check.
struct Case {
    class: String,
    name: String,
    came: Came,
}

/// What a case came to: a message of one line, and all there is to say.
enum Came {
    Passed,
    Failed(String, String),
    Error(String, String),
    Skipped(String, String),
}

fn suite(
    xml: &mut Writer<&mut dyn Write>,
    head: &Head,
    submission: &Submission,
) -> Result<()> {
    let name = text::name(&submission.name);
    let mut cases = Vec::new();
    let mut told = text::list(&submission.notes);
    let mut milliseconds = 0;
    for graded in &submission.levels {
        let outcome = &graded.judged.outcome;
        let folder = words::folder(outcome);
        milliseconds += outcome.milliseconds;
        let said = words::unsteady(&graded.judged);
        told.extend(said.map(|said| format!("{folder}: {said}")));
        cases.extend(level(&format!("{name}.{folder}"), &graded.judged, head));
    }
    let count = |fits: fn(&Came) -> bool| {
        let fitting = cases.iter().filter(|case| fits(&case.came));
        fitting.count().to_string()
    };
    let seconds = milliseconds as f64 / 1000.0;
    let start = BytesStart::new("testsuite").with_attributes([
        ("name", name.as_str()),
        ("tests", &cases.len().to_string()),
        ("failures", &count(|came| matches!(came, Came::Failed(..)))),
        ("errors", &count(|came| matches!(came, Came::Error(..)))),
        ("skipped", &count(|came| matches!(came, Came::Skipped(..)))),
        ("time", &format!("{seconds:.3}")),
    ]);
    xml.write_event(Event::Start(start))?;
    for case in &cases {
        self::case(xml, case)?;
    }
    if !told.is_empty() {
        element(xml, BytesStart::new("system-out"), &told.join("\n"))?;
    }
    xml.write_event(Event::End(BytesEnd::new("testsuite")))?;
    Ok(())
}

/// The cases of one level. When nothing was run, they are those that would have been:
/// of an untouched level they are skipped, for an error is somebody's mistake.
fn level(class: &str, judged: &Judged, head: &Head) -> Vec<Case> {
    let outcome = &judged.outcome;
    let headline = words::headline(outcome);
    let why = words::why(&outcome.verdict).unwrap_or_default();
    let case = |name: String, came| Case {
        class: class.into(),
        name,
        came,
    };
    let first = match outcome.verdict {
        Verdict::Unbuilt { .. } => Some("it compiles"),
        Verdict::Broken { .. } => Some("it can be judged"),
        _ => None,
    };
    let mut cases = Vec::new();
    if let Some(name) = first {
        cases.push(case(
            name.into(),
            Came::Error(headline.clone(), why.clone()),
        ));
    }
    if outcome.checks.is_empty() {
        for CheckInfo { id, claim } in known(head, &outcome.level) {
            let told = match first {
                Some(_) => String::new(),
                None => why.clone(),
            };
            let came = Came::Skipped(headline.clone(), told);
            cases.push(case(title(id, claim), came));
        }
    }
    for check in &outcome.checks {
        let name = title(&check.id, &check.claim);
        cases.push(case(name, came(&outcome.level, check)));
    }
    cases
}

fn title(id: &str, claim: &str) -> String {
    format!("{}: {}", text::line(id), text::line(claim))
}

fn known<'a>(head: &'a Head, level: &str) -> &'a [CheckInfo] {
    let found = head.level(level);
    found.map_or(&[], |(_, known)| &known.info.checks)
}

fn came(level: &str, check: &Judgement) -> Came {
    match &check.finding {
        Finding::Pass => Came::Passed,
        Finding::Fail(diagnosis) => Came::Failed(
            text::line(&diagnosis.saw),
            words::diagnosis(level, diagnosis),
        ),
        Finding::Cannot { reason, cure, .. } => Came::Skipped(
            words::open(&check.finding).unwrap_or_default(),
            words::cannot(reason, cure),
        ),
        Finding::Waits { .. } => Came::Skipped(
            words::open(&check.finding).unwrap_or_default(),
            String::new(),
        ),
    }
}

fn case(xml: &mut Writer<&mut dyn Write>, case: &Case) -> Result<()> {
    let start = BytesStart::new("testcase")
        .with_attributes([("classname", case.class.as_str()), ("name", &case.name)]);
    let (tag, kind, message, text) = match &case.came {
        Came::Passed => return Ok(xml.write_event(Event::Empty(start))?),
        Came::Failed(message, text) => ("failure", Some("fail"), message, text),
        Came::Error(message, text) => ("error", Some("error"), message, text),
        Came::Skipped(message, text) => ("skipped", None, message, text),
    };
    xml.write_event(Event::Start(start))?;
    let mut inner = BytesStart::new(tag);
    inner.push_attribute(("message", message.as_str()));
    inner.extend_attributes(kind.map(|kind| ("type", kind)));
    element(xml, inner, text)?;
    xml.write_event(Event::End(BytesEnd::new("testcase")))?;
    Ok(())
}

/// An element with text in it. quick-xml escapes; `text` took out what XML can't hold.
fn element(
    xml: &mut Writer<&mut dyn Write>,
    start: BytesStart,
    text: &str,
) -> Result<()> {
    if text.is_empty() {
        return Ok(xml.write_event(Event::Empty(start))?);
    }
    let end = start.to_end().into_owned();
    xml.write_event(Event::Start(start.borrow()))?;
    xml.write_event(Event::Text(BytesText::new(text)))?;
    xml.write_event(Event::End(end))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn written() -> String {
        let mut out = Vec::new();
        write(&sample::class(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn cases() {
        insta::assert_snapshot!(written());
    }

    /// XML 1.0, 2.2: `Char`. `tests/schemas` asks a real parser.
    #[test]
    fn no_character_is_in_it_that_xml_forbids() {
        let allowed = |letter: char| {
            let plain = matches!(letter, ' '..='\u{fffd}' | '\u{10000}'..);
            plain || matches!(letter, '\t' | '\n')
        };
        assert!(!sample::HOSTILE.chars().all(allowed));
        assert!(written().chars().all(allowed));
    }

    #[test]
    fn counts_are_those_of_the_cases() {
        for suite in written().split("<testsuite ").skip(1) {
            let said = |name: &str| {
                let (_, value) = suite.split_once(&format!(" {name}=\"")).unwrap();
                let value = value.split('"').next().unwrap();
                value.parse::<usize>().unwrap()
            };
            let seen = |tag: &str| suite.matches(&format!("<{tag} ")).count();
            assert_eq!(said("tests"), seen("testcase"));
            assert_eq!(said("failures"), seen("failure"));
            assert_eq!(said("errors"), seen("error"));
            assert_eq!(said("skipped"), seen("skipped"));
        }
    }
}
