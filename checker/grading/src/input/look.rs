//! Makes candidates of what an argument leads to: one submission, or a class of them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::entry::End;
use super::lookout::{Lookout, Parts};
use super::names::{self, Candidate};
use super::{Found, Place, archive, folder, take};

/// Submissions in an archive that the instructor named: a class.
const CLASS: usize = 5000;

/// Submissions, and archives, in an archive that a student handed in.
const STUDENT: usize = 10;

/// A submission below an argument.
struct Unit {
    /// From the argument on, through archives.
    path: Parts,
    /// Where its levels are. `None`: there are none.
    root: Option<(Place, Parts, Vec<OsString>)>,
    notes: Vec<String>,
}

/// The submissions that an argument leads to: at least one. If it isn't `alone`, its
/// own name is part of theirs: `students/*` may be folders with a `work.zip` each.
/// An archive is a `class` if there may be others in it than those who have levels.
pub fn into(argument: &Path, alone: bool, class: bool) -> Result<Vec<Candidate>> {
    let path = argument
        .canonicalize()
        .with_context(|| format!("find {}", argument.display()))?;
    let kind = path
        .metadata()
        .with_context(|| format!("look at {}", path.display()))?;
    let units = if kind.is_dir() {
        folder_units(&path)?
    } else {
        let (Some(base), Some(name)) = (path.parent(), path.file_name()) else {
            bail!("{} has no name", path.display());
        };
        if !kind.is_file() || archive::stem(name).is_none() {
            bail!(
                "{} is neither a folder nor a .zip, .tar, .tar.gz or .tgz",
                argument.display()
            );
        }
        archive_units(base, &[name.to_owned()], CLASS, class)?
    };
    Ok(candidates(
        base_components(argument, &path),
        &path,
        alone,
        units,
    ))
}

fn folder_units(base: &Path) -> Result<Vec<Unit>> {
    let mut lookout = Lookout::default();
    if let End::Damaged(why) | End::Stopped(why) =
        folder::walk(base, &[], &mut lookout)?
    {
        lookout.troubles.push((Vec::new(), why));
    }
    let roots = lookout.roots();
    let within =
        |path: &Parts| roots.iter().any(|root| path.starts_with(&root.path));
    let mut units = Vec::new();
    for file in lookout.archives.iter().filter(|path| !within(path)) {
        for mut unit in archive_units(base, file, STUDENT, false)? {
            unit.path.splice(..0, file.iter().cloned());
            units.push(unit);
        }
    }
    units.extend(rooted(&lookout, &Place::Folder(base.to_owned()), &[]));
    Ok(sort_out(units, &lookout, &[]))
}

/// The submissions in an archive, `most` of them.
fn archive_units(
    base: &Path,
    file: &[OsString],
    most: usize,
    class: bool,
) -> Result<Vec<Unit>> {
    let mut lookout = Lookout::that_opens(most);
    let end = archive::walk(base, file, None, &mut lookout)?;
    let place = |inner: Option<&Parts>| Place::Archive {
        base: base.to_owned(),
        file: file.to_vec(),
        inner: inner.cloned(),
    };
    let mut units = rooted(&lookout, &place(None), &[]);
    let roots = lookout.roots();
    let within =
        |path: &Parts| roots.iter().any(|root| path.starts_with(&root.path));
    for (path, (inside, end)) in &lookout.opened {
        if within(path) {
            continue;
        }
        let mut inner = rooted(inside, &place(Some(path)), path);
        if inner.is_empty() {
            let mut notes = inside.notes(&[]);
            notes.push(says(end));
            inner.push(nothing(path.clone(), notes));
        }
        for unit in &mut inner {
            unit.notes.extend(lookout.notes(path));
        }
        units.extend(inner);
    }
    let top = wrapper(&units, &lookout);
    units = sort_out(units, &lookout, &top);
    if !class {
        units = beside_their_work(units);
    }
    if let ([one], true) = (units.as_mut_slice(), lookout.opened.is_empty()) {
        // Its own folder, `repo-main` say, tells nobody anything.
        if !class || top.is_empty() {
            one.path.clear();
        }
    }
    match units.as_mut_slice() {
        _ if end == End::Whole => {}
        // Whoever takes it will meet the same end, and say so.
        [one] if one.root.is_some() => {}
        [one] => {
            one.notes.retain(|note| note != NOTHING);
            one.notes.insert(0, says(&end));
        }
        _ => units.push(nothing(Vec::new(), vec![says(&end)])),
    }
    if units.len() > most {
        units.truncate(most);
        let note = format!("only the first {most} submissions in it are looked at");
        units.push(nothing(Vec::new(), vec![note]));
    }
    Ok(units)
}

/// What there is to say of an archive without levels.
pub fn says(end: &End) -> String {
    match end {
        End::Whole => NOTHING.to_owned(),
        End::Stopped(why) => format!("the archive is not read to its end: {why}"),
        End::Damaged(why) => format!("the archive can't be read: {why}"),
    }
}

const NOTHING: &str = "there is no levels/NN-name/src in it";

fn nothing(path: Parts, notes: Vec<String>) -> Unit {
    Unit {
        path,
        root: None,
        notes,
    }
}

/// The submissions recognized in a folder, or in an archive that is itself at `at`.
fn rooted(lookout: &Lookout, place: &Place, at: &[OsString]) -> Vec<Unit> {
    let roots = lookout.roots().into_iter();
    roots
        .map(|root| Unit {
            path: [at, &root.path].concat(),
            notes: lookout.notes_on(&root.levels),
            root: Some((place.clone(), root.levels, root.folders)),
        })
        .collect()
}

/// The folder that all of an archive is in, if others than one are in it.
fn wrapper(units: &[Unit], lookout: &Lookout) -> Parts {
    let top: Parts = lookout.children.iter().cloned().collect();
    let below = |unit: &Unit| unit.path.len() > 1 && unit.path.starts_with(&top);
    match top.len() == 1 && units.iter().all(below) {
        true => top,
        false => Parts::new(),
    }
}

/// If only one of them has levels, the others belong to that one.
fn beside_their_work(mut units: Vec<Unit>) -> Vec<Unit> {
    let with_levels = units.iter().position(|unit| unit.root.is_some());
    let several = units.iter().filter(|unit| unit.root.is_some()).count() > 1;
    let Some(at) = with_levels.filter(|_| !several) else {
        return units;
    };
    let mut one = units.swap_remove(at);
    for other in units {
        let notes = other.notes.iter();
        let about = notes.map(|note| take::about(&other.path, note));
        one.notes.extend(about);
    }
    vec![one]
}

/// Nobody is to be lost: a student's folder or archive without anything to judge is a
/// submission, too. But beside their work they may have other things. `top`: the folder
/// that all of it is in, which is no part of the units' paths then.
fn sort_out(units: Vec<Unit>, lookout: &Lookout, top: &[OsString]) -> Vec<Unit> {
    let mut children: BTreeMap<OsString, Vec<Unit>> = BTreeMap::new();
    for mut unit in units {
        unit.path.drain(..top.len());
        let Some(child) = unit.path.first().cloned() else {
            // All of it is one submission.
            return vec![unit];
        };
        children.entry(child).or_default().push(unit);
    }
    if children.is_empty() {
        let mut notes = lookout.notes(&[]);
        notes.push(NOTHING.to_owned());
        return vec![nothing(Vec::new(), notes)];
    }
    let rooted = children.values().flatten().any(|unit| unit.root.is_some());
    if rooted {
        let all = match top {
            [] => &lookout.children,
            _ => &lookout.grandchildren,
        };
        for child in all {
            children.entry(child.clone()).or_default();
        }
    }
    let of_one = |(child, units)| {
        let notes = lookout.notes(&[top, std::slice::from_ref(&child)].concat());
        of_one(child, units, notes)
    };
    children.into_iter().flat_map(of_one).collect()
}

/// What one student handed in. `notes`: what is amiss with all of that.
fn of_one(child: OsString, units: Vec<Unit>, mut notes: Vec<String>) -> Vec<Unit> {
    let (mut rooted, others): (Vec<Unit>, Vec<Unit>) =
        units.into_iter().partition(|unit| unit.root.is_some());
    if rooted.is_empty() {
        for unit in others {
            let path = take::within(&unit.path, std::slice::from_ref(&child));
            let about = unit.notes.iter().map(|note| take::about(path, note));
            notes.extend(about);
        }
        if notes.is_empty() {
            notes.push(NOTHING.to_owned());
        }
        return vec![nothing(vec![child], notes)];
    }
    for other in others {
        let path = take::within(&other.path, std::slice::from_ref(&child));
        for note in other.notes.iter().filter(|note| *note != NOTHING) {
            for unit in &mut rooted {
                unit.notes.push(take::about(path, note));
            }
        }
    }
    rooted
}

fn candidates(
    base: Parts,
    path: &Path,
    alone: bool,
    units: Vec<Unit>,
) -> Vec<Candidate> {
    let paths: Vec<Parts> = units.iter().map(|unit| unit.path.clone()).collect();
    let telling = telling(&paths);
    let units = units.into_iter().zip(telling);
    units
        .map(|(unit, inner)| {
            let mut components = base.clone();
            let itself = unit.path.is_empty();
            let levels = unit.root.as_ref().is_some_and(|root| root.1.is_empty());
            if itself
                && levels
                && path.file_name().is_some_and(|name| name == "levels")
            {
                components.pop();
            }
            components.extend_from_slice(&unit.path[..inner]);
            let own = usize::from(!alone && inner > 0);
            Candidate {
                identity: identity(path, &unit),
                names: all_names(&components, inner + own),
                given: false,
                found: found(unit),
            }
        })
        .collect()
}

/// Without what Moodle adds to people's names, and without the endings of archives; for
/// those whom that doesn't tell apart, with them.
fn all_names(components: &[OsString], inner: usize) -> Vec<String> {
    let without: Parts = components.iter().map(without_ending).collect();
    let people: Parts = without.iter().map(|name| person(name).to_owned()).collect();
    let mut all = names::trailing(&people, inner);
    if people != without {
        all.extend(names::trailing(&without, inner));
    }
    all.extend(names::trailing(components, inner));
    all
}

/// The person in a name that Moodle makes: `Ada L._48213_assignsubmission_file_`, and
/// what they call their file behind it, if it isn't in a folder.
fn person(name: &OsStr) -> &OsStr {
    const SUFFIX: &[u8] = b"_assignsubmission_file";
    let bytes = name.as_bytes();
    let parse = || {
        let mut windows = bytes.windows(SUFFIX.len());
        let at = windows.position(|window| window == SUFFIX)?;
        let rest = &bytes[at + SUFFIX.len()..];
        let underscore = bytes[..at].iter().rposition(|byte| *byte == b'_')?;
        let number = &bytes[underscore + 1..at];
        let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
        let is_end = rest.is_empty() || rest.starts_with(b"_");
        let person = &bytes[..underscore];
        (is_number && is_end && !person.is_empty()).then_some(person)
    };
    parse().map_or(name, OsStr::from_bytes)
}

/// For each path, how many of its components it takes to tell it from the others.
fn telling(paths: &[Parts]) -> Vec<usize> {
    let mut users: BTreeMap<&[OsString], usize> = BTreeMap::new();
    for path in paths {
        for count in 0..=path.len() {
            *users.entry(&path[..count]).or_default() += 1;
        }
    }
    let paths = paths.iter();
    paths
        .map(|path| {
            let mut counts = 1..path.len();
            counts
                .find(|count| users[&path[..*count]] == 1)
                .unwrap_or(path.len())
        })
        .collect()
}

/// The argument's own components, as the instructor wrote them: their links have names,
/// too.
fn base_components(argument: &Path, path: &Path) -> Parts {
    let written: PathBuf = match std::path::absolute(argument) {
        Ok(written)
            if !written
                .components()
                .any(|part| part == Component::ParentDir) =>
        {
            written
        }
        _ => path.to_owned(),
    };
    names::components(&written)
}

fn without_ending(name: &OsString) -> OsString {
    archive::any_stem(name).unwrap_or(name).to_owned()
}

/// The same for the same place, however it was come to.
fn identity(path: &Path, unit: &Unit) -> OsString {
    let parts = match &unit.root {
        None => vec![PathBuf::from_iter(&unit.path)],
        Some((place, levels, _)) => {
            let inner = match place {
                Place::Archive { inner, .. } => inner.clone().unwrap_or_default(),
                _ => Vec::new(),
            };
            let path = match place {
                Place::Archive { base, file, .. } => {
                    base.join(PathBuf::from_iter(file))
                }
                _ => path.to_owned(),
            };
            vec![path, PathBuf::from_iter(inner), PathBuf::from_iter(levels)]
        }
    };
    let joined = parts.into_iter().fold(path.to_owned(), |all, part| {
        match part.as_os_str().is_empty() {
            true => all,
            false => all.join(part),
        }
    });
    joined.into_os_string()
}

fn found(unit: Unit) -> Found {
    let (place, levels, folders) = match unit.root {
        Some(root) => root,
        None => (Place::Nowhere, Vec::new(), Vec::new()),
    };
    let mut seen = BTreeSet::new();
    let mut notes = unit.notes;
    notes.retain(|note| seen.insert(note.clone()));
    notes.truncate(super::limits::NOTES + 1);
    Found {
        name: String::new(),
        place,
        levels,
        folders,
        notes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moodle_adds_to_names() {
        for (name, expected) in [
            ("Öztürk Judy_48213_assignsubmission_file_", "Öztürk Judy"),
            ("Öztürk Judy_48213_assignsubmission_file", "Öztürk Judy"),
            ("A_B_1_assignsubmission_file_work", "A_B"),
            ("A_1_assignsubmission_files", "A_1_assignsubmission_files"),
            ("A_x_assignsubmission_file_", "A_x_assignsubmission_file_"),
            ("A__assignsubmission_file_", "A__assignsubmission_file_"),
            ("_1_assignsubmission_file_", "_1_assignsubmission_file_"),
            ("assignsubmission_file_", "assignsubmission_file_"),
            ("alice", "alice"),
            ("", ""),
        ] {
            assert_eq!(person(OsStr::new(name)), expected);
        }
    }
}
