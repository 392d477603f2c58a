//! A level's demo, for the person in front of the room: the commands on its slides, run
//! for real in the sandbox.
//!
//! Read `deck` (what a demo is), `line` (its commands), then `stage` (played by keys) or
//! `play` (by itself).
//!
//! A demo is a level's deck, `slides/NN-name.md`: there is nothing else to keep in step.
//! In a slide's notes, commands are asides, for `--notes`. On a terminal each runs as a
//! process of its own that has the terminal, as from a shell; `--play` is what the tests
//! run, and compares each output with the slide's.

mod deck;
mod line;
mod play;
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use colored::Colorize;

use crate::author::variations::{self, Variation};
use crate::commands::check::{
    excuse, find, judge, level_program, prepare, unjudged,
};
use crate::image;
use crate::judge::levels::ALL;
use crate::judge::{Level, Verdict};
use crate::status::{self, Status};
use crate::text::say;
use crate::watch::screen;
use crate::workspace::{self, Build, Whose};
use deck::{Deck, Step};

/// How long one run may take, when it is looked whether this host can show the level.
const LIMIT: Duration = Duration::from_secs(10);

/// The keys, a line each.
const KEYS: &str = "\
Space, Enter, →, n, PgDn   type the command; run it; go on
b, ←, p, PgUp   back to this step's beginning, then to the step before
r   run this step's command at once, or again
m   the same command with a mistake of the catalogue: choose one
s   a shell in this container;  x  its picture
l   list the steps, and go to one;  g  go to a step: its number
0, Home   start over
?   these keys
q, Ctrl-C   leave; while a command runs, Ctrl-C is the command's";

#[derive(Debug, Args)]
#[command(after_help = format!("Keys:\n{KEYS}"))]
pub struct Options {
    /// The level: number, name, or the beginning of a name. Without it: the levels that
    /// have a demo.
    level: Option<String>,
    /// Play it with this mistake in place of the finished level: a name from
    /// checker/variations.
    #[arg(long, value_name = "NAME", requires = "level")]
    mistake: Option<String>,
    /// Also show what the presenter says, and run the commands in the slides' notes.
    #[arg(long)]
    notes: bool,
    /// Play without keys, this many seconds after each other. Fails if a command prints
    /// anything but what the slide shows. So it is without a terminal, too.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", requires = "level")]
    play: Option<u16>,
    /// The folder with the decks, instead of slides/: your own.
    #[arg(long, value_name = "FOLDER")]
    slides: Option<PathBuf>,
}

/// A demo that is ready: everything in it is built.
struct Show {
    level: &'static Level,
    file: PathBuf,
    steps: Vec<Step>,
    /// The mistakes to choose from, on this machine.
    mistakes: Vec<Mistake>,
    /// Is it also shown what the presenter says?
    notes: bool,
}

struct Mistake {
    name: String,
    title: String,
}

/// Play a level's demo, or list those that there are.
///
/// Errors: wrong usage, no such demo, a deck that isn't right, or no project around.
pub fn demo(options: &Options) -> Result<Status> {
    let root = workspace::root()?;
    let slides = options
        .slides
        .clone()
        .unwrap_or_else(|| root.join("slides"));
    let Some(name) = &options.level else {
        return list(&slides);
    };
    let level = find(name)?;
    let mut deck = Deck::read(&slides, level)?.with_context(|| {
        let file = deck::file(&slides, level);
        format!("level {} has no demo: no {}", level.number, file.display())
    })?;
    deck.steps.retain(|step| options.notes || !step.aside);
    if deck.steps.is_empty() {
        bail!(
            "level {} has no demo: no `console` block in {}",
            level.number,
            deck.file.display()
        );
    }
    let all = variations::load(&root, &[level])?;
    if let Some(name) = &options.mistake {
        let name = &variations::named(&all, level, name)?.name;
        for step in &mut deck.steps {
            // What belongs to another level stays as it is.
            if let Ok(line) = step.line.with_mistake(level, name) {
                step.line = line;
            }
        }
    }
    let levels: Vec<&Level> = deck
        .steps
        .iter()
        .flat_map(|step| step.line.levels())
        .collect();
    prepare(&levels);
    let by_itself = options.play.is_some() || !stage::has_terminal();
    if by_itself || stage::is_simple() {
        // What is compared has no colours.
        colored::control::set_override(false);
    }
    let mistakes = match by_itself {
        true => Vec::new(),
        false => to_choose_from(&deck, &all),
    };
    if let Some(status) = make_ready(&root, &deck, &mistakes)? {
        return Ok(status);
    }
    let show = Show {
        level,
        file: deck.file,
        steps: deck.steps,
        mistakes,
        notes: options.notes,
    };
    match by_itself {
        true => play::play(&show, &all, options.play.unwrap_or(0)),
        false => stage::perform(&show),
    }
}

/// The levels that have a demo, and how many steps.
fn list(slides: &Path) -> Result<Status> {
    let mut any = false;
    let mut status = Status::Success;
    for level in ALL {
        match Deck::read(slides, level) {
            Ok(Some(deck)) if !deck.steps.is_empty() => {
                any = true;
                let count = deck.steps.iter().filter(|step| !step.aside).count();
                let steps = if count == 1 { "step " } else { "steps" };
                let Level {
                    number,
                    name,
                    title,
                    ..
                } = level;
                say(&format!(
                    "{number} {name:<12} {count:>2} {steps}  {title}\n"
                ));
            }
            Ok(_) => {}
            Err(error) => {
                eprintln!("error: {error:#}");
                status = Status::Usage;
            }
        }
    }
    if !any && status == Status::Success {
        say(&format!(
            "no demos: a demo is the `console` blocks of {}/NN-name.md\n",
            slides.display()
        ));
    }
    Ok(status)
}

/// The mistakes that show on this machine: first those of the deck, then the others as
/// their checks come, then exercises left undone.
fn to_choose_from(deck: &Deck, all: &[Variation]) -> Vec<Mistake> {
    let shows = |one: &&Variation| one.needs.is_none_or(|need| need.is_met());
    let mut fit: Vec<&Variation> = all
        .iter()
        .filter(|one| one.breaks.as_ref().is_none_or(|all| !all.is_empty()))
        .filter(shows)
        .collect();
    let checks = deck.level.checks;
    fit.sort_by_key(|one| {
        let of_deck = deck
            .steps
            .iter()
            .position(|step| step.line.mistake.as_ref() == Some(&one.name));
        let broken = one.breaks.iter().flatten();
        let place = |id: &String| checks.iter().position(|check| check.id == *id);
        // The first check is that anything runs at all: such a mistake hides the rest.
        let first = broken.filter_map(place).map(|at| match at {
            0 => checks.len(),
            at => at,
        });
        (
            of_deck.unwrap_or(usize::MAX),
            first.min().unwrap_or(usize::MAX),
        )
    });
    let mistake = |one: &Variation| Mistake {
        name: one.name.clone(),
        title: one.title.clone(),
    };
    fit.into_iter().map(mistake).collect()
}

/// Build all that may be run, make the image, and look whether this host can show the
/// level. Says what is being done. A status: there is nothing to show, and it was said
/// why.
fn make_ready(
    root: &Path,
    deck: &Deck,
    mistakes: &[Mistake],
) -> Result<Option<Status>> {
    let mut finished: BTreeSet<&str> = BTreeSet::from([deck.level.number]);
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for step in &deck.steps {
        for level in step.line.levels() {
            match &step.line.mistake {
                Some(name) => {
                    names.entry(level.number).or_default().insert(name);
                }
                None => {
                    finished.insert(level.number);
                }
            }
        }
    }
    if !mistakes.is_empty() {
        let all = mistakes.iter().map(|mistake| &*mistake.name);
        names.entry(deck.level.number).or_default().extend(all);
    }
    let packages: Vec<String> = finished
        .iter()
        .map(|number| Ok(Whose::Solution.package(find(number)?)))
        .collect::<Result<_>>()?;
    tell(&format!("building {}", packages.join(", ")));
    let mut builds = workspace::build(root, &packages)?;
    let package = Whose::Solution.package(deck.level);
    let program = builds.remove(&package).context("no build")?;
    for (number, names) in names {
        let level = find(number)?;
        let count = match names.len() {
            1 => "a mistake".into(),
            count => format!("{count} mistakes"),
        };
        tell(&format!(
            "building {count} of level {number}: the first time, this takes a while"
        ));
        let all = variations::load(root, &[level])?;
        let chosen: Vec<&Variation> = names
            .iter()
            .map(|name| variations::named(&all, level, name))
            .collect::<Result<_>>()?;
        builds.extend(variations::build(root, &[level], &all, &chosen)?);
    }
    let path = match program {
        Build::Done(path) => path,
        Build::Not(verdict) => {
            return Ok(Some(excuse(&unjudged(deck.level, &package, verdict))));
        }
    };
    for (package, build) in builds {
        if let Build::Not(verdict) = build {
            return Ok(Some(excuse(&unjudged(deck.level, &package, verdict))));
        }
    }
    image::ensure(image::DEFAULT)?;
    let outcome = judge(deck.level, &level_program(&package, path, LIMIT), None);
    match &outcome.verdict {
        Verdict::Pass => {}
        _ if outcome.checks.is_empty() => return Ok(Some(excuse(&outcome))),
        Verdict::Cannot { reason, cure } => {
            tell(&format!("this host can't show all of it: {reason}\n{cure}"));
        }
        _ => tell(&format!(
            "the finished level doesn't pass here: cargo checker check {} --solutions",
            deck.level.number
        )),
    }
    Ok(None)
}

/// Something for the presenter, not for the room.
fn tell(words: &str) {
    eprintln!("{}", words.dimmed());
}

/// The line above a step, broken where the window ends, and what the presenter says.
fn head(show: &Show, at: usize) -> Vec<String> {
    let step = &show.steps[at];
    let title = match &*step.title {
        "" => show.level.title,
        title => title,
    };
    let number = format!("[{}/{}]", at + 1, show.steps.len());
    let mut lines = vec![format!("{} {}", number.dimmed(), title.bold())];
    if let Some(say) = step.say.as_ref().filter(|_| show.notes) {
        lines.push(say.dimmed().to_string());
    }
    let columns = status::window();
    let fold = |line: &String| screen::fold(line, columns);
    lines.iter().flat_map(fold).collect()
}
