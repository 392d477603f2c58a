// Many processes compute, each in a session of its own: the kernel gives time to
// expect: fail
// sessions (man 7 sched, "autogroup"). They are too few to be called a crowd.
mod guard;
mod process;

fn main() -> std::process::ExitCode {
    let harm = guard::harm(10);
    for _ in 0..95 {
        harm.child(|| {
            guard::in_session_of_its_own();
            while harm.goes_on() {
                std::hint::spin_loop();
            }
        });
    }
    harm.hold();
    guard::run_command()
}
