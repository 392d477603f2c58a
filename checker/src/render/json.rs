//! The one machine-readable form; every other format is made from it.

use report::{Outcome, Report, SCHEMA};

/// The report as one JSON value, with a newline at its end.
pub fn render(outcomes: &[Outcome], kernel: String) -> String {
    let report = Report {
        schema: SCHEMA,
        checker: env!("CARGO_PKG_VERSION").into(),
        kernel,
        levels: outcomes.to_vec(),
    };
    let text = serde_json::to_string_pretty(&report);
    text.unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}")) + "\n"
}

/// The outcome of the one level that a report is about; `None` if it is no such report.
pub fn read(text: &str) -> Option<Outcome> {
    let report: Report = serde_json::from_str(text).ok()?;
    let known = report.schema == SCHEMA;
    report.levels.into_iter().next().filter(|_| known)
}
