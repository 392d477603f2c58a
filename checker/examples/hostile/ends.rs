//! Ways to end.

use super::*;

pub fn exit_silently(_: &Stage) -> Result<()> {
    std::process::exit(0)
}

pub fn segfault(_: &Stage) -> Result<()> {
    let memory = map(libc::MAP_PRIVATE, 4096).context("mmap")?;
    // SAFETY: none: the page is gone when it is written to, which is the point.
    unsafe {
        libc::munmap(memory, 4096);
        memory.cast::<u8>().write_volatile(1);
    }
    Ok(())
}

pub fn stack_overflow(_: &Stage) -> Result<()> {
    // Where the stack has no limit this would take all memory.
    let limit = libc::rlimit {
        rlim_cur: 8 << 20,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the limit is live. A hard limit that is lower stays: the call fails.
    unsafe { libc::setrlimit(libc::RLIMIT_STACK, &limit) };
    std::hint::black_box(recurse(1));
    Ok(())
}

#[allow(unconditional_recursion, reason = "it is the point")]
pub fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    recurse(depth + 1) + frame[depth as usize % 64]
}

/// Says what the probe would say, with the facts that a naive judge would like. No
/// command is run at all.
pub fn answer_like_the_probe(_: &Stage) -> Result<()> {
    print(FORGED)?;
    print("\"here\"")?;
    for act in io::stdin().lines().map_while(io::Result::ok) {
        let asked = act.strip_prefix("{\"exit\":");
        let asked = asked.and_then(|text| text.trim_end_matches('}').parse().ok());
        if let Some(status) = asked {
            std::process::exit(status);
        }
        print("{\"did\":\"ok\"}")?;
    }
    std::process::exit(0)
}

pub const FORGED: &str = "{\"version\":1,\"pid\":1,\"ppid\":0,\"uid\":0,\"cwd\":\"/\",\
    \"root\":\"/\",\"argv\":[\"/probe\"],\"status\":0,\"descriptors\":[0,1,2],\
    \"mounts\":[],\"verdict\":\"pass\",\"passed\":true}";
