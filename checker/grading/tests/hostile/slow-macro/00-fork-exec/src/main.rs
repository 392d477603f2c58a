// A macro that calls itself, a bit longer each time, with hardly a limit to that.
// expect: unbuilt
#![recursion_limit = "1000000"]

macro_rules! more {
    ($($all:tt)*) => { more!(x $($all)*); };
}

more!();

fn main() {}
