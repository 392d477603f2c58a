//! What containers keep from level to level: the runs and the checks for it.

use super::refusals::{MustFail, fails_well};
use crate::evidence::{Evidence, Seen};
use crate::judge::Finding;
use crate::plan::{Act, Command, Image, Plan};

/// The checks of a level from 04 on: that the command runs (the level's own `starts`),
/// the level's own checks, and what every container has to keep.
macro_rules! container_checks {
    ($prefix:literal, [$($own:expr),* $(,)?]) => {
        &[
            Check {
                id: concat!($prefix, ".starts"),
                claim: "the command runs",
                judge: starts,
            },
            $($own,)*
            Check {
                id: concat!($prefix, ".two-at-once"),
                claim: "two containers at once don't meet",
                judge: |evidence| {
                    common::two_at_once(evidence, concat!($prefix, ".starts"))
                },
            },
            Check {
                id: concat!($prefix, ".failures"),
                claim: "what can't start gives its status, one line, nothing left",
                judge: |evidence| {
                    common::failures(evidence, concat!($prefix, ".starts"))
                },
            },
            Check {
                id: concat!($prefix, ".quiet"),
                claim: "the runtime itself writes nothing to stdout",
                judge: |evidence| common::quiet(evidence, concat!($prefix, ".starts")),
            },
            Check {
                id: concat!($prefix, ".host-as-before"),
                claim: "afterwards the host is as before",
                judge: |evidence| {
                    common::host_as_before(evidence, concat!($prefix, ".starts"))
                },
            },
        ]
    };
}
pub(in crate::judge) use container_checks;

/// Is this a namespace of the command's own?
pub fn is_own(evidence: &Evidence, seen: &Seen, name: &str) -> bool {
    seen.namespaces.get(name) != evidence.belt.namespaces.get(name)
}

/// Two containers side by side; the first one writes, the second one looks.
pub fn two_containers(acts: Vec<Act>) -> [Plan; 2] {
    let write = |path: &str| Act::Write(path.into(), "by the first".into());
    let mut first = vec![write("/etc/written"), write("/etc/secret")];
    first.extend(acts);
    let read = |path: &str| Act::Read(path.into());
    [
        Plan::probe("look").acts(first).closely(),
        Plan::probe("beside")
            .acts(vec![read("/etc/written"), read("/etc/secret")])
            .later(vec![Act::Read("/etc/motd".into())])
            .beside(),
    ]
}

/// Runs that can't work.
pub fn failing() -> [Plan; 3] {
    [
        Plan::probe("no-image").image(Image::Missing),
        Plan::command("missing", Command::Missing),
        Plan::command("plain-file", Command::Plain),
    ]
}

/// A command that can't be started in a container.
pub fn bad_command(evidence: &Evidence, starts: &str) -> Finding {
    fails_well(
        evidence,
        starts,
        &[
            MustFail {
                run: "missing",
                because: "the command isn't in the image",
                status: 127,
            },
            MustFail {
                run: "plain-file",
                because: "the file has no execute permission",
                status: 126,
            },
        ],
    )
}

/// What cannot be started at all, for the levels after 01.
pub fn failures(evidence: &Evidence, starts: &str) -> Finding {
    let missing = MustFail {
        run: "no-image",
        because: "the image isn't there",
        status: 125,
    };
    match fails_well(evidence, starts, &[missing]) {
        Finding::Pass => bad_command(evidence, starts),
        other => other,
    }
}
