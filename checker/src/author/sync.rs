//! `levels/` from `solutions/`, file by file.
//!
//! `plan` says what every derived file must be; `sync` compares that with what is
//! there. `levels/.derived` records the hash of each file as it was last derived: a
//! file that is neither that nor what it should be has been edited, and stays.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use anyhow::{Context, Result, bail, ensure};

use super::lines::difference;
use super::markers::{self, MarkerError};

/// The record, in `levels/`.
const RECORD: &str = ".derived";

const RECORD_HEAD: &str = "\
# Written by `cargo checker author sync`: each derived file, as a hash of its text.
";

/// What belongs to a level alone, and is never derived.
const LESSON: [&str; 2] = ["README.md", "HINTS.md"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Write what is out of date; with `overwrite`, also what was edited.
    Write { overwrite: bool },
    /// Write nothing, and tell the differences.
    Check,
}

/// What [`sync`] did, or found. Paths begin at the project's root.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub written: Vec<PathBuf>,
    pub removed: Vec<PathBuf>,
    /// Edited by someone, and left alone.
    pub kept: Vec<PathBuf>,
    /// With `Mode::Check`: what isn't as derived, and how it differs.
    pub drifted: Vec<(PathBuf, String)>,
    /// How many were as they should be.
    pub unchanged: usize,
}

impl Report {
    /// Whether `levels/` is now all that it should be.
    pub fn is_clean(&self) -> bool {
        self.kept.is_empty() && self.drifted.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for path in &self.written {
            writeln!(out, "wrote    {}", path.display())?;
        }
        for path in &self.removed {
            writeln!(out, "removed  {}", path.display())?;
        }
        for path in &self.kept {
            writeln!(out, "kept     {} (it was edited)", path.display())?;
        }
        for (path, difference) in &self.drifted {
            writeln!(out, "drifted  {}", path.display())?;
            for line in difference.lines() {
                writeln!(out, "         {line}")?;
            }
        }
        write!(
            out,
            "{} as derived",
            count(self.unchanged + self.written.len())
        )?;
        if !self.kept.is_empty() {
            let kept = count(self.kept.len());
            write!(
                out,
                "; {kept} kept: `author sync --overwrite` replaces what was edited"
            )?;
        }
        if !self.drifted.is_empty() {
            let drifted = count(self.drifted.len());
            write!(
                out,
                "; {drifted} not: edit the solution, then `author sync`"
            )?;
        }
        writeln!(out)
    }
}

fn count(files: usize) -> String {
    match files {
        1 => "1 file".to_string(),
        n => format!("{n} files"),
    }
}

/// Brings `levels/` below `root` in line with `solutions/`, or says where it isn't.
///
/// # Errors
/// When a solution's markers make no sense (nothing is written then), or a file can't
/// be read or written.
pub fn sync(root: &Path, mode: Mode) -> Result<Report> {
    let wanted = plan(&root.join("solutions"))?;
    let levels = root.join("levels");
    let recorded = read_record(&levels.join(RECORD))?;
    let mut now = BTreeMap::new();
    let mut report = Report::default();

    let names: BTreeSet<&PathBuf> = wanted.keys().chain(recorded.keys()).collect();
    for name in names {
        let file = File {
            path: levels.join(name),
            shown: Path::new("levels").join(name),
            there: read(&levels.join(name))?,
            wanted: wanted.get(name).map(String::as_str),
            recorded: recorded.get(name).copied(),
        };
        if let Some(hash) = file.settle(mode, &mut report)? {
            now.insert(name.clone(), hash);
        }
    }
    settle_record(&levels, &now, mode, &mut report)?;
    Ok(report)
}

/// One derived file, in all its versions.
struct File<'a> {
    path: PathBuf,
    shown: PathBuf,
    /// As it is on disk.
    there: Option<Vec<u8>>,
    /// As it should be; None when its solution is gone.
    wanted: Option<&'a str>,
    /// The hash of what was last derived.
    recorded: Option<u64>,
}

impl File<'_> {
    /// Does what is to be done, and gives the hash to record.
    fn settle(self, mode: Mode, report: &mut Report) -> Result<Option<u64>> {
        let derived = self.wanted.map(|text| hash(text.as_bytes()));
        if self.there.as_deref() == self.wanted.map(str::as_bytes) {
            report.unchanged += usize::from(self.wanted.is_some());
            return Ok(derived);
        }
        match mode {
            Mode::Check => {
                let there = self.there.unwrap_or_default();
                let there = String::from_utf8_lossy(&there);
                let lines = difference(&there, self.wanted.unwrap_or_default());
                report.drifted.push((self.shown, lines));
                Ok(derived)
            }
            Mode::Write { overwrite: false } if self.edited() => {
                report.kept.push(self.shown);
                Ok(self.recorded)
            }
            Mode::Write { .. } => {
                self.replace(report)?;
                Ok(derived)
            }
        }
    }

    /// Whether somebody has changed it since it was derived. A file that is there
    /// and was never derived counts, too; one that was deleted doesn't.
    fn edited(&self) -> bool {
        match &self.there {
            Some(there) => self.recorded != Some(hash(there)),
            None => false,
        }
    }

    fn replace(self, report: &mut Report) -> Result<()> {
        match self.wanted {
            Some(text) => {
                write(&self.path, text)?;
                report.written.push(self.shown);
            }
            None => {
                remove(&self.path)?;
                report.removed.push(self.shown);
            }
        }
        Ok(())
    }
}

/// Every file that `levels/` should have by derivation, by its path in there.
fn plan(solutions: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let mut wanted = BTreeMap::new();
    for level in entries(solutions)? {
        let crate_dir = solutions.join(&level);
        if !crate_dir.join("Cargo.toml").is_file() {
            continue;
        }
        let mut numbers = Vec::new();
        for (file, text) in derived(&crate_dir, |text| {
            let found = markers::exercises(text)?;
            numbers.extend(found.iter().map(|exercise| exercise.number));
            markers::derive(text)
        })? {
            wanted.insert(Path::new(&level).join(file), text);
        }
        numbers.sort();
        let all = numbers.iter().copied().eq(1..=numbers.len() as u32);
        ensure!(
            all,
            "{level}: exercises must count from 1 without a gap: {numbers:?}"
        );
    }
    Ok(wanted)
}

/// The files of a level, by their path in its folder: those of its solution, with
/// `derive` applied to the program, and the manifest under the level's name.
pub(super) fn derived(
    solution: &Path,
    mut derive: impl FnMut(&str) -> Result<String, MarkerError>,
) -> Result<BTreeMap<PathBuf, String>> {
    let mut wanted = BTreeMap::new();
    for file in files(solution, Path::new(""))? {
        let path = solution.join(&file);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("read {}", path.display()))?;
        let derived = if file.extension() == Some(OsStr::new("rs")) {
            derive(&text).with_context(|| path.display().to_string())?
        } else if file == Path::new("Cargo.toml") {
            manifest(&text).with_context(|| path.display().to_string())?
        } else {
            text
        };
        wanted.insert(file, derived);
    }
    Ok(wanted)
}

/// The manifest of a level: its solution's, under another name.
fn manifest(text: &str) -> Result<String> {
    let mut names = 0;
    let mut derived = String::new();
    for line in text.split_inclusive('\n') {
        if let Some(number) = line.strip_prefix("name = \"solution-") {
            derived.push_str("name = \"level-");
            derived.push_str(number);
            names += 1;
        } else {
            derived.push_str(line);
        }
    }
    ensure!(names == 1, "one line must be: name = \"solution-NN\"");
    Ok(derived)
}

/// The files of a crate, sorted, without those that are hidden or no source.
pub(super) fn files(crate_dir: &Path, below: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for name in entries(&crate_dir.join(below))? {
        let path = below.join(&name);
        if crate_dir.join(&path).is_dir() {
            if name != "target" {
                found.extend(files(crate_dir, &path)?);
            }
        } else if !LESSON.contains(&name.as_str()) {
            found.push(path);
        }
    }
    Ok(found)
}

/// The names in a directory, sorted, without hidden ones.
fn entries(directory: &Path) -> Result<Vec<String>> {
    let context = || format!("read {}", directory.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).with_context(context)? {
        let name = entry.with_context(context)?.file_name();
        let name = name.to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Lines of a hash in hexadecimal and a path. A record that isn't there is empty.
fn read_record(path: &Path) -> Result<BTreeMap<PathBuf, u64>> {
    let bytes = read(path)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let mut record = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let parts = line.split_once("  ");
        let parsed = parts.and_then(|(hash, name)| {
            Some((u64::from_str_radix(hash, 16).ok()?, PathBuf::from(name)))
        });
        let Some((hash, name)) = parsed else {
            bail!(
                "{}: line {number}: a hash and a path are wanted",
                path.display()
            );
        };
        record.insert(name, hash);
    }
    Ok(record)
}

fn settle_record(
    levels: &Path,
    now: &BTreeMap<PathBuf, u64>,
    mode: Mode,
    report: &mut Report,
) -> Result<()> {
    let mut text = RECORD_HEAD.to_string();
    for (name, hash) in now {
        text += &format!("{hash:016x}  {}\n", name.display());
    }
    let path = levels.join(RECORD);
    let there = read(&path)?.unwrap_or_default();
    if there == text.as_bytes() {
        return Ok(());
    }
    match mode {
        Mode::Write { .. } => write(&path, &text),
        Mode::Check => {
            let lines = difference(&String::from_utf8_lossy(&there), &text);
            report
                .drifted
                .push((Path::new("levels").join(RECORD), lines));
            Ok(())
        }
    }
}

/// FNV-1a, 64 bits: the same on every machine and with every Rust, unlike std's. It
/// tells an edit from none; it doesn't keep anyone out.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// None when there is no such file.
fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)
            .with_context(|| format!("mkdir {}", parent.display()))?;
    }
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

/// Removes a file, and the directories that are empty without it.
fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).with_context(|| format!("rm {}", path.display()))?;
    for directory in path.ancestors().skip(1).take(2) {
        if fs::remove_dir(directory).is_err() {
            break; // something else is in it
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"solution-00\"\n";
    const SOURCE: &str = "//> 1. Do\n//> Do it.\ndone();\n//<\n";
    const SKELETON: &str = "// EXERCISE 1: Do\n// Do it.\n";
    const FIRST: Mode = Mode::Write { overwrite: false };

    /// A project in a directory of its own, deleted in the end.
    struct Project(PathBuf);

    impl Project {
        fn new(name: &str) -> Project {
            let name = format!("author-{name}-{}", std::process::id());
            let project = Project(std::env::temp_dir().join(name));
            project.write("solutions/00-a/Cargo.toml", MANIFEST);
            project.write("solutions/00-a/src/a.rs", SOURCE);
            project
        }

        fn write(&self, path: &str, text: &str) {
            write(&self.0.join(path), text).unwrap();
        }

        fn read(&self, path: &str) -> Option<String> {
            fs::read_to_string(self.0.join(path)).ok()
        }

        fn sync(&self, mode: Mode) -> Report {
            sync(&self.0, mode).unwrap()
        }
    }

    impl Drop for Project {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_first_sync_writes_everything_and_a_second_nothing() {
        let project = Project::new("first");
        project.write("levels/00-a/README.md", "a lesson");
        project.write("solutions/00-a/README.md", "not a lesson");
        assert!(!project.sync(Mode::Check).is_clean());

        let report = project.sync(FIRST);
        assert_eq!(report.written.len(), 2);
        assert_eq!(project.read("levels/00-a/src/a.rs").unwrap(), SKELETON);
        let manifest = project.read("levels/00-a/Cargo.toml").unwrap();
        assert_eq!(manifest, "[package]\nname = \"level-00\"\n");
        assert_eq!(project.read("levels/00-a/README.md").unwrap(), "a lesson");

        let report = project.sync(FIRST);
        assert_eq!(
            report,
            Report {
                unchanged: 2,
                ..Report::default()
            }
        );
        assert!(project.sync(Mode::Check).is_clean());
    }

    #[test]
    fn a_changed_solution_replaces_what_nobody_edited() {
        let project = Project::new("changed");
        project.sync(FIRST);
        project.write(
            "solutions/00-a/src/a.rs",
            &SOURCE.replace("Do it", "Do this"),
        );
        let drift = project.sync(Mode::Check);
        assert_eq!(drift.drifted.len(), 2, "the file and the record");
        assert!(drift.drifted[0].1.contains("-// Do it.\n+// Do this."));
        assert_eq!(project.read("levels/00-a/src/a.rs").unwrap(), SKELETON);

        let report = project.sync(FIRST);
        assert_eq!(report.written, [PathBuf::from("levels/00-a/src/a.rs")]);
        assert!(
            project
                .read("levels/00-a/src/a.rs")
                .unwrap()
                .contains("Do this")
        );
    }

    #[test]
    fn an_edit_is_kept_until_told_otherwise() {
        let project = Project::new("edited");
        project.sync(FIRST);
        project.write("levels/00-a/src/a.rs", "mine\n");
        project.write(
            "solutions/00-a/src/a.rs",
            &SOURCE.replace("Do it", "Do this"),
        );
        for _ in 0..2 {
            let report = project.sync(FIRST);
            assert_eq!(report.kept, [PathBuf::from("levels/00-a/src/a.rs")]);
            assert!(!report.is_clean());
            assert_eq!(project.read("levels/00-a/src/a.rs").unwrap(), "mine\n");
        }
        assert!(project.sync(Mode::Write { overwrite: true }).is_clean());
        assert!(
            project
                .read("levels/00-a/src/a.rs")
                .unwrap()
                .contains("Do this")
        );
        assert!(project.sync(Mode::Check).is_clean());
    }

    #[test]
    fn a_file_that_was_never_derived_is_an_edit() {
        let project = Project::new("unknown");
        project.write("levels/00-a/src/a.rs", "mine\n");
        assert_eq!(project.sync(FIRST).kept.len(), 1);
        assert_eq!(project.read("levels/00-a/src/a.rs").unwrap(), "mine\n");
    }

    #[test]
    fn a_deleted_skeleton_comes_back() {
        let project = Project::new("deleted");
        project.sync(FIRST);
        fs::remove_file(project.0.join("levels/00-a/src/a.rs")).unwrap();
        assert_eq!(project.sync(FIRST).written.len(), 1);
    }

    #[test]
    fn what_has_no_solution_any_more_goes_unless_edited() {
        let project = Project::new("gone");
        project.write("solutions/00-a/src/b.rs", "b\n");
        project.write("solutions/00-a/src/c.rs", "c\n");
        project.sync(FIRST);
        project.write("levels/00-a/src/c.rs", "mine\n");
        for name in ["b", "c"] {
            let path = project.0.join(format!("solutions/00-a/src/{name}.rs"));
            fs::remove_file(path).unwrap();
        }
        let report = project.sync(FIRST);
        assert_eq!(report.removed, [PathBuf::from("levels/00-a/src/b.rs")]);
        assert_eq!(report.kept, [PathBuf::from("levels/00-a/src/c.rs")]);
        assert_eq!(project.read("levels/00-a/src/b.rs"), None);
        project.sync(Mode::Write { overwrite: true });
        assert_eq!(project.read("levels/00-a/src/c.rs"), None);
        assert!(project.sync(Mode::Check).is_clean());
    }

    #[test]
    fn bad_markers_stop_it_before_anything_is_written() {
        let project = Project::new("bad");
        project.write("solutions/00-a/src/z.rs", "//> 3. T\n//> do\nx\n//<\n");
        let error = sync(&project.0, FIRST).unwrap_err().to_string();
        assert!(error.contains("without a gap"), "{error}");
        project.write("solutions/00-a/src/z.rs", "x\n//<\n");
        let error = format!("{:#}", sync(&project.0, FIRST).unwrap_err());
        assert!(error.contains("z.rs: line 2: "), "{error}");
        assert!(!project.0.join("levels").exists());
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
