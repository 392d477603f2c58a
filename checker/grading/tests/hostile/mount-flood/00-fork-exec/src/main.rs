// Mounts on mounts, shared ones, twice as many each time.
// expect: fail
mod guard;
mod process;

use nix::mount::{MsFlags, mount};

fn main() -> std::process::ExitCode {
    let harm = guard::harm(1);
    let none = None::<&str>;
    let _ = std::fs::create_dir("/tmp/m");
    for number in 0..10_000 {
        let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
        if !harm.goes_on()
            || mount(Some("/tmp"), "/tmp/m", none, bind, none).is_err()
        {
            eprintln!("{number} mounts");
            break;
        }
    }
    guard::run_command()
}
