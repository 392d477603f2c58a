// Fills every place that can be written to.
// expect: fail
mod guard;
mod process;

use std::io::Write;

fn main() -> std::process::ExitCode {
    let (harm, block) = (guard::harm(2), vec![1_u8; 1 << 20]);
    for place in ["/tmp", "/workshop", "/dev/shm", "/run", "/dev", "/"] {
        let file =
            std::fs::File::create(format!("{place}/rubber-crab-hostile-fill"));
        let Ok(mut file) = file else { continue };
        while harm.bytes(block.len()) && file.write(&block).is_ok_and(|n| n > 0) {}
    }
    guard::run_command()
}
