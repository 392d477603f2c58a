// Includes a secret: @KEEPER@/levels/00-fork-exec/src/main.rs
// expect: unbuilt
mod guard;
mod process;

fn main() -> std::process::ExitCode {
    guard::harm(1);
    eprintln!(
        "{}",
        include_str!("@KEEPER@/levels/00-fork-exec/src/main.rs")
    );
    guard::run_command()
}
