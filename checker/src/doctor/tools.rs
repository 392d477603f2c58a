//! The tool chain, memory and disk.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::statfs::{FsType, statfs};
use nix::sys::statvfs::statvfs;
use nix::unistd::getpid;

use super::around::Around;
use super::cause::Cause;
use super::ids::install;
use super::trial::{Failure, NO_ANSWER, trial};
use super::{Costs, Item, PATIENCE};
use crate::text;

/// What memory and disk should have left, in bytes.
const ENOUGH: u64 = 1 << 30;
const TOOL_CHAIN: &str = "tool chain";

/// Compile and link a program that does nothing. cargo is there: it has built this.
pub fn tool_chain(around: &Around) -> Item {
    let output = folder().join(format!("rubber-crab-doctor-{}", getpid()));
    let tried = trial(PATIENCE, || compile(&output));
    let _ = fs::remove_file(&output);
    let trouble = match tried {
        Ok(None) => return Item::fine(TOOL_CHAIN, "rustc compiles and links"),
        Ok(Some(said)) => trouble(&said, around),
        Err(failure) => unusable(&failure),
    };
    Item::missing(TOOL_CHAIN, trouble, Costs::all())
}

fn unusable(failure: &Failure) -> Cause {
    let hangs = failure.step.starts_with(NO_ANSWER);
    let cure = match failure.is(&[Errno::ENOENT]) {
        _ if hangs => "try again when less is running",
        true => ". \"$HOME/.cargo/env\" (puts rustc into PATH)",
        false => "curl -sSf https://sh.rustup.rs | sh (one for this user)",
    };
    Cause {
        reason: format!("rustc can't be run ({failure})"),
        cure: cure.into(),
    }
}

/// Where cargo puts what it builds: this program's own folder, if it is writable.
fn folder() -> PathBuf {
    let own = env::current_exe()
        .ok()
        .and_then(|exe| exe.parent().map(Path::to_owned));
    let writable = |folder: &PathBuf| {
        nix::unistd::access(folder, nix::unistd::AccessFlags::W_OK).is_ok()
    };
    own.filter(writable).unwrap_or_else(env::temp_dir)
}

/// What rustc said, if it failed.
fn compile(output: &Path) -> Result<Option<String>> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut child = Command::new(rustc)
        .args(["--edition", "2024", "--crate-name", "doctor", "-", "-o"])
        .arg(output)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("rustc")?;
    if let Some(mut input) = child.stdin.take() {
        // If it doesn't read, it says why.
        let _ = input.write_all(b"fn main() {}\n");
    }
    let done = child.wait_with_output().context("rustc")?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    Ok((!done.status.success()).then_some(said))
}

/// What rustc's words mean. Pure.
fn trouble(said: &str, around: &Around) -> Cause {
    if said.contains("linker `") && said.contains("not found") {
        let package = match around.installer {
            Some("apt-get") => "gcc libc6-dev",
            Some("apk") => "gcc musl-dev",
            _ => "gcc",
        };
        return Cause {
            reason: "rustc finds no linker (cc)".into(),
            cure: install(package, around),
        };
    }
    if said.contains("crt1.o") || said.contains("Scrt1.o") || said.contains("-lc") {
        let package = match around.installer {
            Some("apt-get") => "libc6-dev",
            Some("apk") => "musl-dev",
            Some("pacman") => "glibc",
            _ => "glibc-devel",
        };
        return Cause {
            reason: "the linker finds no C library to link with".into(),
            cure: install(package, around),
        };
    }
    if said.contains("edition") {
        return Cause {
            reason: "this rustc doesn't know the edition of 2024 (1.85)".into(),
            cure: "rustup update stable".into(),
        };
    }
    if said.contains("No space left") {
        return Cause {
            reason: "the disk is full".into(),
            cure: "cargo clean".into(),
        };
    }
    let first = said.lines().find(|line| line.starts_with("error"));
    let first = first.or(said.lines().next()).unwrap_or("it said nothing");
    Cause {
        reason: format!(
            "rustc fails ({})",
            text::clip(&text::escape(first.as_bytes()), 120)
        ),
        cure: "rustup toolchain install stable".into(),
    }
}

/// Memory that can be had without swapping.
pub fn memory() -> Item {
    let table = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    judge_memory(available(&table))
}

fn judge_memory(bytes: Option<u64>) -> Item {
    let Some(bytes) = bytes else {
        return Item::fine("memory", "not known: /proc/meminfo doesn't say");
    };
    let free = text::amount(bytes);
    if bytes >= ENOUGH {
        return Item::fine("memory", format!("{free} free"));
    }
    let cause = Cause {
        reason: format!("{free} free, less than {}", text::amount(ENOUGH)),
        cure: "close some programs, or give this machine more".into(),
    };
    Item::missing("memory", cause, Costs::default())
}

/// `MemAvailable` of /proc/meminfo, in bytes (man 5 proc).
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

/// Room where cargo builds, and what kind of place that is.
pub fn disk(around: &Around) -> Item {
    let folder = folder();
    let kind = statfs(&folder).map(|fs| fs.filesystem_type());
    if around.wsl2 && kind.is_ok_and(is_shared) {
        return Item::missing("disk", on_windows(&folder), Costs::default());
    }
    let room = statvfs(&folder).map(|fs| fs.blocks_available() * fs.fragment_size());
    judge_disk(&folder, room.ok())
}

/// 9p and FUSE (virtiofs): with these WSL 2 shows Windows' disks.
fn is_shared(kind: FsType) -> bool {
    [0x0102_1997, 0x6573_5546].contains(&kind.0)
}

fn on_windows(folder: &Path) -> Cause {
    Cause {
        reason: format!("{} is on Windows' disk, which is slow", folder.display()),
        cure: "cp -r . ~/rubber-crab && cd ~/rubber-crab (Linux' own disk)".into(),
    }
}

fn judge_disk(folder: &Path, bytes: Option<u64>) -> Item {
    let place = folder.display();
    let Some(bytes) = bytes else {
        return Item::fine("disk", format!("not known: {place} doesn't say"));
    };
    let free = text::amount(bytes);
    if bytes >= ENOUGH {
        return Item::fine("disk", format!("{free} free in {place}"));
    }
    let cause = Cause {
        reason: format!(
            "{free} free in {place}, less than {}",
            text::amount(ENOUGH)
        ),
        cure: "cargo clean".into(),
    };
    Item::missing("disk", cause, Costs::default())
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn around() -> Around {
        Around {
            uid: 1000,
            installer: Some("apt-get"),
            ..Around::default()
        }
    }

    #[test]
    fn no_linker() {
        let said = "error: linker `cc` not found\n  |\n  = note: No such file";
        assert_eq!(
            trouble(said, &around()),
            Cause {
                reason: "rustc finds no linker (cc)".into(),
                cure: "sudo apt-get install -y gcc libc6-dev".into(),
            }
        );
    }

    #[test]
    fn no_c_library() {
        let said = "error: linking with `cc` failed\n = note: /usr/bin/ld: cannot find \
            Scrt1.o: No such file or directory";
        assert_eq!(
            trouble(said, &around()).cure,
            "sudo apt-get install -y libc6-dev"
        );
    }

    #[test]
    fn an_old_rustc() {
        let said = "error: argument for `--edition` must be one of: 2015|2018|2021";
        assert_eq!(trouble(said, &around()).cure, "rustup update stable");
    }

    #[test]
    fn a_rustc_that_is_slow_need_not_be_replaced() {
        let slow = Failure {
            step: format!("{NO_ANSWER} within 20 s"),
            ..Failure::default()
        };
        assert_eq!(unusable(&slow).cure, "try again when less is running");
    }

    #[test]
    fn other_troubles_are_quoted() {
        let said = "warning: x\nerror: could not do it\n";
        assert_eq!(
            trouble(said, &around()).reason,
            "rustc fails (error: could not do it)"
        );
    }

    #[test]
    fn short_of_memory() {
        let table = "MemTotal: 2048000 kB\nMemAvailable:     512000 kB\n";
        let State::Missing { what, .. } = judge_memory(available(table)).state
        else {
            panic!("512 MB are not enough");
        };
        assert_eq!(what, "500 MiB free, less than 1024 MiB");
    }

    #[test]
    fn windows_disk() {
        assert!(is_shared(FsType(0x0102_1997)));
        assert!(!is_shared(nix::sys::statfs::EXT4_SUPER_MAGIC));
        let reason = on_windows(Path::new("/mnt/c/crab/target")).reason;
        assert_eq!(
            reason,
            "/mnt/c/crab/target is on Windows' disk, which is slow"
        );
    }

    #[test]
    fn short_of_disk() {
        let State::Missing { what, cure, .. } =
            judge_disk(Path::new("/x/target"), Some(100 << 20)).state
        else {
            panic!("100 MiB are not enough");
        };
        assert_eq!(what, "100 MiB free in /x/target, less than 1024 MiB");
        assert_eq!(cure, "cargo clean");
    }
}
