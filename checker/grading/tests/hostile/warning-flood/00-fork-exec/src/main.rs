// A million warnings.
// expect: unbuilt
#![warn(unused_variables, non_snake_case)]
@WARNINGS@

fn main() {
    missing();
}
