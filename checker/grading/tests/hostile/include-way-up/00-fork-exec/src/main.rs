// Includes a secret: ../../../../../../../../../../../..@HOME@/.cargo/credentials.toml
// expect: unbuilt
mod guard;
mod process;

fn main() -> std::process::ExitCode {
    guard::harm(1);
    eprintln!(
        "{}",
        include_str!(
            "../../../../../../../../../../../..@HOME@/.cargo/credentials.toml"
        )
    );
    guard::run_command()
}
