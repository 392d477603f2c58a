// A type that doubles with every call.
// expect: unbuilt
fn grow<T: Default>(depth: u64, value: T) -> u64 {
    match depth {
        0 => size_of_val(&value) as u64,
        _ => grow(depth - 1, (T::default(), value)),
    }
}

fn main() {
    println!("{}", grow(std::env::args().count() as u64, 0_u8));
}
