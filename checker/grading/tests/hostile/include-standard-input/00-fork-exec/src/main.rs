// Includes what whoever grades says to the compiler.
// expect: fail
mod guard;
mod process;

fn main() -> std::process::ExitCode {
    guard::harm(1);
    eprintln!("{}", include_str!("/dev/stdin"));
    guard::run_command()
}
