//! The one machine-readable form; every other format is made from it.

use serde::{Deserialize, Serialize};

use crate::judge::Outcome;

/// The version of this form. It grows when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    checker: &'a str,
    kernel: String,
    levels: &'a [Outcome],
}

/// The report as one JSON value, with a newline at its end.
pub fn render(outcomes: &[Outcome], kernel: String) -> String {
    let checker = env!("CARGO_PKG_VERSION");
    let report = Report {
        schema: SCHEMA,
        checker,
        kernel,
        levels: outcomes,
    };
    let text = serde_json::to_string_pretty(&report);
    text.unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}")) + "\n"
}

/// The outcome of the one level that a report is about; `None` if it is no such report.
pub fn read(report: &str) -> Option<Outcome> {
    #[derive(Deserialize)]
    struct One {
        schema: u32,
        levels: Vec<Outcome>,
    }
    let one: One = serde_json::from_str(report).ok()?;
    one.levels
        .into_iter()
        .next()
        .filter(|_| one.schema == SCHEMA)
}
