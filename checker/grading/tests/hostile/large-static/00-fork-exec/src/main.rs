// A program with half a gigabyte in it.
// expect: unbuilt
static ALL: [u8; 512 << 20] = [1; 512 << 20];

fn main() {
    println!("{}", std::hint::black_box(&ALL)[7]);
}
