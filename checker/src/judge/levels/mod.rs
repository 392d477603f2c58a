//! The levels: one file each, in the order of their numbers.

mod l00_fork_exec;
mod l01_chroot;
mod l02_mount_ns;
mod l03_pivot_root;
mod l04_pid_ns;
mod l05_uts_ns;
mod l06_net_ns;
mod l07_cgroups;
mod l08_cgroups_cpu;
mod l09_overlayfs;

use super::Level;
use crate::text;

pub static ALL: &[&Level] = &[
    &l00_fork_exec::LEVEL,
    &l01_chroot::LEVEL,
    &l02_mount_ns::LEVEL,
    &l03_pivot_root::LEVEL,
    &l04_pid_ns::LEVEL,
    &l05_uts_ns::LEVEL,
    &l06_net_ns::LEVEL,
    &l07_cgroups::LEVEL,
    &l08_cgroups_cpu::LEVEL,
    &l09_overlayfs::LEVEL,
];

/// The level of this number, name, or beginning of a name.
///
/// Errors: those that it may stand for, if more than one fits; otherwise those that come
/// near, which may be none.
pub fn find(wanted: &str) -> Result<&'static Level, Vec<String>> {
    let wanted = wanted.trim_end_matches('/');
    let wanted = wanted.rsplit('/').next().unwrap_or(wanted).to_lowercase();
    let wanted = wanted
        .trim_start_matches("level-")
        .trim_start_matches("solution-");
    let number = wanted.parse::<u32>().map(|number| format!("{number:02}"));
    let exact = |level: &&&Level| {
        number.as_ref().is_ok_and(|number| number == level.number)
            || wanted == level.name
            || wanted == level.folder()
    };
    if let Some(level) = ALL.iter().find(exact) {
        return Ok(level);
    }
    let fits: Vec<_> = ALL
        .iter()
        .filter(|level| {
            !wanted.is_empty()
                && (level.name.starts_with(wanted)
                    || level.folder().starts_with(wanted))
        })
        .collect();
    match fits[..] {
        [one] => Ok(one),
        [] => Err(near(wanted)),
        _ => Err(fits.iter().map(|level| level.folder()).collect()),
    }
}

/// The levels whose names are near this word; the nearest first.
fn near(word: &str) -> Vec<String> {
    let near = text::near(word, ALL.iter().map(|level| level.name));
    let level = |name| ALL.iter().find(|level| level.name == name);
    near.into_iter()
        .filter_map(level)
        .map(|level| level.folder())
        .collect()
}
