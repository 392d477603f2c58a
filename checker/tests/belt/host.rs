//! The host, as far as a sandbox could change it: facts by name, so that the difference
//! between before and after can be read.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::run;

/// What hostile programs call their files.
const MARK: &str = "rubber-crab-hostile";
/// The first of the ids that root's sandboxes stand for.
const SANDBOX_IDS: u32 = 0x7000_0000;
/// How deep marks are looked for below places that others write to as well.
const DEPTH: usize = 4;

/// Numbers below /proc/sys that count what goes on, and files that are switches.
const RESTLESS: [&str; 12] = [
    "fs/aio-nr",
    "fs/dentry-state",
    "fs/file-nr",
    "fs/inode-nr",
    "fs/inode-state",
    "fs/quota",
    "kernel/ns_last_pid",
    "kernel/perf_",
    "kernel/pty/nr",
    "kernel/random",
    "net/netfilter/nf_conntrack_count",
    "vm/stat_refresh",
];

/// Where programs find something to write to, on most hosts.
fn places() -> Vec<PathBuf> {
    let fixed = ["/tmp", "/var/tmp", "/dev/shm", "/run"].map(PathBuf::from);
    let home = std::env::var_os("HOME").map(PathBuf::from);
    fixed
        .into_iter()
        .chain(home)
        .filter(|place| place.is_dir())
        .collect()
}

/// Files in those places that anybody may change. Removed when this is dropped.
pub struct Bait(Vec<PathBuf>);

impl Bait {
    pub fn lay() -> Self {
        let lay = |place: PathBuf| {
            let bait = place.join(bait());
            fs::create_dir(&bait).ok()?;
            open_to_all(&bait, 0o1777);
            let file = bait.join("file");
            fs::write(&file, "untouched\n").ok()?;
            open_to_all(&file, 0o666);
            Some(bait)
        };
        Self(places().into_iter().filter_map(lay).collect())
    }
}

impl Drop for Bait {
    fn drop(&mut self) {
        for bait in &self.0 {
            let _ = fs::remove_dir_all(bait);
        }
    }
}

fn open_to_all(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(mode));
}

/// What is so on the host, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(BTreeMap<String, String>);

impl Host {
    /// Look. Below `own` nobody else writes: there every change counts. Elsewhere what
    /// bears a mark counts, and what is a sandbox's by its owner; under CI, where
    /// nobody is at work on it, everything in the project's folder, too.
    pub fn now(own: &Path) -> Self {
        let mut facts = Facts(BTreeMap::new());
        facts.lines("mount", "/proc/self/mountinfo", 1);
        for kind in ["msg", "sem", "shm"] {
            facts.lines("System V", &format!("/proc/sysvipc/{kind}"), 2);
        }
        facts.file("hostname", Path::new("/proc/sys/kernel/hostname"));
        facts.file("boot", Path::new("/proc/sys/kernel/random/boot_id"));
        facts.entries("link", Path::new("/sys/class/net"));
        facts.sysctls(Path::new("/proc/sys"));
        facts.cgroups(Path::new("/sys/fs/cgroup"));
        facts.files(own, usize::MAX, &|_, _| true);
        let project = super::common::root();
        let quiet = std::env::var_os("CI").is_some();
        facts.files(&project, usize::MAX, &|path, data| {
            quiet || is_left(path, data)
        });
        for place in places() {
            facts.files(&place, DEPTH, &is_left);
        }
        Self(facts.0)
    }

    /// What is new (`+`), gone (`-`) or different (`~`) since `before`.
    pub fn since(&self, before: &Self) -> String {
        let mut all = Vec::new();
        for (name, fact) in &self.0 {
            match before.0.get(name) {
                None => all.push(format!("+ {name}: {fact}")),
                Some(was) if was != fact => {
                    all.push(format!("~ {name}: {was} → {fact}"));
                }
                Some(_) => {}
            }
        }
        let gone = before
            .0
            .iter()
            .filter(|(name, _)| !self.0.contains_key(*name));
        all.extend(gone.map(|(name, fact)| format!("- {name}: {fact}")));
        all.join("\n")
    }
}

/// What we call the bait: somebody else may be running this test, too.
fn bait() -> String {
    format!("rubber-crab-bait-{}", std::process::id())
}

/// Would nobody but a hostile program, or this test, have made such a file?
fn is_left(path: &Path, data: &fs::Metadata) -> bool {
    let path = path.as_os_str().to_string_lossy();
    path.contains(MARK) || path.contains(&bait()) || data.uid() >= SANDBOX_IDS
}

struct Facts(BTreeMap<String, String>);

impl Facts {
    fn add(&mut self, kind: &str, name: impl std::fmt::Display, fact: String) {
        self.0.insert(format!("{kind} {name}"), fact);
    }

    /// Each line of a table is a fact; its first words are the name.
    fn lines(&mut self, kind: &str, table: &str, words: usize) {
        let text = fs::read_to_string(table).unwrap_or_default();
        for line in text.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let name = fields.iter().take(words).copied().collect::<Vec<_>>();
            // Of System V objects the rest changes while they are used.
            let fact = if words == 1 { line } else { "" };
            self.add(kind, format!("{table} {}", name.join(" ")), fact.into());
        }
    }

    fn file(&mut self, kind: &str, path: &Path) {
        let text = fs::read_to_string(path).unwrap_or_default();
        self.add(kind, path.display(), text.trim().into());
    }

    fn entries(&mut self, kind: &str, folder: &Path) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            self.add(kind, entry.file_name().to_string_lossy(), String::new());
        }
    }

    fn sysctls(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.strip_prefix("/proc/sys").unwrap_or(&path);
            let name = name.to_string_lossy();
            let restless =
                RESTLESS.iter().any(|restless| name.starts_with(restless));
            let mounted = name == "fs/binfmt_misc";
            match entry.file_type() {
                _ if restless || mounted => {}
                Ok(kind) if kind.is_dir() => self.sysctls(&path),
                _ => self.file("sysctl", &path),
            }
        }
    }

    /// The groups of sandboxes, but for those of other people's checkers: these have
    /// the pid of a process that isn't ours.
    fn cgroups(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let name = entry.file_name().to_string_lossy().into_owned();
            let janitor = name.strip_prefix("rubber-crab-");
            match janitor.map(|pid| pid.parse::<u32>().unwrap_or(0)) {
                None if is_folder => self.cgroups(&entry.path()),
                None => {}
                Some(pid) if run::is_somebody_elses(pid) => {}
                Some(_) => self.add("cgroup", entry.path().display(), String::new()),
            }
        }
    }

    fn files(
        &mut self,
        folder: &Path,
        depth: usize,
        counts: &dyn Fn(&Path, &fs::Metadata) -> bool,
    ) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(data) = entry.metadata() else { continue };
            if matches!(entry.file_name().to_str(), Some("target" | ".git")) {
                continue;
            }
            if counts(&path, &data) {
                let (mode, uid, size) = (data.mode(), data.uid(), data.len());
                let changed = (data.mtime(), data.mtime_nsec());
                let fact = format!("{mode:o} uid {uid} {size} bytes {changed:?}");
                self.add("file", path.display(), fact);
            }
            if data.is_dir() && depth > 1 {
                self.files(&path, depth - 1, counts);
            }
        }
    }
}
