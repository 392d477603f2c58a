//! How far it is, for whoever waits: a line that changes on a terminal, otherwise a line
//! for each submission.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Counts submissions, and says so on standard error.
pub struct Progress {
    all: usize,
    begun: Instant,
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    done: usize,
    /// Of those, how many had to be judged: the others took no time.
    judged: usize,
    /// Nothing is said any more.
    stopped: bool,
}

impl Progress {
    pub fn begin(all: usize) -> Self {
        Self {
            all,
            begun: Instant::now(),
            counted: Mutex::default(),
        }
    }

    /// One more is done. `marks`: what came out, a letter for each level.
    pub fn one_more(&self, name: &str, marks: &str, was_judged: bool) {
        let Ok(mut counted) = self.counted.lock() else {
            return;
        };
        if counted.stopped {
            return;
        }
        counted.done += 1;
        counted.judged += usize::from(was_judged);
        let line =
            line(self.all, counted.done, counted.judged, self.begun.elapsed());
        let mut out = std::io::stderr().lock();
        // Nobody may be there any more to read it.
        let _ = match out.is_terminal() {
            true if counted.done == self.all => write!(out, "\r\x1b[K"),
            true => write!(out, "\r\x1b[K{line}").and_then(|()| out.flush()),
            false => writeln!(out, "{line}  {marks}  {name}"),
        };
    }

    /// Something ends us before all is done.
    pub fn stopped(&self) {
        let Ok(mut counted) = self.counted.lock() else {
            return;
        };
        counted.stopped = true;
        let mut out = std::io::stderr().lock();
        let begin = if out.is_terminal() { "\r\x1b[K" } else { "" };
        let (done, all) = (counted.done, self.all);
        let _ = writeln!(
            out,
            "{begin}stopped; the same command goes on from {done} of {all}"
        );
    }
}

/// `37 of 120, 12.3 a minute, 7 min left`
fn line(all: usize, done: usize, judged: usize, spent: Duration) -> String {
    let mut line = format!("{done} of {all}");
    if judged > 0 && spent > Duration::from_secs(1) {
        let each = spent.as_secs_f64() / judged as f64;
        line += &format!(", {:.1} a minute", 60.0 / each);
        let left = each * (all - done) as f64;
        line += &match left {
            0.0 => String::new(),
            s if s < 90.0 => format!(", about {s:.0} s left"),
            s if s < 5400.0 => format!(", about {:.0} min left", s / 60.0),
            s => format!(", about {:.1} h left", s / 3600.0),
        };
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_goes_by_what_was_judged() {
        let line = |all, done, judged, seconds| {
            super::line(all, done, judged, Duration::from_secs(seconds))
        };
        assert_eq!(line(10, 0, 0, 5), "0 of 10");
        assert_eq!(
            line(10, 5, 5, 10),
            "5 of 10, 30.0 a minute, about 10 s left"
        );
        let resumed = "900 of 1000, 6.0 a minute, about 17 min left";
        assert_eq!(line(1000, 900, 10, 100), resumed);
        assert_eq!(line(3, 3, 3, 30), "3 of 3, 6.0 a minute");
    }
}
