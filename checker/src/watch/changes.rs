//! Has somebody saved something? The kernel says so (man 7 inotify); where it doesn't
//! (network and shared file systems, no more instances), looking every second does.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::statfs::statfs;

/// How often it is looked when the kernel doesn't tell.
const POLL: Duration = Duration::from_secs(1);
/// Who saves again and again is waited for: until nothing happens for this long,
const QUIET: Duration = Duration::from_millis(30);
/// but not longer than this. And who has saved nothing for so long isn't.
const LONGEST: Duration = Duration::from_millis(300);
/// File systems on which others change files without this kernel's knowledge: their
/// numbers in man 2 statfs.
const SILENT: [i64; 7] = [
    0x0102_1997, // 9p
    0xff53_4d42, // cifs
    0xfe53_4d42, // smb2
    0x6969,      // nfs
    0x6573_5546, // fuse
    0x786f_4256, // vboxsf
    0x5346_414f, // afs
];

/// What a source file is known by: its length in bytes, its time of change in
/// nanoseconds, its inode.
type Mark = (u64, i64, u64);

/// The source files of some crates, and when they change.
pub struct Changes {
    root: PathBuf,
    folders: Vec<PathBuf>,
    inotify: Option<Inotify>,
    known: BTreeMap<PathBuf, Mark>,
    looked: Instant,
    /// Since when something is going on, and when it was last.
    stir: Option<(Instant, Instant)>,
    /// When there was last a change.
    last: Option<Instant>,
}

impl Changes {
    /// Watch these crates' folders, given from the project's root on.
    pub fn watch(root: &Path, folders: &[PathBuf]) -> Self {
        let silent = statfs(root).is_ok_and(|found| {
            // It is another type with other C libraries.
            #[allow(clippy::unnecessary_cast)]
            let number = found.filesystem_type().0 as i64 & 0xffff_ffff;
            SILENT.contains(&number)
        });
        let flags = InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC;
        let inotify = match silent {
            true => None,
            false => Inotify::init(flags).ok(),
        };
        let mut changes = Self {
            root: root.into(),
            folders: folders.to_vec(),
            inotify,
            known: BTreeMap::new(),
            looked: Instant::now(),
            stir: None,
            last: None,
        };
        changes.subscribe();
        changes.known = changes.look();
        changes
    }

    /// Is it looked, every second, instead of told?
    pub fn polls(&self) -> bool {
        self.inotify.is_none()
    }

    /// Readable when something may have changed.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// How long until [`changed`](Self::changed) should be asked again; `None`: when
    /// the descriptor says so.
    pub fn due(&self) -> Option<Duration> {
        let quiet = self
            .stir
            .map(|(_, last)| QUIET.saturating_sub(last.elapsed()));
        let poll = self
            .polls()
            .then(|| POLL.saturating_sub(self.looked.elapsed()));
        [quiet, poll].into_iter().flatten().min()
    }

    /// Has a file come, gone or changed since this was last true? Asks the kernel for
    /// its news. After a change, the next ones are told once all is quiet again.
    pub fn changed(&mut self) -> bool {
        if self.news() {
            let since = self.stir.map_or_else(Instant::now, |(since, _)| since);
            self.stir = Some((since, Instant::now()));
        }
        let poll = self.polls() && self.looked.elapsed() >= POLL;
        let rested = self.last.is_none_or(|last| last.elapsed() >= LONGEST);
        let calm = self.stir.is_some_and(|(since, last)| {
            rested || last.elapsed() >= QUIET || since.elapsed() >= LONGEST
        });
        if !poll && !calm {
            return false;
        }
        self.stir = None;
        // What was made while the first was at it, in a directory that it hadn't come to,
        // the second finds; of what comes later the kernel tells.
        self.subscribe();
        self.subscribe();
        let now = self.look();
        let changed = now != self.known;
        self.known = now;
        self.looked = Instant::now();
        if changed {
            self.last = Some(self.looked);
        }
        changed
    }

    fn news(&mut self) -> bool {
        let mut some = false;
        while let Some(events) = self
            .inotify
            .as_ref()
            .and_then(|inotify| inotify.read_events().ok())
            .filter(|events| !events.is_empty())
        {
            some |= !events.is_empty();
        }
        some
    }

    /// Ask to be told. Directories come and go; to ask again for one does nothing.
    fn subscribe(&mut self) {
        let flags = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_ONLYDIR;
        let Some(inotify) = &self.inotify else {
            return;
        };
        // The root for Cargo.toml, and for levels/ should it go and come back.
        let mut all = vec![self.root.clone(), self.root.join("levels")];
        for folder in &self.folders {
            let folder = self.root.join(folder);
            all.extend(directories(&folder.join("src")));
            all.push(folder);
        }
        let told = all
            .iter()
            .filter(|directory| directory.is_dir())
            .all(|directory| inotify.add_watch(directory, flags).is_ok());
        if !told {
            // ENOSPC: too many watches; or a file system that doesn't take any.
            self.inotify = None;
        }
    }

    fn look(&self) -> BTreeMap<PathBuf, Mark> {
        let mut found = BTreeMap::new();
        let mut add = |path: PathBuf| {
            if let Ok(about) = fs::metadata(&path) {
                let time = about.mtime() * 1_000_000_000 + about.mtime_nsec();
                found.insert(path, (about.len(), time, about.ino()));
            }
        };
        for folder in &self.folders {
            let folder = self.root.join(folder);
            add(folder.join("Cargo.toml"));
            for directory in directories(&folder.join("src")) {
                let entries =
                    fs::read_dir(directory).into_iter().flatten().flatten();
                let files = entries.map(|entry| entry.path());
                files.filter(|path| is_source(path)).for_each(&mut add);
            }
        }
        add(self.root.join("Cargo.toml"));
        found
    }
}

/// Editors leave files of their own beside those that they edit.
fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "rs") && path.is_file()
}

/// A directory and those below it, a few levels deep.
fn directories(top: &Path) -> Vec<PathBuf> {
    const MOST: usize = 100;
    let (mut all, mut next) = (vec![top.to_owned()], 0);
    while next < all.len() && all.len() < MOST {
        let entries = fs::read_dir(&all[next]).into_iter().flatten().flatten();
        let below =
            entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir()));
        all.extend(below.map(|entry| entry.path()));
        next += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed_soon(changes: &mut Changes) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) {
            if changes.changed() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    #[test]
    fn a_saved_file_is_noticed_and_others_are_not() {
        let name = format!("rubber-crab-changes-{}", std::process::id());
        let root = std::env::temp_dir().join(name);
        let folder = PathBuf::from("levels/00-one");
        let source = root.join(&folder).join("src");
        fs::create_dir_all(&source).unwrap();
        fs::write(source.join("main.rs"), "one").unwrap();
        for polls in [false, true] {
            let mut changes = Changes::watch(&root, std::slice::from_ref(&folder));
            if polls {
                changes.inotify = None;
            }
            assert_eq!(changes.polls(), polls);
            fs::write(source.join("main.rs"), format!("three {polls}")).unwrap();
            assert!(changed_soon(&mut changes));
            fs::write(source.join(".main.rs.swp"), "an editor's").unwrap();
            fs::write(source.join("main.rs~"), "an editor's").unwrap();
            std::thread::sleep(QUIET * 2);
            assert!(!changes.changed());
            // As most editors save: aside, and moved into place.
            fs::write(source.join("new"), "four").unwrap();
            fs::rename(source.join("new"), source.join("main.rs")).unwrap();
            assert!(changed_soon(&mut changes));
            fs::write(root.join("Cargo.toml"), format!("# {polls}")).unwrap();
            assert!(changed_soon(&mut changes));
            // Away, looked for, and back; then others in their place.
            let (levels, aside) = (root.join("levels"), root.join("aside"));
            fs::rename(&levels, &aside).unwrap();
            assert!(changed_soon(&mut changes));
            std::thread::sleep(LONGEST);
            assert!(!changes.changed());
            fs::create_dir_all(&source).unwrap();
            fs::write(source.join("main.rs"), "another's").unwrap();
            assert!(changed_soon(&mut changes));
            std::thread::sleep(LONGEST);
            changes.changed();
            fs::write(source.join("main.rs"), "another one's").unwrap();
            assert!(changed_soon(&mut changes));
            fs::remove_dir_all(&aside).unwrap();
            fs::remove_dir_all(&source).unwrap();
            assert!(changed_soon(&mut changes));
            fs::create_dir_all(&source).unwrap();
            fs::write(source.join("main.rs"), "one").unwrap();
            assert!(changed_soon(&mut changes));
        }
        fs::remove_dir_all(&root).unwrap();
    }
}
