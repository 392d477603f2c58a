// Not UTF-8: @BYTES@
// expect: unbuilt
fn main() {}
