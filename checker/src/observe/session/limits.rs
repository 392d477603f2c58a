//! The limits that every run is held to, and how a run is ended.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::libc::SIGKILL;
use nix::unistd::Pid;

use super::listen::close_output;
use super::{Live, Session};
use crate::belt::{Belt, End, Memory};
use crate::evidence::Ending;
use crate::observe::{groups, outside};
use crate::sys;

/// What a run may print, in bytes, before it is ended.
const MOST_OUTPUT: u64 = 4 << 20;
/// How often memory is looked at.
pub(super) const TICK: Duration = Duration::from_millis(50);
/// So many processes at once would leave the checker, and everybody else on the
/// machine, no time: these run when nobody else wants to.
const CROWD: usize = 100;
/// A command that says nothing is looked for after this time.
const SILENCE: Duration = Duration::from_millis(400);

impl Session {
    /// Hold every run to its limits, and the one that is waited for to its time.
    pub(super) fn enforce(
        &mut self,
        lives: &mut [Live],
        awaited: usize,
    ) -> Result<()> {
        let limit = self.program.limit;
        let memory = self.program.fit.limits.memory;
        let mut stop = None;
        for (index, live) in lives.iter_mut().enumerate() {
            if live.is_over() {
                continue;
            }
            let age = live.begun.elapsed();
            if age > SILENCE && live.probe.is_none() && live.ended.is_none() {
                self.look_for_probe(live);
            }
            if live.printed > MOST_OUTPUT {
                stop = Some((index, Ending::TooMuchOutput(MOST_OUTPUT)));
            } else if index == awaited && age > limit && live.ended.is_none() {
                stop = Some((index, Ending::TimedOut(limit.as_secs())));
            }
        }
        let now = Instant::now();
        if stop.is_none() && now > self.next_watch {
            let pids = self.processes();
            if pids.len() > CROWD {
                pids.iter()
                    .for_each(|pid| sys::put_last(Pid::from_raw(*pid)));
            }
            let used = self.used_memory(&pids);
            // It may take longer than a tick; there is more to do.
            self.next_watch = Instant::now() + TICK.max(4 * now.elapsed());
            let running = lives.iter().position(|live| live.ended.is_none());
            let running = running.filter(|_| used > memory / 8 * 7);
            stop = running.map(|index| (index, Ending::TooMuchMemory(memory)));
        }
        if let Some((index, ending)) = stop {
            lives[index].run.end = ending;
            let known = lives.iter().map(|live| live.run.orphans.len());
            let known: Vec<usize> = known.collect();
            self.sweep(lives)?;
            // Those that end now leave their children to init, through no fault.
            for (live, known) in lives.iter_mut().zip(known) {
                live.run.orphans.truncate(known);
            }
            for live in lives.iter_mut().filter(|live| live.ended.is_none()) {
                live.ended = Some((End::Signaled(SIGKILL), Instant::now()));
            }
            close_output(lives);
        }
        Ok(())
    }

    /// End all programs.
    pub(super) fn sweep(&mut self, lives: &mut [Live]) -> Result<()> {
        groups::thaw(self.trees());
        if self.belt.as_mut().is_some_and(|belt| belt.sweep().is_err()) {
            self.give_up(lives);
        }
        while self.belt.as_ref().is_some_and(Belt::has_pending) {
            self.take_event(lives)?;
        }
        Ok(())
    }

    /// The sandbox is gone, or doesn't answer: end what there may be of it. How the
    /// programs that were running in it ended.
    pub(super) fn lose_belt(&mut self) -> Ending {
        let signal = self.belt.take().and_then(Belt::release);
        Ending::BrokeOut(signal.unwrap_or(SIGKILL))
    }

    pub(super) fn give_up(&mut self, lives: &mut [Live]) {
        let end = self.lose_belt();
        for live in lives {
            // Those that have ended, too: one of them may have seen to this first.
            if live.run.end == Ending::NotRun {
                live.run.end = end;
            }
            let now = (End::Signaled(SIGKILL), Instant::now());
            live.ended.get_or_insert(now);
        }
    }

    /// All processes in the sandbox but its init.
    pub(super) fn processes(&self) -> BTreeSet<i32> {
        let init = self.belt.as_ref().map(|belt| belt.init().as_raw());
        init.map(outside::descendants).unwrap_or_default()
    }

    pub(super) fn out_of_memory_kills(&self) -> u64 {
        let memory = self.belt.as_ref().and_then(Belt::memory);
        memory.map_or(0, Memory::kills)
    }

    fn used_memory(&self, pids: &BTreeSet<i32>) -> u64 {
        let used = |belt| outside::used_memory(belt, pids, &self.memory);
        self.belt.as_ref().map_or(0, used)
    }
}
