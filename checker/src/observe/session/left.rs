//! What is left when a run has ended.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::listen::close_output;
use super::{ENDING, KEPT_OUTPUT, Live, Session};
use crate::belt::End;
use crate::evidence::{Ending, FileFact, FileId, FileKind};
use crate::observe::outside;
use crate::text::escape;

impl Session {
    /// After the last of some runs: what is left? Then leave nothing.
    pub(super) fn clear_up(
        &mut self,
        lives: &mut [Live],
        before: &BTreeMap<String, FileFact>,
    ) -> Result<()> {
        let remaining = self.settled();
        let mounts = match &mut self.belt {
            Some(belt) => differences(&self.mounts, &belt.mounts()?),
            None => Vec::new(),
        };
        self.sweep(lives)?;
        // What these have done to init must not show with the next: is it well?
        self.sweep(lives)?;
        close_output(lives);
        let files: Vec<String> = file_differences(before, &self.files())
            .iter()
            .map(|line| self.without_nonce(line.as_bytes()))
            .collect();
        for live in lives.iter_mut() {
            let run = &mut live.run;
            run.remaining.clone_from(&remaining);
            run.mounts_after.clone_from(&mounts);
            run.files_after.clone_from(&files);
            if run.end == Ending::NotRun {
                run.end = match live.ended {
                    Some((End::Exited(status), _)) => Ending::Exited(status),
                    Some((End::Signaled(signal), _)) => Ending::Signaled(signal),
                    None => Ending::NotRun,
                };
            }
            run.stderr = self.without_nonce(&live.stderr);
            for rest in std::mem::take(&mut live.lines).into_values() {
                live.noise.extend(rest);
            }
            live.noise.truncate(KEPT_OUTPUT);
            run.noise = self.without_nonce(&live.noise);
        }
        // What can't be put right again makes the next run's evidence worthless.
        if !mounts.is_empty() {
            if let Some(belt) = self.belt.take() {
                belt.release();
            }
        }
        Ok(())
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
        let files = self.files().into_iter();
        let mut directories = files.filter(|(_, f)| f.kind == FileKind::Directory);
        directories
            .find(|(_, f)| f.id == directory)
            .map(|(path, _)| path)
    }

    pub(super) fn files(&self) -> BTreeMap<String, FileFact> {
        let mut all = BTreeMap::new();
        for top in ["/workshop", "/tmp", "/dev/shm", "/run"] {
            let found = self.root.files(Path::new(top));
            all.extend(
                found
                    .into_iter()
                    .map(|(name, fact)| (format!("{top}/{name}"), fact)),
            );
        }
        all
    }
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
    let gone = old.iter().filter(|(id, _)| !new.contains_key(*id));
    all.extend(gone.map(|(id, line)| format!("- {id} {line}")));
    all.truncate(40);
    all
}

fn file_differences(
    before: &BTreeMap<String, FileFact>,
    after: &BTreeMap<String, FileFact>,
) -> Vec<String> {
    // These first: there may be more new ones than are kept.
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    let mut all: Vec<String> = gone.map(|path| format!("- {path}")).collect();
    for (path, fact) in after {
        match before.get(path) {
            None => all.push(format!("+ {path}")),
            Some(was) if was != fact => all.push(format!("~ {path}")),
            _ => {}
        }
    }
    all.truncate(200);
    all
}
