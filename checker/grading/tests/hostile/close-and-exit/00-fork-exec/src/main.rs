// Closes everything, its caller's locks and flags too, and leaves at once with 0.
// expect: fail
#![allow(unsafe_code)]
mod guard;
mod process;

fn main() {
    guard::harm(5);
    // SAFETY: numbers.
    unsafe {
        for number in 0..1024 {
            nix::libc::fcntl(number, nix::libc::F_SETFL, nix::libc::O_NONBLOCK);
            nix::libc::close(number);
        }
        nix::libc::_exit(0);
    }
}
