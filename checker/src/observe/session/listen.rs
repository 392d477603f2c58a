//! What comes from the sandbox while programs run: events, output, reports. Nothing
//! of it is believed but what the kernel says about its sender.

use std::io::{IoSliceMut, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Instant;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc::SIGKILL;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, pipe2, read};

use super::limits::TICK;
use super::{KEPT_OUTPUT, Live, Session};
use crate::belt::{End, Event};
use crate::evidence::{Ending, Orphan};
use crate::observe::outside;
use crate::plan::READY;
use crate::probe::Report;
use crate::sys;
use crate::text::escape;

/// The most descriptors in one message (man 7 unix).
const SCM_MAX_FD: usize = 253;

impl Session {
    /// Wait for one of the runs.
    pub(super) fn until(
        &mut self,
        lives: &mut [Live],
        index: usize,
        done: impl Fn(&Live) -> bool,
    ) -> Result<()> {
        self.pump(lives, index, |live| done(live) || live.is_over())
    }

    /// Take in what comes until a run is `done`, and hold every run to its limits.
    /// The time is this one's: the others can only wait for their turn.
    pub(super) fn pump(
        &mut self,
        lives: &mut [Live],
        index: usize,
        done: impl Fn(&Live) -> bool,
    ) -> Result<()> {
        let begun = Instant::now();
        while !done(&lives[index]) {
            if self.belt.is_none() {
                return Ok(());
            }
            self.wait(lives)?;
            self.enforce(lives, index)?;
        }
        for (other, live) in lives.iter_mut().enumerate() {
            if other != index {
                live.begun += begun.elapsed();
            }
        }
        Ok(())
    }

    fn wait(&mut self, lives: &mut [Live]) -> Result<()> {
        let belt = self.belt.as_ref().context("the sandbox is gone")?;
        let mut watched = vec![PollFd::new(belt.events(), PollFlags::POLLIN)];
        for live in lives.iter() {
            for fd in [
                live.output.as_ref().map(AsFd::as_fd),
                live.errors.as_ref().map(AsFd::as_fd),
            ]
            .into_iter()
            .flatten()
            {
                watched.push(PollFd::new(fd, PollFlags::POLLIN));
            }
        }
        let patience = if belt.has_pending() { 0u8 } else { 50 };
        match poll(&mut watched, PollTimeout::from(patience)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("poll"),
        }
        let event = watched[0].any().unwrap_or(false) || belt.has_pending();
        for live in lives.iter_mut() {
            self.read_errors(live);
            self.read_output(live);
        }
        if event {
            self.take_event(lives)?;
        }
        Ok(())
    }

    /// Take in what init has to tell by now.
    pub(super) fn take_events(&mut self, lives: &mut [Live]) -> Result<()> {
        while let Some(belt) = &self.belt {
            let mut watched = [PollFd::new(belt.events(), PollFlags::POLLIN)];
            let _ = poll(&mut watched, PollTimeout::ZERO);
            if !watched[0].any().unwrap_or(false) && !belt.has_pending() {
                break;
            }
            self.take_event(lives)?;
        }
        Ok(())
    }

    pub(super) fn take_event(&mut self, lives: &mut [Live]) -> Result<()> {
        match self.belt()?.next_event()? {
            Some(received) => {
                let (pid, name, end, early) = match received.message {
                    Event::Ended {
                        pid,
                        name,
                        end,
                        early,
                    } => (pid, name, end, early),
                    Event::NotStarted { pid, errno } => {
                        let live = lives.iter_mut().find(|live| live.inside == pid);
                        if let Some(live) = live {
                            live.run.refused =
                                Some(format!("{:?}", Errno::from_raw(errno)));
                        }
                        return Ok(());
                    }
                    _ => return Ok(()),
                };
                let kills = self.out_of_memory_kills();
                if let Some(live) = lives.iter_mut().find(|live| live.inside == pid)
                {
                    live.ended = Some((end, Instant::now()));
                    // Who waits for the command outlives it.
                    let alive =
                        |pid| outside::status_of(pid).is_some_and(|s| !s.zombie);
                    live.run.left_early |= live.probe.is_some_and(alive);
                    if end == End::Signaled(SIGKILL) && kills > live.kills {
                        let most = self.program.fit.limits.memory;
                        live.run.end = Ending::TooMuchMemory(most);
                    }
                } else {
                    let command = |live: &Live| {
                        live.run.seen.as_ref().is_some_and(|seen| seen.pid == pid)
                    };
                    let index = lives.iter().position(command).unwrap_or(0);
                    let told = lives.iter().any(|live| live.run.told.is_some());
                    if let Some(live) = lives.get_mut(index) {
                        let command = command(live);
                        if live.run.orphans.len() < 50 {
                            live.run.orphans.push(Orphan {
                                command,
                                name: escape(name.as_bytes()),
                                early: early && !told,
                                end,
                            });
                        }
                    }
                }
            }
            None => self.give_up(lives),
        }
        Ok(())
    }

    fn read_errors(&self, live: &mut Live) {
        let Some(errors) = &mut live.errors else {
            return;
        };
        let mut chunk = [0; 16 << 10];
        // Not for ever: others wait as well.
        for _ in 0..16 {
            match errors.read(&mut chunk) {
                Ok(0) => {
                    live.errors = None;
                    return;
                }
                Ok(count) => {
                    live.printed += count as u64;
                    let room = KEPT_OUTPUT.saturating_sub(live.stderr.len());
                    live.stderr.extend(&chunk[..count.min(room)]);
                }
                Err(_) => return,
            }
        }
    }

    fn read_output(&self, live: &mut Live) {
        for _ in 0..16 {
            let Some(output) = &live.output else { return };
            let mut chunk = [0; 16 << 10];
            let mut control = nix::cmsg_space!(UnixCredentials, [RawFd; SCM_MAX_FD]);
            let mut parts = [IoSliceMut::new(&mut chunk)];
            let got = recvmsg::<()>(
                output.as_raw_fd(),
                &mut parts,
                Some(&mut control),
                MsgFlags::MSG_CMSG_CLOEXEC,
            );
            let Ok(got) = got else { return };
            let count = got.bytes;
            let mut sender = 0;
            for part in got.cmsgs().into_iter().flatten() {
                match part {
                    ControlMessageOwned::ScmCredentials(who) => sender = who.pid(),
                    // Nobody was asked for descriptors.
                    ControlMessageOwned::ScmRights(fds) => {
                        discard(fds.into_iter().map(sys::own).collect());
                    }
                    _ => {}
                }
            }
            if count == 0 {
                live.output = None;
                return;
            }
            live.printed += count as u64;
            self.take_output(live, sender, &chunk[..count]);
        }
    }

    fn take_output(&self, live: &mut Live, sender: i32, bytes: &[u8]) {
        let pending = live.lines.entry(sender).or_default();
        if pending.len() < 64 << 10 {
            pending.extend(bytes);
        }
        while let Some(pending) = live.lines.get_mut(&sender) {
            let Some(end) = pending.iter().position(|byte| *byte == b'\n') else {
                return;
            };
            let line: Vec<u8> = pending.drain(..=end).collect();
            match serde_json::from_slice::<Report>(&line) {
                Ok(report) if self.vouch(live, sender) => match report {
                    Report::Here => {}
                    Report::Did(outcome) => live.reports.push(outcome),
                },
                _ => {
                    let room = KEPT_OUTPUT.saturating_sub(live.noise.len());
                    live.noise.extend(&line[..line.len().min(room)]);
                }
            }
        }
    }

    /// Does this line come from the probe? The kernel says who wrote it. If that is
    /// a process which passes on what it got, the probe must at least be there.
    fn vouch(&self, live: &mut Live, sender: i32) -> bool {
        if live.probe == Some(sender) {
            return true;
        }
        if live.probe.is_none() && !is_recent(live.doubted) {
            // A sender with CAP_SYS_ADMIN may name any process (man 7 unix): init, too,
            // which runs the same bytes and is nobody's command.
            if self.processes().contains(&sender) && self.own.is_run_by(sender) {
                live.probe = Some(sender);
                return true;
            }
            live.doubted = Some(Instant::now());
        }
        self.look_for_probe(live)
    }

    /// The process that runs a run's probe, among all of the sandbox; once it is
    /// loaded and ready to answer.
    fn find_probe(&self, live: &Live) -> Option<i32> {
        self.processes()
            .into_iter()
            .filter(|pid| !live.others.contains(pid))
            .filter(|pid| outside::status_of(*pid).is_some_and(|s| s.name == READY))
            .find(|pid| self.own.is_run_by(*pid))
    }

    /// Find a run's probe though its output doesn't come straight from it.
    pub(super) fn look_for_probe(&self, live: &mut Live) -> bool {
        if live.run.seen.is_some() {
            return live.probe.is_some();
        }
        if is_recent(live.searched) {
            return false;
        }
        let found = self.find_probe(live);
        if found.is_some() && live.probe.is_none() {
            live.probe = found;
            // Marks that its output doesn't come straight from it.
            live.run.seen = Some(Default::default());
        }
        if live.probe.is_none() {
            live.searched = Some(Instant::now());
        }
        live.probe.is_some()
    }
}

/// Less than a tick ago?
fn is_recent(when: Option<Instant>) -> bool {
    when.is_some_and(|when| when.elapsed() < TICK)
}

/// Hear no more of these runs.
pub(super) fn close_output(lives: &mut [Live]) {
    discard(
        lives
            .iter_mut()
            .filter_map(|live| live.output.take())
            .collect(),
    );
}

/// Close what came from the sandbox, or holds what did. To close a socket can take as
/// long as a program has told it to (SO_LINGER, man 7 socket), but not when an ending
/// process does it: so that one is the last to hold it.
fn discard(files: Vec<OwnedFd>) {
    if files.is_empty() {
        return;
    }
    let Ok((wait, go)) = pipe2(OFlag::O_CLOEXEC) else {
        return std::mem::forget(files);
    };
    match sys::fork() {
        Ok(ForkResult::Child) => {
            drop(go);
            let _ = read(&wait, &mut [0]);
            sys::exit_now(0)
        }
        Ok(ForkResult::Parent { child }) => {
            drop(files);
            drop(go);
            let _ = waitpid(child, None);
        }
        Err(_) => std::mem::forget(files),
    }
}
