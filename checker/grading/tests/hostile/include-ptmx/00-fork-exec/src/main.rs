// Includes a terminal on which nobody will ever type.
// expect: unbuilt
fn main() {
    println!("{}", include_str!("/dev/ptmx"));
}
