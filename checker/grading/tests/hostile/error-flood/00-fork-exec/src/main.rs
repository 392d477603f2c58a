// More errors than anybody wants to read.
// expect: unbuilt
macro_rules! ten {
    ($($all:tt)*) => { $($all)* $($all)* $($all)* $($all)* $($all)*
                       $($all)* $($all)* $($all)* $($all)* $($all)* };
}

fn main() {
    ten!(ten!(ten!(ten!(
        ten!(missing::<"a long line of text">(1, 2, 3);)
    ))));
}
