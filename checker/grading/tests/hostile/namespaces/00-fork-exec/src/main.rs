// Namespaces in namespaces, and many side by side.
// expect: fail
#![allow(unsafe_code)]
mod guard;
mod process;

use nix::libc;

const ALL: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

fn deeper(harm: guard::Harm) {
    // SAFETY: a number.
    while harm.goes_on() && unsafe { libc::unshare(ALL) } == 0 {
        let _ = std::fs::write("/proc/self/uid_map", "0 0 1");
        harm.child(|| deeper(harm));
    }
    harm.hold();
}

fn main() -> std::process::ExitCode {
    let harm = guard::harm(1);
    for _ in 0..200 {
        harm.child(|| deeper(harm));
    }
    harm.hold();
    guard::run_command()
}
