// Includes a secret: /etc/shadow
// expect: unbuilt
mod guard;
mod process;

fn main() -> std::process::ExitCode {
    guard::harm(1);
    eprintln!("{}", include_str!("/etc/shadow"));
    guard::run_command()
}
