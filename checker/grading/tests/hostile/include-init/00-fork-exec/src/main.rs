// Includes a secret: /proc/1/environ
// expect: unbuilt
mod guard;
mod process;

fn main() -> std::process::ExitCode {
    guard::harm(1);
    eprintln!("{}", include_str!("/proc/1/environ"));
    guard::run_command()
}
