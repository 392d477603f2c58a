//! The formats, and where each is written.

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;
use report::Submission;

use super::{
    Class, Head, csv, exercism, feedback, github, gradescope, html, json, junit,
    markdown,
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

    /// What it writes.
    fn kind(self) -> Kind {
        match self {
            Self::Json => Kind::Whole("report.json", json::write),
            Self::Html => Kind::Whole("report.html", html::write),
            Self::Markdown => Kind::Whole("report.md", markdown::write),
            Self::Junit => Kind::Whole("report.xml", junit::write),
            Self::Csv => Kind::Whole("report.csv", csv::write),
            Self::Github => Kind::Annotations,
            Self::Exercism => Kind::Each("exercism", RESULTS, exercism::of),
            Self::Gradescope => Kind::Each("gradescope", RESULTS, gradescope::of),
            Self::Feedback => Kind::Each("feedback", ".md", feedback::of),
        }
    }

    /// Write the report of this format into a folder.
    pub fn write(self, class: &dyn Class, folder: &Path) -> Result<()> {
        match self.kind() {
            Kind::Whole(name, write) => {
                draft(&folder.join(name), |out| write(class, out))
            }
            Kind::Each(name, ending, of) => {
                each(class, &folder.join(name), ending, of)
            }
            Kind::Annotations => annotate(class),
        }
    }
}

enum Kind {
    /// This file.
    Whole(&'static str, fn(&dyn Class, &mut dyn Write) -> Result<()>),
    /// In this folder a file for each submission: its key, and this ending.
    Each(
        &'static str,
        &'static str,
        fn(&Submission, &Head) -> Result<String>,
    ),
    Annotations,
}

/// Write these reports into a folder, and take away what another run has left there:
/// reports of other formats, and on people who aren't in this class. Files that aren't
/// ours stay.
pub fn write_all(
    formats: &[Format],
    class: &dyn Class,
    folder: &Path,
) -> Result<()> {
    for format in formats {
        format.write(class, folder)?;
    }
    let mut names = BTreeSet::new();
    class.each(&mut |submission| {
        names.insert(input::key(&submission.name));
        Ok(())
    })?;
    for format in Format::value_variants() {
        let is_written = formats.contains(format);
        match format.kind() {
            Kind::Whole(name, _) if !is_written => remove(&folder.join(name))?,
            Kind::Each(name, ending, _) => {
                let nobody = BTreeSet::new();
                let kept = if is_written { &names } else { &nobody };
                remove_others(&folder.join(name), ending, kept)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Remove the files of everybody but these.
fn remove_others(
    folder: &Path,
    ending: &str,
    kept: &BTreeSet<String>,
) -> Result<()> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let key = match ending.starts_with('/') {
            true => Some(name.as_str()),
            false => name.strip_suffix(ending),
        };
        let Some(key) = key.filter(|key| !kept.contains(*key)) else {
            continue;
        };
        remove(&folder.join(format!("{key}{ending}")))?;
        // Somebody may have put something beside it.
        let _ = fs::remove_dir(entry.path());
    }
    let _ = fs::remove_dir(folder);
    Ok(())
}

fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if isnt_there(&error) => Ok(()),
        done => done.with_context(|| format!("rm {}", file.display())),
    }
}

fn isnt_there(error: &io::Error) -> bool {
    let kind = error.kind();
    kind == ErrorKind::NotFound || kind == ErrorKind::NotADirectory
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
    of: fn(&Submission, &Head) -> Result<String>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    /// The files below a folder, sorted.
    fn files(folder: &Path) -> Vec<String> {
        fn below(top: &Path, folder: &Path, all: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(top).unwrap().display().to_string();
                match path.is_dir() {
                    true => below(top, &path, all),
                    false => all.push(name),
                }
            }
        }
        let mut all = Vec::new();
        below(folder, folder, &mut all);
        all.sort();
        all
    }

    #[test]
    fn what_another_run_has_left_is_taken_away() {
        let folder = env::temp_dir().join(format!("left-{}", std::process::id()));
        fs::create_dir_all(folder.join("exercism/theirs")).unwrap();
        fs::write(folder.join("report.pdf"), "").unwrap();
        fs::write(folder.join("exercism/theirs/notes.txt"), "").unwrap();
        fs::write(folder.join("exercism/README"), "").unwrap();
        let all = Format::value_variants();
        let all: Vec<Format> = all
            .iter()
            .copied()
            .filter(|one| *one != Format::Github)
            .collect();
        write_all(&all, &sample::class(), &folder).unwrap();
        assert_eq!(files(&folder).len(), 3 + 5 + 3 * 5);

        let (head, mut submissions) = sample::class();
        submissions.retain(|one| one.name == "bob");
        let formats = [Format::Csv, Format::Gradescope];
        write_all(&formats, &(head, submissions), &folder).unwrap();
        let expected = [
            "exercism/README",
            "exercism/theirs/notes.txt",
            "gradescope/bob/results.json",
            "report.csv",
            "report.pdf",
        ];
        assert_eq!(files(&folder), expected);
        let names = fs::read_dir(folder.join("gradescope")).unwrap();
        assert_eq!(names.count(), 1, "empty folders are gone, too");
        fs::remove_dir_all(folder).unwrap();
    }
}
