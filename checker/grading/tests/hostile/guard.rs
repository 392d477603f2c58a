//! What hostile programs have in common, and what keeps them harmless: they start in
//! a sandbox only, end after a minute, and take no more than 4096 processes and 4 GiB.
//! The test puts this file beside each `main.rs`.
#![allow(dead_code, unsafe_code)]

use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitCode, exit};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, ptr, thread};

use nix::libc;

use crate::process;

const SECONDS: u64 = 60;
const PROCESSES: u64 = 4096;
const BYTES: u64 = 4 << 30;

/// Seen by all processes: how many were made, how many bytes were taken.
static SPENT: AtomicPtr<[AtomicU64; 2]> = AtomicPtr::new(ptr::null_mut());

/// Is it still the time to do harm?
#[derive(Clone, Copy)]
pub struct Harm {
    begun: Instant,
    lasts: Duration,
}

/// Begin to do harm, for so many seconds.
pub fn harm(seconds: u64) -> Harm {
    let inside = Path::new("/workshop/bin").is_dir();
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    if !inside || map.split_whitespace().eq(["0", "0", "4294967295"]) {
        exit(99);
    }
    // SAFETY: a new page, which stays; an alarm is a number.
    unsafe {
        libc::alarm(SECONDS as u32);
        let (write, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
        );
        let page = libc::mmap(ptr::null_mut(), 4096, write, kind, -1, 0);
        if page == libc::MAP_FAILED {
            exit(98);
        }
        SPENT.store(page.cast(), Ordering::SeqCst);
    }
    Harm {
        begun: Instant::now(),
        lasts: Duration::from_secs(seconds.min(SECONDS - 5)),
    }
}

fn take(which: usize, amount: u64, most: u64) -> bool {
    // SAFETY: the page is never unmapped.
    let spent = unsafe { SPENT.load(Ordering::SeqCst).as_ref() };
    spent.is_some_and(|spent| {
        spent[which].fetch_add(amount, Ordering::SeqCst) + amount <= most
    })
}

impl Harm {
    pub fn goes_on(self) -> bool {
        self.begun.elapsed() < self.lasts
    }

    /// May so many bytes be taken?
    pub fn bytes(self, count: usize) -> bool {
        self.goes_on() && take(1, count as u64, BYTES)
    }

    /// A child that does this and ends. False: there are enough, or no more may be.
    pub fn child(self, deed: impl FnOnce()) -> bool {
        if !self.goes_on() || !take(0, 1, PROCESSES) {
            return false;
        }
        // SAFETY: there is one thread.
        match unsafe { libc::fork() } {
            -1 => false,
            0 => {
                // SAFETY: numbers.
                unsafe { libc::alarm(SECONDS as u32) };
                deed();
                // SAFETY: a number.
                unsafe { libc::_exit(0) }
            }
            _ => true,
        }
    }

    /// Sleep until it is over.
    pub fn hold(self) {
        while self.goes_on() {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Out of the reach of those who end a session or a process group (man 2 setsid).
pub fn in_session_of_its_own() {
    // SAFETY: no arguments.
    unsafe { libc::setsid() };
}

/// Run the command as the finished level does; but the status is always the same.
pub fn run_command() -> ExitCode {
    let words: Vec<OsString> = env::args_os().skip_while(|w| w != "--").collect();
    let child = process::fork(|| {
        process::close_descriptors()?;
        process::exec(&words[1..])
    });
    let _ = child.map(process::wait);
    ExitCode::from(77)
}
