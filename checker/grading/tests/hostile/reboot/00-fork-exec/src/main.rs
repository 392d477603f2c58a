// All that ends a machine: reboot(2), SysRq, /dev/mem, the kernel's settings.
// expect: fail
#![allow(unsafe_code)]
mod guard;
mod process;

use std::fs;

use nix::libc;

fn main() -> std::process::ExitCode {
    guard::harm(5);
    for (file, text) in [
        ("/proc/sysrq-trigger", "h"),
        ("/proc/sys/kernel/core_pattern", "|/tmp/hostile"),
        ("/proc/sys/kernel/sysrq", "1"),
        ("/proc/sys/vm/drop_caches", "1"),
        ("/proc/self/oom_score_adj", "-1000"),
        ("/sys/power/state", "mem"),
    ] {
        if fs::write(file, text).is_ok() {
            eprintln!("ESCAPED: wrote to {file}");
        }
    }
    for (name, number) in [("mem", 1), ("kmsg", 11), ("port", 4)] {
        let path = std::path::PathBuf::from(format!("/tmp/hostile-{name}"));
        let (kind, mode) =
            (nix::sys::stat::SFlag::S_IFCHR, nix::sys::stat::Mode::all());
        let device = libc::makedev(1, number);
        let made = nix::sys::stat::mknod(&path, kind, mode, device);
        if made.is_ok() && fs::File::open(&path).is_ok() {
            eprintln!("ESCAPED: opened {name}");
        }
    }
    // SAFETY: in a PID namespace of its own this ends the namespace's init at most.
    unsafe {
        libc::reboot(libc::RB_ENABLE_CAD);
        libc::reboot(libc::RB_AUTOBOOT);
    }
    guard::run_command()
}
