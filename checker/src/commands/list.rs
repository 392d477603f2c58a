//! `list`: all levels, and where their files are.

use anyhow::Result;

use crate::judge::levels::ALL;
use crate::status::Status;
use crate::text::say;
use crate::workspace::Whose;

pub fn list() -> Result<Status> {
    for level in ALL {
        say(&format!(
            "{}  {:<12} {:<28} {}\n    {}\n",
            level.number,
            level.name,
            level.title,
            Whose::Learner.folder(level).display(),
            level.learned,
        ));
    }
    Ok(Status::Success)
}
