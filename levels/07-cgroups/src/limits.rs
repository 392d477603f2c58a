//! What a container may use at the most: memory, swap, processes.
//! `Limits` reads it from the command line, `check` refuses nonsense before anything
//! is made, `set` writes it into the files of the container's group.
// Take this line out when all exercises are done:
#![allow(dead_code, unused_imports, unused_mut, unused_variables)]

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
    // EXERCISE 5: Units
    // Split off the last character if it is k, m or g (or K, M, G), and `parse` the
    // rest. The unit means a factor of 1024, 1024² or 1024³: as a shift, `1 << 10`,
    // `1 << 20`, `1 << 30`. Multiply with `checked_mul`: a number that doesn't fit is
    // an error, and not a small one.
    Ok(1 << 30) // not read yet: always 1 GiB
}

fn swap(text: &str) -> Result<Swap> {
    match text {
        "-1" => Ok(Swap::Unlimited),
        text => Ok(Swap::Total(bytes(text)?)),
    }
}

impl Limits {
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
            // EXERCISE 6: Memory
            // The limit on memory, in bytes, stands in `memory.max` on version 2, and in
            // `memory.limit_in_bytes` on version 1. `node.version` tells which it is,
            // and `node.write` writes.

            // A kernel can be built without counting swap.
            let swap = match node.version {
                Version::V2 => "memory.swap.max",
                Version::V1 => "memory.memsw.limit_in_bytes",
            };
            if self.memory_swap.is_some() || node.has(swap) {
                // EXERCISE 7: Swap
                // What doesn't fit into memory goes to swap, if that has no limit.
                // `self.total(memory)` is memory and swap together, if limited. The
                // file `swap` takes just that on version 1, or -1 for no limit. On
                // version 2 it takes the swap alone, or "max".
            }
        }
        if let Some(limit) = self.pids_limit {
            // EXERCISE 8: Processes
            // The controller is called `pids`, and its file `pids.max` on both versions.
            // As for memory: first the group `with` this controller, then write.
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
