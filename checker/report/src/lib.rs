//! What the checker says to programs, as plain data: verdicts, and reports on one
//! person's work or on a class's. `report.schema.json`, beside this crate's folder
//! `src`, says the same as a JSON Schema. Every other format is made from this one.

mod grading;

pub use grading::*;

use serde::{Deserialize, Serialize};

/// The version of this form. It grows when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// A report on levels, as `check --json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub schema: u32,
    /// The checker's version.
    pub checker: String,
    /// `uname -r`
    pub kernel: String,
    pub levels: Vec<Outcome>,
}

/// Everything that is said about one level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The level's number, two digits.
    pub level: String,
    pub name: String,
    /// What was run, as people know it: `level-03`.
    pub program: String,
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Empty when the program was never run.
    pub checks: Vec<Judgement>,
    /// From the program's start to the verdict, in milliseconds.
    pub milliseconds: u64,
}

/// A level's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// Everything holds.
    Pass,
    /// Something doesn't.
    Fail,
    /// It doesn't compile: rustc's own words.
    Unbuilt { output: String },
    /// Nothing was done: it wasn't handed in, or as it was handed out. Only `grade` says
    /// that; who learns is told what is still to be done.
    Untouched { reason: String },
    /// This host can't show it.
    Cannot { reason: String, cure: String },
    /// The checker is at fault.
    Broken { reason: String },
}

impl Verdict {
    /// `pass`, `fail`, …: as in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unbuilt { .. } => "unbuilt",
            Self::Untouched { .. } => "untouched",
            Self::Cannot { .. } => "cannot",
            Self::Broken { .. } => "broken",
        }
    }
}

/// What one check came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// Stable for ever.
    pub id: String,
    /// What must hold, as one phrase.
    pub claim: String,
    #[serde(flatten)]
    pub finding: Finding,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "kebab-case")]
pub enum Finding {
    Pass,
    Fail(Box<Diagnosis>),
    /// Nothing can be said before another check passes: which one.
    Waits {
        on: String,
    },
    /// This host can't show it: what it lacks, and how to change that.
    Cannot {
        reason: String,
        cure: String,
        /// It lacks only time: another try may show it. What was judged may have
        /// brought that about itself.
        #[serde(default, skip_serializing_if = "is_false")]
        momentary: bool,
    },
}

fn is_false(value: &bool) -> bool {
    !value
}

/// A failure, explained. Each part is plain text of one or more lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The command line.
    pub ran: String,
    pub wanted: String,
    pub saw: String,
    /// The mistake that was probably made, and the mechanism behind it.
    pub likely: String,
    /// The next step.
    #[serde(rename = "try")]
    pub next: String,
    /// Where to read on: manual pages.
    pub more: String,
}
