// Memory of its own, and in children, until there is none.
// expect: fail
mod guard;
mod process;

fn eat(harm: guard::Harm) {
    let mut all = Vec::new();
    while harm.bytes(16 << 20) {
        all.push(std::hint::black_box(vec![1_u8; 16 << 20]));
    }
    harm.hold();
}

fn main() -> std::process::ExitCode {
    let harm = guard::harm(3);
    for _ in 0..4 {
        harm.child(|| eat(harm));
    }
    eat(harm);
    guard::run_command()
}
