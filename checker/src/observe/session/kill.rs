//! What becomes of a container whose runtime is killed in the middle; and of others,
//! while one stands still there.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::sys::statfs::fstatfs;
use nix::unistd::Pid;

use super::{ENDING, Live, Session};
use crate::observe::outside;
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

    /// Kill the program of this run when it has unpacked some of its image.
    pub(super) fn kill_unpacking(
        &mut self,
        lives: &mut [Live],
        index: usize,
    ) -> Result<()> {
        // It must not get far before we look again, even if this machine is busy.
        sys::put_last(Pid::from_raw(lives[index].host));
        let unpacked = self.let_unpack(&lives[index]);
        lives[index].run.killed = Some(unpacked);
        self.kill(lives, index)
    }

    /// Stop the program of this run when it has unpacked some of its image, until
    /// [`Session::go_on`]: so the others find it in the middle.
    pub(super) fn hold(&self, live: &Live) {
        self.let_unpack(live);
        let _ = kill(Pid::from_raw(live.host), Signal::SIGSTOP);
    }

    /// The others have had the time to get as far. Now the first one goes on.
    pub(super) fn go_on(&self, first: &Live) {
        sleep(HELD);
        let _ = kill(Pid::from_raw(first.host), Signal::SIGCONT);
    }

    /// Wait until a program has unpacked some of its image, or has ended. Returns how
    /// much, in bytes.
    fn let_unpack(&self, live: &Live) -> u64 {
        let before = self.used_space();
        let begun = Instant::now();
        loop {
            let now = self.used_space();
            let bytes = now.0.saturating_sub(before.0);
            let files = now.1.saturating_sub(before.1);
            let ended = outside::status_of(live.host).is_none_or(|s| s.zombie);
            if bytes >= SOME
                || files >= SOME_FILES
                || ended
                || begun.elapsed() > PATIENCE
            {
                return bytes;
            }
            sleep(Duration::from_micros(200));
        }
    }

    /// Bytes and files in the file system for images and containers.
    fn used_space(&self) -> (u64, u64) {
        let path = Path::new("/workshop");
        let opened = self.root.open(path, OFlag::O_PATH, Mode::empty());
        let usage = opened.ok().and_then(|file| fstatfs(&file).ok());
        usage.map_or((0, 0), |s| {
            (
                (s.blocks() - s.blocks_free()) * s.block_size() as u64,
                s.files() - s.files_free(),
            )
        })
    }
}
