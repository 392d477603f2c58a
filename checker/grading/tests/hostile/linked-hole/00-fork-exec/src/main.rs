// A linker script of its own makes a program that is larger than any level's.
// expect: unbuilt
#![allow(unsafe_code)]

#[link(
    name = "../../../../../../workshop/project/levels/00-fork-exec/src/hole.ld",
    modifiers = "+verbatim"
)]
unsafe extern "C" {}

fn main() {}
