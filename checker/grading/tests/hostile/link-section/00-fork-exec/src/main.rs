// Code that runs before main, and after it: it never comes to the command.
// expect: fail
#![allow(unsafe_code)]

extern "C" fn first() {
    // SAFETY: a number.
    unsafe { nix::libc::_exit(0) }
}

#[used]
#[unsafe(link_section = ".init_array")]
static FIRST: extern "C" fn() = first;

fn main() {}
