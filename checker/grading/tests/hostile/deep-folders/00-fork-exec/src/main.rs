// Folders in folders, deeper than any path can say.
// expect: fail
mod guard;
mod process;

fn main() -> std::process::ExitCode {
    let harm = guard::harm(1);
    let name = "d".repeat(200);
    for place in ["/tmp", "/workshop/containers"] {
        let _ = std::env::set_current_dir(place);
        for _ in 0..30_000 {
            let made = std::fs::create_dir(&name);
            let entered = std::env::set_current_dir(&name);
            if made.and(entered).is_err() || !harm.goes_on() {
                break;
            }
        }
    }
    let _ = std::env::set_current_dir("/");
    guard::run_command()
}
