//! The project around the checker: where levels are, and how cargo builds them.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;

use crate::judge::levels::ALL;
use crate::judge::{Level, Verdict};
use crate::sys;

/// The folder that holds `levels`, `solutions` and `checker`: the one we are in, or
/// the one this checker was built from.
///
/// Errors: neither is such a folder.
pub fn root() -> Result<PathBuf> {
    let is_root = |path: &Path| {
        ["levels", "solutions", "checker"]
            .iter()
            .all(|name| path.join(name).is_dir())
    };
    let here = env::current_dir().context("getcwd")?;
    if let Some(found) = here.ancestors().find(|path| is_root(path)) {
        return Ok(found.to_owned());
    }
    let built = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_owned);
    match built.filter(|path| is_root(path)) {
        Some(found) => Ok(found),
        None => bail!(
            "no levels/ and solutions/ in {} or above: run this in the project's folder",
            here.display()
        ),
    }
}

/// Whose work is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Learner,
    Solution,
}

impl Whose {
    /// `level-03` or `solution-03`
    pub fn package(self, level: &Level) -> String {
        match self {
            Self::Learner => format!("level-{}", level.number),
            Self::Solution => format!("solution-{}", level.number),
        }
    }

    /// Its folder, from the project's root.
    pub fn folder(self, level: &Level) -> PathBuf {
        let top = match self {
            Self::Learner => "levels",
            Self::Solution => "solutions",
        };
        Path::new(top).join(level.folder())
    }
}

/// On whose crate do later levels build, by the project's Cargo.toml? None: there is
/// no line for this level, as nothing builds on it.
pub fn built_on(manifest: &str, level: &Level) -> Option<Whose> {
    [Whose::Learner, Whose::Solution]
        .into_iter()
        .find(|&whose| dependencies(manifest).any(|line| names(line, level, whose)))
}

/// The learner's levels that later ones build on, instead of the finished ones.
///
/// Errors: Cargo.toml can't be read.
pub fn own() -> Result<Vec<&'static Level>> {
    let path = root()?.join("Cargo.toml");
    let manifest = std::fs::read_to_string(&path)
        .with_context(|| format!("read {}", path.display()))?;
    let own = |level: &&&Level| built_on(&manifest, level) == Some(Whose::Learner);
    Ok(ALL.iter().filter(own).copied().collect())
}

/// The project's Cargo.toml with that one line changed, and nothing else.
pub fn build_on(manifest: &str, level: &Level, whose: Whose) -> String {
    let other = match whose {
        Whose::Learner => Whose::Solution,
        Whose::Solution => Whose::Learner,
    };
    let line = dependencies(manifest).find(|line| names(line, level, other));
    let Some(line) = line else {
        return manifest.to_owned();
    };
    let mut changed = line.to_owned();
    for (old, new) in quoted(level, other).iter().zip(quoted(level, whose)) {
        changed = changed.replace(old, &new);
    }
    let place = line.as_ptr() as usize - manifest.as_ptr() as usize;
    let (before, after) = (&manifest[..place], &manifest[place + line.len()..]);
    format!("{before}{changed}{after}")
}

/// The lines of `[workspace.dependencies]`.
fn dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    manifest
        .lines()
        .skip_while(|line| said(line).trim() != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
}

fn names(line: &str, level: &Level, whose: Whose) -> bool {
    quoted(level, whose)
        .iter()
        .all(|word| said(line).contains(word))
}

/// A line without its comment.
fn said(line: &str) -> &str {
    line.split('#').next().unwrap_or_default()
}

/// A package and its folder, as they stand in Cargo.toml.
fn quoted(level: &Level, whose: Whose) -> [String; 2] {
    let folder = whose.folder(level).display().to_string();
    [whose.package(level), folder].map(|word| format!("\"{word}\""))
}

/// What became of a package.
#[derive(Debug, Clone)]
pub enum Build {
    /// The executable. Warnings were printed already.
    Done(PathBuf),
    /// It doesn't compile, in the compiler's own words with its colours; or cargo can't
    /// write here, which says nothing about it.
    Not(Verdict),
}

/// Build packages, all in one call of cargo, going on when one fails.
///
/// Cargo's progress is shown on a terminal. Errors: cargo can't be started.
pub fn build(root: &Path, packages: &[String]) -> Result<BTreeMap<String, Build>> {
    run_cargo(root, &[], packages)
}

/// Likewise in another workspace, with the same target directory.
pub fn build_in(
    folder: &Path,
    target: &Path,
    packages: &[String],
) -> Result<BTreeMap<String, Build>> {
    run_cargo(
        folder,
        &["--target-dir".as_ref(), target.as_os_str()],
        packages,
    )
}

fn run_cargo(
    folder: &Path,
    options: &[&OsStr],
    packages: &[String],
) -> Result<BTreeMap<String, Build>> {
    let loud = std::io::stderr().is_terminal();
    let colours = colored::control::SHOULD_COLORIZE.should_colorize();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(folder)
        .arg("build")
        .args(options)
        .args(["--keep-going", "--message-format"])
        .arg(match colours {
            true => "json-diagnostic-rendered-ansi",
            false => "json",
        })
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(if loud {
            Stdio::inherit()
        } else {
            Stdio::piped()
        });
    for package in packages {
        command.args(["--package", package]);
    }
    sys::end_with_us(&mut command);
    let mut child = command.spawn().context("start cargo")?;
    let mut executables = BTreeMap::new();
    let mut words: BTreeMap<String, String> = BTreeMap::new();
    let progress = child.stderr.take();
    let messages = child.stdout.take().context("cargo's output")?;
    for line in BufReader::new(messages).lines() {
        let line = line.context("read cargo's output")?;
        let Ok(message) = serde_json::from_str::<serde_json::Value>(&line) else {
            continue;
        };
        let text = |pointer: &str| {
            message
                .pointer(pointer)
                .and_then(|value| value.as_str())
                .unwrap_or_default()
        };
        let package = package_of(text("/package_id"), packages);
        match text("/reason") {
            "compiler-message" => {
                // The library and the program may be made of the same file.
                let all = words.entry(package).or_default();
                let one = text("/message/rendered");
                if !all.contains(one) {
                    all.push_str(one);
                }
            }
            "compiler-artifact" if !text("/executable").is_empty() => {
                executables.insert(package, PathBuf::from(text("/executable")));
            }
            _ => {}
        }
    }
    let mut said = String::new();
    if let Some(mut progress) = progress {
        progress.read_to_string(&mut said).ok();
    }
    child.wait().context("wait for cargo")?;
    let below = words.remove("").unwrap_or_default();
    let result = packages.iter().map(|package| {
        let words = words.get(package).cloned();
        let build = match executables.remove(package) {
            Some(path) => {
                if let Some(warnings) = words {
                    eprint!("{warnings}");
                }
                Build::Done(path)
            }
            // Without a message from the compiler, it is a crate that this one is
            // built on, or cargo itself is at a loss.
            None => Build::Not(match (words, unwritable(&said)) {
                (Some(output), _) => Verdict::Unbuilt { output },
                (None, Some(reason)) if below.is_empty() => {
                    let cure = NO_PLACE.into();
                    Verdict::Cannot { reason, cure }
                }
                (None, _) => Verdict::Unbuilt {
                    output: format!(
                        "{below}cargo build --package {package} failed\n{said}"
                    ),
                },
            }),
        };
        (package.clone(), build)
    });
    Ok(result.collect())
}

/// What helps when cargo can't write where it would.
pub const NO_PLACE: &str = "Let it build in a folder of yours: export CARGO_TARGET_DIR=$HOME/.cache/rubber-crab";

/// Does cargo say that it has no place to write?
fn unwritable(said: &str) -> Option<String> {
    let errnos = [
        Errno::EACCES,
        Errno::EPERM,
        Errno::EROFS,
        Errno::ENOSPC,
        Errno::EDQUOT,
    ];
    let codes = errnos.map(|errno| format!("(os error {})", errno as i32));
    let names = |line: &&str| codes.iter().any(|code| line.contains(code));
    let line = said.lines().find(names)?;
    let first = said.lines().find(|line| line.starts_with("error: "));
    Some(match first.filter(|first| *first != line) {
        Some(first) => format!("{first}\n{}", line.trim()),
        None => line.to_owned(),
    })
}

/// The package that a message is about. Its id ends in `…#level-03@0.1.0`, or, where
/// the folder has the package's name, in `…/level-03#0.1.0`.
fn package_of(id: &str, packages: &[String]) -> String {
    let (folder, rest) = id.rsplit_once('#').unwrap_or((id, ""));
    let folder = folder.rsplit('/').next().unwrap_or_default();
    let name = rest.split_once('@').map_or(folder, |(name, _)| name);
    packages
        .iter()
        .find(|package| *package == name)
        .cloned()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_no_dependency() {
        let line = "hostname = { package = \"solution-05\", path = \"solutions/05-uts-ns\" }";
        let remark = "# was \"level-05\" \"levels/05-uts-ns\"";
        let manifest =
            format!("[workspace.dependencies] # ours\n{remark}\n{line} {remark}\n");
        let level = ALL[5];
        assert_eq!(built_on(&manifest, level), Some(Whose::Solution));
        let mine = build_on(&manifest, level, Whose::Learner);
        assert_eq!(built_on(&mine, level), Some(Whose::Learner));
        assert_eq!(build_on(&mine, level, Whose::Learner), mine);
    }
}
