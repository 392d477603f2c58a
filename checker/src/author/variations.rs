//! Variations of the finished levels: mistakes that learners make, other right ways,
//! and each exercise left undone. They show that the checks can fail, and that they
//! don't fail what is right. `author verify` judges all of them; `try`, `xray`, `check` and
//! `demo` run one of them with `--mistake NAME`.
//!
//! A variation is a text file in checker/variations/NN-name:
//!
//! ```text
//! # What is different, in one line
//! breaks: pivot.old-root-gone pivot.no-put-old     (or: nothing)
//! needs: cgroup-v2     (or cgroup-v1; without it: any machine)
//! file: src/pivot.rs
//! <<<<
//! lines of the finished level
//! ====
//! what stands there instead
//! >>>>
//! ```
//!
//! What shows on one version of control groups only says so, and is skipped elsewhere:
//! `.ci/run` builds it here (`--build-only`) and judges it on the second kernel
//! (`--built`).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};

use super::markers::{exercises, solved, undo};
use crate::belt;
use crate::judge::Level;
use crate::judge::levels::ALL;
use crate::text;
use crate::workspace::{self, Build, Whose};

/// A finished level with something changed.
pub struct Variation {
    pub level: &'static Level,
    /// The file's name, or `exercise-N` for one that is left undone.
    pub name: String,
    pub title: String,
    /// The checks that must fail; `None` when any will do.
    pub breaks: Option<Vec<String>>,
    /// The machine on which it shows; `None`: any.
    pub needs: Option<Need>,
    /// All source files, by their names from the crate's folder on.
    sources: BTreeMap<PathBuf, String>,
}

impl Variation {
    /// `variation-03-chroot-kept`
    pub fn package(&self) -> String {
        format!("variation-{}-{}", self.level.number, self.name)
    }
}

/// What a machine must have for a variation to show there: control groups of this
/// version for memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Need {
    CgroupV1,
    CgroupV2,
}

impl Need {
    fn read(text: &str) -> Result<Self> {
        match text.trim() {
            "cgroup-v1" => Ok(Self::CgroupV1),
            "cgroup-v2" => Ok(Self::CgroupV2),
            other => bail!("needs: {other:?}; known: cgroup-v1, cgroup-v2"),
        }
    }

    /// An exercise for one version says so at the end of its title.
    fn of_exercise(title: &str) -> Option<Self> {
        match title {
            _ if title.ends_with("(version 1)") => Some(Self::CgroupV1),
            _ if title.ends_with("(version 2)") => Some(Self::CgroupV2),
            _ => None,
        }
    }

    /// Has this machine got it?
    pub fn is_met(self) -> bool {
        belt::cgroup_version() == self.version()
    }

    fn version(self) -> u8 {
        match self {
            Self::CgroupV1 => 1,
            Self::CgroupV2 => 2,
        }
    }
}

impl std::fmt::Display for Need {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "cgroup v{}", self.version())
    }
}

/// Every variation of these levels: the catalogue's, then the derived ones.
///
/// Errors: a file that doesn't say what it changes, or no longer fits the solution.
pub fn load(root: &Path, levels: &[&'static Level]) -> Result<Vec<Variation>> {
    let mut all = Vec::new();
    for level in levels {
        let marked = sources(&root.join("solutions").join(level.folder()))?;
        let finished: BTreeMap<PathBuf, String> = marked
            .iter()
            .map(|(path, text)| Ok((path.clone(), solved(text)?)))
            .collect::<Result<_>>()?;
        let catalogue = root.join("checker/variations").join(level.folder());
        for path in files_in(&catalogue)? {
            let text = fs::read_to_string(&path)?;
            let variation = read(level, &path, &text, &finished)
                .with_context(|| format!("{}", path.display()))?;
            all.push(variation);
        }
        for (path, text) in &marked {
            for exercise in exercises(text)? {
                let mut sources = finished.clone();
                sources.insert(path.clone(), undo(text, exercise.number)?);
                all.push(Variation {
                    level,
                    name: format!("exercise-{}", exercise.number),
                    title: format!("undone: {}", exercise.title),
                    breaks: None,
                    needs: Need::of_exercise(&exercise.title),
                    sources,
                });
            }
        }
    }
    Ok(all)
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)
        .with_context(|| format!("read {}", folder.display()))?;
    let mut all: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).collect();
    all.sort();
    Ok(all)
}

/// The source files of a crate.
fn sources(folder: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let text = |path: PathBuf| {
        let name = path.strip_prefix(folder)?.to_owned();
        Ok((name, fs::read_to_string(&path)?))
    };
    files_in(&folder.join("src"))?
        .into_iter()
        .map(text)
        .collect()
}

fn read(
    level: &'static Level,
    path: &Path,
    text: &str,
    finished: &BTreeMap<PathBuf, String>,
) -> Result<Variation> {
    let name = path.file_stem().context("a file's name")?.to_string_lossy();
    let mut lines = text.lines();
    let title = lines.next().and_then(|line| line.strip_prefix("# "));
    let title = title.context("the first line must be `# ` and a title")?;
    let mut breaks = None;
    let mut needs = None;
    let mut sources = finished.clone();
    let mut file = None;
    while let Some(line) = lines.next() {
        if let Some(names) = line.strip_prefix("breaks:") {
            let names = names.split_whitespace().filter(|name| *name != "nothing");
            breaks = Some(names.map(str::to_owned).collect::<Vec<_>>());
        } else if let Some(need) = line.strip_prefix("needs:") {
            needs = Some(Need::read(need)?);
        } else if let Some(name) = line.strip_prefix("file:") {
            file = Some(PathBuf::from(name.trim()));
        } else if line == "<<<<" {
            let old: Vec<&str> =
                lines.by_ref().take_while(|line| *line != "====").collect();
            let new: Vec<&str> =
                lines.by_ref().take_while(|line| *line != ">>>>").collect();
            let file = file.as_ref().context("`file:` must come before `<<<<`")?;
            let text = sources
                .get_mut(file)
                .with_context(|| format!("no {}", file.display()))?;
            *text = replace(text, &block(&old), &block(&new))?;
        }
    }
    let breaks = breaks.context("`breaks:` is missing")?;
    if let Some(name) = breaks.iter().find(|name| !known(level, name)) {
        bail!("there is no check {name} in level {}", level.number);
    }
    let (name, title) = (name.into_owned(), title.to_owned());
    Ok(Variation {
        level,
        name,
        title,
        breaks: Some(breaks),
        needs,
        sources,
    })
}

fn block(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn known(level: &Level, name: &str) -> bool {
    level.checks.iter().any(|check| check.id == name)
}

/// Replace lines that stand in a text exactly once.
fn replace(text: &str, old: &str, new: &str) -> Result<String> {
    match text.matches(old).count() {
        1 if !old.is_empty() => Ok(text.replacen(old, new, 1)),
        0 => bail!("the finished level doesn't have these lines:\n{old}"),
        _ => bail!("the finished level has these lines more than once:\n{old}"),
    }
}

/// The variation of this name.
///
/// Errors: there is none; with the nearest names.
pub fn named<'a>(
    all: &'a [Variation],
    level: &Level,
    name: &str,
) -> Result<&'a Variation> {
    let of_level = || all.iter().filter(|one| one.level.number == level.number);
    if let Some(found) = of_level().find(|one| one.name == name) {
        return Ok(found);
    }
    let near = text::near(name, of_level().map(|one| &*one.name));
    let folder = level.folder();
    match near.is_empty() {
        true => bail!(
            "level {} has no mistake {name:?}: all are in checker/variations/{folder}",
            level.number
        ),
        false => bail!(
            "level {} has no mistake {name:?}: did you mean {}?",
            level.number,
            near.join(" or ")
        ),
    }
}

/// Let cargo build the chosen ones. `all` are those of these levels: they share a
/// workspace, so that what one command has built, the next one finds.
///
/// Errors: the workspace can't be written, or cargo can't be started.
pub fn build(
    root: &Path,
    levels: &[&Level],
    all: &[Variation],
    chosen: &[&Variation],
) -> Result<BTreeMap<String, Build>> {
    let target = target()?;
    // A folder for each choice of levels: several may be built at once.
    let numbers: Vec<&str> = levels.iter().map(|level| level.number).collect();
    let name = format!("of-{}", numbers.join("-"));
    let folder = target.join("variations").join(name);
    let in_folder =
        || format!("write in {} ({})", folder.display(), workspace::NO_PLACE);
    fs::create_dir_all(&folder).with_context(in_folder)?;
    // Nobody else writes to it meanwhile.
    let lock = File::create(folder.join("lock")).with_context(in_folder)?;
    let _lock = Flock::lock(lock, FlockArg::LockExclusive)
        .map_err(|(_, errno)| errno)
        .context("flock")?;
    write(root, &folder, all)?;
    let packages: Vec<String> = chosen.iter().map(|one| one.package()).collect();
    workspace::build_in(&folder, &target, &packages)
}

/// The target directory: the one that this checker was built in.
pub fn target() -> Result<PathBuf> {
    let checker = std::env::current_exe()?;
    let target = checker.ancestors().nth(2).context("the target directory")?;
    Ok(target.to_owned())
}

/// Write a workspace with one crate for each variation.
fn write(root: &Path, folder: &Path, all: &[Variation]) -> Result<()> {
    let members: Vec<String> = all.iter().map(Variation::package).collect();
    write_workspace(root, folder, &members)?;
    for variation in all {
        let crate_folder = folder.join(variation.package());
        let solution = root.join("solutions").join(variation.level.folder());
        let manifest = fs::read_to_string(solution.join("Cargo.toml"))?;
        let package = format!("solution-{}", variation.level.number);
        let manifest = manifest.replace(
            &format!("name = \"{package}\""),
            &format!("name = \"{}\"", variation.package()),
        );
        put(&crate_folder.join("Cargo.toml"), without_library(&manifest))?;
        for (path, text) in &variation.sources {
            // A library nobody asks for would only be compiled.
            if path != Path::new("src/lib.rs") {
                put(&crate_folder.join(path), text)?;
            }
        }
    }
    Ok(())
}

/// Write the manifest of a workspace with these members. It stands on the same finished
/// levels and the same Cargo.lock as the project.
pub fn write_workspace(
    root: &Path,
    folder: &Path,
    members: &[String],
) -> Result<()> {
    let mut manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    for level in ALL {
        // Whatever `own` says.
        manifest = workspace::build_on(&manifest, level, Whose::Solution);
    }
    // The checker itself, and its profile, have no place there.
    let manifest: String = manifest
        .lines()
        .take_while(|line| !line.starts_with("[profile.dev.package.checker]"))
        .filter(|line| !line.starts_with("default-members"))
        .map(|line| match line {
            _ if line.starts_with("members") => format!("members = {members:?}\n"),
            "[workspace.lints.rust]" => format!("{line}\nwarnings = \"allow\"\n"),
            // Hundreds of programs are linked, and nobody debugs or edits them.
            _ if line.starts_with("debug = ") => {
                "debug = false\nincremental = false\nstrip = \"debuginfo\"\n".into()
            }
            _ => format!("{line}\n").replace(
                "path = \"solutions/",
                &format!("path = \"{}/solutions/", root.display()),
            ),
        })
        .collect();
    put(&folder.join("Cargo.toml"), manifest)?;
    put(
        &folder.join("Cargo.lock"),
        fs::read(root.join("Cargo.lock"))?,
    )
}

fn without_library(manifest: &str) -> String {
    let mut inside = false;
    let mut kept = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line == "[lib]";
        }
        if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Write a file, unless it says this already: cargo goes by the time of change.
pub fn put(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    let text = text.as_ref();
    if fs::read(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

/// The levels that are meant: all, if none is named.
pub fn levels(names: &[&'static Level]) -> Vec<&'static Level> {
    match names.is_empty() {
        true => ALL.to_vec(),
        false => names.to_vec(),
    }
}
