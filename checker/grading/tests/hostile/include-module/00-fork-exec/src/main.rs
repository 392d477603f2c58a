// Modules that are other people's files.
// expect: unbuilt
#[path = "../../../../../../../../../../../../@KEEPER@/levels/00-fork-exec/src/main.rs"]
mod by_the_way_up;
#[path = "@KEEPER@/levels/00-fork-exec/src/main.rs"]
mod keeper;

fn main() {
    keeper::main();
    by_the_way_up::main();
}
