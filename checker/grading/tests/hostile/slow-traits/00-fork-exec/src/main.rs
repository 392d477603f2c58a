// A question about traits whose answer needs more and more questions.
// expect: unbuilt
struct Pair<A, B>(A, B);

trait Deep {}
impl<A, B> Deep for Pair<A, B>
where
    Pair<Pair<A, B>, Pair<B, A>>: Deep,
    Pair<Pair<B, A>, Pair<A, A>>: Deep,
{
}

fn ask<T: Deep>() {}

fn main() {
    ask::<Pair<u8, u16>>();
}
