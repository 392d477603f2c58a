// Says that the crate is something else.
// expect: unbuilt
#![crate_name = "serde"]
#![crate_type = "proc-macro"]

fn main() {}
