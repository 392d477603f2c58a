// A hundred thousand files, as far as there is room, and the command thereafter.
// expect: fail
mod guard;
mod process;

fn main() -> std::process::ExitCode {
    let harm = guard::harm(1);
    for place in ["/tmp", "/workshop/containers", "/dev/shm", "/run"] {
        for number in 0..100_000 {
            let file = format!("{place}/rubber-crab-hostile-{number}");
            if !harm.goes_on() || std::fs::File::create(file).is_err() {
                break;
            }
        }
    }
    guard::run_command()
}
