// Says that the program is a library with nothing to be run.
// expect: fail
#![crate_type = "staticlib"]

fn main() {}
