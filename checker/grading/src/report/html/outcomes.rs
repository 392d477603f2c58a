//! Which outcomes there are, and who has them: found in one pass over a class. Of each
//! learner the name is kept, and of each level a number; all other text is put aside
//! (`spill`), once for all who have the same.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;

use anyhow::{Context, Result};
use report::{Graded, Submission, Verdict};

use super::diagnosis;
use super::spill::{Piece, Spill};
use crate::report::signs::Kind;
use crate::report::{Head, text, words};

/// What is asked of a name in a table; more is cut off. Characters.
const NAME: usize = 120;

pub struct Outcomes<'a> {
    head: &'a Head,
    /// In the order in which they came.
    pub learners: Vec<Learner>,
    /// When they are sorted, in the order of the levels; within one the failures first,
    /// and what many have before what few have. Their numbers on the page are places
    /// in this, from 1.
    pub all: Vec<Shared>,
    pub spill: Spill,
    hash: RandomState,
    /// By their hashes.
    known: HashMap<u64, usize>,
}

pub struct Learner {
    /// As it may be shown.
    pub name: String,
    pub machine: usize,
    pub points: f64,
    pub of: f64,
    /// For each of the class's levels: which of the outcomes.
    pub outcomes: Vec<Option<usize>>,
    /// HTML.
    pub notes: Option<Notes>,
}

pub struct Notes {
    pub count: usize,
    pub list: Piece,
}

/// An outcome of one level, and all who have it.
pub struct Shared {
    /// Which of the class's levels.
    pub level: usize,
    pub kind: Kind,
    /// What it comes to, in a few words.
    pub gist: String,
    /// What doesn't hold of a level that fails, in still fewer.
    pub amiss: Option<String>,
    pub points: Option<f64>,
    /// Wasn't it the same each time?
    pub unsteady: bool,
    /// HTML.
    pub body: Piece,
    /// Places in the list of learners.
    pub learners: Vec<usize>,
}

impl<'a> Outcomes<'a> {
    /// Errors: there is no room for temporary files.
    pub fn new(head: &'a Head) -> Result<Self> {
        Ok(Self {
            head,
            learners: Vec::new(),
            all: Vec::new(),
            spill: Spill::new()?,
            hash: RandomState::new(),
            known: HashMap::new(),
        })
    }

    /// One more learner. Of which of the class's levels nobody had this outcome before?
    ///
    /// Errors: there is no room for temporary files.
    pub fn add(&mut self, submission: &mut Submission) -> Result<Vec<usize>> {
        for graded in &mut submission.levels {
            // The time is another one each time, and says nothing.
            graded.judged.outcome.milliseconds = 0;
        }
        let (head, learner) = (self.head, self.learners.len());
        let mut outcomes = Vec::with_capacity(head.levels.len());
        let mut new = Vec::new();
        for (level, graded) in head.levels_of(submission).enumerate() {
            let Some(graded) = graded else {
                outcomes.push(None);
                continue;
            };
            let at = self.outcome(level, graded)?;
            let learners = &mut self.all[at].learners;
            if learners.is_empty() {
                new.push(level);
            }
            learners.push(learner);
            outcomes.push(Some(at));
        }
        let notes = self.notes(&submission.notes)?;
        self.learners.push(Learner {
            name: text::cut(&text::name(&submission.name), NAME),
            machine: submission.machine,
            points: submission.points,
            of: submission.of,
            outcomes,
            notes,
        });
        Ok(new)
    }

    /// How many outcomes of a level are of a kind.
    pub fn count(&self, level: usize, kind: Kind) -> usize {
        let fits = |shared: &&Shared| shared.level == level && shared.kind == kind;
        let fitting = self.all.iter().filter(fits);
        fitting.map(|shared| shared.learners.len()).sum()
    }

    /// After this, nobody may be added.
    pub fn sort(&mut self) {
        let all = std::mem::take(&mut self.all).into_iter();
        let mut order: Vec<(usize, Shared)> = all.enumerate().collect();
        order.sort_by_key(|(_, shared)| {
            (shared.level, shared.kind, Reverse(shared.learners.len()))
        });
        let mut places = vec![0; order.len()];
        for (place, (old, _)) in order.iter().enumerate() {
            places[*old] = place;
        }
        self.all = order.into_iter().map(|(_, shared)| shared).collect();
        for learner in &mut self.learners {
            for outcome in learner.outcomes.iter_mut().flatten() {
                *outcome = places[*outcome];
            }
        }
    }

    /// Which of the outcomes is this one? A new one perhaps.
    fn outcome(&mut self, level: usize, graded: &Graded) -> Result<usize> {
        let Graded { judged, points } = graded;
        let mut hashing = Hashing(self.hash.build_hasher());
        serde_json::to_writer(&mut hashing, graded)
            .context("write an outcome as JSON")?;
        let hash = hashing.0.finish();
        if let Some(&known) = self.known.get(&hash) {
            return Ok(known);
        }
        let given = &self.head.levels[level].info.given;
        let body = diagnosis::body(judged, given).into_string();
        let new = self.all.len();
        self.all.push(Shared {
            level,
            kind: Kind::of(&judged.outcome.verdict),
            gist: words::headline(&judged.outcome),
            amiss: (judged.outcome.verdict == Verdict::Fail)
                .then(|| words::amiss(&judged.outcome)),
            points: *points,
            unsteady: !judged.unsteady.is_empty(),
            body: self.spill.keep(&body)?,
            learners: Vec::new(),
        });
        self.known.insert(hash, new);
        Ok(new)
    }

    fn notes(&mut self, notes: &[String]) -> Result<Option<Notes>> {
        if notes.is_empty() {
            return Ok(None);
        }
        let list = diagnosis::notes(notes).into_string();
        Ok(Some(Notes {
            count: notes.len(),
            list: self.spill.keep(&list)?,
        }))
    }
}

/// What is written to this is hashed, and kept nowhere.
struct Hashing<H>(H);

impl<H: Hasher> io::Write for Hashing<H> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
