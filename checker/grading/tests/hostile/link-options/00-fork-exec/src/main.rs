// Hands options to the linker by a library's name.
// expect: unbuilt
#![allow(unsafe_code)]

#[link(name = "c -Wl,--version -o /workshop/project/x")]
#[link(name = "x,-plugin=/tmp/hostile.so")]
unsafe extern "C" {
    fn nothing();
}

fn main() {
    // SAFETY: it is never linked.
    unsafe { nothing() };
}
