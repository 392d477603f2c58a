//! How cargo calls rustc for a level. Cargo itself never sees a submission: what it did
//! for the skeleton, as seen by the wrapper that it lets us put around rustc
//! (RUSTC_WORKSPACE_WRAPPER), is done again with other people's sources.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Set to the folder where calls are written down.
pub const FOLDER: &str = "RUBBER_CRAB_CALLS";
/// What a compilation may know of its environment. Tokens have names like these.
const KNOWN: [&str; 5] = [
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_PRIMARY_PACKAGE",
];

/// One call of rustc.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    /// Without rustc's own name.
    pub arguments: Vec<String>,
    pub environment: BTreeMap<String, String>,
}

impl Call {
    /// What stands behind an option: `--out-dir`, or `-C` with `extra-filename`.
    pub fn value(&self, option: &str) -> Option<&str> {
        let behind = self
            .arguments
            .iter()
            .skip_while(|one| *one != option)
            .nth(1);
        let part = |one: &&String| one.starts_with(&format!("{option}="));
        let whole = self.arguments.iter().find(part);
        let whole = whole.and_then(|one| one.split_once('=')).map(|(_, v)| v);
        behind.map(String::as_str).or(whole)
    }

    /// The name of the program that it makes.
    pub fn program(&self) -> Option<String> {
        let name = self.value("--crate-name")?;
        let extra = self.value("extra-filename").unwrap_or_default();
        Some(format!("{name}{extra}"))
    }
}

/// Where the calls for a package are written down: its library's, its program's.
pub fn files(folder: &Path, package: &str) -> [PathBuf; 2] {
    ["lib", "bin"].map(|kind| folder.join(format!("{package}.{kind}.json")))
}

/// Was this program called in place of rustc?
pub fn is_wanted() -> bool {
    env::var_os(FOLDER).is_some()
}

/// Write down what rustc is asked, and be rustc.
pub fn pass_on() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let Some(rustc) = arguments.next() else {
        eprintln!("called in place of rustc, without its name");
        return ExitCode::FAILURE;
    };
    let arguments: Vec<OsString> = arguments.collect();
    if let Err(error) = write_down(&arguments) {
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    let error = Command::new(&rustc).args(arguments).exec();
    eprintln!("execve {}: {error}", rustc.to_string_lossy());
    ExitCode::FAILURE
}

fn write_down(arguments: &[OsString]) -> Result<()> {
    let package = env::var("CARGO_PKG_NAME").unwrap_or_default();
    let folder = env::var_os(FOLDER).context(FOLDER)?;
    let text = |one: &OsString| one.to_str().map(str::to_owned);
    let arguments: Option<Vec<String>> = arguments.iter().map(text).collect();
    let arguments = arguments.context("an argument of rustc's is no UTF-8")?;
    let environment = env::vars_os()
        .filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        })
        .filter(|(name, _)| {
            name.starts_with("CARGO_PKG_") || KNOWN.contains(&name.as_str())
        })
        .collect();
    let call = Call {
        arguments,
        environment,
    };
    // It is also asked for its version and the like.
    let kind = call.value("--crate-type").unwrap_or_default();
    let [lib, bin] = files(Path::new(&folder), &package);
    let file = match kind {
        "lib" => lib,
        "bin" => bin,
        _ => return Ok(()),
    };
    fs::write(&file, serde_json::to_vec(&call)?)
        .with_context(|| format!("write {}", file.display()))
}
