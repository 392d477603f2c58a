//! Judges other people's work, which may be hostile. Nothing of it runs here: what was
//! handed in is looked through (`input`), and given to checkers of their own, some at a
//! time (`work`), which compile and judge it in the sandbox. What they say is kept
//! (`store`), in one place or in parts (`part`, `merge`), and with `points` made into
//! reports (`report`). `command` puts that together; `levels` knows how people name
//! levels, `progress` and `stop` tell whoever waits how far it is.
//!
//! It is a program of its own, which `cargo checker grade` builds and becomes: so learners
//! needn't compile archives, XML and HTML. What is handed in as it was handed out needs no
//! checker: fingerprints of the sources are compared.

mod command;
pub mod input;
mod levels;
mod merge;
mod part;
mod points;
mod progress;
pub mod report;
mod stop;
mod store;
mod work;

pub use command::{AtFault, Options, grade};
