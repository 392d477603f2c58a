// A program that is larger than any level's, most of it a hole.
// expect: unbuilt
#[repr(align(134217728))]
struct Far(u8);

static FAR: Far = Far(1);

fn main() {
    println!("{}", std::hint::black_box(&FAR).0);
}
