//! A demo that plays by itself: plain text, and a comparison with what the slides show.

use std::io::{IsTerminal, stdout};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Show, Step, head};
use crate::author::variations::{self, Variation};
use crate::console::{difference, without_announcement};
use crate::errand::Errand;
use crate::status::Status;
use crate::text::say;

/// The longest that one command may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The width for which the slides' pictures are made.
const COLUMNS: usize = 100;

/// Play it, with so many seconds between one thing and the next. `all` are the level's
/// variations. Says at the end what isn't as the slides show it.
///
/// Errors: a command can't be started.
pub fn play(show: &Show, all: &[Variation], seconds: u16) -> Result<Status> {
    let pause = Duration::from_secs(seconds.into());
    let mut problems = Vec::new();
    let mut compared = 0;
    for (at, step) in show.steps.iter().enumerate() {
        if at == 0 || show.steps[at - 1].slide != step.slide {
            say(&format!("{}\n\n", head(show, at).join("\n")));
        }
        say(&format!("$ {}", step.line.text));
        wait(pause);
        let came = run(step)?;
        let whole = came.is_empty() || came.ends_with('\n');
        let end = if whole { "" } else { "\n" };
        say(&format!("\n{came}{end}\n"));
        wait(pause);
        if let Some(need) = lacks(show, step, all) {
            say(&format!("(not compared: it shows on {need} only)\n\n"));
            continue;
        }
        compared += 1;
        let shown = without_announcement(&step.output);
        if let Some(difference) = difference(shown, &came) {
            let file = show.file.display();
            let place = format!("{file}:{}: {}", step.place, step.line.text);
            problems.push(format!("{place}\n{difference}"));
        }
    }
    for problem in &problems {
        eprintln!("{problem}");
    }
    let right = compared - problems.len();
    eprintln!("{right} of {compared} commands print what the slides show");
    Ok(match problems.is_empty() {
        true => Status::Success,
        false => Status::Failure,
    })
}

fn wait(pause: Duration) {
    if stdout().is_terminal() {
        sleep(pause);
    }
}

/// What the step's mistake needs of the machine, and isn't here.
fn lacks(show: &Show, step: &Step, all: &[Variation]) -> Option<variations::Need> {
    let name = step.line.mistake.as_ref()?;
    let mistake = variations::named(all, show.level, name).ok()?;
    mistake.needs.filter(|need| !need.is_met())
}

/// What a step's command prints, on both outputs.
fn run(step: &Step) -> Result<String> {
    let mut errand = Errand::begin_as_one(&step.line.arguments(), COLUMNS)?;
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(said) = errand.advance() {
            return Ok(said.output);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(format!("it took longer than {} s\n", PATIENCE.as_secs()));
        }
        let mut fds: Vec<PollFd> = errand
            .fds()
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let _ = poll(&mut fds, timeout);
    }
}
