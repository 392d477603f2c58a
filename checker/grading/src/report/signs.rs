//! The signs and words of verdicts: the same in every format, on a terminal and on paper.

use report::{Finding, Judged, Verdict};

/// How something is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sign {
    /// For eyes. It never stands without the word, or a key that has both.
    pub sign: char,
    /// As in JSON.
    pub word: &'static str,
    pub meaning: &'static str,
}

/// Of a check that says nothing before another one holds.
pub const WAITS: Sign = Sign {
    sign: '–',
    word: "waits",
    meaning: "says nothing before another check holds",
};

/// Of a level that was judged more than once.
pub const UNSTEADY: Sign = Sign {
    sign: '≠',
    word: "unsteady",
    meaning: "not the same each time",
};

/// Which verdict it is. The worse come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Fail,
    Unbuilt,
    Untouched,
    Cannot,
    Broken,
    Pass,
}

impl Kind {
    /// In the order in which people are told of them.
    pub const ALL: [Self; 6] = [
        Self::Pass,
        Self::Fail,
        Self::Unbuilt,
        Self::Untouched,
        Self::Cannot,
        Self::Broken,
    ];

    pub fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Pass,
            Verdict::Fail => Self::Fail,
            Verdict::Unbuilt { .. } => Self::Unbuilt,
            Verdict::Untouched { .. } => Self::Untouched,
            Verdict::Cannot { .. } => Self::Cannot,
            Verdict::Broken { .. } => Self::Broken,
        }
    }

    pub const fn sign(self) -> Sign {
        let (sign, word, meaning) = match self {
            Self::Pass => ('✓', "pass", "everything holds"),
            Self::Fail => ('✗', "fail", "something doesn't hold"),
            Self::Unbuilt => ('⚒', "unbuilt", "it doesn't compile"),
            Self::Untouched => ('○', "untouched", "nothing was done"),
            Self::Cannot => ('?', "cannot", "this machine can't show it"),
            Self::Broken => ('!', "broken", "the checker is at fault"),
        };
        Sign {
            sign,
            word,
            meaning,
        }
    }

    /// Its name: also in the style sheet.
    pub const fn word(self) -> &'static str {
        self.sign().word
    }
}

/// The sign of what one check came to.
pub fn of_finding(finding: &Finding) -> Sign {
    match finding {
        Finding::Pass => Kind::Pass.sign(),
        Finding::Fail(_) => Kind::Fail.sign(),
        Finding::Waits { .. } => WAITS,
        Finding::Cannot { .. } => Kind::Cannot.sign(),
    }
}

/// How many levels came to which verdict.
#[derive(Debug, Default)]
pub struct Counts {
    kinds: [usize; Kind::ALL.len()],
    unsteady: usize,
}

impl Counts {
    pub fn add(&mut self, judged: &Judged) {
        self.kinds[Kind::of(&judged.outcome.verdict) as usize] += 1;
        self.unsteady += usize::from(!judged.unsteady.is_empty());
    }

    pub fn of(&self, kind: Kind) -> usize {
        self.kinds[kind as usize]
    }

    /// What there is, and how often: a key to the signs.
    pub fn key(&self) -> Vec<(Sign, usize)> {
        let kinds = Kind::ALL.map(|kind| (kind.sign(), self.of(kind)));
        let all = kinds.into_iter().chain([(UNSTEADY, self.unsteady)]);
        all.filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn words_are_those_of_json() {
        let (_, submissions) = sample::class();
        for graded in submissions.iter().flat_map(|one| &one.levels) {
            let verdict = &graded.judged.outcome.verdict;
            assert_eq!(Kind::of(verdict).word(), verdict.word());
        }
    }

    #[test]
    fn no_sign_means_two_things() {
        let mut signs = Kind::ALL.map(|kind| kind.sign().sign).to_vec();
        signs.extend([WAITS.sign, UNSTEADY.sign]);
        let all = signs.len();
        signs.sort_unstable();
        signs.dedup();
        assert_eq!(signs.len(), all);
    }

    #[test]
    fn what_there_is_is_counted() {
        let (_, submissions) = sample::class();
        let mut counts = Counts::default();
        let levels = submissions.iter().flat_map(|one| &one.levels);
        levels.for_each(|graded| counts.add(&graded.judged));
        let key = counts.key().into_iter();
        let key: Vec<_> = key.map(|(sign, count)| (sign.word, count)).collect();
        let wanted = [
            ("pass", 4),
            ("fail", 3),
            ("unbuilt", 2),
            ("untouched", 1),
            ("cannot", 3),
            ("broken", 1),
            ("unsteady", 2),
        ];
        assert_eq!(key, wanted);
    }
}
