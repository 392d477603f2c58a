// Asks for a token of whoever grades.
// expect: unbuilt
fn main() {
    println!("{}", env!("CARGO_REGISTRY_TOKEN"));
}
