//! Ranges of user ids: an ordinary user's come from /etc/subuid and newuidmap, and
//! root has them all.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, setns};
use nix::unistd::{Gid, Uid, getgid, getuid, setresgid, setresuid};

use super::around::{Around, in_path};
use super::cause::{self, Cause};
use super::trial::{Failure, trial};
use super::{Costs, Item, PATIENCE, namespaces};
use crate::belt::Identity;

const NAME: &str = "uid ranges";
/// Levels whose checks ask for more than one user inside.
const LEVELS: [u8; 2] = [11, 14];
const FILES: [&str; 2] = ["/etc/subuid", "/etc/subgid"];
const TOOLS: [&str; 2] = ["newuidmap", "newgidmap"];

/// The first id and how many.
type Range = (u32, u32);

pub fn item(around: &Around, namespaces_work: bool) -> Item {
    let costs = Costs::part_of(&LEVELS);
    if !namespaces_work {
        let cause = Cause {
            reason: "can't be tried without user namespaces".into(),
            cure: "the same as for user namespaces".into(),
        };
        return Item::missing(NAME, cause, costs);
    }
    if around.uid == 0 {
        return match Identity::of_caller().count {
            1 => Item::missing(NAME, lonely_root(), costs),
            // The trial of user namespaces has mapped it.
            count => {
                Item::fine(NAME, format!("{count} ids; root needs no /etc/subuid"))
            }
        };
    }
    let tables = FILES.map(|file| fs::read_to_string(file).unwrap_or_default());
    let ranges = tables
        .each_ref()
        .map(|table| range(table, &around.user, around.uid));
    if let Some(cause) = absent(&tables, ranges, TOOLS.map(in_path), around) {
        return Item::missing(NAME, cause, costs);
    }
    let [Some(uids), Some(gids)] = ranges else {
        unreachable!("absent() says so")
    };
    match map(uids, gids) {
        Ok(()) => Item::fine(NAME, format!("{} ids through newuidmap", uids.1)),
        Err(failure) => Item::missing(NAME, refused(&failure, around), costs),
    }
}

fn lonely_root() -> Cause {
    Cause {
        reason: "this root is the only id of its user namespace".into(),
        cure: "leave the user namespace that this shell is in, and start again \
               outside"
            .into(),
    }
}

/// A user's first range (man 5 subuid).
fn range(table: &str, user: &str, uid: u32) -> Option<Range> {
    ranges(table).find_map(|(name, first, count)| {
        let is_user = name == user || name.parse() == Ok(uid);
        (is_user && count > 0).then_some((first, count))
    })
}

fn ranges(table: &str) -> impl Iterator<Item = (&str, u32, u32)> {
    table.lines().filter_map(|line| {
        let mut fields = line.trim().splitn(3, ':');
        let name = fields.next()?;
        Some((
            name,
            fields.next()?.parse().ok()?,
            fields.next()?.parse().ok()?,
        ))
    })
}

/// What isn't there. Pure.
fn absent(
    tables: &[String; 2],
    ranges: [Option<Range>; 2],
    tools: [bool; 2],
    around: &Around,
) -> Option<Cause> {
    if let Some(missing) = tools.iter().position(|there| !there) {
        let package = match around.installer {
            Some("apt-get") => "uidmap",
            Some("pacman") => "shadow",
            Some("dnf") => "shadow-utils",
            Some("zypper") => "shadow",
            Some("apk") => "shadow-uidmap",
            _ => "uidmap",
        };
        return Some(Cause {
            reason: format!("{} isn't installed", TOOLS[missing]),
            cure: install(package, around),
        });
    }
    let missing = ranges.iter().position(Option::is_none)?;
    let first = free(&tables[0]).max(free(&tables[1]));
    let last = first + 65535;
    let user = &around.user;
    let command = format!(
        "usermod --add-subuids {first}-{last} --add-subgids {first}-{last} {user}"
    );
    Some(Cause {
        reason: format!("{} has no line for {user}", FILES[missing]),
        cure: around.as_root(&command),
    })
}

/// The first id behind all that are given away.
fn free(table: &str) -> u32 {
    let ends = ranges(table).map(|(_, first, count)| first.saturating_add(count));
    ends.max().unwrap_or(0).max(100_000)
}

/// The command that installs `package`.
pub fn install(package: &str, around: &Around) -> String {
    let Some(installer) = around.installer else {
        return format!("install the package {package}, or what has it here");
    };
    let command = match installer {
        "pacman" => "pacman -S".into(),
        "apk" => "apk add".into(),
        "zypper" => "zypper install".into(),
        other => format!("{other} install -y"),
    };
    around.as_root(&format!("{command} {package}"))
}

/// Map the caller to 0 and the ranges behind it, and become the last of them.
fn map(uids: Range, gids: Range) -> Result<(), Failure> {
    trial(PATIENCE, || {
        let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
        let namespace = namespaces::holding(|pid| {
            run(TOOLS[0], pid, uid, uids)?;
            run(TOOLS[1], pid, gid, gids)?;
            fs::File::open(format!("/proc/{pid}/ns/user"))
                .context("open the user namespace")
        })?;
        setns(&namespace, CloneFlags::CLONE_NEWUSER)
            .context("setns to the user namespace")?;
        let (gid, uid) = (Gid::from_raw(gids.1), Uid::from_raw(uids.1));
        setresgid(gid, gid, gid).context("setresgid to a mapped id")?;
        setresuid(uid, uid, uid).context("setresuid to a mapped id")
    })
}

fn run(tool: &str, pid: i32, id: u32, (first, count): Range) -> Result<()> {
    let numbers = [0, id, 1, 1, first, count].map(|number| number.to_string());
    let output = Command::new(tool)
        .arg(pid.to_string())
        .args(numbers)
        .output()
        .context(tool.to_owned())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or_default();
        let said = said.strip_prefix(&format!("{tool}: ")).unwrap_or(said);
        bail!(
            "{tool}: {}",
            crate::text::clip(&crate::text::escape(said.as_bytes()), 200)
        );
    }
    Ok(())
}

/// The tool is there and has a range, and still fails.
fn refused(failure: &Failure, around: &Around) -> Cause {
    let tool = TOOLS.iter().find(|tool| failure.step.starts_with(*tool));
    let Some(tool) = tool.filter(|_| failure.step.contains("ermitted")) else {
        return cause::of(failure, around);
    };
    // Its power comes with its file, and a container or a mount can take it away.
    let reason = format!("{tool} has no power here ({failure})");
    let cure = match around.container {
        Some(container) => container.allow(),
        None if around.no_new_privs => {
            "start again from a plain login: this shell has no_new_privs set".into()
        }
        None => around.as_root(
            "sh -c 'chmod u+s \"$(command -v newuidmap)\" \"$(command -v newgidmap)\"'",
        ),
    };
    Cause { reason, cure }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "ada:100000:65536\n1001:165536:65536\nbroken\n";

    fn around() -> Around {
        Around {
            uid: 1002,
            user: "bob".into(),
            installer: Some("apt-get"),
            ..Around::default()
        }
    }

    #[test]
    fn ranges_by_name_and_number() {
        assert_eq!(range(TABLE, "ada", 1000), Some((100_000, 65536)));
        assert_eq!(range(TABLE, "eve", 1001), Some((165_536, 65536)));
        assert_eq!(range(TABLE, "bob", 1002), None);
    }

    #[test]
    fn a_range_that_is_free() {
        assert_eq!(free(TABLE), 231_072);
        assert_eq!(free(""), 100_000);
    }

    #[test]
    fn no_line() {
        let tables = [TABLE.to_owned(), TABLE.to_owned()];
        assert_eq!(
            absent(&tables, [None, None], [true, true], &around()),
            Some(Cause {
                reason: "/etc/subuid has no line for bob".into(),
                cure: "sudo usermod --add-subuids 231072-296607 --add-subgids \
                       231072-296607 bob"
                    .into(),
            })
        );
    }

    #[test]
    fn no_tool() {
        let tables = [String::new(), String::new()];
        assert_eq!(
            absent(&tables, [None, None], [false, false], &around()),
            Some(Cause {
                reason: "newuidmap isn't installed".into(),
                cure: "sudo apt-get install -y uidmap".into(),
            })
        );
    }

    #[test]
    fn all_there() {
        let tables = [TABLE.to_owned(), TABLE.to_owned()];
        let ranges = [Some((1, 1)), Some((1, 1))];
        assert_eq!(absent(&tables, ranges, [true, true], &around()), None);
    }

    #[test]
    fn a_tool_without_power() {
        let step = "newuidmap: write to uid_map failed: Operation not permitted";
        let failure = Failure {
            step: step.into(),
            ..Failure::default()
        };
        let cause = refused(&failure, &around());
        assert!(cause.reason.starts_with("newuidmap has no power here"));
        assert!(cause.cure.contains("chmod u+s"), "{}", cause.cure);
        let cause = refused(
            &failure,
            &Around {
                no_new_privs: true,
                ..around()
            },
        );
        assert!(cause.cure.contains("no_new_privs"), "{}", cause.cure);
    }
}
