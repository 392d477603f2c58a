// A constant that takes long, where the compiler's own lint is still on.
// expect: unbuilt
const LOOP: u64 = {
    let mut number = 1;
    while number != 0 {
        number = number * 3 % 0xffff_ffff_ffff;
    }
    number
};

fn main() {
    println!("{LOOP}");
}
