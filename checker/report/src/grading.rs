//! Other people's work: what `grade` asks of the checker, and its report on a class.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Outcome;

/// What the checker has made ready for grading, as `grader prepare` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    pub machine: Machine,
    pub levels: Vec<LevelInfo>,
    /// Whatever verdicts depend on, in few letters: the checker itself, the finished
    /// levels, the compiler. What was judged with another one has to be judged anew.
    pub fingerprint: String,
    /// Where it is. In its folder `skeleton` are the levels as they are handed out.
    pub folder: PathBuf,
}

/// Where was it judged?
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Machine {
    /// `uname -r`
    pub kernel: String,
    /// Which control groups there are: `v1`, `v2`, `v1 and v2`, `none`.
    pub cgroup: String,
    /// How the sandbox was made: by whom, with how many ids, with or without a
    /// control group around it.
    pub sandbox: String,
    /// The checker's version.
    pub checker: String,
    /// `rustc --version`
    pub rustc: String,
}

/// A level, as reports on classes know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelInfo {
    /// Two digits.
    pub level: String,
    /// The folder's name without the number.
    pub name: String,
    /// The primitive, in a few words.
    pub title: String,
    pub checks: Vec<CheckInfo>,
    /// The checks that hold before anybody has done anything.
    #[serde(default)]
    pub given: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckInfo {
    pub id: String,
    pub claim: String,
}

/// Work to be judged: the standard input of `grader judge`, as JSON. For each level the
/// checker prints one line: a [`Judged`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What was made ready: [`Prepared::folder`].
    pub ready: PathBuf,
    /// A private folder. In its folder `levels` is a folder for each level,
    /// `05-uts-ns/src/…`, with nothing but regular files. Programs are put beside it.
    pub work: PathBuf,
    /// The numbers of those that are to be judged.
    pub numbers: Vec<String>,
    /// How long one run of a program may take, in seconds.
    pub limit: u64,
    /// How often each is judged.
    pub repeat: u32,
}

/// A level of somebody's, judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Where the compiler found errors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Place>,
    /// When it was judged more than once, and the verdicts or findings were not always
    /// the same: what each time's was, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsteady: Vec<String>,
}

/// A place in a source file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// From the project's root on: `levels/05-uts-ns/src/hostname.rs`.
    pub file: String,
    /// Counted from 1.
    pub line: u64,
    pub column: u64,
    pub message: String,
}

/// A class: `report.json` of `grade`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Class {
    pub schema: u32,
    /// Where it was judged: several, when parts were merged.
    pub machines: Vec<Machine>,
    /// The parts of the class that aren't in it: `2/3`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    pub levels: Vec<GradedLevel>,
    pub submissions: Vec<Submission>,
}

/// A level that was graded, and what it is worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GradedLevel {
    #[serde(flatten)]
    pub info: LevelInfo,
    pub points: f64,
}

/// One person's work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// Unique in the report. May be anything that can be a file's name: text in a
    /// report must be escaped as its format asks.
    pub name: String,
    /// Which of the machines.
    pub machine: usize,
    /// The sum over the levels; what this machine can't show counts for neither.
    pub points: f64,
    pub of: f64,
    pub levels: Vec<Graded>,
    /// What was left out of it, and why: one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One level of one person's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Graded {
    #[serde(flatten)]
    pub judged: Judged,
    /// `None` when this machine can't show it, or the checker is at fault.
    pub points: Option<f64>,
}
