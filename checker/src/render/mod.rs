//! Verdicts as text: for people (`terminal`) and for programs (`json`). Pure.

pub mod json;
pub mod terminal;
