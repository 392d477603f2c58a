// A fork bomb: each child forks on.
// expect: fail
mod guard;
mod process;

fn fork_on(harm: guard::Harm) {
    while harm.goes_on() {
        if !harm.child(|| fork_on(harm)) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

fn main() -> std::process::ExitCode {
    fork_on(guard::harm(2));
    guard::run_command()
}
