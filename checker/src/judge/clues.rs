//! When the command never ran, the kernel has shown us nothing of it. Then the line
//! that the runtime itself wrote is the best clue: which call, and which errno.

use nix::errno::Errno;

use super::common::{names_no_call, starts};
use super::{Finding, waits};
use crate::evidence::{Evidence, Run};

/// A failed call, and what it means here.
pub struct Clue {
    /// Words that are all in the line, in lower case; of `one|other` one.
    pub words: &'static [&'static str],
    pub errno: Errno,
    pub likely: &'static str,
    pub next: &'static str,
    pub more: &'static str,
}

/// As [`starts`], but with the meaning of the first clue that fits.
pub fn starts_with(evidence: &Evidence, clues: &[&[Clue]]) -> Finding {
    explained(starts(evidence), evidence.run("look"), clues)
}

/// A failure of a run whose command was never seen, with the meaning of the first clue
/// that fits.
pub fn explained(finding: Finding, run: &Run, clues: &[&[Clue]]) -> Finding {
    let Finding::Fail(mut diagnosis) = finding else {
        return finding;
    };
    if run.seen.is_none() {
        let fits = |clue: &&Clue| run.stderr.lines().any(|line| clue.fits(line));
        let named = clues.iter().flat_map(|part| part.iter()).find(fits);
        if let Some(clue) = named.or_else(|| only_one(run, clues)) {
            diagnosis.likely = clue.likely.into();
            diagnosis.next = clue.next.into();
            diagnosis.more = clue.more.into();
        }
    }
    Finding::Fail(diagnosis)
}

/// Where a line says the errno and no call: what it means at this level, whose clues are
/// the first, if it means one thing only.
fn only_one<'a>(run: &Run, clues: &[&'a [Clue]]) -> Option<&'a Clue> {
    let line = run.stderr.lines().find(|line| names_no_call(line))?;
    let line = line.to_lowercase();
    let own = clues.first()?;
    let mut same = own.iter().filter(|clue| names(&line, clue.errno));
    same.next().filter(|_| same.next().is_none())
}

impl Clue {
    /// The errno may be there by its name or in the words of strerror.
    fn fits(&self, line: &str) -> bool {
        let line = line.to_lowercase();
        let has = |words: &&str| words.split('|').any(|word| line.contains(word));
        self.words.iter().all(has) && names(&line, self.errno)
    }
}

/// Does this line, in lower case, name the errno? By its name, in nix's words, or in
/// those of the C library, which are not always the same.
fn names(line: &str, errno: Errno) -> bool {
    let name = format!("{errno:?}").to_lowercase();
    let text = errno.desc().to_lowercase();
    let strerror = std::io::Error::from(errno).to_string().to_lowercase();
    let strerror = strerror.split(" (os error").next().unwrap_or_default();
    [name.as_str(), &text, strerror]
        .iter()
        .any(|words| line.contains(words))
}

/// A failure that comes of mounts in the caller's table waits for the check which
/// names that mistake.
pub fn unless_leaked(finding: Finding, private: &Finding, id: &str) -> Finding {
    match (&finding, private) {
        (Finding::Fail(_), Finding::Fail(_)) => waits(id),
        (Finding::Fail(_), Finding::Waits { on }) => waits(on),
        _ => finding,
    }
}

/// Did this run leave mounts in the caller's table?
pub fn leaked(run: &Run) -> bool {
    !run.mounts_after.is_empty() || !run.mounts_during.is_empty()
}
