//! Watches what each level's program really does, and says what it saw and why.
//!
//! Read `plan` (what is run), `observe` (run it, look at it; the sandbox is `belt`), then `judge` (what
//! must hold, and which evidence of which mistake), then `render`. `commands` puts
//! them together; `author` and `image` are for levels and images; `progress` is the
//! learner's.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "Rubber Crab needs Linux: its subject is the Linux kernel. On macOS use a Lima or \
     Docker Desktop machine, on Windows use WSL 2, and clone the project in there."
);

mod author;
mod belt;
mod commands;
mod console;
mod demo;
mod doctor;
mod errand;
mod evidence;
mod foreground;
mod grader;
mod hints;
mod image;
mod judge;
mod keys;
mod lesson;
mod markdown;
mod observe;
mod owner;
mod picture;
mod plan;
mod probe;
mod progress;
mod render;
mod state;
mod status;
mod sys;
mod terminal;
mod text;
mod watch;
mod workspace;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Parser, Subcommand};

use commands::which::{Built, Which};
use status::Status;
use text::say;

/// Rubber Crab: rebuild Docker from scratch, in Rust.
#[derive(Debug, Parser)]
#[command(name = "cargo checker", bin_name = "cargo checker", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge levels now.
    Check(commands::check::Options),
    /// Run a level by hand: a shell in your container, inside the sandbox.
    Try {
        level: String,
        #[command(flatten)]
        which: Which,
        /// Run the command beside the container instead of in it, or a shell: in the
        /// sandbox, as the level's caller. There level-NN (with --solution:
        /// solution-NN, with --mistake: mistake-NN, with --bin: its file's name) is a
        /// command.
        #[arg(long)]
        outside: bool,
        /// Don't say what is run.
        #[arg(long, short)]
        quiet: bool,
        /// The command, or `run` and its options.
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// What your container sees, beside what the host sees of it.
    Xray(commands::xray::Options),
    /// List the levels, and how far you are.
    List,
    /// The next step, without changing anything of yours.
    Hint(commands::hint::Options),
    /// Your level against the finished one: `-` yours, `+` the finished one's.
    Diff(commands::diff::Options),
    /// Start a level over. A copy of your work is kept.
    Reset(commands::reset::Options),
    /// Put the finished level in place of yours. A copy of your work is kept.
    Solve(commands::solve::Options),
    /// Build later levels on your own crate instead of the finished one.
    Own(commands::own::Options),
    /// Make, import, list images.
    Image {
        #[command(subcommand)]
        action: commands::image::Action,
    },
    /// Play a level's demo, for the person in front of the room.
    Demo(demo::Options),
    /// What this host can do, what it can't, and the cure.
    Doctor {
        #[arg(long)]
        json: bool,
    },
    /// Judge other people's work: a submission, or a class of them.
    #[command(disable_help_flag = true)]
    Grade {
        /// See `grade --help`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// A script that lets your shell complete `cargo checker …`.
    ///
    /// bash: cargo checker completions bash >~/.checker.bash
    ///       and at the end of ~/.bashrc: source ~/.checker.bash
    ///
    /// zsh:  cargo checker completions zsh >~/.checker.zsh
    ///       and at the end of ~/.zshrc: autoload -U compinit && compinit
    ///                                   source ~/.checker.zsh
    ///
    /// fish: cargo checker completions fish >~/.config/fish/conf.d/checker.fish
    ///
    /// Then start a new shell.
    #[command(verbatim_doc_comment)]
    Completions(commands::completions::Options),
    /// What `grade` asks of the checker.
    #[command(hide = true)]
    Grader {
        #[command(subcommand)]
        action: grader::Action,
    },
    /// For those who write levels.
    Author {
        #[command(subcommand)]
        action: Author,
    },
}

#[derive(Debug, Subcommand)]
enum Author {
    /// Make the book, a site of the lessons and all around them: target/book. Where
    /// it isn't yet, mdbook is installed below target/.
    Book,
    /// Do the checks catch what is wrong, and pass what is right?
    Verify(commands::variations::Options),
    /// Draw the finished levels, for the lessons: levels/NN-name/picture.svg.
    Pictures {
        /// The levels; all, if none is named.
        #[arg(value_name = "LEVEL")]
        levels: Vec<String>,
        /// Change nothing: fail if a picture is out of date.
        #[arg(long)]
        check: bool,
    },
    /// Derive levels/ from solutions/.
    Sync {
        /// Change nothing: fail with the difference if they have drifted.
        #[arg(long)]
        check: bool,
        /// Also replace files that were edited.
        #[arg(long, conflicts_with = "check")]
        overwrite: bool,
    },
}

fn main() -> ExitCode {
    if probe::is_wanted() {
        probe::main();
    }
    if probe::is_break_out() {
        eprintln!("break-out: {}", probe::show_break_out());
        return ExitCode::FAILURE;
    }
    if probe::is_blackboard() {
        return match probe::show_blackboard() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("blackboard: {error}");
                ExitCode::FAILURE
            }
        };
    }
    if probe::is_listen() {
        eprintln!("listen: {}", probe::show_listen());
        return ExitCode::FAILURE;
    }
    if grader::calls::is_wanted() {
        return grader::calls::pass_on();
    }
    errand::end_with_caller();
    // Whoever starts the checker may ignore it: then nothing can be waited for.
    sys::default_action(nix::sys::signal::Signal::SIGCHLD);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            hint_at_level(&error);
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    match run(cli.command) {
        Ok(status) => status.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            Status::Usage.into()
        }
    }
}

/// A level in place of a command: which one was meant?
fn hint_at_level(error: &clap::Error) {
    let word = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word))
            if env::args().nth(1).as_ref() == Some(word) =>
        {
            word
        }
        _ => return,
    };
    match judge::levels::find(word) {
        Ok(level) => {
            eprintln!("\nto judge it: cargo checker check {}", level.number);
        }
        Err(near) if near.is_empty() => {}
        Err(near) => eprintln!("\nif you mean a level: {}", near.join(", ")),
    }
}

fn run(command: Option<Command>) -> Result<Status> {
    match command {
        None => watch::workshop(),
        Some(Command::Check(options)) => commands::check::check(&options),
        Some(Command::Try {
            level,
            which,
            outside,
            quiet,
            arguments,
        }) => try_level(&level, &which, (outside, quiet), &arguments),
        Some(Command::Xray(options)) => commands::xray::xray(&options),
        Some(Command::List) => commands::list::list(),
        Some(Command::Hint(options)) => commands::hint::hint(&options),
        Some(Command::Diff(options)) => commands::diff::diff(&options),
        Some(Command::Reset(options)) => commands::reset::reset(&options),
        Some(Command::Solve(options)) => commands::solve::solve(&options),
        Some(Command::Own(options)) => commands::own::own(&options),
        Some(Command::Completions(options)) => {
            commands::completions::completions(&options, Cli::command())
        }
        Some(Command::Image { action }) => commands::image::image(&action),
        Some(Command::Demo(options)) => demo::demo(&options),
        Some(Command::Doctor { json }) => examine(json),
        Some(Command::Grade { arguments }) => {
            match commands::grade::grade(&arguments)? {}
        }
        Some(Command::Grader { action }) => grader::grader(&action),
        Some(Command::Author {
            action: Author::Book,
        }) => commands::book::book(),
        Some(Command::Author {
            action: Author::Verify(options),
        }) => commands::variations::verify(&options),
        Some(Command::Author {
            action: Author::Pictures { levels, check },
        }) => commands::pictures::pictures(&levels, check),
        Some(Command::Author {
            action: Author::Sync { check, overwrite },
        }) => {
            let mode = match check {
                true => author::Mode::Check,
                false => author::Mode::Write { overwrite },
            };
            let report = author::sync(&workspace::root()?, mode)?;
            say(&format!("{report}"));
            Ok(if report.is_clean() {
                Status::Success
            } else {
                Status::Failure
            })
        }
    }
}

fn try_level(
    name: &str,
    which: &Which,
    (outside, quiet): (bool, bool),
    arguments: &[OsString],
) -> Result<Status> {
    let level = commands::check::find(name)?;
    commands::check::prepare(&[level]);
    match which.build(level, Duration::MAX)? {
        Built::Program(program) => {
            let status = commands::try_level::try_level(
                &program,
                level.contained,
                &which.check(level),
                (outside, quiet),
                arguments,
            )?;
            Ok(Status::Own(status as u8))
        }
        Built::Nothing(outcome) => Ok(commands::check::excuse(&outcome)),
    }
}

fn examine(json: bool) -> Result<Status> {
    let items = doctor::examine();
    match json {
        true => say(&format!("{}\n", serde_json::to_string_pretty(&items)?)),
        false => say(&doctor::render(&items, status::columns())),
    }
    Ok(Status::Success)
}
