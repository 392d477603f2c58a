// Lets the assembler fill the disk.
// expect: unbuilt
#![allow(unsafe_code)]

std::arch::global_asm!(".data", ".fill 100000000, 8, 1");

fn main() {}
