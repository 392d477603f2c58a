//! What this host can do of what the levels need. It is found out by doing it, in a
//! child process with a deadline, never by version numbers. Read `trial` (how a
//! thing is tried), `namespaces`, `mounts`, `cgroups`, `ids` and `tools` (what is
//! tried), then `around` and `cause` (why it failed, and the cure), `machine` and
//! `report`.

mod around;
mod cause;
mod cgroups;
mod ids;
mod machine;
mod mounts;
mod namespaces;
mod report;
mod tools;
mod trial;

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::belt::{Belt, Fit, NO_GROUPS, Refused};
use around::Around;
use cause::Cause;
pub use report::render;
use trial::{Failure, trial};

/// How long one trial may take. The slowest compiles a program.
const PATIENCE: Duration = Duration::from_secs(20);
const SANDBOX: &str = "sandbox";
/// Every level of the curriculum.
const ALL: std::ops::RangeInclusive<u8> = 0..=28;

/// One thing that levels need, and whether this host has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// A few words: `user namespaces`.
    pub name: String,
    #[serde(flatten)]
    pub state: State,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// It works; what was seen of it.
    Fine { detail: String },
    Missing {
        /// What is missing and why, as one phrase.
        what: String,
        costs: Costs,
        /// One shell command, or one sentence where no command helps.
        cure: String,
    },
}

/// What can't be shown without an item.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Costs {
    /// The numbers of the levels, in order.
    pub levels: Vec<u8>,
    /// Only some of these levels' checks are lost.
    pub partly: bool,
}

impl Costs {
    fn all() -> Self {
        Self {
            levels: ALL.collect(),
            partly: false,
        }
    }

    fn of(levels: &[u8]) -> Self {
        Self {
            levels: levels.to_vec(),
            partly: false,
        }
    }

    fn part_of(levels: &[u8]) -> Self {
        Self {
            levels: levels.to_vec(),
            partly: true,
        }
    }
}

impl Item {
    pub fn is_fine(&self) -> bool {
        matches!(self.state, State::Fine { .. })
    }

    fn fine(name: &str, detail: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            state: State::Fine {
                detail: detail.into(),
            },
        }
    }

    fn missing(name: &str, cause: Cause, costs: Costs) -> Self {
        let Cause { reason: what, cure } = cause;
        Self {
            name: name.into(),
            state: State::Missing { what, costs, cure },
        }
    }
}

/// Look at everything. Takes less than a second where nothing hangs, and at most
/// twenty seconds for each thing that does.
pub fn examine() -> Vec<Item> {
    let around = Around::look();
    let mut items = vec![machine::item(&around), sandbox(&around)];
    let spaces = namespaces::user_namespaces();
    items.push(judge(
        "user namespaces",
        &around,
        spaces.clone(),
        Costs::all(),
        |()| "made, mapped, and one inside the other".into(),
    ));
    // What follows is tried in a user namespace, as the levels are.
    if spaces.is_ok() {
        items.extend([kernel_views(&around), mount_api(&around), overlay(&around)]);
    } else {
        items.extend(untried(&[
            ("proc and sysfs", Costs::of(&levels_from(2))),
            ("mount API", Costs::all()),
            ("overlay", Costs::of(&[9])),
        ]));
    }
    items.push(ids::item(&around, spaces.is_ok()));
    items.extend(cgroups::items(&around));
    items.push(tools::tool_chain(&around));
    items.extend([tools::memory(), tools::disk(&around)]);
    items
}

/// Why there is no sandbox here, or none that a level can do with, and what to do
/// about it: a phrase each.
pub fn explain(refused: &Refused, level: &str) -> (String, String) {
    let around = Around::look();
    if refused.step == NO_GROUPS {
        let [limits, cpu] = cgroups::items(&around);
        let item = if level == "07" { limits } else { cpu };
        if let State::Missing { what, cure, .. } = item.state {
            return (what, cure);
        }
    }
    let Cause { reason, cure } = blocker(Failure::from_refused(refused), &around);
    (reason, cure)
}

/// The cause of a refusal. Some steps of the sandbox only say that a child of theirs
/// has failed: then its parts are tried one by one, and the first that fails is it.
fn blocker(refused: Failure, around: &Around) -> Cause {
    let precise = match refused.errno {
        0 => namespaces::user_namespaces()
            .and_then(|()| namespaces::kernel_views())
            .and_then(|()| mounts::mount_api().map(drop))
            .err()
            .unwrap_or(refused),
        _ => refused,
    };
    cause::of(&precise, around)
}

fn sandbox(around: &Around) -> Item {
    let tried = trial(PATIENCE, || {
        let start = Instant::now();
        let belt = Belt::fasten(&Fit::default())?;
        let elapsed = start.elapsed().as_millis() as u64;
        let facts = belt.facts().clone();
        belt.release();
        Ok((elapsed, facts.cgroup, facts.ids))
    });
    match tried {
        Ok((milliseconds, cgroup, ids)) => {
            let bounded = if cgroup {
                "a cgroup"
            } else {
                "the checker's own watch"
            };
            let users = if ids == 1 {
                "one user"
            } else {
                "a range of users"
            };
            let detail =
                format!("up in {milliseconds} ms, {users}, bounded by {bounded}");
            Item::fine(SANDBOX, detail)
        }
        Err(refused) => {
            Item::missing(SANDBOX, blocker(refused, around), Costs::all())
        }
    }
}

fn kernel_views(around: &Around) -> Item {
    let costs = Costs::of(&levels_from(2));
    judge(
        "proc and sysfs",
        around,
        namespaces::kernel_views(),
        costs,
        |()| "mounted fresh in a user namespace".into(),
    )
}

fn mount_api(around: &Around) -> Item {
    let name = "mount API";
    let refused = match mounts::mount_api() {
        Ok(mounts::Idmapped(None)) => {
            let detail = "open_tree, mount_setattr, move_mount, idmapped mounts";
            return Item::fine(name, detail);
        }
        Ok(mounts::Idmapped(Some(refused))) => refused,
        Err(failure) => return judge(name, around, Err(failure), Costs::all(), no),
    };
    Item::missing(name, cause::of(&refused, around), Costs::part_of(&[19]))
}

fn overlay(around: &Around) -> Item {
    let tried = mounts::overlay();
    // Level 09 can do without the notes that make a directory opaque.
    let costs = match &tried {
        Err(failure) if mounts::lacks_notes(failure) => Costs::part_of(&[9]),
        _ => Costs::of(&[9]),
    };
    judge("overlay", around, tried, costs, |()| {
        "mounted in a user namespace; a deletion leaves a whiteout".into()
    })
}

fn no((): ()) -> String {
    String::new()
}

fn judge<T>(
    name: &str,
    around: &Around,
    tried: Result<T, Failure>,
    costs: Costs,
    detail: impl FnOnce(T) -> String,
) -> Item {
    match tried {
        Ok(seen) => Item::fine(name, detail(seen)),
        Err(failure) => Item::missing(name, cause::of(&failure, around), costs),
    }
}

/// Items that can't be looked at before another one is cured.
fn untried(names: &[(&str, Costs)]) -> Vec<Item> {
    let item = |(name, costs): &(&str, Costs)| {
        let cause = Cause {
            reason: "can't be tried without user namespaces".into(),
            cure: "the same as for user namespaces".into(),
        };
        Item::missing(name, cause, costs.clone())
    };
    names.iter().map(item).collect()
}

fn levels_from(first: u8) -> Vec<u8> {
    (first..=*ALL.end()).collect()
}
