// Includes a secret: /root/.bashrc
// expect: unbuilt
mod guard;
mod process;

fn main() -> std::process::ExitCode {
    guard::harm(1);
    eprintln!("{}", include_str!("/root/.bashrc"));
    guard::run_command()
}
