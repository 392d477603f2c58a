// Puts links, pipes and sockets where the checker looks for files; a daemon keeps
// expect: fail
// changing them.
extern crate process;
mod guard;
mod pivot;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use rootfs::image;

#[derive(Parser)]
enum Cli {
    Run {
        #[command(flatten)]
        image: image::Options,
        #[arg(last = true, required = true, value_name = "CMD")]
        command: Vec<OsString>,
    },
}

/// As the finished level.
fn run() -> Result<u8> {
    let Cli::Run { image, command } = Cli::try_parse()?;
    let container = image::unpack(&image)?;
    let child = process::fork(|| {
        process::close_descriptors()?;
        mounts::unshare()?;
        mounts::populate(container.root())?;
        pivot::enter(container.root())?;
        process::exec(&command)
    })?;
    process::wait(child)
}

fn swap(path: &Path, number: usize) {
    let _ = fs::remove_file(path);
    let _ = fs::remove_dir_all(path);
    let _ = match number % 5 {
        0 => symlink("/proc/self/root/dev/zero", path),
        1 => symlink("../../../../../../../../etc/passwd", path),
        2 => mkfifo(path, Mode::all()).map_err(Into::into),
        3 => symlink("/dev/pts/ptmx", path),
        _ => fs::create_dir(path),
    };
}

fn main() -> ExitCode {
    let harm = guard::harm(4);
    harm.child(|| {
        guard::in_session_of_its_own();
        let places = ["/workshop/images", "/workshop/containers", "/tmp"];
        for number in 0.. {
            if !harm.goes_on() {
                break;
            }
            for place in places.map(Path::new) {
                let all = fs::read_dir(place).into_iter().flatten().flatten();
                let all: Vec<PathBuf> = all.map(|entry| entry.path()).collect();
                for path in all.iter().take(20) {
                    swap(path, number);
                }
                swap(&place.join("trap"), number);
            }
        }
    });
    let _ = run();
    ExitCode::from(77)
}
