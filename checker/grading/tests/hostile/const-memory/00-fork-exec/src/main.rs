// A constant that takes all memory there is.
// expect: unbuilt
const fn grow<const N: usize>() -> [u8; N] {
    let mut all = [1; N];
    all[N - 1] = 2;
    all
}

static ALL: [u8; 8 << 30] = grow();

fn main() {
    println!("{}", ALL[7]);
}
