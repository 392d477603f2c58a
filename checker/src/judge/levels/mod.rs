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
/// Errors: the names that come nearest, if none or more than one fits.
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
        [] => {
            let mut all: Vec<_> = ALL.iter().map(|level| level.folder()).collect();
            all.sort_by_key(|name| {
                distance(wanted, name.split_once('-').map_or("", |(_, name)| name))
            });
            all.truncate(3);
            Err(all)
        }
        _ => Err(fits.iter().map(|level| level.folder()).collect()),
    }
}

/// How many letters must be changed to make one word the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let change = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
