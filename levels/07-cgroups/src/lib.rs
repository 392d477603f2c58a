//! Limits that hold for a container's whole tree of processes.
//! `group` makes the control group and puts the container into it; `limits` writes
//! what it may use. Read `main.rs`, the spine, first; then `group.rs`, then
//! `limits.rs`.

pub mod group;
pub mod limits;
