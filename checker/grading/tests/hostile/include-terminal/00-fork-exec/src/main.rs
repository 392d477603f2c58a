// Includes the terminal of whoever grades.
// expect: unbuilt
fn main() {
    println!("{}", include_str!("/dev/tty"));
}
