// Opens descriptors until there are no more, in many children.
// expect: fail
#![allow(unsafe_code)]
mod guard;
mod process;

use nix::libc;

fn main() -> std::process::ExitCode {
    let harm = guard::harm(1);
    for _ in 0..200 {
        harm.child(|| {
            let mut ends = [0; 2];
            // SAFETY: two numbers are filled in. They are never closed.
            while unsafe { libc::socketpair(1, 1, 0, ends.as_mut_ptr()) } == 0 {}
            harm.hold();
        });
    }
    harm.hold();
    guard::run_command()
}
