//! Whose program a command runs: the learner's, the finished one, the finished one
//! with a mistake, or any executable.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use super::check::{level_program, own_program, unjudged};
use crate::author::variations;
use crate::judge::{Level, Outcome};
use crate::observe::Program;
use crate::workspace::{self, Build, Whose};

#[derive(Debug, Args)]
pub struct Which {
    /// Use the finished level instead of yours.
    #[arg(long)]
    pub solution: bool,
    /// Use the finished level with this mistake: a name from checker/variations.
    #[arg(long, value_name = "NAME", conflicts_with = "solution")]
    pub mistake: Option<String>,
    /// Use this executable instead: any language, if it keeps the contract.
    #[arg(long, value_name = "PROGRAM", conflicts_with_all = ["solution", "mistake"])]
    pub bin: Option<PathBuf>,
}

/// What became of a program that is to be run.
pub enum Built {
    Program(Program),
    /// It doesn't compile, or can't be built here.
    Nothing(Outcome),
}

impl Which {
    /// Build the level's program. `limit`: how long a run of it may take.
    ///
    /// Errors: no project around, no such mistake, no such executable, or cargo can't be
    /// started.
    pub fn build(&self, level: &'static Level, limit: Duration) -> Result<Built> {
        if let Some(path) = &self.bin {
            return Ok(Built::Program(own_program(path, limit)?));
        }
        if let Some(name) = &self.mistake {
            return mistaken(level, name, limit);
        }
        let whose = match self.solution {
            true => Whose::Solution,
            false => Whose::Learner,
        };
        let package = whose.package(level);
        let root = workspace::root()?;
        let mut builds = workspace::build(&root, std::slice::from_ref(&package))?;
        let build = builds.remove(&package).context("no build")?;
        Ok(program(level, &package, build, limit))
    }

    /// The command that judges the same program.
    pub fn check(&self, level: &Level) -> String {
        let choice = match (&self.bin, &self.mistake) {
            (Some(path), _) => format!(" --bin {}", path.display()),
            (None, Some(name)) => format!(" --mistake {name}"),
            (None, None) if self.solution => " --solutions".into(),
            (None, None) => String::new(),
        };
        format!("cargo checker check {}{choice}", level.number)
    }
}

/// Build the finished level with a mistake of the catalogue. The program is called
/// `mistake-NN`. Otherwise as [`Which::build`].
pub fn mistaken(
    level: &'static Level,
    name: &str,
    limit: Duration,
) -> Result<Built> {
    let root = workspace::root()?;
    let all = variations::load(&root, &[level])?;
    let chosen = variations::named(&all, level, name)?;
    if let Some(need) = chosen.needs.filter(|need| !need.is_met()) {
        eprintln!("{name} shows on {need} only, which this machine hasn't got");
    }
    let mut builds = variations::build(&root, &[level], &all, &[chosen])?;
    let build = builds.remove(&chosen.package()).context("no build")?;
    let called = format!("mistake-{}", level.number);
    Ok(program(level, &called, build, limit))
}

fn program(level: &Level, name: &str, build: Build, limit: Duration) -> Built {
    match build {
        Build::Done(path) => Built::Program(level_program(name, path, limit)),
        Build::Not(verdict) => Built::Nothing(unjudged(level, name, verdict)),
    }
}
