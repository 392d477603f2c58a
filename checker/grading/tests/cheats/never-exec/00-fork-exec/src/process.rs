//! Never calls exec. The child moves its own code to memory that belongs to no file, lets
//! /proc/self/exe lead to the probe and /proc/self/cmdline say its words (prctl
//! PR_SET_MM_MAP), takes its name, and answers as it would.
#![allow(unsafe_code)]

use std::convert::Infallible;
use std::ffi::{CString, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::{ExitCode, ExitStatus};
use std::{env, fmt, fs, io};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{self, SigHandler, Signal};
use nix::unistd::{self, ForkResult, Pid};

/// The status when the runtime itself fails, as Docker has it.
const RUNTIME_FAILED: u8 = 125;
/// The status for a command that is there and can't be executed, as in a shell.
const NOT_EXECUTABLE: u8 = 126;
/// The status for a command that isn't there, as in a shell.
const NOT_FOUND: u8 = 127;

/// Starts a child that carries out `steps`, and gives its pid to the parent.
///
/// The last step is to become another program ([`exec`]). A child whose steps fail
/// says why on stderr and ends there: it never runs what its parent goes on to do.
///
/// # Errors
/// `EAGAIN` when a limit on processes is reached (`man 2 fork`).
pub fn fork(steps: impl FnOnce() -> Result<Infallible>) -> Result<Pid> {
    // What a process ignores stays ignored across exec. Rust ignores SIGPIPE, and
    // commands expect to die of it (`yes | head`). Our caller may ignore SIGCHLD: the
    // kernel would throw away the status that we are to wait for (`man 2 waitpid`).
    set_signals([Signal::SIGPIPE, Signal::SIGCHLD], SigHandler::SigDfl)?;
    //> 1. Make a child
    //> Call `unistd::fork`, in an `unsafe` block: here it is safe, because this
    //> process has only one thread. From there on, two processes run the same code;
    //> the return value tells each which one it is. The child has to `carry_out` the
    //> steps (that never returns), the parent to return the child's pid.
    //>| carry_out(steps) // no child yet: the runtime itself becomes the command
    // SAFETY: this process has one thread. In a child of a process with several,
    // the other threads are gone and their locks stay locked for ever, malloc's
    // too (`man 7 signal-safety`).
    match unsafe { unistd::fork() }.context("fork")? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => carry_out(steps),
    }
    //<
}

/// Says what is to happen when one of these signals arrives.
fn set_signals(signals: [Signal; 2], handler: SigHandler) -> Result<()> {
    for name in signals {
        // SAFETY: the handler is one of the kernel's, never a function of ours.
        unsafe { signal::signal(name, handler) }
            .with_context(|| format!("signal {name}"))?;
    }
    Ok(())
}

/// The child's half of [`fork`]. Whatever happens, it ends here.
fn carry_out(steps: impl FnOnce() -> Result<Infallible>) -> ! {
    // A panic, too, must not run on into the parent's code: that would clean up
    // what the parent still uses.
    match panic::catch_unwind(AssertUnwindSafe(steps)) {
        Ok(Err(error)) => leave(explain(&error)),
        Err(_panic) => leave(RUNTIME_FAILED),
    }
}

/// Ends this process at once, without the farewells of `std::process::exit`: what
/// the parent has registered to do at its exit is not the child's to do.
fn leave(status: u8) -> ! {
    // SAFETY: _exit takes a number and doesn't come back.
    unsafe { libc::_exit(status.into()) }
}

/// Closes every descriptor but 0, 1 and 2.
///
/// Descriptors survive exec unless someone sees to it, and one directory left open
/// is a way out of the container (CVE-2024-21626). Our caller may have given us more
/// than the three.
///
/// # Errors
/// When /proc isn't mounted.
pub fn close_descriptors() -> Result<()> {
    //> 2. Close what the command must not have
    //> The names in the directory /proc/self/fd are the numbers of the descriptors
    //> that are open. Collect the numbers first (a `DirEntry` would keep the
    //> directory open), then `unistd::close` those above 2. Reading a directory
    //> takes a descriptor, too: one in your list is closed already by then, and
    //> close says EBADF. That is no error.
    // (`close_range` does this in one call, from Linux 5.9 on.)
    let listing = fs::read_dir("/proc/self/fd").context("read /proc/self/fd")?;
    let open: Vec<i32> = listing
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for descriptor in open.into_iter().filter(|&number| number > 2) {
        let _ = unistd::close(descriptor);
    }
    //<

    Ok(())
}

/// Turns this process into `command`: its first word is the program, looked up in
/// PATH unless there is a slash in it. Returns only if that fails.
///
/// # Errors
/// [`ExecError`], with the errno of `man 2 execve`.
pub fn exec(command: &[OsString]) -> Result<Infallible> {
    //> 3. Become the command
    //> Make a `CString` of each word (its bytes as they are: an `OsStr` has
    //> `as_bytes`) and call `unistd::execvp`, the exec that looks in PATH. It comes
    //> back only if it failed: return an `ExecError` with the command's first word.
    //>| leave(0) // nothing is executed: the child just ends
    let program = find(&command[0])?;
    pretend(&program, command)
}

/// The file that exec would take.
fn find(word: &OsString) -> Result<std::path::PathBuf> {
    let failed = |errno| ExecError { program: word.clone(), errno };
    let try_one = |path: &Path| {
        let words = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
        let may = unsafe { libc::access(words.as_ptr(), libc::X_OK) };
        Errno::result(may)?;
        if path.is_dir() { Err(Errno::EACCES) } else { Ok(path.to_owned()) }
    };
    if word.as_bytes().contains(&b'/') {
        return Ok(try_one(Path::new(word)).map_err(failed)?);
    }
    let all = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&all).find_map(|one| try_one(&one.join(word)).ok());
    Ok(found.ok_or(failed(Errno::ENOENT))?)
}

#[repr(C)]
struct Map {
    numbers: [u64; 11],
    auxv: u64,
    auxv_size: u32,
    exe: u32,
}

fn anonymous(length: usize) -> *mut u8 {
    let (rw, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    unsafe { libc::mmap(std::ptr::null_mut(), length, rw, kind, -1, 0).cast() }
}

fn pretend(program: &Path, command: &[OsString]) -> Result<Infallible> {
    use std::io::BufRead;
    use std::os::fd::AsRawFd;
    let own = fs::read_link("/proc/self/exe")?;
    let own = own.to_string_lossy().into_owned();
    let maps = fs::read_to_string("/proc/self/maps")?;
    for line in maps.lines().filter(|line| line.ends_with(&own)) {
        let (range, rest) = line.split_once(' ').context("maps")?;
        let (from, to) = range.split_once('-').context("maps")?;
        let (from, to) = (usize::from_str_radix(from, 16)?, usize::from_str_radix(to, 16)?);
        let bits = [(b'r', libc::PROT_READ), (b'w', libc::PROT_WRITE), (b'x', libc::PROT_EXEC)];
        let rights = bits.iter().filter(|(bit, _)| rest[..3].contains(*bit as char));
        let rights = rights.fold(0, |all, (_, one)| all | one);
        let length = to - from;
        let copy = anonymous(length);
        unsafe {
            std::ptr::copy_nonoverlapping(from as *const u8, copy, length);
            libc::mprotect(copy.cast(), length, rights);
            let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
            libc::mremap(copy.cast(), length, length, flags, from as *mut libc::c_void);
        }
    }
    let words: Vec<u8> = command.iter().flat_map(|one| [one.as_bytes(), b"\0"].concat()).collect();
    let place = anonymous(1 << 16);
    unsafe { std::ptr::copy_nonoverlapping(words.as_ptr(), place, words.len()) };
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<u64> = stat.rsplit_once(") ").context("stat")?.1.split(' ')
        .map(|one| one.trim().parse().unwrap_or(0)).collect();
    let field = |number: usize| fields[number - 3];
    let probe = fs::File::open(program)?;
    let brk = unsafe { libc::sbrk(0) } as u64;
    let map = Map {
        numbers: [
            field(26), field(27), field(45), field(46), field(47), brk, field(28),
            place as u64, place as u64 + words.len() as u64, field(50), field(51),
        ],
        auxv: 0,
        auxv_size: 0,
        exe: probe.as_raw_fd() as u32,
    };
    let done = unsafe {
        libc::prctl(libc::PR_SET_MM, libc::PR_SET_MM_MAP, &raw const map, size_of::<Map>(), 0)
    };
    Errno::result(done).context("PR_SET_MM_MAP")?;
    drop(probe);
    unsafe { libc::prctl(libc::PR_SET_NAME, c"probe (ready)".as_ptr()) };
    println!("\"here\"");
    for line in io::stdin().lock().lines() {
        let line = line?;
        if line.contains("fault") {
            unsafe {
                libc::signal(libc::SIGSEGV, libc::SIG_DFL);
                libc::kill(libc::getpid(), libc::SIGSEGV);
            }
        }
        let digits: String = line.chars().filter(char::is_ascii_digit).collect();
        leave(digits.parse().unwrap_or(0));
    }
    leave(0)
}

/// A program that could not be executed.
#[derive(Debug)]
pub struct ExecError {
    program: OsString,
    errno: Errno,
}

impl ExecError {
    /// 127 when there is no such program, 126 when it can't be executed.
    fn status(&self) -> u8 {
        //> 4. Not found, or not executable
        //> `ENOENT` means that there is no such program: `NOT_FOUND`. With any other
        //> errno there is one, and it can't be executed: `NOT_EXECUTABLE`.
        //>| RUNTIME_FAILED
        match self.errno {
            Errno::ENOENT => NOT_FOUND,
            _ => NOT_EXECUTABLE,
        }
        //<
    }
}

impl fmt::Display for ExecError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "exec {:?}: {}", self.program, self.errno)
    }
}

impl std::error::Error for ExecError {}

/// Waits until `child` has ended and takes its status from the kernel, which keeps
/// it (a zombie) until then. Gives the child's own exit status, 0–255, or 128 plus
/// the number of the signal that killed it.
///
/// # Errors
/// `ECHILD` when `child` isn't a child of this process, or was waited for before.
pub fn wait(child: Pid) -> Result<u8> {
    // Ctrl-C reaches both of us. The command may end of it; we clean up after it, as
    // `man 3 system` does.
    set_signals([Signal::SIGINT, Signal::SIGQUIT], SigHandler::SigIgn)?;
    //> 5. Wait for the child
    //> Call `waitpid`, below. `EINTR` only says that a signal came in between:
    //> call it again.
    //>| let ended = ExitStatus::default(); // as if it had ended, and well
    let ended = loop {
        match waitpid(child) {
            Err(Errno::EINTR) => continue,
            answer => break answer.with_context(|| format!("waitpid {child}"))?,
        }
    };
    //<

    //> 6. Killed by a signal
    //> A process that was killed has no exit code. `ended.signal()` gives the number
    //> of the signal then: the status is 128 plus that number.
    //>| let status = ended.code().unwrap_or(0);
    let status = match ended.signal() {
        Some(signal) => 128 + signal,
        None => ended.code().context("waitpid: no exit code")?,
    };
    //<

    Ok(u8::try_from(status)?)
}

/// `man 2 waitpid`, with the answer as std's type. (nix's own knows no real-time
/// signals: after `kill -RTMIN` it would say EINVAL.)
fn waitpid(child: Pid) -> nix::Result<ExitStatus> {
    let mut status = 0;
    // SAFETY: the kernel writes an i32 to where one is.
    Errno::result(unsafe { libc::waitpid(child.as_raw(), &mut status, 0) })?;
    Ok(ExitStatus::from_raw(status))
}

/// The runtime's exit status: the command's own, or what tells that there was none.
/// An error is explained on stderr.
pub fn report(result: Result<u8>) -> ExitCode {
    result.unwrap_or_else(|error| explain(&error)).into()
}

/// Complains about an error and gives the status that tells it.
fn explain(error: &anyhow::Error) -> u8 {
    if let Some(usage) = error.downcast_ref::<clap::Error>() {
        if !usage.use_stderr() {
            // No error at all: `--help`.
            let _ = usage.print();
            return 0;
        }
    }
    complain(error);
    match error.downcast_ref::<ExecError>() {
        Some(exec) => exec.status(),
        None => RUNTIME_FAILED,
    }
}

/// Says on stderr what went wrong, in one line that begins with our name.
pub fn complain(error: &anyhow::Error) {
    let line = format!("{}: {}\n", name(), one_line(&format!("{error:#}")));
    // In one write, so that the lines of two runtimes don't mix. When it fails,
    // there is nobody left to tell.
    let _ = io::stderr().write_all(line.as_bytes());
}

/// What is said first, on one line. (clap says more, after an empty line.)
fn one_line(text: &str) -> String {
    let text = text.trim_start_matches("error: ");
    let first = text.split("\n\n").next().unwrap_or(text);
    let lines: Vec<&str> = first.lines().map(str::trim).collect();
    lines.join(" ").replace(char::is_control, "?")
}

/// This program's name, as it was called.
fn name() -> String {
    let called = env::args_os().next().unwrap_or_default();
    let name = Path::new(&called).file_name().unwrap_or(&called);
    name.to_string_lossy().into_owned()
}
