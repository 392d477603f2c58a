//! The program that is planted as a container's command. It says that it is there,
//! then does what it is told, a line at a time, and reports each act.
//!
//! What it reports proves little by itself: the checker looks at its process from
//! outside while it waits.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chroot};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::Signal;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid};
use serde::{Deserialize, Serialize};

use crate::plan::{Act, READY};

/// How names of the probe's file begin; what follows can't be guessed.
pub const PREFIX: &str = "probe-";

/// The name under which this executable is in the default image: a program that
/// leaves a chroot, for the experiments of levels 01 and 03.
pub const BREAK_OUT: &str = "break-out";

/// Likewise a program that keeps words in shared memory, for level 05.
pub const BLACKBOARD: &str = "blackboard";

/// Where they are: a number that means the same memory to all who know it.
const BLACKBOARD_KEY: i32 = 0x0b0a_4d05;

/// Likewise a program that listens on a port, for level 06.
pub const LISTEN: &str = "listen";

/// How long a probe stays that nobody talks to: longer than it takes to find it.
const LINGER: Duration = Duration::from_millis(1200);

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

/// Likewise, under the name of the blackboard?
pub fn is_blackboard() -> bool {
    name() == BLACKBOARD.as_bytes()
}

/// Likewise, under the name of the one that listens?
pub fn is_listen() -> bool {
    name() == LISTEN.as_bytes()
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

/// Write the arguments into shared memory; without any, show what is there. It stays
/// when this process has ended (man 7 sysvipc).
pub fn show_blackboard() -> io::Result<()> {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if words.is_empty() {
        let written = match crate::sys::shared_memory(BLACKBOARD_KEY, false) {
            Ok(segment) => crate::sys::read_segment(segment),
            Err(Errno::ENOENT) => return writeln!(io::stdout(), "(no blackboard)"),
            Err(errno) => return Err(errno.into()),
        };
        let text = written.split(|byte| *byte == 0).next().unwrap_or_default();
        return writeln!(io::stdout(), "{}", crate::text::escape(text));
    }
    let text = words.join(" ".as_ref());
    let mut content = [0; crate::sys::SEGMENT];
    // The rest are zeros, one at least.
    let room = content.len() - 1;
    let bytes = text.as_bytes().iter().take(room);
    content
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    let segment = crate::sys::shared_memory(BLACKBOARD_KEY, true)?;
    crate::sys::write_segment(segment, content);
    Ok(())
}

/// `listen PORT [CMD…]`: listen on a port of all addresses, then become the command,
/// which has the socket open. Without one: stay. Returns only when something failed.
pub fn show_listen() -> anyhow::Error {
    use std::os::unix::process::CommandExt;
    let mut words = std::env::args_os().skip(1);
    let port = words.next().and_then(|word| word.to_str()?.parse().ok());
    let Some(port) = port else {
        return anyhow::anyhow!("usage: listen PORT [CMD…]");
    };
    let listener = match TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)) {
        Ok(listener) => listener,
        Err(error) => return anyhow::anyhow!("port {port}: {error}"),
    };
    // What Rust opens is closed by exec.
    if let Err(errno) = fcntl(&listener, FcntlArg::F_SETFD(FdFlag::empty())) {
        return errno.into();
    }
    println!("listening on port {port}");
    std::mem::forget(listener);
    match words.next() {
        Some(program) => std::process::Command::new(program)
            .args(words)
            .exec()
            .into(),
        None => {
            wait_for_ever();
            anyhow::anyhow!("woken up")
        }
    }
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
        Act::LeaveOrphans(count) => leave_orphans(*count),
        Act::Listen(port) => Ok(listen(*port)),
        Act::Eat(bytes) => Ok(eat(*bytes)),
        Act::Fork(most) => Ok(fork_until_refused(*most)),
        Act::Spin(count) => spin(*count),
        Act::Pin => pin(),
        Act::MakeDirectory(path) => fs::create_dir(path).map(ok),
        Act::Delete(path) => delete(path).map(ok),
        Act::Rename(old, new) => fs::rename(old, new).map(ok),
        Act::Chmod(path, mode) => {
            fs::set_permissions(path, fs::Permissions::from_mode(*mode)).map(ok)
        }
    };
    done.unwrap_or_else(|error| crate::sys::errno_name(&error))
}

fn ok((): ()) -> String {
    "ok".into()
}

/// A child that goes on without end, and holds nothing of its parent's open.
fn start_child(then: fn()) -> io::Result<()> {
    match crate::sys::fork()? {
        ForkResult::Parent { .. } => Ok(()),
        ForkResult::Child => {
            crate::sys::close_from(0, &[]);
            then();
            crate::sys::exit_now(0)
        }
    }
}

fn wait_for_ever() {
    loop {
        nix::unistd::pause();
    }
}

/// Each is the child of one that ends at once, in a session of its own.
fn leave_orphans(count: u32) -> io::Result<String> {
    for _ in 0..count {
        match crate::sys::fork()? {
            ForkResult::Parent { child } => {
                waitpid(child, None)?;
            }
            ForkResult::Child => {
                let _ = nix::unistd::setsid();
                let _ = start_child(wait_for_ever);
                crate::sys::exit_now(0)
            }
        }
    }
    Ok("ok".into())
}

fn listen(port: u16) -> String {
    let reach = |address: IpAddr| -> io::Result<()> {
        let listener = TcpListener::bind((address, port))?;
        TcpStream::connect_timeout(&(address, port).into(), Duration::from_secs(2))?;
        // It listens for as long as the probe lives.
        std::mem::forget(listener);
        Ok(())
    };
    let name = |done: io::Result<()>| match done {
        Ok(()) => "ok".to_owned(),
        Err(error) => crate::sys::errno_name(&error),
    };
    let four = name(reach(Ipv4Addr::LOCALHOST.into()));
    let six = name(reach(Ipv6Addr::LOCALHOST.into()));
    format!("127.0.0.1:{four} ::1:{six}")
}

/// Write to each page, and keep it.
fn eat(bytes: usize) -> String {
    let mut pages: Vec<Vec<u8>> = Vec::new();
    for _ in 0..bytes / (1 << 20) {
        pages.push(vec![1; 1 << 20]);
    }
    let kept = pages.len();
    std::mem::forget(pages);
    format!("{kept} MiB")
}

fn fork_until_refused(most: u32) -> String {
    for made in 0..most {
        if let Err(error) = start_child(wait_for_ever) {
            return format!("{} after {made}", crate::sys::errno_name(&error));
        }
    }
    format!("{most} made")
}

fn spin(count: u32) -> io::Result<String> {
    for _ in 0..count {
        start_child(|| {
            let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
            loop {
                std::hint::spin_loop();
            }
        })?;
    }
    Ok("ok".into())
}

fn pin() -> io::Result<String> {
    let me = Pid::from_raw(0);
    let allowed = sched_getaffinity(me)?;
    let is_in = |cpu: &usize| allowed.is_set(*cpu).unwrap_or(false);
    let mut last = CpuSet::new();
    last.set((0..CpuSet::count()).rev().find(is_in).unwrap_or(0))?;
    sched_setaffinity(me, &last)?;
    Ok("ok".into())
}

fn delete(path: &str) -> io::Result<()> {
    match fs::symlink_metadata(path)?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
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
