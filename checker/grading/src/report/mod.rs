//! Reports on a class, a file for each format. They are made from submissions one after
//! the other: a class may have a thousand, and memory is to stay as it is.
//!
//! Text of others is made harmless in `text`; what all formats say is in `words`, with
//! the `signs` of verdicts; and what many submissions have in common is counted in
//! `tally`.

pub mod csv;
pub mod exercism;
pub mod feedback;
mod format;
pub mod github;
pub mod gradescope;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
#[cfg(test)]
pub mod sample;
pub mod signs;
mod tally;
pub mod terminal;
pub mod text;
pub mod words;

pub use format::{Format, write_all};

use anyhow::Result;
use report::{Graded, GradedLevel, Machine, Submission};

/// What a report on a class says before its submissions.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    pub machines: Vec<Machine>,
    /// The parts of the class that aren't in it: `2/3`.
    pub missing: Vec<String>,
    pub levels: Vec<GradedLevel>,
}

impl Head {
    /// Of each of the class's levels what came of it; nothing if it wasn't judged.
    fn levels_of<'a>(
        &'a self,
        submission: &'a Submission,
    ) -> impl Iterator<Item = Option<&'a Graded>> {
        self.levels.iter().map(|known| {
            let mut levels = submission.levels.iter();
            levels.find(|one| one.judged.outcome.level == known.info.level)
        })
    }

    /// Which of the class's levels has this number, counted from 0.
    fn level(&self, number: &str) -> Option<(usize, &GradedLevel)> {
        let mut levels = self.levels.iter().enumerate();
        levels.find(|(_, known)| known.info.level == number)
    }
}

/// A class that has been judged.
pub trait Class {
    fn head(&self) -> &Head;

    /// Every submission, in the order of their names. May be asked for more than once.
    ///
    /// Errors: that of `tell`, or the submission can't be read.
    fn each(&self, tell: &mut dyn FnMut(Submission) -> Result<()>) -> Result<()>;
}

/// A report that is there already: one that was read, or a test's.
impl Class for (Head, Vec<Submission>) {
    fn head(&self) -> &Head {
        &self.0
    }

    fn each(&self, tell: &mut dyn FnMut(Submission) -> Result<()>) -> Result<()> {
        self.1.iter().cloned().try_for_each(tell)
    }
}
