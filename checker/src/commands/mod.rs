//! The commands, one file each.

pub mod check;
pub mod hint;
pub mod image;
pub mod list;
pub mod status;
pub mod try_level;
pub mod variations;
