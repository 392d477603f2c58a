//! Being stopped, by Ctrl-C say: whoever waits is told how far it is.

use std::fs;
use std::thread;

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, Signal, raise};

const SIGNALS: [Signal; 3] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM];

/// From now on, say this before a signal ends this process. To be called before there
/// are other threads: the signals wait for a thread that waits for them.
///
/// Errors: a system call fails.
pub fn say_when_stopped(say: impl Fn() + Send + 'static) -> Result<()> {
    let mut signals = SigSet::empty();
    for signal in SIGNALS.into_iter().filter(|signal| !is_ignored(*signal)) {
        signals.add(signal);
    }
    signals.thread_block().context("pthread_sigmask")?;
    thread::spawn(move || {
        if let Ok(signal) = signals.wait() {
            say();
            // It ends us now as it would have: whoever waits for us sees that.
            let _ = signals.thread_unblock();
            let _ = raise(signal);
        }
    });
    Ok(())
}

/// `nohup` ignores one (`man 5 proc_pid_status`, SigIgn): then it is none of ours.
fn is_ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or(0) >> (signal as u64 - 1) & 1 == 1
}
