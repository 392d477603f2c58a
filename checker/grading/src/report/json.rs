//! `report.json`: all that is known, as `report::Class` has it. A line for each
//! submission, so that one can be found with grep.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use report::{SCHEMA, Submission};
use serde::Deserialize;

use super::{Class, Head};

/// Errors: the class can't be read, or `out` can't be written.
pub fn write(class: &dyn Class, out: &mut dyn Write) -> Result<()> {
    let head = class.head();
    writeln!(out, "{{\n\"schema\": {SCHEMA},")?;
    writeln!(out, "\"machines\": {},", list(&head.machines)?)?;
    if !head.missing.is_empty() {
        let missing = serde_json::to_string(&head.missing)?;
        writeln!(out, "\"missing\": {missing},")?;
    }
    writeln!(out, "\"levels\": {},", list(&head.levels)?)?;
    write!(out, "\"submissions\": [")?;
    let mut before = "\n";
    class.each(&mut |submission| {
        write!(out, "{before}{}", serde_json::to_string(&submission)?)?;
        before = ",\n";
        Ok(())
    })?;
    writeln!(out, "\n]\n}}")?;
    Ok(())
}

fn list(all: &[impl serde::Serialize]) -> Result<String> {
    let lines = all.iter().map(serde_json::to_string);
    let lines: Vec<String> = lines.collect::<Result<_, _>>()?;
    Ok(format!("[\n{}\n]", lines.join(",\n")))
}

/// A report that was written. It is held in memory, and in the order of names.
///
/// Errors: the file can't be read, is no such report or is of another version, or it
/// contradicts itself: a name twice, or a machine that isn't there.
pub fn read(path: &Path) -> Result<(Head, Vec<Submission>)> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("read {}", path.display()))?;
    parse(&text).with_context(|| format!("read {}", path.display()))
}

fn parse(text: &str) -> Result<(Head, Vec<Submission>)> {
    /// Of another version, only this is certain.
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
    }

    let Version { schema } =
        serde_json::from_str(text).context("this is no report on a class")?;
    ensure!(
        schema == SCHEMA,
        "the report has schema {schema}, and this checker reads {SCHEMA}: \
         write it anew with this checker"
    );
    let class: report::Class =
        serde_json::from_str(text).context("this is no report on a class")?;
    let mut submissions = class.submissions;
    submissions.sort_by(|one, other| one.name.cmp(&other.name));
    let mut names = BTreeSet::new();
    for Submission { name, machine, .. } in &submissions {
        ensure!(names.insert(name), "submission {name:?} is there twice");
        ensure!(
            *machine < class.machines.len(),
            "submission {name:?}: there is no machine {machine}"
        );
    }
    let head = Head {
        machines: class.machines,
        missing: class.missing,
        levels: class.levels,
    };
    Ok((head, submissions))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn written(class: &dyn Class) -> String {
        let mut out = Vec::new();
        write(class, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut class = sample::class();
        assert_eq!(parse(&written(&class)).unwrap(), class);
        class.0.missing = vec!["2/3".into(), "3/3".into()];
        assert_eq!(parse(&written(&class)).unwrap(), class);
    }

    #[test]
    fn it_is_read_in_the_order_of_names() {
        let (head, mut submissions) = sample::class();
        submissions.reverse();
        let text = written(&(head, submissions));
        assert_eq!(parse(&text).unwrap(), sample::class());
    }

    #[test]
    fn it_is_what_serde_makes_of_a_class() {
        let class = sample::class();
        let whole = report::Class {
            schema: SCHEMA,
            machines: class.0.machines.clone(),
            missing: class.0.missing.clone(),
            levels: class.0.levels.clone(),
            submissions: class.1.clone(),
        };
        let read: report::Class = serde_json::from_str(&written(&class)).unwrap();
        assert_eq!(read, whole);
    }

    #[test]
    fn each_submission_has_a_line() {
        let (head, mut submissions) = sample::class();
        submissions.retain(|submission| submission.name != sample::hostile_name());
        let text = written(&(head.clone(), submissions));
        assert_eq!(
            text.lines().filter(|line| line.contains("\"of\":")).count(),
            4
        );
        insta::assert_snapshot!(text);
        insta::assert_snapshot!("empty", written(&(head, Vec::new())));
    }

    #[test]
    fn another_version_is_refused() {
        let error = parse(r#"{"schema": 7, "people": []}"#).unwrap_err();
        let wanted = "the report has schema 7, and this checker reads 1: \
            write it anew with this checker";
        assert_eq!(error.to_string(), wanted);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let (head, submissions) = sample::class();
        let mut twice = submissions.clone();
        twice.push(submissions[0].clone());
        let error = parse(&written(&(head.clone(), twice))).unwrap_err();
        assert_eq!(error.to_string(), "submission \"ada\" is there twice");
        let mut nowhere = submissions;
        nowhere[0].machine = 2;
        let error = parse(&written(&(head, nowhere))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "submission \"ada\": there is no machine 2"
        );
        assert!(parse("[]").is_err() && parse("{\"schema\": 1}").is_err());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = read(Path::new("/nowhere/report.json")).unwrap_err();
        assert_eq!(error.to_string(), "read /nowhere/report.json");
    }

    /// For `tests/schemas`: leaves the sample's reports in the folder that it names, for
    /// schemas that no crate here reads.
    #[test]
    fn reports_can_be_left_for_schemas() {
        use crate::report::junit;
        use std::{env, path::PathBuf, process};

        let named = env::var_os("GRADING_SAMPLES").map(PathBuf::from);
        let own = env::temp_dir().join(format!("grading-samples-{}", process::id()));
        let folder = named.as_ref().unwrap_or(&own);
        fs::create_dir_all(folder).unwrap();
        let mut class = sample::class();
        class.0.missing = vec!["2/3".into()];
        let mut report = fs::File::create(folder.join("report.json")).unwrap();
        write(&class, &mut report).unwrap();
        let mut cases = fs::File::create(folder.join("junit.xml")).unwrap();
        junit::write(&class, &mut cases).unwrap();
        assert_eq!(read(&folder.join("report.json")).unwrap(), class);
        if named.is_none() {
            fs::remove_dir_all(own).unwrap();
        }
    }
}
