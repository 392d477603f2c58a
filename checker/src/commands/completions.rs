//! `completions`: what a shell needs to complete `cargo checker …`.
//!
//! clap_complete writes the script for a command `checker`. What we add makes the
//! shell use it after `cargo checker`, too, which is an alias of cargo's: there the
//! words begin one later. What cargo itself completes stays as it is.

use anyhow::Result;
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, Args, Command, ValueEnum};
use clap_complete::{Shell, generate};

use crate::judge::levels::ALL;
use crate::status::Status;
use crate::text::say;

/// The name of the command that the script completes.
const NAME: &str = "checker";

const BASH: &str = include_str!("completions/cargo.bash");
const ZSH: &str = include_str!("completions/cargo.zsh");
const FISH: &str = include_str!("completions/cargo.fish");

#[derive(Debug, Args)]
pub struct Options {
    shell: Known,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Known {
    Bash,
    Zsh,
    Fish,
}

/// Print the script for a shell. `command` is the checker's whole command line.
pub fn completions(options: &Options, command: Command) -> Result<Status> {
    let mut command = command.mut_subcommands(with_levels);
    let (shell, ours) = match options.shell {
        Known::Bash => (Shell::Bash, BASH.to_owned()),
        Known::Zsh => (Shell::Zsh, ZSH.to_owned()),
        Known::Fish => (Shell::Fish, levels_for_fish(&command) + FISH),
    };
    let mut script = Vec::new();
    generate(shell, &mut command, NAME, &mut script);
    say(&format!("{}\n{ours}", String::from_utf8_lossy(&script)));
    Ok(Status::Success)
}

/// Where a level is meant, its name can be completed.
fn with_levels(command: Command) -> Command {
    command.mut_args(|argument| match is_level(&argument) {
        true => argument.value_parser(PossibleValuesParser::new(levels())),
        false => argument,
    })
}

fn is_level(argument: &Arg) -> bool {
    argument.is_positional()
        && ["level", "levels"].contains(&argument.get_id().as_str())
}

/// By number first, then by name.
fn levels() -> Vec<PossibleValue> {
    // clap wants names that live as long as the program.
    let value = |name: String, title| PossibleValue::new(&*name.leak()).help(title);
    let folders = ALL.iter().map(|level| value(level.folder(), level.title));
    let names = ALL
        .iter()
        .map(|level| value(level.name.into(), level.title));
    folders.chain(names).collect()
}

/// clap_complete has no words for fish where no option is.
fn levels_for_fish(command: &Command) -> String {
    let mut script = String::new();
    for one in command.get_subcommands() {
        if !one.get_positionals().any(is_level) {
            continue;
        }
        for level in levels() {
            script += &format!(
                "complete -c {NAME} -n '__fish_{NAME}_using_subcommand {}' -f -a {} -d \"{}\"\n",
                one.get_name(),
                level.get_name(),
                level
                    .get_help()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            );
        }
    }
    script
}
