//! What has been judged, kept in a folder, a file for each submission: it survives being
//! killed at any moment, and isn't judged again.
//!
//! ```text
//! OUT/class.json         what is judged: levels, submissions, which part of the class
//! OUT/skeleton.json      the levels as they are handed out, judged
//! OUT/results/KEY.json   a submission
//! OUT/work/KEY/          while it is being judged
//! OUT/report.*           the reports
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use report::{
    Graded, GradedLevel, Judged, LevelInfo, Machine, SCHEMA, Submission, Verdict,
};
use serde::{Deserialize, Serialize};

use crate::input;
use crate::part::{self, Part};
use crate::points::{self, Points};
use crate::report::{Class, Head};

/// What is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub schema: u32,
    pub levels: Vec<LevelInfo>,
    pub submissions: BTreeSet<String>,
    /// The parts of the class that these are.
    pub parts: BTreeSet<Part>,
    /// [`report::Prepared::fingerprint`]
    #[serde(default)]
    pub fingerprint: String,
    /// The checks that couldn't be shown when nobody had done anything: whether they
    /// are among those that are given, nobody knows.
    #[serde(default)]
    pub unshown: BTreeSet<String>,
}

impl Plan {
    /// Did this check hold before anybody had done anything? `None`: nobody knows.
    fn held(&self, check: &str) -> Option<bool> {
        let is_in =
            |level: &&LevelInfo| level.checks.iter().any(|one| one.id == check);
        let level = self.levels.iter().find(is_in)?;
        let known = !self.unshown.contains(check);
        known.then(|| level.given.iter().any(|given| given == check))
    }

    /// What held before anybody had done anything is what held on every machine that
    /// could show it: this one's, and the other's.
    pub fn join_given(&mut self, other: &Self) {
        let before = self.clone();
        for level in &mut self.levels {
            level.given.clear();
            for check in level.checks.iter().map(|check| &check.id) {
                let (one, two) = (before.held(check), other.held(check));
                if one.or(two).is_some() {
                    self.unshown.remove(check);
                }
                if one.or(two) == Some(true) && two.or(one) == Some(true) {
                    level.given.push(check.clone());
                }
            }
        }
    }
}

/// A submission, as far as it has been judged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub notes: Vec<String>,
    /// By the level's number.
    pub levels: BTreeMap<String, KeptLevel>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptLevel {
    pub basis: Basis,
    pub machine: Machine,
    pub judged: Judged,
}

/// What a verdict rests on. When it is the same, so is the verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The submission's sources of this level; empty when there are none.
    pub source: String,
    /// [`report::Prepared::fingerprint`]
    pub fingerprint: String,
    pub repeat: u32,
}

impl Kept {
    /// The levels that must be judged, again or for the first time: those that have no
    /// verdict on this basis, or one that says nothing about them.
    pub fn missing(
        &self,
        levels: &[LevelInfo],
        machine: &Machine,
        basis: impl Fn(&str) -> Basis,
    ) -> Vec<String> {
        let is_there = |level: &&LevelInfo| {
            let kept = self.levels.get(&level.level);
            kept.is_some_and(|kept| {
                let outcome = &kept.judged.outcome;
                let tells = match outcome.verdict {
                    Verdict::Broken { .. } => false,
                    Verdict::Cannot { .. } => {
                        !outcome.checks.is_empty() && kept.machine == *machine
                    }
                    _ => true,
                };
                tells && kept.basis == basis(&level.level)
            })
        };
        let missing = levels.iter().filter(|level| !is_there(level));
        missing.map(|level| level.level.clone()).collect()
    }
}

/// Whose work?
#[derive(Debug, Clone, Copy)]
pub enum Whose<'a> {
    /// Nobody's yet: the levels as they are handed out.
    Nobody,
    /// The submission's of this name.
    Submission(&'a str),
}

/// A folder of results. Only one process works in it at a time.
pub struct Store {
    folder: PathBuf,
    _alone: Flock<File>,
}

impl Store {
    /// The folder is made if it isn't there.
    ///
    /// Errors: another `grade` is at work in it.
    pub fn open(folder: &Path) -> Result<Self> {
        for below in ["results", "work"] {
            let path = folder.join(below);
            fs::create_dir_all(&path)
                .with_context(|| format!("mkdir {}", path.display()))?;
        }
        let path = folder.join("lock");
        let file = File::create(&path)
            .with_context(|| format!("create {}", path.display()))?;
        let alone = Flock::lock(file, FlockArg::LockExclusiveNonblock);
        let alone = match alone {
            Err((_, Errno::EAGAIN)) => {
                bail!("another `grade` is at work in {}", folder.display())
            }
            alone => alone.map_err(|(_, errno)| errno),
        };
        let alone = alone.with_context(|| format!("flock {}", path.display()))?;
        Ok(Self {
            folder: folder.to_owned(),
            _alone: alone,
        })
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// An empty folder for what is to be judged.
    pub fn workplace(&self, whose: Whose) -> Result<PathBuf> {
        let folder = self.path("work").join(match whose {
            // No key begins with a dot.
            Whose::Nobody => ".skeleton".into(),
            Whose::Submission(name) => input::key(name),
        });
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("rm -r {}", folder.display()))?;
        }
        let levels = folder.join("levels");
        fs::create_dir_all(&levels)
            .with_context(|| format!("mkdir {}", levels.display()))?;
        Ok(folder)
    }

    fn file_of(&self, whose: Whose) -> PathBuf {
        match whose {
            Whose::Nobody => self.path("skeleton.json"),
            Whose::Submission(name) => {
                let file = format!("{}.json", input::key(name));
                self.folder.join("results").join(file)
            }
        }
    }

    /// What is there of it. A file that can't be read counts as none: it is made anew.
    pub fn kept(&self, whose: Whose) -> Kept {
        read(&self.file_of(whose)).unwrap_or_default()
    }

    pub fn keep(&self, whose: Whose, kept: &Kept) -> Result<()> {
        write(&self.file_of(whose), kept)
    }

    pub fn plan(&self) -> Result<Plan> {
        let path = self.path("class.json");
        let plan: Plan = read(&path)?;
        if plan.schema != SCHEMA {
            bail!("{}: of another version ({})", path.display(), plan.schema);
        }
        Ok(plan)
    }

    pub fn set_plan(&self, plan: &Plan) -> Result<()> {
        write(&self.path("class.json"), plan)
    }

    /// The class as reports want it.
    pub fn graded<'a>(&'a self, points: &'a Points) -> Result<GradedClass<'a>> {
        let plan = self.plan()?;
        let mut machines = BTreeSet::new();
        for name in &plan.submissions {
            let kept = self.kept(Whose::Submission(name));
            let of_levels = kept.levels.into_values();
            machines.extend(of_levels.map(|level| level.machine));
        }
        let worth = |info: &LevelInfo| GradedLevel {
            points: points.of_level(&info.level),
            info: info.clone(),
        };
        Ok(GradedClass {
            store: self,
            points,
            head: Head {
                machines: machines.into_iter().collect(),
                missing: part::missing(&plan.parts)
                    .iter()
                    .map(Part::to_string)
                    .collect(),
                levels: plan.levels.iter().map(worth).collect(),
            },
            names: plan.submissions,
        })
    }
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T> {
    let text = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{} is damaged", path.display()))
}

/// Whoever reads it finds the old text or the new one, also after a power cut.
fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let draft = path.with_extension("draft");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&draft)?;
        serde_json::to_writer(&file, value)?;
        file.write_all(b"\n")?;
        file.sync_data()?;
        fs::rename(&draft, path)
    };
    write().with_context(|| format!("write {}", path.display()))
}

/// A class in a folder, with points.
pub struct GradedClass<'a> {
    store: &'a Store,
    points: &'a Points,
    head: Head,
    names: BTreeSet<String>,
}

impl GradedClass<'_> {
    fn submission(&self, name: &str) -> Submission {
        let mut kept = self.store.kept(Whose::Submission(name));
        let machine = kept.levels.values().next();
        let machine = machine.and_then(|level| {
            self.head.machines.iter().position(|m| *m == level.machine)
        });
        let of_level = |level: &GradedLevel| {
            let kept = kept.levels.remove(&level.info.level)?;
            Some(Graded {
                points: self.points.earned(&level.info, &kept.judged.outcome),
                judged: kept.judged,
            })
        };
        let levels: Vec<Graded> =
            self.head.levels.iter().filter_map(of_level).collect();
        let counted = levels.iter().filter(|level| level.points.is_some());
        let of =
            counted.map(|level| self.points.of_level(&level.judged.outcome.level));
        let of = points::sum(of);
        let points = points::sum(levels.iter().filter_map(|level| level.points));
        Submission {
            name: name.to_owned(),
            machine: machine.unwrap_or(0),
            points,
            of,
            levels,
            notes: kept.notes,
        }
    }
}

impl Class for GradedClass<'_> {
    fn head(&self) -> &Head {
        &self.head
    }

    fn each(&self, tell: &mut dyn FnMut(Submission) -> Result<()>) -> Result<()> {
        self.names
            .iter()
            .try_for_each(|name| tell(self.submission(name)))
    }
}

#[cfg(test)]
mod tests {
    use report::CheckInfo;

    use super::*;

    /// Two levels with two checks each: what is given of them, and what can't be shown.
    fn plan(given: &[&str], unshown: &[&str]) -> Plan {
        let level = |level: &str, ids: [&str; 2]| LevelInfo {
            level: level.into(),
            name: String::new(),
            title: String::new(),
            checks: ids
                .map(|id| CheckInfo {
                    id: id.into(),
                    claim: String::new(),
                })
                .to_vec(),
            given: ids
                .into_iter()
                .filter(|id| given.contains(id))
                .map(String::from)
                .collect(),
        };
        Plan {
            schema: SCHEMA,
            levels: vec![level("00", ["a", "b"]), level("01", ["c", "d"])],
            submissions: BTreeSet::new(),
            parts: BTreeSet::new(),
            fingerprint: String::new(),
            unshown: unshown.iter().map(|id| (*id).into()).collect(),
        }
    }

    #[test]
    fn what_was_given_is_what_was_given_everywhere() {
        let joined = |one: &Plan, other: &Plan| {
            let mut joined = one.clone();
            joined.join_given(other);
            joined
        };
        let (one, other) = (plan(&["a", "b", "c"], &[]), plan(&["b", "d"], &[]));
        assert_eq!(joined(&one, &one), one);
        assert_eq!(joined(&one, &other), plan(&["b"], &[]));
        // Who couldn't show a check has no say in it.
        let (blind, dim) = (plan(&[], &["a", "b", "c", "d"]), plan(&["a"], &["b"]));
        assert_eq!(joined(&one, &blind), one);
        assert_eq!(joined(&blind, &one), one);
        assert_eq!(joined(&blind, &blind), blind);
        assert_eq!(joined(&one, &dim), plan(&["a", "b"], &[]));
        // Nor who wasn't asked.
        let mut half = plan(&["c"], &[]);
        half.levels.remove(0);
        assert_eq!(joined(&plan(&["a"], &["c"]), &half), plan(&["a", "c"], &[]));
    }
}
