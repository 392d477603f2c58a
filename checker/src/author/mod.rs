//! For those who write levels: `levels/` is derived from `solutions/`.
//!
//! `markers` reads the exercises that a solution's source marks, and makes the
//! skeleton's source, pure; `sync` does that for whole crates and keeps what a
//! learner has edited; `sources` has one level in all its versions; `lines` shows where
//! two texts differ. Read them in that order. `book` makes the book's pages.

pub mod book;
pub mod lines;
mod markers;
pub mod sources;
mod sync;
pub mod variations;

pub use sync::{Mode, hash, sync};
pub use variations::{put, write_workspace};
