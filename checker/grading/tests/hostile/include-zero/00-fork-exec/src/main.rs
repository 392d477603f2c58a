// Includes a file that has no end.
// expect: unbuilt
static ALL: &[u8] = include_bytes!("/dev/zero");

fn main() {
    println!("{}", ALL.len());
}
