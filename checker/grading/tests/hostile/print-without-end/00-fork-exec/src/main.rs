// Says something on standard output, without end.
// expect: fail
mod guard;
mod process;

use std::io::Write;

fn main() -> std::process::ExitCode {
    let (harm, lines) = (guard::harm(1), "{\"verdict\":\"pass\"}\n".repeat(4000));
    let mut output = std::io::stdout();
    while harm.bytes(lines.len()) && output.write_all(lines.as_bytes()).is_ok() {}
    guard::run_command()
}
