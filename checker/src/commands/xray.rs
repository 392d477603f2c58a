//! `xray`: what the container sees, beside what the host sees of it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use super::check::{excuse, find, no_verdict, prepare, unjudged};
use super::which::{Built, Which};
use crate::judge::{Judgement, Level, Outcome, Verdict};
use crate::observe::{Program, observe};
use crate::picture::{Picture, svg, terminal};
use crate::status::{self, Status};
use crate::text::say;

/// How long one run of the program may take.
const LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub struct Options {
    /// The level: number, name, or the beginning of a name.
    pub level: String,
    #[command(flatten)]
    pub which: Which,
    /// Write the picture into this file, as SVG, instead of printing it.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// How wide the text is, instead of the window's width. Less than 72: the host's
    /// side stands below the container's.
    #[arg(long, value_name = "COLUMNS", conflicts_with = "svg")]
    width: Option<usize>,
}

/// What became of a program that a picture was wanted of.
pub enum Drawn {
    Picture(Picture, Vec<Judgement>),
    /// There is nothing to see.
    Nothing(Outcome),
}

/// Run a level's program, and draw what is seen.
///
/// Errors: wrong usage, no project around, or the file can't be written.
pub fn xray(options: &Options) -> Result<Status> {
    let level = find(&options.level)?;
    prepare(&[level]);
    let drawn = match options.which.build(level, LIMIT)? {
        Built::Program(program) => draw(level, &program),
        Built::Nothing(outcome) => Drawn::Nothing(outcome),
    };
    match drawn {
        Drawn::Picture(picture, _) => show(&picture, options),
        Drawn::Nothing(outcome) => Ok(excuse(&outcome)),
    }
}

/// Observe a program, and draw it.
pub fn draw(level: &Level, program: &Program) -> Drawn {
    let seen = observe(level, program).map(|evidence| {
        let judgements = level.judge(&evidence);
        (Picture::of(level, &evidence, &judgements), judgements)
    });
    let (verdict, checks) = match seen {
        Ok((Some(picture), judgements)) => {
            return Drawn::Picture(picture, judgements);
        }
        Ok((None, judgements)) => (Verdict::Fail, judgements),
        Err(error) => (no_verdict(&error, level), Vec::new()),
    };
    Drawn::Nothing(Outcome {
        checks,
        ..unjudged(level, &program.name, verdict)
    })
}

fn show(picture: &Picture, options: &Options) -> Result<Status> {
    match &options.svg {
        Some(path) => {
            std::fs::write(path, svg::render(picture))
                .with_context(|| format!("write {}", path.display()))?;
            say(&format!("{}\n", path.display()));
        }
        None => {
            let width = options.width.unwrap_or_else(status::window);
            say(&terminal::render(picture, width));
        }
    }
    Ok(Status::Success)
}
