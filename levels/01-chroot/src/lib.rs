//! A root directory of a container's own: where it comes from, and how to enter it.
//! `image` unpacks an image into a new directory, `chroot` makes that the root.
//! Read `main.rs`, the spine, first; then `image.rs`, then `chroot.rs`.

pub mod chroot;
pub mod image;
