//! Pause and unpause without the freezer: the least quota that the kernel takes, and the old one
//! again. The processes hardly run.

use std::fs;
use std::path::Path;
use std::thread::{available_parallelism, sleep};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cgroups::group::{self, Group, Node, Version};

/// The time, in microseconds, of which a quota is a part: the kernel's default.
const PERIOD: u64 = 100_000;
/// The least and the most shares that the kernel takes (`cpu.shares`, version 1).
const SHARES: (u64, u64) = (2, 262_144);
/// The least quota that the kernel takes, in CPUs.
const LEAST_CPUS: f64 = 0.01;

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
            let node = group.with("cpuset")?;
            if node.version == Version::V1 {
                inherit_memory_nodes(node)?;
            }
            node.write("cpuset.cpus", list)?;
            if node.version == Version::V2 {
                ensure_there(node)?;
            }
        }
        Ok(())
    }
}

/// On version 1 a new group of cpuset is empty, and takes no process until it has
/// CPUs and memory nodes (`man 7 cpuset`): those of its parent will do.
fn inherit_memory_nodes(node: &Node) -> Result<()> {
    let parent = node.directory.parent().unwrap_or(Path::new("/"));
    node.write("cpuset.mems", read(parent, "cpuset.mems")?)
}

/// Version 1 refuses CPUs that aren't there. Version 2 takes them, and then uses
/// those of the list that are, or else all.
fn ensure_there(node: &Node) -> Result<()> {
    let list = read(&node.directory, "cpuset.cpus")?;
    let used = read(&node.directory, "cpuset.cpus.effective")?;
    ensure!(
        list.is_empty() || list == used,
        "--cpuset-cpus {list}: not all of these are there"
    );
    Ok(())
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
    let found = find(id)?;
    let (version, place) = group::place("cpu")?;
    let name = found.directory.file_name().unwrap_or_default();
    let directory = place.join(name);
    let directory = match directory.exists() {
        true => directory,
        false => place.parent().unwrap_or(&place).join(name),
    };
    let node = Node { version, directory };
    match (node.version, frozen) {
        (Version::V2, true) => node.write("cpu.max", "1000 1000000")?,
        (Version::V2, false) => node.write("cpu.max", "10000 100000")?,
        (Version::V1, true) => {
            node.write("cpu.cfs_quota_us", -1)?;
            node.write("cpu.cfs_period_us", 1_000_000)?;
            node.write("cpu.cfs_quota_us", 1000)?;
        }
        (Version::V1, false) => {
            node.write("cpu.cfs_quota_us", -1)?;
            node.write("cpu.cfs_period_us", 100_000)?;
            node.write("cpu.cfs_quota_us", 10_000)?;
        }
    }
    sleep(Duration::from_millis(10));
    Ok(())
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
