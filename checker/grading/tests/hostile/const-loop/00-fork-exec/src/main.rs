// A constant that the compiler computes for ever.
// expect: unbuilt
#![allow(long_running_const_eval)]

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
