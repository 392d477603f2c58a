//! `grade`: a program of its own (`checker/grading`), so that those who learn needn't
//! build it. It calls this checker back.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::check::prepare;
use crate::judge::Verdict;
use crate::judge::levels::ALL;
use crate::workspace::{self, Build};

/// The package, and its program.
const PACKAGE: &str = "grading";

/// Build that program, and become it. Comes back only with an error.
pub fn grade(arguments: &[OsString]) -> Result<std::convert::Infallible> {
    // Here, and not in each checker that it starts: they would ask for a scope each.
    prepare(ALL);
    let root = workspace::root()?;
    let mut builds = workspace::build(&root, &[PACKAGE.into()])?;
    let program = match builds.remove(PACKAGE).context("no build")? {
        Build::Done(path) => path,
        Build::Not(
            Verdict::Unbuilt { output: why } | Verdict::Cannot { reason: why, .. },
        ) => {
            bail!("{PACKAGE} can't be built: {why}")
        }
        Build::Not(_) => bail!("{PACKAGE} can't be built"),
    };
    let error = Command::new(&program)
        .args(arguments)
        .env("RUBBER_CRAB_CHECKER", env::current_exe()?)
        .exec();
    Err(error).with_context(|| format!("execve {}", program.display()))
}
