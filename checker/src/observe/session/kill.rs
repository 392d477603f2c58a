//! What becomes of a container whose runtime is killed in the middle; and of others,
//! while one stands still there.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::Pid;

use super::{ENDING, Live, Session};
use crate::observe::outside;
use crate::observe::tracer::Goal;
use crate::plan::{Image, Moment};
use crate::sys;

/// So much of an image is unpacked, in bytes or in files, when its runtime is killed
/// or stopped.
const SOME: u64 = 2 << 20;
const SOME_FILES: u64 = 100;
/// How long the first of several that begin at once stands still.
const HELD: Duration = Duration::from_millis(200);
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(5);

impl Session {
    /// Kill the program of this run, and give its container the time to end.
    pub(super) fn kill(&mut self, lives: &mut [Live], index: usize) -> Result<()> {
        let live = &mut lives[index];
        live.run.killed.get_or_insert(0);
        if live.host != 0 {
            sys::kill_now(Pid::from_raw(live.host));
        }
        self.until(lives, index, |live| live.ended.is_some())?;
        let probe = lives[index].probe;
        let begun = Instant::now();
        let alive =
            |pid| outside::status_of(pid).is_some_and(|status| !status.zombie);
        while probe.is_some_and(alive) && begun.elapsed() < ENDING {
            sleep(Duration::from_millis(2));
        }
        // Its caller waits for nothing more.
        lives[index].input = None;
        Ok(())
    }

    /// Kill the program of this run at that moment of its way to the command; when its
    /// command is there, if that comes first.
    pub(super) fn kill_midway(
        &mut self,
        lives: &mut [Live],
        index: usize,
    ) -> Result<()> {
        let tracer = lives[index].tracer.take();
        let live = &lives[index];
        // It must not get far before we look again, even if this machine is busy.
        sys::put_last(Pid::from_raw(live.host));
        let unpacked = match &tracer {
            // When that is done, it has killed it.
            Some(tracer) => self.let_unpack(live, |_, _| tracer.is_done()),
            None => self.let_unpack(live, has_some),
        };
        if let Some(tracer) = tracer {
            tracer.end();
        }
        lives[index].run.killed = Some(unpacked);
        self.kill(lives, index)
    }

    /// Stop the program of this run when it has unpacked some of its image, until
    /// [`Session::go_on`]: so the others find it in the middle.
    pub(super) fn hold(&self, live: &Live) {
        self.let_unpack(live, has_some);
        let _ = kill(Pid::from_raw(live.host), Signal::SIGSTOP);
    }

    /// The others have had the time to get as far. Now the first one goes on.
    pub(super) fn go_on(&self, first: &Live) {
        sleep(HELD);
        let _ = kill(Pid::from_raw(first.host), Signal::SIGCONT);
    }

    /// Wait until a program has unpacked so much of its image, in bytes and files; or
    /// has ended, or its command writes. Returns how much, in bytes.
    fn let_unpack(&self, live: &Live, enough: impl Fn(u64, u64) -> bool) -> u64 {
        let before = live.space;
        let begun = Instant::now();
        loop {
            let now = self.used_space();
            let bytes = now.0.saturating_sub(before.0);
            let files = now.1.saturating_sub(before.1);
            let ended = outside::status_of(live.host).is_none_or(|s| s.zombie);
            if enough(bytes, files)
                || ended
                || has_written(live)
                || begun.elapsed() > PATIENCE
            {
                return bytes;
            }
            sleep(Duration::from_micros(200));
        }
    }

    /// The size of an image's archive, in bytes.
    fn size_of(&self, image: Image) -> u64 {
        let (path, flags) = (self.image_path(image), OFlag::O_PATH);
        let file = self.root.open(&path, flags, Mode::empty()).ok();
        let data = file.and_then(|file| file.metadata().ok());
        data.map_or(0, |data| data.len())
    }

    /// The file system for images and containers.
    fn workshop(&self) -> Option<File> {
        let (path, flags) = (Path::new("/workshop"), OFlag::O_PATH);
        self.root.open(path, flags, Mode::empty()).ok()
    }

    /// Bytes and files in it.
    pub(super) fn used_space(&self) -> (u64, u64) {
        let place = self.workshop();
        place.map_or((0, 0), |place| outside::space(&place))
    }

    /// When a run with this image is to be killed at a moment that only a tracer sees:
    /// what that waits for.
    pub(super) fn goal(&self, moment: Moment, image: Image) -> Option<Goal> {
        match moment {
            Moment::Renaming => Some(Goal::Rename),
            Moment::Copying => {
                let bytes = self.used_space().0 + self.size_of(image) * 5 / 4;
                Some(Goal::Filled(self.workshop()?, bytes))
            }
            Moment::Unpacking | Moment::Running => None,
        }
    }
}

fn has_some(bytes: u64, files: u64) -> bool {
    bytes >= SOME || files >= SOME_FILES
}

/// Has something been written to the run's output that nobody has read yet?
fn has_written(live: &Live) -> bool {
    let Some(output) = &live.output else {
        return true;
    };
    let mut output = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
    poll(&mut output, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}
