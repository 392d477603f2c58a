//! The limits as they should be, and one question more.

use std::fs;

use anyhow::{Context, Result, bail, ensure};

use crate::group::{Group, Version};

/// The least memory that a container can start with, as Docker has it.
const LEAST_MEMORY: u64 = 6 << 20;
/// The most processes that Linux can number (`man 5 proc`, "pid_max").
const MOST_PROCESSES: u64 = 4_194_304;

/// The options that say what a container may use.
#[derive(clap::Args)]
pub struct Limits {
    /// The most memory: bytes, or with k, m or g.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    memory: Option<u64>,
    /// The most memory and swap together; -1: any amount of swap. Without it: twice
    /// the memory.
    #[arg(long, value_name = "BYTES", value_parser = swap, allow_hyphen_values = true)]
    memory_swap: Option<Swap>,
    /// The most processes and threads.
    #[arg(long, value_name = "N")]
    pids_limit: Option<u64>,
}

/// How much memory and swap together.
#[derive(Clone, Copy)]
enum Swap {
    Unlimited,
    Total(u64),
}

/// Reads an amount of memory. `64m` is 64 MiB.
fn bytes(text: &str) -> Result<u64> {
    let digits = text.trim_end_matches(['k', 'K', 'm', 'M', 'g', 'G']);
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        units => bail!("{units:?} is no unit: k, m or g"),
    };
    let number: u64 = digits.parse()?;
    number.checked_mul(unit).context("too large a number")
}

fn swap(text: &str) -> Result<Swap> {
    match text {
        "-1" => Ok(Swap::Unlimited),
        text => Ok(Swap::Total(bytes(text)?)),
    }
}

impl Limits {
    /// Only the greedy one may have no swap at all.
    pub fn is_for_eating(&self) -> bool {
        self.memory.is_some() && self.total(self.memory.unwrap_or(0)) == self.memory
    }

    /// Refuses what makes no sense, before anything is made.
    ///
    /// # Errors
    /// Less memory than a program needs to start, more than there is; a total with
    /// swap that is less than the memory; no processes.
    pub fn check(&self) -> Result<()> {
        if let Some(memory) = self.memory {
            let there_is = host_memory()?;
            ensure!(memory >= LEAST_MEMORY, "--memory {memory}: at least 6m");
            ensure!(
                memory <= there_is,
                "--memory {memory}: this machine has {there_is}"
            );
        }
        if let Some(swap) = self.memory_swap {
            let memory = self.memory.context("--memory-swap needs --memory, too")?;
            if let Swap::Total(total) = swap {
                ensure!(
                    total >= memory,
                    "--memory-swap {total}: it counts memory and swap, so at least \
                     --memory's {memory}"
                );
            }
        }
        if let Some(limit) = self.pids_limit {
            ensure!(
                (1..=MOST_PROCESSES).contains(&limit),
                "--pids-limit {limit}: it must be 1 to {MOST_PROCESSES}"
            );
        }
        Ok(())
    }

    /// Writes the limits into the files of the group.
    ///
    /// # Errors
    /// When the controllers aren't there or not ours to use, and `EBUSY` or `EINVAL`
    /// for a limit that the kernel refuses.
    pub fn set(&self, group: &mut Group) -> Result<()> {
        if let Some(memory) = self.memory {
            let node = group.with("memory")?;
            let file = match node.version {
                Version::V2 => "memory.max",
                Version::V1 => "memory.limit_in_bytes",
            };
            node.write(file, memory)?;

            // A kernel can be built without counting swap.
            let swap = match node.version {
                Version::V2 => "memory.swap.max",
                Version::V1 => "memory.memsw.limit_in_bytes",
            };
            if self.memory_swap.is_some() || node.has(swap) {
                let total = self.total(memory);
                match (node.version, total) {
                    (Version::V1, Some(total)) => node.write(swap, total)?,
                    (Version::V1, None) => node.write(swap, -1)?,
                    (Version::V2, Some(total)) => {
                        node.write(swap, total - memory)?
                    }
                    (Version::V2, None) => node.write(swap, "max")?,
                }
            }
        }
        if let Some(limit) = self.pids_limit {
            group.with("pids")?.write("pids.max", limit)?;
        }
        Ok(())
    }

    /// Memory and swap together, in bytes; none when there is no limit. Docker's
    /// default is as much swap as memory.
    fn total(&self, memory: u64) -> Option<u64> {
        match self.memory_swap {
            None => Some(2 * memory),
            Some(Swap::Total(total)) => Some(total),
            Some(Swap::Unlimited) => None,
        }
    }
}

/// The machine's memory in bytes (`man 5 proc`, "meminfo").
fn host_memory() -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo").context("read /proc/meminfo")?;
    let kilobytes = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.strip_suffix("kB"))
        .context("/proc/meminfo: no MemTotal")?;
    Ok(kilobytes.trim().parse::<u64>()? * 1024)
}
