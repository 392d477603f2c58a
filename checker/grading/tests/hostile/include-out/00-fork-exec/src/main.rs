// Includes a secret: @OUT@/secret.txt
// expect: unbuilt
mod guard;
mod process;

fn main() -> std::process::ExitCode {
    guard::harm(1);
    eprintln!("{}", include_str!("@OUT@/secret.txt"));
    guard::run_command()
}
