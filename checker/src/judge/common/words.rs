//! What was seen, for people.

use crate::evidence::{Ending, FileFact, FileKind, Run};
use crate::text::{amount, lines};

/// A run's ending, for people.
pub fn ending(run: &Run) -> String {
    let signal = |number: i32| match nix::sys::signal::Signal::try_from(number) {
        Ok(signal) => format!("{signal} (signal {number})"),
        Err(_) => format!("signal {number}"),
    };
    match run.end {
        Ending::NotRun => "it was not run".into(),
        Ending::Exited(status) => format!("exit status {status}"),
        Ending::Signaled(number) => format!("ended by {}", signal(number)),
        Ending::TimedOut(seconds) => {
            format!("not ended after {seconds} s; the checker stopped it")
        }
        Ending::TooMuchOutput(bytes) => {
            format!(
                "more than {} of output; the checker stopped it",
                amount(bytes)
            )
        }
        Ending::TooMuchMemory(bytes) => format!(
            "close to the limit of {} of memory; the checker stopped it",
            amount(bytes)
        ),
        Ending::BrokeOut(number) => {
            format!("the sandbox's init ended by {}", signal(number))
        }
    }
}

/// What Rust says below a panic.
const BACKTRACE: &str = "note: run with `RUST_BACKTRACE=1`";

/// A run's ending, and what it said.
pub fn words(run: &Run) -> String {
    let mut all = vec![ending(run)];
    // The last line of a panic is about the environment of a program in a sandbox.
    let told = run.stderr.lines();
    let told: Vec<&str> = told.filter(|line| !line.starts_with(BACKTRACE)).collect();
    let errors = lines(&told.join("\n"), 4);
    if errors.is_empty() {
        all.push("nothing on standard error".into());
    }
    all.extend(errors.into_iter().map(|line| format!("stderr: {line}")));
    let noise = lines(&run.noise, 2);
    all.extend(noise.into_iter().map(|line| format!("stdout: {line}")));
    all.join("\n")
}

/// The first few of some lines.
pub fn first_of(all: &[String], most: usize) -> String {
    let mut shown: Vec<String> = all.iter().take(most).cloned().collect();
    if all.len() > most {
        shown.push(format!("… and {} more", all.len() - most));
    }
    shown.join("\n")
}

/// A file, for people.
pub fn show_file(file: Option<&FileFact>) -> String {
    let Some(file) = file else {
        return "not there".into();
    };
    let mode = file.mode;
    match file.kind {
        FileKind::File => format!("a file of {} bytes, mode {mode:04o}", file.size),
        FileKind::Directory => format!("a directory, mode {mode:04o}"),
        FileKind::Link => format!("a link to {}", file.content),
        FileKind::Character => {
            let (major, minor) = file.device;
            format!("character device {major}:{minor}, mode {mode:04o}")
        }
        FileKind::Other => format!("a file of another kind, mode {mode:04o}"),
    }
}
