//! How the checker leaves, and what it knows about where it runs.

use std::io::IsTerminal;
use std::process::ExitCode;

use crate::errand;
use crate::judge::{Outcome, Verdict};

/// The exit status: the meanings are part of the contract with scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 0: everything asked for passed.
    Success,
    /// 1: something failed.
    Failure,
    /// 2: wrong usage.
    Usage,
    /// 3: the checker is at fault.
    Broken,
    /// A program's own status, of `try`.
    Own(u8),
}

impl Status {
    pub fn of(outcomes: &[Outcome], strict: bool) -> Self {
        let has =
            |fits: fn(&Verdict) -> bool| outcomes.iter().any(|o| fits(&o.verdict));
        if has(|verdict| matches!(verdict, Verdict::Broken { .. })) {
            Self::Broken
        } else if has(|verdict| {
            use Verdict::{Fail, Unbuilt, Untouched};
            matches!(verdict, Fail | Unbuilt { .. } | Untouched { .. })
        }) || strict
            && has(|verdict| matches!(verdict, Verdict::Cannot { .. }))
        {
            Self::Failure
        } else {
            Self::Success
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Success => 0,
            Status::Failure => 1,
            Status::Usage => 2,
            Status::Broken => 3,
            Status::Own(status) => status,
        })
    }
}

/// Columns of the terminal, within what reads well; 100 without a terminal.
pub fn width() -> usize {
    columns().unwrap_or(100)
}

/// Columns of the terminal, within what reads well; if it is one.
pub fn columns() -> Option<usize> {
    let columns = window_columns().filter(|columns| *columns > 0);
    columns.map(|columns| columns.clamp(40, 110))
}

/// Columns of the terminal, as few as there are and 120 at most; 100 without a
/// terminal, or where it doesn't say.
pub fn window() -> usize {
    let columns = window_columns().filter(|columns| *columns > 0);
    columns.map_or(100, |columns| columns.min(120))
}

fn window_columns() -> Option<usize> {
    let out = std::io::stdout();
    if errand::is_one() && !out.is_terminal() {
        // What it says, another process shows, and says how wide.
        return std::env::var("COLUMNS").ok()?.parse().ok();
    }
    let size = out
        .is_terminal()
        .then(|| crate::sys::window_size(&out).ok())
        .flatten();
    size.map(|size| usize::from(size.ws_col))
}

/// The kernel's release, as `uname -r` says it.
pub fn kernel() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease");
    release.unwrap_or_default().trim().to_owned()
}
