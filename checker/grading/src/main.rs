//! `cargo checker grade` is this program.

use std::process::ExitCode;

use clap::Parser;
use grading::AtFault;

fn main() -> ExitCode {
    match grading::grade(&grading::Options::parse()) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<AtFault>() { 3 } else { 2 })
        }
    }
}
