// Leaves files, sockets, pipes and mounts with awful names.
// expect: fail
mod guard;
mod process;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sys::stat::Mode;

fn main() -> std::process::ExitCode {
    guard::harm(5);
    let names: [&[u8]; 9] = [
        b"\xff\xfe",
        b"new\nline",
        b"\x1b[2J\x1b]0;hostile\x07",
        b"-rf",
        b" ",
        b"<script>alert(1)</script>",
        b"\n::error::hostile",
        "\u{202e}txt.\u{2066}".as_bytes(),
        b"]]>&#27;<!--",
    ];
    for place in ["/tmp", "/workshop/containers", "/dev/shm"] {
        for name in names {
            let path = Path::new(place).join(OsStr::from_bytes(name));
            let _ = std::fs::create_dir(&path);
            let _ = UnixListener::bind(path.join("socket"));
            let _ = nix::unistd::mkfifo(&path.join("fifo"), Mode::all());
            let _ = std::os::unix::fs::symlink("/proc/self/mem", path.join("link"));
            let tmpfs = Some(OsStr::from_bytes(b"tmpfs"));
            let source = Some(OsStr::from_bytes(name));
            let options = Some("size=16k");
            let _ = mount(source, &path, tmpfs, MsFlags::empty(), options);
        }
    }
    guard::run_command()
}
