//! What is left when a run has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::listen::close_output;
use super::{Before, ENDING, KEPT_OUTPUT, Live, Session};
use crate::belt::{End, hidden};
use crate::evidence::{Ending, FileId, FileKind, Link, Mount, Seen};
use crate::observe::inside::Listing;
use crate::observe::outside;
use crate::text::escape;

/// Where in the sandbox programs may leave files.
const PLACES: [&str; 4] = ["/workshop", "/tmp", "/dev/shm", "/run"];
/// The most text that is kept of the names of files that are left, in bytes.
const MOST_LEFT: usize = 64 << 10;

impl Session {
    /// After the last of some runs: what is left? Then leave nothing.
    pub(super) fn clear_up(
        &mut self,
        lives: &mut [Live],
        before: &Before,
    ) -> Result<()> {
        let remaining = self.settled();
        let groups: Vec<String> = self.groups();
        let groups = groups
            .into_iter()
            .filter(|group| !before.groups.contains(group));
        let groups: Vec<String> = groups.take(20).collect();
        // It takes a while to ask.
        let closely = lives.iter().any(|live| live.closely);
        let (renamed, relinked) = match closely {
            true => self.changed_caller(),
            false => (None, None),
        };
        let mounts = match &mut self.belt {
            Some(belt) => differences(&self.mounts, &belt.mounts()?),
            None => Vec::new(),
        };
        self.sweep(lives)?;
        // What these have done to init must not show with the next: is it well?
        self.sweep(lives)?;
        close_output(lives);
        // Nobody is there any more who could change them.
        let now = self.files();
        let files = file_differences(&before.files, &now);
        let shown = files.iter().map(|line| self.names.shown(line.as_bytes()));
        let mut files: Vec<String> = shown.collect();
        // They were in the order of their real names.
        files.sort_by(|one, other| order(one).cmp(&order(other)));
        self.left = Some(now);
        for live in lives.iter_mut() {
            let run = &mut live.run;
            run.remaining.clone_from(&remaining);
            run.mounts_after.clone_from(&mounts);
            run.files_after.clone_from(&files);
            run.groups_after.clone_from(&groups);
            run.renamed = run.renamed.take().or_else(|| renamed.clone());
            run.relinked = run.relinked.take().or_else(|| relinked.clone());
            self.conclude(live);
        }
        // What can't be put right again makes the next run's evidence worthless.
        if !mounts.is_empty() {
            if let Some(belt) = self.belt.take() {
                belt.release();
            }
        }
        Ok(())
    }

    /// How a run ended, and what was said in it.
    pub(super) fn conclude(&self, live: &mut Live) {
        let run = &mut live.run;
        if run.end == Ending::NotRun {
            run.end = match live.ended {
                Some((End::Exited(status), _)) => Ending::Exited(status),
                Some((End::Signaled(signal), _)) => Ending::Signaled(signal),
                None => Ending::NotRun,
            };
        }
        run.stderr = self.names.shown(&live.stderr);
        for rest in std::mem::take(&mut live.lines).into_values() {
            live.noise.extend(rest);
        }
        live.noise.truncate(KEPT_OUTPUT);
        run.noise = self.names.shown(&live.noise);
    }

    /// The caller's host name, and its links, if they are not what they were.
    pub(super) fn changed_caller(&self) -> (Option<String>, Option<Vec<Link>>) {
        let Some(now) = self.identity() else {
            return (None, None);
        };
        let was = &self.caller;
        let renamed = now.hostname != was.hostname;
        let relinked = now.links != was.links;
        (
            renamed.then(|| escape(now.hostname.as_bytes())),
            now.links.filter(|_| relinked),
        )
    }

    /// What is left once everything that is about to end has ended: the kernel takes
    /// a moment to clear a PID namespace whose init is gone.
    fn settled(&self) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let remaining = self.remaining();
            if remaining.is_empty() || begun.elapsed() > ENDING {
                return remaining;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn remaining(&self) -> Vec<String> {
        let alive = self.processes().into_iter().filter_map(outside::status_of);
        let alive = alive.filter(|status| !status.zombie);
        alive
            .take(20)
            .map(|s| format!("{} (pid {})", escape(s.name.as_bytes()), s.inside))
            .collect()
    }

    /// Where the runtime's caller finds a directory that the runtime has made.
    pub(super) fn place_of(&self, directory: FileId) -> Option<String> {
        PLACES.iter().find_map(|top| {
            let below = self.root.find(Path::new(top), directory)?;
            Some(format!("{top}/{below}"))
        })
    }

    /// Directories of the caller's that are mounted where the command is; those of the
    /// runtime's own making are not the caller's.
    pub(super) fn of_caller(&self, seen: &Seen) -> BTreeMap<u64, String> {
        let callers = self.caller_mounts();
        let all = seen.mounts.iter().chain(&seen.beneath);
        let path = |mount: &Mount| {
            let mut places = callers.iter().filter_map(|had| place_in(had, mount));
            places.find(|path| self.had(path))
        };
        all.filter_map(|mount| Some((mount.id, path(mount)?)))
            .collect()
    }

    /// Did the caller have this directory before the first run?
    fn had(&self, path: &str) -> bool {
        if PLACES.contains(&path) || self.first.contains(path) {
            return true;
        }
        // All else can only be read there.
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let written = PLACES.iter().any(|top| Path::new(path).starts_with(top));
        !written
            && self
                .root
                .open(Path::new(path), flags, Mode::empty())
                .is_ok()
    }

    pub(super) fn files(&self) -> Listing {
        self.root.files_below(&PLACES)
    }
}

/// Of files, the directories.
pub(super) fn directories(listing: &Listing) -> BTreeSet<String> {
    let files = listing.files.iter();
    let directories = files.filter(|(_, file)| file.kind == FileKind::Directory);
    directories.map(|(path, _)| path.clone()).collect()
}

/// Where the root of `mount` is for somebody who has that file system at `had`.
fn place_in(had: &Mount, mount: &Mount) -> Option<String> {
    let below = Path::new(&mount.root).strip_prefix(&had.root).ok()?;
    let place = match below.as_os_str().is_empty() {
        true => had.point.clone(),
        false => Path::new(&had.point).join(below).to_string_lossy().into(),
    };
    (had.device == mount.device).then_some(place)
}

/// What became of a mount table: `+` new, `-` gone, `~` changed.
pub(super) fn differences(before: &str, after: &str) -> Vec<String> {
    let by_id = |table: &str| -> BTreeMap<u64, String> {
        let split = |line: &str| {
            let (id, rest) = line.split_once(' ')?;
            Some((id.parse().ok()?, escape(rest.as_bytes())))
        };
        table.lines().filter_map(split).collect()
    };
    let (old, new) = (by_id(before), by_id(after));
    let mut all = Vec::new();
    for (id, line) in &new {
        match old.get(id) {
            None => all.push(format!("+ {id} {line}")),
            Some(was) if was != line => all.push(format!("~ {id} {line}")),
            _ => {}
        }
    }
    let gone = old
        .iter()
        .filter(|(id, line)| !new.contains_key(*id) && is_within_reach(line));
    all.extend(gone.map(|(id, line)| format!("- {id} {line}")));
    all.truncate(40);
    all
}

/// Can a program unmount this? Copies of the host's mounts are locked in
/// the sandbox. Such a one goes when the host removes the directory under its own, as
/// Docker and podman do when a container ends: the kernel then unmounts whatever is
/// mounted there, in every namespace.
fn is_within_reach(line: &str) -> bool {
    line.split(' ')
        .nth(3)
        .is_none_or(|point| hidden(Path::new(point)))
}

/// What is gone first, then by name.
fn order(line: &str) -> (bool, Option<&str>) {
    (!line.starts_with('-'), line.get(1..))
}

fn file_differences(before: &Listing, after: &Listing) -> Vec<String> {
    let (old, new) = (&before.files, &after.files);
    // If not all were looked at, nobody knows what is gone. These first: there may be
    // more new ones than are kept.
    let gone = old
        .keys()
        .filter(|path| after.whole && !new.contains_key(*path))
        .map(|path| format!("- {path}"));
    let changed = new.iter().filter_map(|(path, fact)| match old.get(path) {
        None => Some(format!("+ {path}")),
        Some(was) => (!fact.is_as(was)).then(|| format!("~ {path}")),
    });
    let mut room = MOST_LEFT;
    let fits = |line: &String| {
        let fits = room > 0;
        room = room.saturating_sub(line.len());
        fits
    };
    gone.chain(changed).take(200).take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::differences;

    const BEFORE: &str = "\
30 29 8:1 / /home ro,nodev shared:1 - ext4 /dev/sda1 rw
31 30 0:40 / /home/me/shm ro,nodev shared:2 - tmpfs shm rw
32 29 0:41 / /dev/shm rw shared:3 - tmpfs tmpfs rw
";

    fn without(id: &str) -> String {
        let kept = BEFORE.lines().filter(|line| !line.starts_with(id));
        kept.map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn the_host_takes_its_mounts_away_no_program_does() {
        assert_eq!(differences(BEFORE, &without("31")), [""; 0]);
        let line = "32 29 0:41 / /dev/shm rw shared:3 - tmpfs tmpfs rw";
        assert_eq!(differences(BEFORE, &without("32")), [format!("- {line}")]);
    }

    #[test]
    fn a_mount_that_came_or_changed_counts_everywhere() {
        let private = BEFORE.replace("nodev shared:2", "nodev");
        let line = "31 30 0:40 / /home/me/shm ro,nodev - tmpfs shm rw";
        assert_eq!(differences(BEFORE, &private), [format!("~ {line}")]);
        let line = "31 30 0:40 / /home/me/shm ro,nodev shared:2 - tmpfs shm rw";
        assert_eq!(differences(&without("31"), BEFORE), [format!("+ {line}")]);
    }
}
