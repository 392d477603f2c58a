// Says something on standard error, without end, on one line.
// expect: fail
mod guard;
mod process;

use std::io::Write;

fn main() -> std::process::ExitCode {
    let (harm, text) = (guard::harm(3), "x".repeat(64 << 10));
    let mut errors = std::io::stderr();
    while harm.bytes(text.len()) && errors.write_all(text.as_bytes()).is_ok() {}
    guard::run_command()
}
