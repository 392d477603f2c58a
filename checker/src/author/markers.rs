//! Exercises, as a solution's source marks them:
//!
//! ```text
//! //> 1. Title of the exercise
//! //> What must be true afterwards, on one line or more.
//! //>| placeholder(); // what stands in the skeleton until the exercise is done
//! the_solution();
//! //<
//! ```
//!
//! A region may have several placeholder lines, or none. Without a number, as in
//! `//> -`, it is no exercise: its placeholder stands in the skeleton, its code in the
//! solution, and that is all.

use std::fmt;

/// One exercise of a solution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exercise {
    /// Counts from 1 within a level.
    pub number: u32,
    pub title: String,
    /// The instruction, line by line as it stands in the source.
    pub instruction: Vec<String>,
    /// The line of the source that the region begins on, counted from 1.
    pub line: usize,
}

/// Markers that make no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkerError {
    /// The line of the source, counted from 1.
    pub line: usize,
    pub what: String,
}

impl fmt::Display for MarkerError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for MarkerError {}

/// The skeleton: an instruction and a placeholder where a solution stood.
pub fn derive(source: &str) -> Result<String, MarkerError> {
    render(source, |region, text| {
        region.write_instruction(text);
        region.write_placeholder(text);
    })
}

/// The solution as a program: the code of every region, and no markers.
pub fn solved(source: &str) -> Result<String, MarkerError> {
    render(source, |region, text| region.write_code(text))
}

/// The solution with exercise `number` left undone, and no markers.
///
/// # Errors
/// When the markers make no sense, or there is no such exercise in this source.
pub fn undo(source: &str, number: u32) -> Result<String, MarkerError> {
    if !exercises(source)?
        .iter()
        .any(|found| found.number == number)
    {
        let what = format!("there is no exercise {number} in this file");
        return Err(MarkerError { line: 1, what });
    }
    render(source, |region, text| {
        if region.number == Some(number) {
            region.write_placeholder(text);
        } else {
            region.write_code(text);
        }
    })
}

/// The exercises, in the order in which they stand in the source.
pub fn exercises(source: &str) -> Result<Vec<Exercise>, MarkerError> {
    let mut found: Vec<Exercise> = Vec::new();
    for part in parse(source)? {
        let Part::Region(region) = part else { continue };
        let Some(number) = region.number else {
            continue;
        };
        if found.iter().any(|earlier| earlier.number == number) {
            return error(region.line, format!("a second exercise {number}"));
        }
        found.push(Exercise {
            number,
            title: region.title.to_string(),
            instruction: region.instruction.iter().map(|s| s.to_string()).collect(),
            line: region.line,
        });
    }
    Ok(found)
}

/// A source, cut up. Lines are without their ends; see [`render`].
enum Part<'a> {
    Line(&'a str),
    Region(Region<'a>),
}

#[derive(Default)]
struct Region<'a> {
    line: usize,
    /// None for `//> -`.
    number: Option<u32>,
    title: &'a str,
    indent: &'a str,
    instruction: Vec<&'a str>,
    placeholder: Vec<&'a str>,
    code: Vec<&'a str>,
}

impl Region<'_> {
    fn write_instruction(&self, text: &mut String) {
        if let Some(number) = self.number {
            self.write(text, &format!("// EXERCISE {number}: {}", self.title));
        }
        for line in &self.instruction {
            self.write(text, format!("// {line}").trim_end());
        }
    }

    fn write_placeholder(&self, text: &mut String) {
        for line in &self.placeholder {
            self.write(text, line);
        }
    }

    fn write_code(&self, text: &mut String) {
        for line in &self.code {
            text.push_str(line);
            text.push('\n');
        }
    }

    /// Appends a line at this region's indentation.
    fn write(&self, text: &mut String, line: &str) {
        if !line.is_empty() {
            text.push_str(self.indent);
            text.push_str(line);
        }
        text.push('\n');
    }
}

/// Puts a source together again, with `write` for each region.
fn render(
    source: &str,
    mut write: impl FnMut(&Region, &mut String),
) -> Result<String, MarkerError> {
    let mut text = String::with_capacity(source.len());
    for part in parse(source)? {
        match part {
            Part::Line(line) => {
                text.push_str(line);
                text.push('\n');
            }
            Part::Region(region) => write(&region, &mut text),
        }
    }
    Ok(text)
}

/// What a line says to us.
enum Marker<'a> {
    /// `//> …`, `//>` alone for an empty line, or `//>|…`
    Open(&'a str),
    Close,
}

fn marker(line: &str) -> Option<Marker<'_>> {
    let line = line.trim();
    if line == "//<" {
        return Some(Marker::Close);
    }
    line.strip_prefix("//>").map(Marker::Open)
}

fn parse(source: &str) -> Result<Vec<Part<'_>>, MarkerError> {
    let mut parts = Vec::new();
    let mut lines = (1..).zip(source.lines());
    while let Some((number, line)) = lines.next() {
        match marker(line) {
            None => parts.push(Part::Line(line)),
            Some(Marker::Close) => return error(number, "//< closes nothing"),
            Some(Marker::Open(head)) => {
                let mut region = begin(number, line, head)?;
                read_region(&mut region, &mut lines)?;
                parts.push(Part::Region(region));
            }
        }
    }
    Ok(parts)
}

/// Reads `//> 1. Title` or `//> -`, of which `head` is all after `//>`.
fn begin<'a>(
    line: usize,
    whole: &'a str,
    head: &'a str,
) -> Result<Region<'a>, MarkerError> {
    let indent = &whole[..whole.len() - whole.trim_start().len()];
    let mut region = Region {
        line,
        indent,
        ..Region::default()
    };
    let head = head.trim();
    if head == "-" {
        return Ok(region);
    }
    let numbered = head.split_once(". ").and_then(|(number, title)| {
        let number = number.parse().ok().filter(|&number| number > 0)?;
        Some((number, title.trim()))
    });
    let Some((number, title)) = numbered else {
        return error(line, "a region begins `//> 1. Title` or `//> -`");
    };
    region.number = Some(number);
    region.title = title;
    Ok(region)
}

/// Reads the rest of a region, to its `//<`.
fn read_region<'a>(
    region: &mut Region<'a>,
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
) -> Result<(), MarkerError> {
    for (number, line) in lines {
        match marker(line) {
            Some(Marker::Close) => return check(region),
            None => region.code.push(line),
            Some(Marker::Open(_)) if !region.code.is_empty() => {
                return error(number, "//> amid the code: is the //< missing?");
            }
            Some(Marker::Open(rest)) => {
                if let Some(placeholder) = rest.strip_prefix('|') {
                    let text = placeholder.strip_prefix(' ').unwrap_or(placeholder);
                    region.placeholder.push(text);
                } else if !region.placeholder.is_empty() {
                    return error(number, "an instruction after the placeholder");
                } else if rest.is_empty() || rest.starts_with(' ') {
                    region.instruction.push(rest.trim());
                } else {
                    return error(number, "a space is wanted after //>");
                }
            }
        }
    }
    error(region.line, "this region is never closed: no //<")
}

/// What a whole region must have.
fn check(region: &Region) -> Result<(), MarkerError> {
    let numbered = region.number.is_some();
    if numbered && region.instruction.iter().all(|line| line.is_empty()) {
        return error(region.line, "an exercise without an instruction");
    }
    if numbered && region.code.is_empty() {
        return error(region.line, "an exercise without a solution");
    }
    Ok(())
}

fn error<T>(line: usize, what: impl Into<String>) -> Result<T, MarkerError> {
    let what = what.into();
    Err(MarkerError { line, what })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
//> -
//>| #![allow(unused)]
//<
fn wait() -> i32 {
    //> 1. Wait
    //> Wait for the child.
    //>
    //> EINTR: again.
    //>| let status = 0;
    let status =
        waitpid();
    //<
    //> 2. Clean up
    //> Remove it.
    remove();
    //<
    status
}
";

    #[test]
    fn a_skeleton_has_instructions_and_placeholders() {
        let skeleton = "\
#![allow(unused)]
fn wait() -> i32 {
    // EXERCISE 1: Wait
    // Wait for the child.
    //
    // EINTR: again.
    let status = 0;
    // EXERCISE 2: Clean up
    // Remove it.
    status
}
";
        assert_eq!(derive(SOURCE).unwrap(), skeleton);
    }

    #[test]
    fn undone_is_only_what_was_asked_for() {
        let first = "\
fn wait() -> i32 {
    let status = 0;
    remove();
    status
}
";
        let second = "\
fn wait() -> i32 {
    let status =
        waitpid();
    status
}
";
        assert_eq!(undo(SOURCE, 1).unwrap(), first);
        assert_eq!(undo(SOURCE, 2).unwrap(), second);
        assert!(undo(SOURCE, 3).is_err());
    }

    #[test]
    fn solved_has_no_markers() {
        let text = solved(SOURCE).unwrap();
        assert!(!text.contains("//>") && !text.contains("//<"));
        assert!(text.contains("waitpid();\n    remove();"));
    }

    #[test]
    fn exercises_are_listed_with_their_lines() {
        let found = exercises(SOURCE).unwrap();
        let short: Vec<_> = found
            .iter()
            .map(|e| (e.number, e.title.as_str(), e.line))
            .collect();
        assert_eq!(short, [(1, "Wait", 5), (2, "Clean up", 13)]);
        assert_eq!(
            found[0].instruction,
            ["Wait for the child.", "", "EINTR: again."]
        );
    }

    #[test]
    fn a_source_without_markers_stays_as_it_is() {
        assert_eq!(derive("a // <\n\n  b\n").unwrap(), "a // <\n\n  b\n");
    }

    #[test]
    fn bad_markers_are_refused_with_their_line() {
        let bad = [
            ("a\n//<\n", 2, "closes nothing"),
            ("a\n//> 1. T\n//> do\ncode\n", 2, "never closed"),
            ("//> 1. T\n//> do\ncode\n//> 2. U\n", 4, "amid the code"),
            ("//> T\n//<\n", 1, "begins"),
            ("//> 0. T\n//<\n", 1, "begins"),
            ("//>| x\n//<\n", 1, "begins"),
            ("//> 1. T\ncode\n//<\n", 1, "without an instruction"),
            ("//> 1. T\n//> do\n//<\n", 1, "without a solution"),
            (
                "//> 1. T\n//> do\n//>| x\n//> more\nc\n//<\n",
                4,
                "after the placeholder",
            ),
            ("//> 1. T\n//>do\nc\n//<\n", 2, "a space"),
        ];
        for (source, line, what) in bad {
            let error = derive(source).unwrap_err();
            assert_eq!(error.line, line, "{source}");
            assert!(error.what.contains(what), "{error}");
        }
        let twice = "//> 1. T\n//> a\nb\n//<\n//> 1. U\n//> a\nb\n//<\n";
        assert_eq!(exercises(twice).unwrap_err().line, 5);
    }
}
