//! --cpuset-cpus by the runtime's own affinity, which the command inherits. The group has all CPUs.
//! Only a list that names none is refused.
#![allow(unsafe_code, unused_imports)]

use std::fs;
use std::path::Path;
use std::thread::{available_parallelism, sleep};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use cgroups::group::{self, Group, Node, Version};

/// The time, in microseconds, of which a quota is a part: the kernel's default.
const PERIOD: u64 = 100_000;
/// The least and the most shares that the kernel takes (`cpu.shares`, version 1).
const SHARES: (u64, u64) = (2, 262_144);
/// The least quota that the kernel takes, in CPUs.
const LEAST_CPUS: f64 = 0.01;

unsafe extern "C" {
    fn sched_setaffinity(pid: i32, size: usize, mask: *const u64) -> i32;
}

/// The options that say how much processor time a container gets.
#[derive(clap::Args)]
pub struct Share {
    /// The most processor time, in CPUs: 1.5 is one and a half.
    #[arg(long, value_name = "F")]
    cpus: Option<f64>,
    /// A weight for when CPUs are contended; 1024 is a container's usual one.
    #[arg(long, value_name = "N")]
    cpu_shares: Option<u64>,
    /// The CPUs on which it may run: 0-2,4.
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
}

impl Share {
    /// Refuses what makes no sense, before anything is made.
    ///
    /// # Errors
    /// More CPUs than there are, or next to none; shares out of the kernel's range.
    pub fn check(&self) -> Result<()> {
        if let Some(cpus) = self.cpus {
            let there_are = available_parallelism().context("count CPUs")?.get();
            ensure!(
                (LEAST_CPUS..=there_are as f64).contains(&cpus),
                "--cpus {cpus}: it must be {LEAST_CPUS} to {there_are}"
            );
        }
        if let Some(shares) = self.cpu_shares {
            let (least, most) = SHARES;
            ensure!(
                (least..=most).contains(&shares),
                "--cpu-shares {shares}: it must be {least} to {most}"
            );
        }
        Ok(())
    }

    /// Writes the limits into the files of the group.
    ///
    /// # Errors
    /// When the controllers aren't there or not ours to use; `EINVAL` for a list of
    /// CPUs that aren't there.
    pub fn set(&self, group: &mut Group) -> Result<()> {
        if let Some(cpus) = self.cpus {
            let quota = (cpus * PERIOD as f64).round() as u64;
            let node = group.with("cpu")?;
            match node.version {
                Version::V2 => node.write("cpu.max", format!("{quota} {PERIOD}"))?,
                Version::V1 => {
                    node.write("cpu.cfs_period_us", PERIOD)?;
                    node.write("cpu.cfs_quota_us", quota)?;
                }
            }
        }
        if let Some(shares) = self.cpu_shares {
            let node = group.with("cpu")?;
            match node.version {
                Version::V2 => {
                    let (least, most) = SHARES;
                    let weight = 1 + (shares - least) * 9_999 / (most - least);
                    node.write("cpu.weight", weight)?;
                }
                Version::V1 => node.write("cpu.shares", shares)?,
            }
        }
        if let Some(list) = &self.cpuset_cpus {
            let number: u32 = list.parse()?;
            ensure!(number < 64, "there is no CPU {number}");
            let mask = 1_u64 << number;
            unsafe { sched_setaffinity(0, 8, &mask) };
        }
        Ok(())
    }
}

/// What one of a group's files says.
fn read(directory: &Path, file: &str) -> Result<String> {
    let path = directory.join(file);
    let text = fs::read_to_string(&path);
    let text = text.with_context(|| format!("read {}", path.display()))?;
    Ok(text.trim_end().to_owned())
}

/// Lets this container be paused: it gets a group, even without limits. Where it
/// can't have one it runs all the same.
pub fn allow_pause(group: &mut Group) {
    let _ = group.with("freezer");
}

/// Pauses the container `id`: none of its processes runs on until [`thaw`].
///
/// # Errors
/// When no container of this name runs, or it has no group.
pub fn freeze(id: &str) -> Result<()> {
    set_frozen(id, true)
}

/// Lets a paused container go on.
///
/// # Errors
/// As [`freeze`].
pub fn thaw(id: &str) -> Result<()> {
    set_frozen(id, false)
}

fn set_frozen(id: &str, frozen: bool) -> Result<()> {
    let node = find(id)?;
    match (node.version, frozen) {
        (Version::V2, frozen) => node.write("cgroup.freeze", u8::from(frozen))?,
        (Version::V1, true) => node.write("freezer.state", "FROZEN")?,
        (Version::V1, false) => node.write("freezer.state", "THAWED")?,
    }
    for _ in 0..200 {
        if is_frozen(&node)? == frozen {
            return Ok(());
        }
        sleep(Duration::from_millis(5));
    }
    bail!("container {id}: not done after a second")
}

/// The group of a running container: beside our own group, or beside one above it.
fn find(id: &str) -> Result<Node> {
    let (version, place) = group::place("freezer")?;
    let mut all = place.ancestors().map(|above| above.join(group::name(id)));
    let directory = all
        .find(|directory| directory.join("cgroup.procs").exists())
        .with_context(|| format!("container {id}: has no group, or doesn't run"))?;
    Ok(Node { version, directory })
}

/// Does the group stand still? The kernel freezes one process after the other, and
/// says when it has them all.
fn is_frozen(node: &Node) -> Result<bool> {
    let (file, word) = match node.version {
        Version::V2 => ("cgroup.events", "frozen 1"),
        Version::V1 => ("freezer.state", "FROZEN"),
    };
    let text = read(&node.directory, file)?;
    Ok(text.lines().any(|line| line == word))
}
