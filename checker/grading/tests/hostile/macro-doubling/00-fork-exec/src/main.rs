// A macro that makes twice as much of its input, time and again.
// expect: unbuilt
#![recursion_limit = "100000000"]

macro_rules! twice {
    ($($all:tt)*) => { twice!($($all)* $($all)*) };
}

fn main() {
    twice!(a b c d);
}
