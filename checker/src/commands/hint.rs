//! `hint`: one step at a time; it never changes the learner's files.

use anyhow::{Context, Result, bail};
use clap::Args;
use colored::Colorize;

use super::level_or_current;
use crate::errand;
use crate::hints;
use crate::lesson;
use crate::progress::{HINTS, Progress};
use crate::status::{Status, width};
use crate::text::say;
use crate::workspace::{self, Whose};

#[derive(Debug, Args)]
pub struct Options {
    /// Number, name, or the beginning of a name; without one, the current level.
    level: Option<String>,
    /// 1: the concept; 2: the call and where it goes; 3: the code, almost. With a
    /// number, for all exercises of the level. Without one, the step after the last
    /// that you have seen, as far as the exercise that is next.
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(HINTS)))]
    step: Option<u32>,
}

pub fn hint(options: &Options) -> Result<Status> {
    let root = workspace::root()?;
    let mut progress = Progress::load();
    let level = level_or_current(options.level.as_deref(), &progress)?;
    let path = root.join(Whose::Learner.folder(level)).join("HINTS.md");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("read {}", path.display()))?;
    let next = lesson::next_step(&root, level).map(|step| step.title);
    let next = next.as_deref();
    let number = options
        .step
        .unwrap_or_else(|| progress.next_hint(level, next));
    let Some((title, section)) = hints::steps(&text).nth(number as usize - 1) else {
        bail!("{} has no step {number}", path.display());
    };
    let title = format!("Level {}, {title}", level.folder());
    say(&format!("{}\n\n", title.bold()));
    let [general, parts @ ..] = &hints::parts(section)[..] else {
        bail!("{} says nothing in step {number}", path.display());
    };
    let show = |part: &[&str]| part.iter().for_each(|block| say(&shown(block)));
    show(general);
    // What comes after the exercise that is next stays to be found out.
    let wanted = next.filter(|_| options.step.is_none());
    let here =
        wanted.and_then(|next| parts.iter().position(|part| is_about(part, next)));
    match here {
        Some(here) => {
            show(&parts[here]);
            if here > 0 {
                say(&format!("{}\n\n", "The exercises before it:".bold()));
            }
            parts[..here].iter().for_each(|part| show(part));
        }
        None => parts.iter().for_each(|part| show(part)),
    }
    let again = format!("cargo checker hint {}", level.number);
    if number == HINTS {
        let solution = Whose::Solution.folder(level);
        let solution = solution.display();
        say(&format!(
            "That was the last hint. The finished level is in {solution}.\n"
        ));
    } else if errand::is_one() {
        say(&format!("More: {}\n", "h".bold()));
    } else if options.step.is_some() {
        say(&format!("More: {again} {}\n", number + 1));
    } else {
        say(&format!("More: {again}\n"));
    }
    if here.is_some_and(|here| here + 1 < parts.len()) {
        say(&format!("For all exercises: {again} {number}\n"));
    }
    progress.note_hint(level, next, number);
    Ok(Status::Success)
}

/// Is this part about the exercise of this title, `EXERCISE 2: Swap the roots`?
fn is_about(part: &[&str], exercise: &str) -> bool {
    let (_, title) = exercise.split_once(": ").unwrap_or_default();
    let told = part.first().and_then(|block| hints::exercise(block));
    told.is_some_and(|(words, _)| words == title)
}

/// A block of Markdown for a terminal: code is indented, and what is bold is bold.
fn shown(block: &str) -> String {
    if let Some(code) = block.strip_prefix("```") {
        let lines = code.lines().skip(1).take_while(|line| *line != "```");
        let indented = lines.map(|line| format!("    {line}\n"));
        return indented.chain(["\n".to_owned()]).collect();
    }
    let words: Vec<&str> = block.split_whitespace().collect();
    let words = words.join(" ");
    let bold = |(index, piece): (usize, &str)| match index % 2 {
        0 => piece.to_owned(),
        _ => piece.bold().to_string(),
    };
    let text: String = words.split("**").enumerate().map(bold).collect();
    let options = textwrap::Options::new(width()).break_words(false);
    format!("{}\n\n", textwrap::fill(&text, options))
}
