// Ignores all signals, and never ends.
// expect: fail
#![allow(unsafe_code)]
mod guard;
mod process;

fn main() {
    let harm = guard::harm(55);
    for number in (1..=64).filter(|one| *one != nix::libc::SIGALRM) {
        // SAFETY: the handler is the kernel's own.
        unsafe { nix::libc::signal(number, nix::libc::SIG_IGN) };
    }
    harm.hold();
}
