// What is seen isn't what is compiled: bidi controls, and a NUL.
// expect: unbuilt
fn main() {
    /*@BIDI@ } if admin {@BIDI@ begin */
    let _ = "@NUL@";
    @NUL@
}
