//! A command of a demo: a line as one types it, understood by the checker's own command
//! line.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use clap::Parser;

use crate::commands::check::{chosen, find};
use crate::judge::Level;
use crate::{Cli, Command};

/// `cargo checker try 05 --solution -- hostname`
#[derive(Debug, Clone)]
pub struct Line {
    pub text: String,
    /// What stands behind `cargo checker`.
    arguments: Vec<String>,
    /// The numbers of the finished levels that it runs, with the mistake in them.
    levels: BTreeSet<&'static str>,
    pub mistake: Option<String>,
}

impl Line {
    /// Errors: this is nothing to show on a stage; why.
    pub fn parse(text: &str) -> Result<Self> {
        let words = words(text)?;
        let arguments = match &words[..] {
            [cargo, checker, arguments @ ..]
                if cargo == "cargo" && checker == "checker" =>
            {
                arguments.to_vec()
            }
            _ => bail!("a demo runs `cargo checker …`"),
        };
        let (levels, solution, mistake) = match Cli::try_parse_from(&words[1..]) {
            Ok(cli) => match cli.command {
                Some(Command::Try { level, which, .. }) => {
                    (vec![find(&level)?], which.solution, which.mistake)
                }
                Some(Command::Xray(options)) => {
                    let which = options.which;
                    let level = find(&options.level)?;
                    (vec![level], which.solution, which.mistake)
                }
                Some(Command::Check(options)) => {
                    (chosen(&options)?, options.solutions, options.mistake)
                }
                _ => bail!("a demo runs `cargo checker try`, `xray` or `check`"),
            },
            Err(error) => {
                let error = error.to_string();
                bail!("{}", error.lines().next().unwrap_or_default())
            }
        };
        if !solution && mistake.is_none() {
            bail!("it runs the learner's level: add --solution or --mistake NAME");
        }
        Ok(Self {
            text: text.into(),
            arguments,
            levels: levels.iter().map(|level| level.number).collect(),
            mistake,
        })
    }

    /// The checker's arguments. What `try` would say first stands there already: typed.
    pub fn arguments(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        if all[0] == "try" {
            all.insert(1, "--quiet");
        }
        all
    }

    /// The levels whose programs it runs.
    pub fn levels(&self) -> Vec<&'static Level> {
        self.levels
            .iter()
            .filter_map(|number| find(number).ok())
            .collect()
    }

    /// Errors: it isn't this level alone that the command runs.
    pub fn is_of(&self, level: &Level) -> Result<()> {
        if self.levels.iter().eq([&level.number]) {
            return Ok(());
        }
        let levels: Vec<&str> = self.levels.iter().copied().collect();
        bail!(
            "the mistakes are of level {}; this command runs {}",
            level.number,
            levels.join(", ")
        )
    }

    /// The same with this mistake, which is one of this level's.
    ///
    /// Errors: as above.
    pub fn with_mistake(&self, level: &Level, name: &str) -> Result<Self> {
        self.is_of(level)?;
        let (options, command) = match self.text.split_once(" -- ") {
            Some((options, command)) => (options, format!(" -- {command}")),
            None => (&*self.text, String::new()),
        };
        let olds = match &self.mistake {
            Some(old) => [format!("--mistake {old}"), format!("--mistake={old}")],
            None => ["--solutions", "--solution"].map(String::from),
        };
        let old = olds.iter().find(|old| options.contains(*old));
        let old = old.map(String::as_str).unwrap_or_default();
        let options = options.replacen(old, &format!("--mistake {name}"), 1);
        let [finished, mistaken] =
            ["solution", "mistake"].map(|kind| format!("{kind}-{}", level.number));
        Self::parse(&(options + &command.replace(&finished, &mistaken)))
    }
}

/// The words of a line, as a POSIX shell splits it (XCU 2.2, "Quoting").
///
/// Errors: a quotation doesn't end; or a character would mean something else to a
/// shell, as in `a | b`.
fn words(line: &str) -> Result<Vec<String>> {
    let mut all: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(character) = rest.next() {
        let begins = word.is_none();
        match character {
            ' ' | '\t' => {
                all.extend(word.take());
                continue;
            }
            '\'' => {
                let (quoted, after) = match rest.as_str().split_once('\'') {
                    Some(parts) => parts,
                    None => bail!("the quotation has no end: '"),
                };
                word.get_or_insert_default().push_str(quoted);
                rest = after.chars();
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next() {
                        Some('"') => break,
                        Some('\\') => match rest.next() {
                            Some(next @ ('$' | '`' | '"' | '\\')) => word.push(next),
                            next => word.extend(['\\'].into_iter().chain(next)),
                        },
                        Some(special @ ('$' | '`')) => {
                            bail!("{}", unquoted(special))
                        }
                        Some(next) => word.push(next),
                        None => bail!("the quotation has no end: \""),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(rest.next()),
            '|' | '&' | ';' | '<' | '>' | '(' | ')' | '$' | '`' | '*' | '?'
            | '[' => {
                bail!("{}", unquoted(character))
            }
            '#' | '~' if begins => bail!("{}", unquoted(character)),
            _ => word.get_or_insert_default().push(character),
        }
    }
    all.extend(word);
    Ok(all)
}

fn unquoted(character: char) -> String {
    format!("a shell would take {character} for itself: put it in single quotes")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::judge::levels::ALL;

    #[test]
    fn words_are_those_of_a_shell() {
        for line in [
            "a  b\tc ",
            "try 00 -- sh -c 'echo \"$HOME\"; exit 7'",
            r#"a"b c"'d e'f '' "" \  \"g "h \" \\ \n i""#,
            "a=b ü … a#b a~b -- --x=y",
        ] {
            let script = format!("printf '<%s>' {line}");
            let shell = Command::new("sh").args(["-c", &script]).output().unwrap();
            let ours: String = words(line)
                .unwrap()
                .iter()
                .map(|word| format!("<{word}>"))
                .collect();
            assert_eq!(ours, String::from_utf8(shell.stdout).unwrap());
        }
        for line in ["a | b", "a; b", "$HOME", "\"$HOME\"", "'a", "\"a", "*", "~"] {
            assert!(words(line).is_err(), "{line}");
        }
    }

    #[test]
    fn only_finished_levels_and_mistakes_are_for_a_stage() {
        let line = Line::parse("cargo checker try 5 --solution -- ls -l").unwrap();
        assert_eq!(line.levels()[0].number, "05");
        let arguments = ["try", "--quiet", "5", "--solution", "--", "ls", "-l"];
        assert_eq!(line.arguments(), arguments);
        for (line, why) in [
            ("ls", "runs `cargo checker …`"),
            ("cargo checker list", "`xray` or `check`"),
            ("cargo checker try 05", "add --solution"),
            ("cargo checker xray 05 --solutoin", "--solutoin"),
            ("cargo checker try 99 --solution", "no level 99"),
        ] {
            let error = Line::parse(line).unwrap_err().to_string();
            assert!(error.contains(why), "{line}: {error}");
        }
    }

    #[test]
    fn a_mistake_takes_the_finished_level_s_place() {
        for (line, mistaken) in [
            ("try 05 --solution", "try 05 --mistake x"),
            ("check 05 --solutions", "check 05 --mistake x"),
            ("xray --mistake old 05", "xray --mistake x 05"),
            ("try 05 --mistake=old", "try 05 --mistake x"),
            (
                "try 05 --solution --outside -- sh -c 'solution-05 run -- a --solution'",
                "try 05 --mistake x --outside -- sh -c 'mistake-05 run -- a --solution'",
            ),
        ] {
            let line = Line::parse(&format!("cargo checker {line}")).unwrap();
            let other = line.with_mistake(ALL[5], "x").unwrap();
            assert_eq!(other.text, format!("cargo checker {mistaken}"));
            assert_eq!(other.mistake.as_deref(), Some("x"));
            assert!(line.with_mistake(ALL[4], "x").is_err());
        }
    }
}
