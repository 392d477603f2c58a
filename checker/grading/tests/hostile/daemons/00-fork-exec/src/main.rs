// Daemons, forked twice and in sessions of their own, that hold its output.
// expect: fail
mod guard;
mod process;

fn main() -> std::process::ExitCode {
    let harm = guard::harm(55);
    for number in 0..50 {
        harm.child(|| {
            guard::in_session_of_its_own();
            harm.child(|| {
                let file = format!("/tmp/rubber-crab-hostile-daemon-{number}");
                while harm.goes_on() {
                    let _ = std::fs::write(&file, "still here");
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
            });
        });
    }
    guard::run_command()
}
