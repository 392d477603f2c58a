//! The picture of a container: what it sees, beside what the host sees of it. Pure.
//!
//! `topics` makes it from evidence; `terminal` and `svg` draw it. Two finished programs
//! give the same picture on every machine: what differs (numbers, ids, paths) is named
//! by its role, `its own` or `the host's`.

pub mod svg;
pub mod terminal;
#[cfg(test)]
mod tests;
mod topics;

use std::collections::BTreeMap;

use crate::evidence::Evidence;
use crate::judge::{Finding, Judgement, Level};

/// The checks by which a level's news is known: when it holds, the news is there.
const NEWS: [(&str, Topic); 13] = [
    ("fork-exec.child", Topic::Processes),
    ("chroot.root", Topic::Root),
    ("chroot.files", Topic::Layers),
    ("mounts.namespace", Topic::Mounts),
    ("pivot.old-root-gone", Topic::Root),
    ("pid.namespace", Topic::Processes),
    ("uts.hostname", Topic::HostName),
    ("uts.ipc", Topic::Ipc),
    ("net.loopback", Topic::Network),
    ("limits.memory", Topic::Limits),
    ("cpu.quota", Topic::Limits),
    ("overlay.mounted", Topic::Layers),
    ("overlay.once", Topic::Layers),
];

/// Likewise for namespaces.
const NEW_NAMESPACES: [(&str, &str); 5] = [
    ("mounts.namespace", "mnt"),
    ("pid.namespace", "pid"),
    ("uts.namespaces", "uts"),
    ("uts.namespaces", "ipc"),
    ("net.namespace", "net"),
];

/// What a picture tells about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Topic {
    Processes,
    Root,
    Layers,
    Mounts,
    HostName,
    Ipc,
    Network,
    Limits,
    User,
}

impl Topic {
    fn name(self) -> &'static str {
        match self {
            Self::Processes => "processes",
            Self::Root => "root",
            Self::Layers => "files",
            Self::Mounts => "mounts",
            Self::HostName => "host name",
            Self::Ipc => "ipc",
            Self::Network => "network",
            Self::Limits => "limits",
            Self::User => "user",
        }
    }
}

/// A picture. All text in it is short, and has no control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The level's number, and what it is about.
    pub level: String,
    pub title: String,
    /// How the container was started: the program's arguments.
    pub command: String,
    pub namespaces: Vec<Namespace>,
    pub rows: Vec<Row>,
}

/// A namespace that the command is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    pub name: &'static str,
    /// Its own; otherwise that of the runtime's caller.
    pub own: bool,
    pub mark: Mark,
}

/// One topic, from both sides. Blanks before a line put it below the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub topic: &'static str,
    /// Has the container this for itself?
    pub own: bool,
    pub mark: Mark,
    pub inside: Vec<String>,
    pub outside: Vec<String>,
}

/// What this level has to do with a part of its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It was so before.
    None,
    /// The level brings it.
    New,
    /// The level is to bring it, and doesn't yet.
    Open,
}

impl Picture {
    /// The picture of a level's program. `None` when its command was not seen to run.
    pub fn of(
        level: &Level,
        evidence: &Evidence,
        judgements: &[Judgement],
    ) -> Option<Self> {
        let run = evidence.runs.get("look")?;
        let seen = run.seen.as_ref().filter(|s| !s.namespaces.is_empty())?;
        let view = topics::View {
            evidence,
            run,
            seen,
        };
        let row = |(topic, (inside, outside)): (Topic, topics::Sides)| {
            let checks = NEWS.iter().filter(|(_, about)| *about == topic);
            Row {
                topic: topic.name(),
                own: view.is_own(topic),
                mark: mark(judgements, checks.map(|(id, _)| *id)),
                inside,
                outside,
            }
        };
        let namespace = |(name, own): (&'static str, bool)| {
            let checks = NEW_NAMESPACES.iter().filter(|(_, about)| *about == name);
            Namespace {
                name,
                own,
                mark: mark(judgements, checks.map(|(id, _)| *id)),
            }
        };
        Some(Self {
            level: level.number.into(),
            title: level.title.into(),
            command: topics::command(&run.shown),
            namespaces: view.namespaces().map(namespace).collect(),
            rows: view.topics().into_iter().map(row).collect(),
        })
    }

    /// The names of the namespaces that are its own (or not), the new ones marked by a
    /// word: `mnt, pid (new)`. `none`, if there are none.
    fn names(&self, own: bool) -> String {
        let some = self.namespaces.iter().filter(|one| one.own == own);
        let name = |one: &Namespace| match one.mark {
            Mark::None => one.name.into(),
            Mark::New => format!("{} (new)", one.name),
            Mark::Open => format!("{} (to do)", one.name),
        };
        let names: Vec<String> = some.map(name).collect();
        match names.is_empty() {
            true => "none".into(),
            false => names.join(", "),
        }
    }
}

/// Does this level bring what these checks are about? Only its own checks are judged.
fn mark<'a>(
    judgements: &[Judgement],
    mut checks: impl Iterator<Item = &'a str>,
) -> Mark {
    let known: BTreeMap<&str, &Finding> = judgements
        .iter()
        .map(|judgement| (judgement.id.as_str(), &judgement.finding))
        .collect();
    let mut mark = Mark::None;
    for finding in checks.by_ref().filter_map(|id| known.get(id)) {
        mark = match finding {
            Finding::Pass if mark != Mark::Open => Mark::New,
            Finding::Cannot { .. } => mark,
            _ => Mark::Open,
        };
    }
    mark
}
