//! What many submissions have in common: counted while they pass by, in bounded memory.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use report::{Finding, Judged, Submission, Verdict};

use super::{Head, text};

/// So many explanations of mistakes are told apart. Whoever is judged may have a say in
/// what their mistake is called, so there could be any number.
const MOST: usize = 2000;
/// The same, of one mistake.
const VARIANTS: usize = 100;
/// The same, of the reasons why something can't be judged.
const TROUBLES: usize = 100;
/// Of what can't be judged for one reason, so much is named.
const PLACES: usize = 100;
/// Characters of a text that explains a mistake.
const LIKELY: usize = 600;
/// Characters of a reason, or of a cure.
const REASON: usize = 1000;
/// So many examples of a mistake.
const EXAMPLES: usize = 3;

/// All texts in it may be shown.
pub struct Tally<'a> {
    head: &'a Head,
    pub submissions: usize,
    mistakes: Vec<Mistake>,
    /// How many variants the mistakes have, all together.
    variants: usize,
    troubles: Vec<Trouble>,
    /// How often there was a reason that had no room in `troubles`.
    pub more_troubles: usize,
}

/// A check that fails, or code that doesn't compile.
pub struct Mistake {
    /// Which of the class's levels.
    pub level: usize,
    /// Its name, and what it claims. `None`: it doesn't compile.
    pub check: Option<(String, String)>,
    pub learners: Learners,
    variants: Vec<Variant>,
}

/// One explanation of a mistake.
pub struct Variant {
    /// What was probably done wrong, or the compiler's first error; or nothing.
    pub likely: String,
    pub learners: Learners,
    /// Learners, counted from 0.
    pub examples: Vec<usize>,
}

/// Why something couldn't be judged.
pub struct Trouble {
    /// Is the checker at fault? Else it is the machine.
    pub broken: bool,
    pub reason: String,
    pub cure: String,
    /// Which of the class's levels, as a whole or only a check of it.
    pub places: BTreeSet<(usize, Option<String>)>,
    pub machines: BTreeSet<usize>,
    pub learners: Learners,
    /// The first learner, counted from 0, and which of the levels.
    pub example: (usize, usize),
}

/// How many learners: nobody is counted twice.
#[derive(Debug, Default)]
pub struct Learners {
    pub count: usize,
    last: Option<usize>,
}

impl Learners {
    fn add(&mut self, learner: usize) {
        self.count += usize::from(self.last != Some(learner));
        self.last = Some(learner);
    }
}

/// Whose level it is that is counted.
#[derive(Clone, Copy)]
struct Whose {
    learner: usize,
    machine: usize,
    level: usize,
    is_example: bool,
}

impl<'a> Tally<'a> {
    pub fn new(head: &'a Head) -> Self {
        Self {
            head,
            submissions: 0,
            mistakes: Vec::new(),
            variants: 0,
            troubles: Vec::new(),
            more_troubles: 0,
        }
    }

    /// Count one more. `examples`: of which levels it may be an example of a mistake.
    pub fn count(&mut self, submission: &Submission, examples: &[usize]) {
        let head = self.head;
        for (level, graded) in head.levels_of(submission).enumerate() {
            let Some(graded) = graded else { continue };
            let whose = Whose {
                learner: self.submissions,
                machine: submission.machine,
                level,
                is_example: examples.contains(&level),
            };
            self.mistakes_in(whose, &graded.judged);
            self.troubles_in(whose, &graded.judged);
        }
        self.submissions += 1;
    }

    /// The most common first.
    pub fn mistakes(&self) -> Vec<&Mistake> {
        let mut all: Vec<&Mistake> = self.mistakes.iter().collect();
        all.sort_by_key(|one| (Reverse(one.learners.count), one.level));
        all
    }

    /// In the order of levels.
    pub fn troubles(&self) -> Vec<&Trouble> {
        let mut all: Vec<&Trouble> = self.troubles.iter().collect();
        all.sort_by_key(|one| one.places.first());
        all
    }

    fn mistakes_in(&mut self, whose: Whose, judged: &Judged) {
        if let Verdict::Unbuilt { .. } = &judged.outcome.verdict {
            let first = judged.errors.first();
            let message = first.map_or("", |place| place.message.as_str());
            self.mistake(whose, None, message);
        }
        for check in &judged.outcome.checks {
            if let Finding::Fail(diagnosis) = &check.finding {
                let named = (text::line(&check.id), text::line(&check.claim));
                self.mistake(whose, Some(named), &diagnosis.likely);
            }
        }
    }

    fn mistake(
        &mut self,
        whose: Whose,
        check: Option<(String, String)>,
        likely: &str,
    ) {
        if let Some(place) = self.place(whose.level, check) {
            self.mistakes[place].learners.add(whose.learner);
            self.variant(whose, place, text::lines(likely, LIKELY));
        }
    }

    /// Which of the mistakes is this one? A new one perhaps; none when all is full.
    fn place(
        &mut self,
        level: usize,
        check: Option<(String, String)>,
    ) -> Option<usize> {
        let same =
            |one: &Mistake| one.level == level && id(&one.check) == id(&check);
        let known = self.mistakes.iter().position(same);
        if known.is_none() && self.variants < MOST {
            self.mistakes.push(Mistake {
                level,
                check,
                learners: Learners::default(),
                variants: Vec::new(),
            });
            return Some(self.mistakes.len() - 1);
        }
        known
    }

    fn variant(&mut self, whose: Whose, mistake: usize, likely: String) {
        let variants = &mut self.mistakes[mistake].variants;
        let place = match variants.iter().position(|one| one.likely == likely) {
            Some(place) => place,
            None if variants.len() == VARIANTS || self.variants == MOST => return,
            None => {
                self.variants += 1;
                variants.push(Variant {
                    likely,
                    learners: Learners::default(),
                    examples: Vec::new(),
                });
                variants.len() - 1
            }
        };
        let Variant {
            learners, examples, ..
        } = &mut variants[place];
        learners.add(whose.learner);
        let is_known = examples.last() == Some(&whose.learner);
        if whose.is_example && !is_known && examples.len() < EXAMPLES {
            examples.push(whose.learner);
        }
    }

    fn troubles_in(&mut self, whose: Whose, judged: &Judged) {
        let outcome = &judged.outcome;
        match &outcome.verdict {
            // Else it is said again by the checks that can't be made.
            Verdict::Cannot { reason, cure } if outcome.checks.is_empty() => {
                self.trouble(whose, None, false, [reason, cure]);
            }
            Verdict::Broken { reason } => {
                self.trouble(whose, None, true, [reason, ""]);
            }
            _ => {}
        }
        for check in &outcome.checks {
            if let Finding::Cannot { reason, cure, .. } = &check.finding {
                self.trouble(whose, Some(&check.id), false, [reason, cure]);
            }
        }
    }

    fn trouble(
        &mut self,
        whose: Whose,
        check: Option<&str>,
        broken: bool,
        texts: [&str; 2],
    ) {
        let [reason, cure] = texts.map(|text| text::lines(text, REASON));
        let same = |one: &Trouble| {
            (one.broken, &one.reason, &one.cure) == (broken, &reason, &cure)
        };
        let place = match self.troubles.iter().position(same) {
            Some(place) => place,
            None if self.troubles.len() == TROUBLES => {
                self.more_troubles += 1;
                return;
            }
            None => {
                self.troubles.push(Trouble {
                    broken,
                    reason,
                    cure,
                    places: BTreeSet::new(),
                    machines: BTreeSet::new(),
                    learners: Learners::default(),
                    example: (whose.learner, whose.level),
                });
                self.troubles.len() - 1
            }
        };
        let trouble = &mut self.troubles[place];
        trouble.machines.insert(whose.machine);
        trouble.learners.add(whose.learner);
        if trouble.places.len() < PLACES {
            trouble.places.insert((whose.level, check.map(text::line)));
        }
    }
}

fn id(check: &Option<(String, String)>) -> Option<&str> {
    check.as_ref().map(|(id, _)| id.as_str())
}

impl Mistake {
    /// The most common first.
    pub fn variants(&self) -> Vec<&Variant> {
        let mut all: Vec<&Variant> = self.variants.iter().collect();
        all.sort_by_key(|variant| Reverse(variant.learners.count));
        all
    }
}

impl Trouble {
    /// Which of the class's levels, in their order.
    pub fn levels(&self) -> BTreeSet<usize> {
        self.places.iter().map(|(level, _)| *level).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn tally<'a>(head: &'a Head, submissions: &[Submission]) -> Tally<'a> {
        let mut tally = Tally::new(head);
        let count = |one| tally.count(one, &[0, 1, 2]);
        submissions.iter().for_each(count);
        tally
    }

    /// All that `alice` did wrong, for other reasons.
    fn otherwise(alice: &Submission, likely: &str) -> Submission {
        let mut other = alice.clone();
        let levels = other.levels.iter_mut();
        for check in levels.flat_map(|level| &mut level.judged.outcome.checks) {
            if let Finding::Fail(diagnosis) = &mut check.finding {
                diagnosis.likely = likely.into();
            }
        }
        other
    }

    #[test]
    fn the_same_mistake_is_counted_together() {
        let (head, submissions) = sample::class();
        let [ada, alice, bob, ..] = submissions.as_slice() else {
            panic!("the sample has five");
        };
        let other = otherwise(alice, "Another reason.");
        let class = [alice, ada, &other, alice, bob].map(Clone::clone);
        let tally = tally(&head, &class);
        assert_eq!(tally.submissions, 5);
        let mistakes = tally.mistakes();
        let counts: Vec<_> = mistakes
            .iter()
            .map(|one| (one.level, id(&one.check), one.learners.count))
            .collect();
        assert_eq!(
            counts,
            [
                (1, Some("uts.hostname"), 3),
                (1, Some("uts.too-long"), 3),
                (2, Some("cpu.weight"), 3),
                (0, None, 1)
            ]
        );
        let [most, other] = mistakes[0].variants()[..] else {
            panic!("there are two reasons");
        };
        assert_eq!((most.learners.count, other.learners.count), (2, 1));
        assert_eq!(
            (&most.examples[..], &other.examples[..]),
            (&[0, 3][..], &[2][..])
        );
    }

    #[test]
    fn one_reason_is_told_once() {
        let (head, submissions) = sample::class();
        let tally = tally(&head, &[submissions.clone(), submissions].concat());
        let told: Vec<_> = tally
            .troubles()
            .into_iter()
            .map(|one| {
                let machines: Vec<usize> = one.machines.iter().copied().collect();
                let places: Vec<_> = one.places.iter().cloned().collect();
                (one.broken, places, machines, one.learners.count)
            })
            .collect();
        assert_eq!(
            told,
            [
                (true, vec![(1, None)], vec![1], 2),
                (false, vec![(2, None)], vec![0, 1], 4),
                (false, vec![(2, Some("cpu.weight".into()))], vec![1], 2),
            ]
        );
    }

    #[test]
    fn nobody_is_counted_twice() {
        let (head, submissions) = sample::class();
        let mut alice = submissions[1].clone();
        for graded in &mut alice.levels {
            let checks = &mut graded.judged.outcome.checks;
            checks.extend(checks.clone());
        }
        alice.levels.extend(alice.levels.clone());
        let tally = tally(&head, &[alice]);
        assert_eq!(tally.mistakes().len(), 3);
        for mistake in tally.mistakes() {
            assert_eq!(mistake.learners.count, 1);
            assert_eq!(mistake.variants()[0].learners.count, 1);
            assert_eq!(mistake.variants()[0].examples, [0]);
        }
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let (head, submissions) = sample::class();
        let mut tally = Tally::new(&head);
        for round in 0..=VARIANTS {
            let other = otherwise(&submissions[1], &format!("{round}"));
            tally.count(&other, &[]);
        }
        for mistake in tally.mistakes() {
            assert_eq!(mistake.learners.count, VARIANTS + 1);
            assert_eq!(mistake.variants().len(), VARIANTS);
        }
        let mut bob = submissions[2].clone();
        let mut alice = submissions[1].clone();
        for round in 0..=MOST {
            let verdict = &mut bob.levels[1].judged.outcome.verdict;
            if let Verdict::Broken { reason } = verdict {
                *reason = format!("{round}");
            }
            alice.levels[1].judged.outcome.checks[1].id = format!("{round}");
            tally.count(&bob, &[]);
            tally.count(&alice, &[]);
        }
        assert_eq!(tally.variants, MOST);
        assert!(tally.mistakes().len() < MOST);
        assert_eq!(tally.troubles().len(), TROUBLES);
        assert!(tally.more_troubles > 0);
    }
}
