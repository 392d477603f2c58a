//! The project around the checker: where levels are, and how cargo builds them.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::judge::Level;

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

/// What became of a package.
#[derive(Debug, Clone)]
pub enum Build {
    /// The executable. Warnings were printed already.
    Done(PathBuf),
    /// The compiler's own words, with its colours.
    Failed(String),
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
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(folder)
        .arg("build")
        .args(options)
        .args(["--keep-going", "--message-format"])
        .arg(if loud {
            "json-diagnostic-rendered-ansi"
        } else {
            "json"
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
    let result = packages.iter().map(|package| {
        let words = words.get(package).cloned();
        let build = match executables.remove(package) {
            Some(path) => {
                if let Some(warnings) = words {
                    eprint!("{warnings}");
                }
                Build::Done(path)
            }
            // Without a message from the compiler, cargo itself is at a loss.
            None => Build::Failed(words.unwrap_or_else(|| {
                format!("cargo build --package {package} failed\n{said}")
            })),
        };
        (package.clone(), build)
    });
    Ok(result.collect())
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
