// A sum of a hundred thousand numbers, which is a tree as deep.
// expect: unbuilt
fn main() {
    let _: u64 = @SUM@ missing;
}
