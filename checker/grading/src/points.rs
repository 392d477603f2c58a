//! What levels are worth, and what is earned by what holds.
//!
//! ```toml
//! partial = true        # without it, too: what holds of a level earns its share
//!
//! [levels]              # 10, where nothing is said
//! 00 = 5
//! cgroups = { points = 20, partial = false }
//!
//! [checks]              # how much a check weighs in its level: 1, where nothing is said
//! "pivot.old-root-gone" = 3
//! ```
//!
//! What holds before anybody has done anything earns nothing: a level that is handed in
//! as it was handed out has 0 points.

use std::collections::BTreeMap;
use std::fs;
use std::mem;
use std::ops::Add;
use std::path::Path;

use anyhow::{Context, Result, bail};
use report::{Finding, Judgement, LevelInfo, Outcome, Verdict};
use serde::Deserialize;

use crate::levels;

const USUAL: f64 = 10.0;

/// What levels and checks are worth.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Points {
    partial: Option<bool>,
    /// By their numbers. In the file, by whatever names them.
    #[serde(default)]
    levels: BTreeMap<String, Worth>,
    #[serde(default)]
    checks: BTreeMap<String, f64>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Worth {
    Points(f64),
    Rules(Rules),
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    points: f64,
    partial: Option<bool>,
}

impl Points {
    /// Read them from a file in TOML, as above.
    ///
    /// Errors: it can't be read, says what is unknown, or names levels or checks that
    /// there aren't.
    pub fn read(path: &Path, levels: &[LevelInfo]) -> Result<Self> {
        let read = || Self::parse(&fs::read_to_string(path)?, levels);
        read().with_context(|| format!("read {}", path.display()))
    }

    fn parse(text: &str, levels: &[LevelInfo]) -> Result<Self> {
        let mut points: Self = toml::from_str(text)?;
        for (name, worth) in mem::take(&mut points.levels) {
            let number = &levels::find(levels, &name)?.level;
            if points.levels.insert(number.clone(), worth).is_some() {
                bail!("level {number} is there twice, once as {name:?}");
            }
        }
        for id in points.checks.keys() {
            let mut checks = levels.iter().flat_map(|level| &level.checks);
            if checks.all(|check| check.id != *id) {
                bail!("there is no check {id:?}");
            }
        }
        let numbers = points.levels.values().map(Worth::points);
        let numbers = numbers.chain(points.checks.values().copied());
        for number in numbers {
            if !number.is_finite() || number < 0.0 {
                bail!("{number} can't be points");
            }
        }
        Ok(points)
    }

    /// What a level is worth.
    pub fn of_level(&self, number: &str) -> f64 {
        self.levels.get(number).map_or(USUAL, Worth::points)
    }

    /// What an outcome earns. `None` when nothing can be said about the work: this
    /// machine can't show it, or the checker is at fault.
    pub fn earned(&self, level: &LevelInfo, outcome: &Outcome) -> Option<f64> {
        let worth = self.of_level(&level.level);
        match &outcome.verdict {
            Verdict::Pass => Some(worth),
            Verdict::Broken { .. } => None,
            Verdict::Cannot { .. } if outcome.checks.is_empty() => None,
            // What can be shown holds. But nobody gets points for having kept the
            // machine busy.
            Verdict::Cannot { .. } if !outcome.checks.iter().any(is_momentary) => {
                Some(worth)
            }
            Verdict::Unbuilt { .. } | Verdict::Untouched { .. } => Some(0.0),
            _ if !self.is_partial(&level.level) => Some(0.0),
            _ => Some(hundredths(worth * self.share(level, outcome))),
        }
    }

    fn is_partial(&self, number: &str) -> bool {
        let own = match self.levels.get(number) {
            Some(Worth::Rules(rules)) => rules.partial,
            _ => None,
        };
        own.or(self.partial).unwrap_or(true)
    }

    /// Of what had to be done, how much is, from 0 to 1. What held before and doesn't
    /// any more takes away as much.
    fn share(&self, level: &LevelInfo, outcome: &Outcome) -> f64 {
        let shown = |check: &&Judgement| {
            !matches!(check.finding, Finding::Cannot { .. }) || is_momentary(check)
        };
        let weight = |check: &Judgement| *self.checks.get(&check.id).unwrap_or(&1.0);
        let sum = |counts: &dyn Fn(&Judgement) -> bool| -> f64 {
            let checks = outcome.checks.iter().filter(shown);
            checks.filter(|check| counts(check)).map(weight).sum()
        };
        let all = sum(&|_| true);
        let holds = sum(&|check| check.finding == Finding::Pass);
        let given = sum(&|check| level.given.contains(&check.id));
        match all > given {
            true => ((holds - given) / (all - given)).clamp(0.0, 1.0),
            false => 0.0,
        }
    }
}

fn is_momentary(check: &Judgement) -> bool {
    let Finding::Cannot { momentary, .. } = &check.finding else {
        return false;
    };
    *momentary
}

impl Worth {
    fn points(&self) -> f64 {
        match self {
            Self::Points(points) => *points,
            Self::Rules(rules) => rules.points,
        }
    }
}

/// A sum, as exact as what is added.
pub fn sum(points: impl Iterator<Item = f64>) -> f64 {
    // Not `Iterator::sum`: to that, nothing is -0.0.
    hundredths(points.fold(0.0, f64::add))
}

fn hundredths(points: f64) -> f64 {
    (points * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use report::{CheckInfo, Diagnosis};

    use super::*;

    const IDS: [&str; 5] = ["a.starts", "a.new", "a.other", "a.quiet", "a.shown"];

    fn level() -> LevelInfo {
        let check = |id: &str| CheckInfo {
            id: id.into(),
            claim: String::new(),
        };
        LevelInfo {
            level: "05".into(),
            name: "a".into(),
            title: String::new(),
            checks: IDS.map(check).to_vec(),
            given: vec!["a.starts".into(), "a.quiet".into()],
        }
    }

    /// `p`ass, `f`ail, `c`annot or too `b`usy, a letter for each check.
    fn outcome(findings: &str) -> Outcome {
        let fail = || {
            let empty = String::new;
            Finding::Fail(Box::new(Diagnosis {
                ran: empty(),
                wanted: empty(),
                saw: empty(),
                likely: empty(),
                next: empty(),
                more: empty(),
            }))
        };
        let checks = IDS.iter().zip(findings.chars()).map(|(id, one)| Judgement {
            id: (*id).into(),
            claim: String::new(),
            finding: match one {
                'p' => Finding::Pass,
                'c' | 'b' => Finding::Cannot {
                    reason: String::new(),
                    cure: String::new(),
                    momentary: one == 'b',
                },
                _ => fail(),
            },
        });
        Outcome {
            level: "05".into(),
            name: "a".into(),
            program: "level-05".into(),
            verdict: match findings {
                "ppppp" => Verdict::Pass,
                "ppppc" | "ppppb" => Verdict::Cannot {
                    reason: String::new(),
                    cure: String::new(),
                },
                _ => Verdict::Fail,
            },
            checks: checks.collect(),
            milliseconds: 0,
        }
    }

    fn points(text: &str) -> Points {
        Points::parse(text, &[level()]).unwrap()
    }

    #[test]
    fn what_holds_earns_its_share() {
        let earned = |text: &str, findings: &str| {
            points(text).earned(&level(), &outcome(findings))
        };
        assert_eq!(earned("", "ppppp"), Some(10.0));
        assert_eq!(earned("", "pffpf"), Some(0.0), "as it was handed out");
        assert_eq!(earned("", "pfppf"), Some(3.33));
        assert_eq!(earned("", "pppff"), Some(3.33), "not quiet any more");
        assert_eq!(earned("", "fffff"), Some(0.0), "never below 0");
        assert_eq!(earned("", "pfppc"), Some(5.0), "what can't be shown");
        assert_eq!(earned("", "ppppc"), Some(10.0));
        assert_eq!(earned("", "ppppb"), Some(6.67), "it may have kept it busy");
        assert_eq!(earned("partial = false", "ppppb"), Some(0.0));
        for level in ["05", "5", "a", "05-a"] {
            let text = format!("levels.{level} = 30");
            assert_eq!(earned(&text, "pfppf"), Some(10.0), "{level}");
        }
        assert_eq!(earned("partial = false", "pfppp"), Some(0.0));
        assert_eq!(earned("checks = { 'a.new' = 2 }", "ppfpf"), Some(5.0));
        let own = "partial = false\nlevels.05 = { points = 3, partial = true }";
        assert_eq!(earned(own, "pfppf"), Some(1.0));
    }

    #[test]
    fn who_could_not_be_judged_has_no_points() {
        let mut outcome = outcome("");
        let reason = String::new();
        outcome.verdict = Verdict::Broken { reason };
        assert_eq!(points("").earned(&level(), &outcome), None);
        let (reason, cure) = Default::default();
        outcome.verdict = Verdict::Cannot { reason, cure };
        assert_eq!(points("").earned(&level(), &outcome), None);
        let output = String::new();
        outcome.verdict = Verdict::Unbuilt { output };
        assert_eq!(points("").earned(&level(), &outcome), Some(0.0));
        let reason = String::new();
        outcome.verdict = Verdict::Untouched { reason };
        assert_eq!(points("").earned(&level(), &outcome), Some(0.0));
    }

    #[test]
    fn sums_have_two_decimals() {
        assert_eq!(sum([0.1, 0.2].into_iter()), 0.3);
        assert_eq!(sum([6.67, 70.0].into_iter()), 76.67);
        assert!(sum([].into_iter()).is_sign_positive());
    }

    #[test]
    fn a_file_with_a_mistake_is_refused() {
        for text in [
            "levels.06 = 1",
            "levels.05 = 1\nlevels.a = 1",
            "checks = { 'a.missing' = 1 }",
            "levels.05 = -1",
            "levels.05 = nan",
            "level.05 = 1",
            "levels.05 = { worth = 1 }",
            "levels.05 = 'ten'",
        ] {
            assert!(Points::parse(text, &[level()]).is_err(), "{text}");
        }
    }
}
