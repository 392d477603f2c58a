//! The formats, and where each is written.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::{
    Class, csv, exercism, feedback, github, gradescope, html, json, junit, markdown,
};
use crate::input;

/// What a report may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// report.json: everything; the others are made from it.
    Json,
    /// report.html: one page, for people.
    Html,
    /// report.md
    Markdown,
    /// report.xml: JUnit.
    Junit,
    /// report.csv: a gradebook.
    Csv,
    /// GitHub's annotations on standard output, and its step summary.
    Github,
    /// exercism/NAME/results.json, version 3.
    Exercism,
    /// gradescope/NAME/results.json
    Gradescope,
    /// feedback/NAME.md: for each learner, with nothing about anybody else.
    Feedback,
}

impl Format {
    /// Those that are written when none is named.
    pub fn usual() -> Vec<Self> {
        let mut usual = vec![Self::Json, Self::Html, Self::Markdown, Self::Junit];
        if env::var_os("GITHUB_ACTIONS").is_some() {
            usual.push(Self::Github);
        }
        usual
    }

    /// Write the report of this format into a folder.
    pub fn write(self, class: &dyn Class, folder: &Path) -> Result<()> {
        type Writer = fn(&dyn Class, &mut dyn Write) -> Result<()>;
        let whole = |name: &str, write: Writer| {
            draft(&folder.join(name), |out| write(class, out))
        };
        match self {
            Self::Json => whole("report.json", json::write),
            Self::Html => whole("report.html", html::write),
            Self::Markdown => whole("report.md", markdown::write),
            Self::Junit => whole("report.xml", junit::write),
            Self::Csv => whole("report.csv", csv::write),
            Self::Github => annotate(class),
            Self::Exercism => {
                each(class, &folder.join("exercism"), RESULTS, exercism::of)
            }
            Self::Gradescope => {
                each(class, &folder.join("gradescope"), RESULTS, gradescope::of)
            }
            Self::Feedback => {
                each(class, &folder.join("feedback"), ".md", feedback::of)
            }
        }
    }
}

/// A report is there whole, or the one that was there before.
fn draft(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    let draft = path.with_extension("draft");
    let all = || -> Result<()> {
        let mut out = BufWriter::new(File::create(&draft)?);
        write(&mut out)?;
        out.flush()?;
        Ok(fs::rename(&draft, path)?)
    };
    all().with_context(|| format!("write {}", path.display()))
}

/// What platforms look for, in a folder of each submission's.
const RESULTS: &str = "/results.json";

/// A file for each submission: its key, and this ending.
fn each(
    class: &dyn Class,
    folder: &Path,
    ending: &str,
    of: fn(&report::Submission, &super::Head) -> Result<String>,
) -> Result<()> {
    class.each(&mut |submission| {
        let file = folder.join(input::key(&submission.name) + ending);
        let folder = file.parent().unwrap_or(folder);
        fs::create_dir_all(folder)
            .with_context(|| format!("mkdir {}", folder.display()))?;
        let text = of(&submission, class.head())?;
        draft(&file, |out| Ok(out.write_all(text.as_bytes())?))
    })
}

/// GitHub reads annotations from standard output, and shows what is in this file
/// (docs.github.com, "Workflow commands for GitHub Actions").
fn annotate(class: &dyn Class) -> Result<()> {
    github::annotations(class, &mut std::io::stdout().lock())?;
    let Some(path) = env::var_os("GITHUB_STEP_SUMMARY") else {
        return Ok(());
    };
    let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
    github::summary(class, &mut file)
        .with_context(|| format!("write {}", Path::new(&path).display()))
}
