//! Names: for people, told apart; and for files, safe.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Result, bail};
use sha2::{Digest, Sha256};

use super::Found;
use super::entry::shown;

/// Characters of a key before its hash.
const KEPT: usize = 100;

/// A file name for any name: `[A-Za-z0-9._-]` stay, other bytes become `%XX`, and so
/// does a `.` or `-` at its beginning. Long ones are cut, and end with `%-` and the
/// SHA-256 of the whole name, in hex. No two names have the same key.
pub fn key(name: &str) -> String {
    let mut key = String::new();
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'.' | b'-' if at > 0 => key.push(char::from(byte)),
            b'_' => key.push('_'),
            _ if byte.is_ascii_alphanumeric() => key.push(char::from(byte)),
            _ => key.push_str(&format!("%{byte:02X}")),
        }
    }
    if key.is_empty() || key.len() > KEPT {
        key.truncate(KEPT);
        key.push_str("%-");
        key.push_str(&hex(&Sha256::digest(name)));
    }
    key
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A submission that has no name yet.
#[derive(Debug)]
pub struct Candidate {
    pub found: Found,
    /// Where it is: the same for the same place, however it was written.
    pub identity: OsString,
    /// What it could be called: the shortest first.
    pub names: Vec<String>,
    /// The first name was given by the instructor.
    pub given: bool,
}

/// Give names to candidates: to each the shortest one that no other has. The order in
/// which they come doesn't matter. It is an error if the instructor gave a name twice.
pub fn settle(candidates: Vec<Candidate>) -> Result<Vec<Found>> {
    let mut places: BTreeMap<OsString, Candidate> = BTreeMap::new();
    for mut candidate in candidates {
        candidate.names.push(shown_whole(&candidate.identity));
        let identity = candidate.identity.clone();
        match places.remove(&identity) {
            Some(other) => places.insert(identity, better(candidate, other)),
            None => places.insert(identity, candidate),
        };
    }
    let candidates: Vec<Candidate> = places.into_values().collect();
    refuse_names_given_twice(&candidates)?;
    let names = distinct(&candidates);
    let mut found: Vec<Found> = candidates
        .into_iter()
        .zip(names)
        .map(|(candidate, name)| Found {
            name,
            ..candidate.found
        })
        .collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// Of two for the same place: the one the instructor named, or the one whose name comes
/// first.
fn better(one: Candidate, other: Candidate) -> Candidate {
    let rank = |candidate: &Candidate| (!candidate.given, candidate.names.clone());
    if rank(&one) <= rank(&other) {
        one
    } else {
        other
    }
}

fn refuse_names_given_twice(candidates: &[Candidate]) -> Result<()> {
    let mut given = BTreeMap::new();
    for candidate in candidates.iter().filter(|candidate| candidate.given) {
        let Some(name) = candidate.names.first() else {
            continue;
        };
        if let Some(other) = given.insert(name, &candidate.identity) {
            bail!(
                "two submissions are called {}: {} and {}",
                shown(name),
                shown(other),
                shown(&candidate.identity)
            );
        }
    }
    Ok(())
}

/// Whoever shares a name takes the next longer one, till nobody does.
fn distinct(candidates: &[Candidate]) -> Vec<String> {
    let mut chosen = vec![0; candidates.len()];
    loop {
        let mut users: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
        for (index, candidate) in candidates.iter().enumerate() {
            users
                .entry(&candidate.names[chosen[index]])
                .or_default()
                .push(index);
        }
        let mut moved = false;
        for index in users.values().filter(|users| users.len() > 1).flatten() {
            let candidate = &candidates[*index];
            if !candidate.given && chosen[*index] + 1 < candidate.names.len() {
                chosen[*index] += 1;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    let names = candidates.iter().zip(chosen);
    number(names.map(|(candidate, at)| candidate.names[at].clone()))
}

/// Names that are still the same are numbered, in the order of their places.
fn number(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut used = BTreeSet::new();
    let mut numbered = Vec::new();
    for name in names {
        let mut unique = name.clone();
        let mut count = 1;
        while !used.insert(unique.clone()) {
            count += 1;
            unique = format!("{name} ({count})");
        }
        numbered.push(unique);
    }
    numbered
}

/// The names of something at this path: its last component, the last two, and so on.
/// The last `inner` components belong together, and are never shortened.
pub fn trailing(components: &[OsString], inner: usize) -> Vec<String> {
    let inner = inner.clamp(1, components.len().max(1));
    (inner..=components.len())
        .map(|count| {
            let last = &components[components.len() - count..];
            let texts: Vec<String> = last.iter().map(|part| text(part)).collect();
            texts.join("/")
        })
        .collect()
}

/// The components of an absolute path.
pub fn components(path: &Path) -> Vec<OsString> {
    let components = path.components();
    components
        .filter(|part| matches!(part, std::path::Component::Normal(_)))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

/// A name as text: bytes that aren't UTF-8 become `\xXX`.
pub fn text(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

fn shown_whole(identity: &OsStr) -> String {
    text(identity)
}
