//! Verdicts for people. Every line makes sense without its colours; colours and
//! width are the caller's choice.

use std::fmt::Write;

use colored::Colorize;

use crate::judge::{Diagnosis, Finding, Judgement, Outcome, Verdict};

/// How much to say.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Columns.
    pub width: usize,
    /// Every failure in full, not only the first.
    pub verbose: bool,
    /// The program may be in any language: of the hints, the first ones name no Rust.
    pub any_language: bool,
}

/// One level's outcome.
pub fn outcome(outcome: &Outcome, style: Style) -> String {
    let mut out = format!("{}\n", headline(outcome));
    match &outcome.verdict {
        Verdict::Unbuilt { output } => {
            let _ = write!(out, "{output}");
            if !output.ends_with('\n') {
                out.push('\n');
            }
        }
        Verdict::Cannot { reason, cure } => {
            part(&mut out, "reason", reason, style.width);
            part(&mut out, "cure", cure, style.width);
        }
        Verdict::Untouched { reason } => {
            part(&mut out, "reason", reason, style.width);
        }
        Verdict::Broken { reason } => {
            part(&mut out, "reason", reason, style.width);
            let report =
                "Please report this, with the output of `cargo checker doctor`.";
            part(&mut out, "next", report, style.width);
        }
        Verdict::Pass | Verdict::Fail => {}
    }
    let mut told = 0;
    let mut waiting = Vec::new();
    for check in &outcome.checks {
        let in_full = style.verbose || told == 0;
        told += usize::from(matches!(check.finding, Finding::Fail(_)));
        match &check.finding {
            Finding::Waits { on } if !style.verbose => waiting.push(on.as_str()),
            _ => judgement(&mut out, &outcome.level, check, in_full, style),
        }
    }
    waiting.sort_unstable();
    for same in waiting.chunk_by(|one, other| one == other) {
        let (count, on) = (same.len(), same[0]);
        let line = match count {
            1 => format!("1 check can't be judged before {on} holds"),
            _ => format!("{count} checks can't be judged before {on} holds"),
        };
        let _ = writeln!(out, "  {} {}", "–".dimmed(), line.dimmed());
    }
    if told > 1 && !style.verbose {
        let more = format!("--verbose explains all {told} failures");
        let _ = writeln!(out, "    {}", more.dimmed());
    }
    out
}

/// The level, the program, and the verdict in a few words.
pub fn headline(outcome: &Outcome) -> String {
    let name = format!("{} {}", outcome.level, outcome.name).bold();
    let count = outcome.checks.len();
    let passed = passed(&outcome.checks);
    let headline = match &outcome.verdict {
        Verdict::Pass => {
            format!("{}: all {count} checks hold", "pass".green().bold())
        }
        Verdict::Fail => {
            format!("{}: {passed} of {count} checks hold", "fail".red().bold())
        }
        Verdict::Unbuilt { .. } => {
            format!("{}: it doesn't compile", "unbuilt".red().bold())
        }
        Verdict::Cannot { .. } => {
            format!("{}: this host can't show it", "cannot".yellow().bold())
        }
        Verdict::Untouched { .. } => {
            format!("{}: nothing was done", "untouched".yellow().bold())
        }
        Verdict::Broken { .. } => {
            format!(
                "{}: the checker is at fault, not you",
                "broken".magenta().bold()
            )
        }
    };
    let time = match outcome.milliseconds {
        0 => String::new(),
        ms @ 1..10_000 => format!("  {}", format!("{ms} ms").dimmed()),
        ms => {
            let seconds = ms as f64 / 1000.0;
            format!("  {}", format!("{seconds:.1} s").dimmed())
        }
    };
    format!("{name}  ({})  {headline}{time}", outcome.program)
}

fn passed(checks: &[Judgement]) -> usize {
    checks
        .iter()
        .filter(|check| check.finding == Finding::Pass)
        .count()
}

fn judgement(
    out: &mut String,
    level: &str,
    check: &Judgement,
    in_full: bool,
    style: Style,
) {
    let width = style.width;
    let Judgement { id, claim, finding } = check;
    let claim = wrapped(claim, width);
    let _ = match finding {
        Finding::Pass => writeln!(out, "  {} {id:<30} {claim}", "✓".green()),
        Finding::Cannot { reason, .. } => {
            let reason = wrapped(reason, width);
            writeln!(out, "  {} {id:<30} cannot: {reason}", "?".yellow())
        }
        Finding::Waits { on } => {
            writeln!(
                out,
                "  {} {id:<30} {}",
                "–".dimmed(),
                format!("waits for {on}").dimmed()
            )
        }
        Finding::Fail(_) => {
            writeln!(out, "  {} {:<30} {claim}", "✗".red().bold(), id.red())
        }
    };
    if let (Finding::Fail(diagnosis), true) = (finding, in_full) {
        let Diagnosis {
            ran,
            wanted,
            saw,
            likely,
            next,
            more,
        } = diagnosis.as_ref();
        for (name, text) in [
            ("ran", ran),
            ("wanted", wanted),
            ("saw", saw),
            ("likely", likely),
            ("try", next),
        ] {
            part(out, name, text, width);
        }
        let step = if style.any_language { " 1" } else { "" };
        let more = format!("cargo checker hint {level}{step}   ·   {more}");
        part(out, "more", &more, width);
    }
}

/// A check's claim beside its id, on as many lines as it needs.
fn wrapped(claim: &str, width: usize) -> String {
    let room = width.saturating_sub(35).max(24);
    let lines =
        textwrap::wrap(claim, textwrap::Options::new(room).break_words(false));
    lines.join(&format!("\n{:35}", ""))
}

/// A named part of a message, wrapped and indented.
fn part(out: &mut String, name: &str, text: &str, width: usize) {
    let room = width.saturating_sub(14).max(24);
    let mut label = name;
    for line in text.lines() {
        let options = textwrap::Options::new(room).break_words(false);
        for piece in textwrap::wrap(line, options) {
            let _ = writeln!(out, "    {} {piece}", format!("{label:<9}").bold());
            label = "";
        }
    }
}

/// The last line of a report about several levels.
pub fn summary(outcomes: &[Outcome]) -> String {
    let count = |fits: fn(&Verdict) -> bool| {
        outcomes
            .iter()
            .filter(|outcome| fits(&outcome.verdict))
            .count()
    };
    let parts = [
        (count(|v| *v == Verdict::Pass), "passed"),
        (count(|v| *v == Verdict::Fail), "failed"),
        (count(|v| matches!(v, Verdict::Unbuilt { .. })), "unbuilt"),
        (
            count(|v| matches!(v, Verdict::Untouched { .. })),
            "untouched",
        ),
        (
            count(|v| matches!(v, Verdict::Cannot { .. })),
            "cannot be shown here",
        ),
        (count(|v| matches!(v, Verdict::Broken { .. })), "broken"),
    ];
    let shown = parts.iter().filter(|(count, _)| *count > 0);
    let shown: Vec<String> = shown
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    format!("{} levels: {}\n", outcomes.len(), shown.join(", "))
}
