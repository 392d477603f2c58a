// Includes a secret: @OUT@/results/keeper.json
// expect: unbuilt
mod guard;
mod process;

fn main() -> std::process::ExitCode {
    guard::harm(1);
    eprintln!("{}", include_str!("@OUT@/results/keeper.json"));
    guard::run_command()
}
