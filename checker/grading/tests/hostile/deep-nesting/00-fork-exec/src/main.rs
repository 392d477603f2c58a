// An expression in a hundred thousand brackets.
// expect: unbuilt
fn main() {
    let _ = @OPEN@1@CLOSE@;
}
