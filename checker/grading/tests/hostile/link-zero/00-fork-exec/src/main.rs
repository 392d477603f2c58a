// Lets the linker read a library that has no end.
// expect: unbuilt
#![allow(unsafe_code)]

#[link(name = "../../../../../../../dev/zero", modifiers = "+verbatim")]
unsafe extern "C" {
    fn nothing();
}

fn main() {
    // SAFETY: it is never linked.
    unsafe { nothing() };
}
