// Computes, and never runs the command.
// expect: fail
mod guard;
mod process;

fn main() {
    let harm = guard::harm(55);
    while harm.goes_on() {
        std::hint::spin_loop();
    }
}
