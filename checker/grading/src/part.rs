//! A part of a class: `2/4`. Which submission belongs to which part depends on its name
//! alone, so that machines which know nothing of each other agree.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The K-th of N parts, counted from 1.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Part {
    pub of: u32,
    pub number: u32,
}

impl Part {
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    /// Does this part have the submission of that name?
    pub fn has(self, name: &str) -> bool {
        let hash = Sha256::digest(name.as_bytes());
        let (eight, _) = hash.split_at(8);
        let hash = eight
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        hash % u64::from(self.of) == u64::from(self.number - 1)
    }
}

/// What is missing of a class, when there are these parts.
pub fn missing(parts: &BTreeSet<Part>) -> Vec<Part> {
    let divisions: BTreeSet<u32> = parts.iter().map(|part| part.of).collect();
    let all = divisions
        .into_iter()
        .flat_map(|of| (1..=of).map(move |number| Part { of, number }));
    all.filter(|part| !parts.contains(part)).collect()
}

impl FromStr for Part {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (number, of) = text
            .split_once('/')
            .context("a part is written K/N, as 2/4")?;
        let part = Self {
            number: number.trim().parse().context("K of K/N is no number")?,
            of: of.trim().parse().context("N of K/N is no number")?,
        };
        if part.number == 0 || part.number > part.of {
            bail!("parts are counted from 1 to N: 1/{} is the first", part.of);
        }
        Ok(part)
    }
}

impl TryFrom<String> for Part {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Part> for String {
    fn from(part: Part) -> Self {
        part.to_string()
    }
}

impl fmt::Display for Part {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_submission_is_in_one_part() {
        for of in [1, 2, 3, 7] {
            for name in ["alice", "bob", "carol", "dave", ""] {
                let parts = (1..=of).filter(|&number| Part { number, of }.has(name));
                assert_eq!(parts.count(), 1, "{name:?} of {of}");
            }
        }
    }

    /// For ever: parts of one class may be judged by checkers of different versions.
    #[test]
    fn which_one_it_is_never_changes() {
        let part = |name| (1..=8).find(|&number| Part { number, of: 8 }.has(name));
        let parts = ["alice", "bob", "carol", "dave"].map(part);
        assert_eq!(parts, [Some(8), Some(3), Some(7), Some(4)]);
    }

    #[test]
    fn what_is_missing_of_a_class() {
        let part = |text: &str| text.parse::<Part>().expect("a part");
        let missing = |parts: &[&str]| {
            let there = parts.iter().map(|text| part(text)).collect();
            let missing = missing(&there).into_iter();
            missing.map(|part| part.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(missing(&["1/1"]), [""; 0]);
        assert_eq!(missing(&["3/3", "1/3"]), ["2/3"]);
        assert_eq!(missing(&["2/3"]), ["1/3", "3/3"]);
    }

    #[test]
    fn nonsense_is_no_part() {
        for text in ["", "1", "0/4", "5/4", "1/0", "a/b", "1/2/3", "-1/2"] {
            assert!(text.parse::<Part>().is_err(), "{text:?}");
        }
    }
}
