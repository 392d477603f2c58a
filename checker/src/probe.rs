//! The program that is planted as a container's command. It says that it is there,
//! then does what it is told, a line at a time, and reports each act.
//!
//! What it reports proves little by itself: the checker looks at its process from
//! outside while it waits.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::chroot;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

/// How names of the probe's file begin; what follows can't be guessed.
pub const PREFIX: &str = "probe-";

/// The name under which this executable is in the default image: a program that
/// leaves a chroot, for the experiments of levels 01 and 03.
pub const BREAK_OUT: &str = "break-out";

/// What a probe calls its process once it is there: between exec and this, the kernel
/// still takes things away and puts others in place.
pub const READY: &str = "probe (ready)";

/// How long a probe stays that nobody talks to: longer than it takes to find it.
const LINGER: Duration = Duration::from_millis(1200);

/// What the probe is told: one a line, as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Leave with this status.
    Exit(i32),
    /// End by SIGSEGV.
    Fault,
    /// Write this text to a file.
    Write(String, String),
    /// Read a file: the first bytes, as text.
    Read(String),
    /// Try to leave a chroot: mkdir, chroot, `..` many times, chroot.
    BreakOut,
    /// Use the devices: what each gives or takes.
    UseDevices,
    /// Open a new pseudo-terminal.
    OpenTerminal,
}

/// What the probe reports: one a line, as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Report {
    Here,
    Did(String),
}

/// Was this executable started under the probe's name? Asked of the kernel
/// (AT_EXECFN, man 3 getauxval), since a runtime may pass any argv[0]. Only fexecve
/// leaves nothing else to go by: its file has no name (man 2 execveat).
pub fn is_wanted() -> bool {
    name().starts_with(PREFIX.as_bytes())
}

/// Likewise, under the name of the break-out?
pub fn is_break_out() -> bool {
    name() == BREAK_OUT.as_bytes()
}

fn name() -> Vec<u8> {
    let name = crate::sys::executed_as();
    let called = std::env::args_os().next().unwrap_or_default();
    let name = match name.starts_with(b"/dev/fd/") {
        true => called.as_bytes(),
        false => name,
    };
    name.rsplit(|byte| *byte == b'/')
        .next()
        .unwrap_or_default()
        .to_vec()
}

/// Leave a chroot, then become the command in the arguments, or a shell, in the root
/// that was reached. Returns only when something failed.
pub fn show_break_out() -> io::Error {
    use std::os::unix::process::CommandExt;
    match break_out() {
        Ok(_) => {}
        Err(error) => return error,
    }
    let mut words = std::env::args_os().skip(1);
    let program = words.next().unwrap_or_else(|| "/bin/sh".into());
    std::process::Command::new(program).args(words).exec()
}

/// Be the probe.
pub fn main() -> ! {
    let _ = CString::new(READY).map(|name| nix::sys::prctl::set_name(&name));
    say(&Report::Here);
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let Ok(act) = serde_json::from_str(&line) else {
            break;
        };
        say(&Report::Did(perform(&act)));
    }
    // It was not told to leave: the runtime has put something else in the place of
    // its input. To see that, one must find it still there.
    std::thread::sleep(LINGER);
    crate::sys::exit_now(0)
}

fn say(report: &Report) {
    let mut line = serde_json::to_vec(report).unwrap_or_default();
    line.push(b'\n');
    let _ = io::stdout()
        .write_all(&line)
        .and_then(|()| io::stdout().flush());
}

fn perform(act: &Act) -> String {
    let done = match act {
        Act::Exit(status) => crate::sys::exit_now(*status),
        Act::Fault => fault(),
        Act::Write(path, text) => fs::write(path, text).map(|()| "ok".into()),
        Act::Read(path) => read(path, 200),
        Act::BreakOut => break_out(),
        Act::UseDevices => Ok(use_devices()),
        Act::OpenTerminal => open_terminal(),
    };
    done.unwrap_or_else(|error| crate::sys::errno_name(&error))
}

/// End by a fault of its own. A signal that was merely sent would not end a process
/// that is its namespace's init (man 7 pid_namespaces); and what isn't dumpable
/// leaves no trace with the host's crash reporter (man 5 core).
fn fault() -> io::Result<String> {
    nix::sys::prctl::set_dumpable(false)?;
    crate::sys::default_action(Signal::SIGSEGV);
    crate::sys::fault()
}

fn read(path: &str, most: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(crate::text::escape(&bytes))
}

/// A root directory moves only for chroot itself: a process whose working directory
/// is outside its root walks up to the real one (man 2 chroot).
fn break_out() -> io::Result<String> {
    let stair = "/.stair";
    match fs::create_dir(stair) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(error);
        }
        _ => {}
    }
    chroot(stair)?;
    for _ in 0..64 {
        std::env::set_current_dir("..")?;
    }
    chroot(".")?;
    std::env::set_current_dir("/")?;
    Ok("ok".into())
}

fn use_devices() -> String {
    let byte = |path: &str| -> io::Result<u8> {
        let mut byte = [0];
        File::open(path)?.read_exact(&mut byte)?;
        Ok(byte[0])
    };
    let write = |path: &str| -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.write_all(b"x")
    };
    let name = |done: io::Result<()>| match done {
        Ok(()) => "ok".to_owned(),
        Err(error) => crate::sys::errno_name(&error),
    };
    let empty = File::open("/dev/null").and_then(|file| {
        let mut text = Vec::new();
        file.take(1).read_to_end(&mut text).map(|count| count == 0)
    });
    [
        format!("null:{}", name(write("/dev/null"))),
        format!("null-is-empty:{}", empty.is_ok_and(|empty| empty)),
        format!("zero:{}", byte("/dev/zero").is_ok_and(|byte| byte == 0)),
        format!("full:{}", name(write("/dev/full"))),
        format!("random:{}", name(byte("/dev/random").map(drop))),
        format!("urandom:{}", name(byte("/dev/urandom").map(drop))),
        format!(
            "fd:{}",
            name(File::open("/dev/fd/0").map(drop).or_else(not_a_file))
        ),
    ]
    .join(" ")
}

/// A socket can't be opened by name: that it was found is enough.
fn not_a_file(error: io::Error) -> io::Result<()> {
    match error.raw_os_error() {
        Some(nix::libc::ENXIO) => Ok(()),
        _ => Err(error),
    }
}

fn open_terminal() -> io::Result<String> {
    let master = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/ptmx")?;
    crate::sys::unlock_pty(&master)?;
    let number = crate::sys::pty_number(&master)?;
    fs::metadata(format!("/dev/pts/{number}"))?;
    Ok("ok".into())
}
