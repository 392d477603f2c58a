//! Reads commits, with the `git` program.
//!
//! The repository may be hostile, too. Only plumbing runs that reads objects: no index
//! (`core.fsmonitor`), no work tree (filters), no `git archive` (attributes could change
//! or hide files), nothing that a configuration could make run another program. Missing
//! objects are not fetched: `man 1 git`, `GIT_NO_LAZY_FETCH`.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use super::entry::{End, Entry, Kind, Visitor, shown, split};
use super::lookout::Lookout;
use super::names::Candidate;
use super::{Found, Place, limits, look};

/// Bytes that git may ask for at once: a delta may unpack to anything.
const MEMORY: &str = "512m";

/// A commit, and what it is called.
struct Commit {
    id: String,
    /// The branch's or tag's whole name, if it has one.
    reference: Option<String>,
    /// Who wrote it, as they say themselves.
    author: String,
}

/// Characters of an author's name: it may have any number.
const AUTHOR: usize = 60;

/// The submissions that a revision, a range or a pattern of branches names.
pub fn find(repository: &Path, revision: &str) -> Result<Vec<Candidate>> {
    if revision.is_empty() || revision.starts_with('-') {
        bail!("'{}' is no revision", shown(revision));
    }
    let commits = if revision.contains("..") {
        range(repository, revision)?
    } else if revision.contains(['*', '?', '[']) {
        pattern(repository, revision)?
    } else {
        let id = resolve(repository, revision)?;
        vec![Commit {
            reference: full_name(repository, revision)?,
            author: author(repository, &id)?,
            id,
        }]
    };
    let commits = commits.into_iter();
    commits
        .map(|commit| candidate(repository, commit))
        .collect()
}

fn range(repository: &Path, revision: &str) -> Result<Vec<Commit>> {
    let arguments = ["rev-list", "--reverse", "--end-of-options", revision, "--"];
    let commits = lines(repository, &arguments)?;
    if commits.is_empty() {
        bail!("no commit is in the range {}", shown(revision));
    }
    let commits = commits.into_iter().map(|id| {
        Ok(Commit {
            author: author(repository, &id)?,
            id,
            reference: None,
        })
    });
    commits.collect()
}

/// The author's name in a commit: in its header, which ends with an empty line,
/// `author NAME <ADDRESS> TIME`.
fn author(repository: &Path, commit: &str) -> Result<String> {
    let mut command = git(repository);
    command.args(["cat-file", "commit", commit]);
    let (_running, output) = start(&mut command)?;
    let mut header = Vec::new();
    let mut limited = output.take(limits::HEADER);
    limited.read_to_end(&mut header).context("read a commit")?;
    let header = String::from_utf8_lossy(&header);
    let mut lines = header.lines().take_while(|line| !line.is_empty());
    let author = lines.find_map(|line| line.strip_prefix("author "));
    let name = author.and_then(|author| author.split_once('<'));
    let name = name.map_or("", |(name, _)| name.trim());
    Ok(name.chars().take(AUTHOR).collect())
}

fn pattern(repository: &Path, pattern: &str) -> Result<Vec<Commit>> {
    let whole = match pattern.starts_with("refs/") {
        true => pattern.to_owned(),
        false => format!("refs/heads/{pattern}"),
    };
    let arguments = ["for-each-ref", "--format=%(refname)", "--", &whole];
    let references = lines(repository, &arguments)?;
    if references.is_empty() {
        bail!("no branch is called {}", shown(&whole));
    }
    let commits = references.into_iter().map(|reference| {
        Ok(Commit {
            id: resolve(repository, &reference)?,
            reference: Some(reference),
            author: String::new(),
        })
    });
    commits.collect()
}

/// The commit that a revision leads to.
fn resolve(repository: &Path, revision: &str) -> Result<String> {
    let commit = format!("{revision}^{{commit}}");
    let arguments = ["rev-parse", "--verify", "--end-of-options", &commit];
    match lines(repository, &arguments)?.as_slice() {
        [id] => Ok(id.clone()),
        _ => bail!("{} is no commit", shown(revision)),
    }
}

/// The whole name of a branch or a tag.
fn full_name(repository: &Path, revision: &str) -> Result<Option<String>> {
    let option = "--symbolic-full-name";
    let arguments = [
        "rev-parse",
        option,
        "--verify",
        "--end-of-options",
        revision,
    ];
    let names = lines(repository, &arguments)?;
    let name = names.into_iter().next();
    Ok(name.filter(|name| name.starts_with("refs/")))
}

fn candidate(repository: &Path, commit: Commit) -> Result<Candidate> {
    let mut lookout = Lookout::default();
    let end = walk(repository, &commit.id, &mut lookout)?;
    let repository = repository
        .canonicalize()
        .with_context(|| format!("find {}", repository.display()))?;
    let mut found = Found {
        name: String::new(),
        place: Place::Nowhere,
        levels: Vec::new(),
        folders: Vec::new(),
        notes: lookout.notes(&[]),
    };
    // Of several it is the one nearest to the top.
    let roots = lookout.roots().into_iter();
    match roots.min_by_key(|root| root.path.len()) {
        Some(root) => {
            found.levels = root.levels;
            found.folders = root.folders;
            found.place = Place::Commit {
                repository: repository.clone(),
                commit: commit.id.clone(),
            };
        }
        None => found.notes.push(look::says(&end)),
    }
    let reference = commit.reference.as_deref();
    let mut identity = repository.into_os_string();
    identity.push(format!("@{}@{}", reference.unwrap_or("commit"), commit.id));
    Ok(Candidate {
        found,
        identity,
        names: names(&commit),
        given: false,
    })
}

fn names(commit: &Commit) -> Vec<String> {
    let Some(reference) = &commit.reference else {
        let short: String = commit.id.chars().take(12).collect();
        let with_author = |id: &str| format!("{id} {}", commit.author);
        let names = [short, commit.id.clone()];
        return names.map(|id| with_author(&id).trim_end().into()).into();
    };
    let kinds = ["refs/heads/", "refs/tags/", "refs/remotes/"];
    let short = kinds.iter().find_map(|kind| reference.strip_prefix(kind));
    let short = short.unwrap_or(reference);
    vec![short.to_owned(), reference.clone()]
}

/// `git`, which believes nothing but its arguments.
fn git(repository: &Path) -> Command {
    let mut git = Command::new("git");
    git.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        git.env("PATH", path);
    }
    let environment = [
        ("LC_ALL", "C"),
        ("HOME", "/nonexistent"),
        ("GIT_ALLOC_LIMIT", MEMORY),
        ("GIT_ALLOW_PROTOCOL", ""),
        ("GIT_ATTR_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_GRAFT_FILE", "/dev/null"),
        ("GIT_NO_LAZY_FETCH", "1"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        ("GIT_TERMINAL_PROMPT", "0"),
    ];
    git.envs(environment);
    git.args(["--no-pager", "--no-replace-objects"]);
    let configuration = [
        // Another user's repository: nothing of its configuration is run.
        "safe.directory=*",
        "core.fsmonitor=false",
        "core.hooksPath=/dev/null",
        // They could lie about commits.
        "core.commitGraph=false",
        "protocol.allow=never",
    ];
    for setting in configuration {
        git.args(["-c", setting]);
    }
    git.arg("-C").arg(repository).stdin(Stdio::null());
    git
}

/// The lines that a command prints.
fn lines(repository: &Path, arguments: &[&str]) -> Result<Vec<String>> {
    let output = git(repository)
        .args(arguments)
        .output()
        .context("start git")?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!(
            "git {}: {}",
            shown(arguments.join(" ")),
            shown(errors.trim())
        );
    }
    let text =
        String::from_utf8(output.stdout).context("git: a name is not UTF-8")?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// A running command. It ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Show every file of a commit.
pub fn walk(
    repository: &Path,
    commit: &str,
    visitor: &mut dyn Visitor,
) -> Result<End> {
    let arguments = [
        "ls-tree",
        "-r",
        "-z",
        "-l",
        "--full-tree",
        "--end-of-options",
    ];
    let mut command = git(repository);
    command.args(arguments).arg(commit);
    let (mut list, output) = start(&mut command)?;
    let mut list_output = BufReader::new(output);
    let contents = RefCell::new(Contents::new(repository));
    let mut entries = 0;
    while let Some(line) = line(&mut list_output)? {
        entries += 1;
        if entries > limits::ENTRIES {
            let limit = limits::ENTRIES;
            return Ok(End::Stopped(format!("it has more than {limit} files")));
        }
        let Some(file) = File::parse(&line) else {
            return Ok(End::Damaged("git lists something unknown".to_owned()));
        };
        let (parts, bad) = split(file.path);
        let entry = Entry {
            parts: &parts,
            bad,
            kind: file.kind,
            size: file.size,
        };
        let mut content = Content {
            contents: &contents,
            id: &file.id,
            left: None,
        };
        if visitor.visit(&entry, &mut content)?.is_break() {
            return Ok(End::Whole);
        }
        content.finish();
    }
    let status = list.0.wait().context("wait for git ls-tree")?;
    match status.success() {
        true => Ok(End::Whole),
        false => Ok(End::Damaged(
            "git can't read this commit's files".to_owned(),
        )),
    }
}

fn start(command: &mut Command) -> Result<(Running, ChildStdout)> {
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().context("start git")?;
    let output = child.stdout.take().context("git has no output")?;
    Ok((Running(child), output))
}

/// What comes before the next NUL, as long as a header may be.
fn line(from: &mut impl BufRead) -> Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut limited = from.take(limits::HEADER);
    limited
        .read_until(0, &mut line)
        .context("read the output of git ls-tree")?;
    match line.pop() {
        None => Ok(None),
        Some(0) => Ok(Some(line)),
        // The end of it is missing: no file is called that.
        Some(_) => Ok(Some(Vec::new())),
    }
}

/// A line of `git ls-tree -l`: `MODE TYPE ID SIZE<TAB>PATH`
struct File<'a> {
    kind: Kind,
    id: String,
    size: u64,
    path: &'a [u8],
}

impl<'a> File<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let tab = line.iter().position(|byte| *byte == b'\t')?;
        let words = std::str::from_utf8(&line[..tab]).ok()?;
        let mut words = words.split_ascii_whitespace();
        let (mode, _, id) = (words.next()?, words.next()?, words.next()?);
        let size = words.next()?;
        Some(Self {
            kind: match mode {
                "100644" | "100755" | "100664" => Kind::File,
                "120000" => Kind::SymbolicLink,
                "160000" => Kind::Submodule,
                _ => Kind::Special,
            },
            id: id.to_owned(),
            // Unknown, as of a submodule, or of an object that is missing.
            size: size.parse().unwrap_or(0),
            path: &line[tab + 1..],
        })
    }
}

/// Contents of objects: `git cat-file --batch`, which knows no attributes.
struct Contents<'a> {
    repository: &'a Path,
    running: Option<(Running, ChildStdin, BufReader<ChildStdout>)>,
}

impl<'a> Contents<'a> {
    fn new(repository: &'a Path) -> Self {
        Self {
            repository,
            running: None,
        }
    }

    fn start(&mut self) -> io::Result<()> {
        let mut command = git(self.repository);
        command.args(["cat-file", "--batch"]);
        command.stdin(Stdio::piped());
        let (mut running, output) = start(&mut command).map_err(io::Error::other)?;
        let input = running.0.stdin.take();
        let input = input.ok_or_else(|| io::Error::other("git has no input"))?;
        self.running = Some((running, input, BufReader::new(output)));
        Ok(())
    }

    /// Ask for an object: how many bytes it has, which come next, and a line break.
    fn ask(&mut self, id: &str) -> io::Result<u64> {
        if self.running.is_none() {
            self.start()?;
        }
        let Some((_, input, output)) = &mut self.running else {
            return Err(io::Error::other("git doesn't run"));
        };
        input.write_all(format!("{id}\n").as_bytes())?;
        let mut header = String::new();
        output.take(limits::HEADER).read_line(&mut header)?;
        let mut words = header.split_ascii_whitespace().skip(1);
        match (words.next(), words.next()) {
            (Some("blob"), Some(size)) => size.parse().map_err(io::Error::other),
            _ => {
                self.running = None;
                Err(io::Error::other("the object is missing or damaged"))
            }
        }
    }

    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match &mut self.running {
            Some((_, _, output)) => output.read(to),
            None => Ok(0),
        }
    }
}

/// The content of one file.
struct Content<'a, 'b> {
    contents: &'a RefCell<Contents<'b>>,
    id: &'a str,
    /// Bytes that are still to come, if it was asked for.
    left: Option<u64>,
}

impl Content<'_, '_> {
    /// Nothing of it may be left before the next one. What isn't read to its end would
    /// have to be: that git has done its work.
    fn finish(self) {
        let mut contents = self.contents.borrow_mut();
        match self.left {
            None => {}
            Some(0) => {
                let mut line_break = [0; 1];
                if !matches!(contents.read(&mut line_break), Ok(1)) {
                    contents.running = None;
                }
            }
            Some(_) => contents.running = None,
        }
    }
}

impl Read for Content<'_, '_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let mut contents = self.contents.borrow_mut();
        let left = match self.left {
            Some(left) => left,
            None => contents.ask(self.id)?,
        };
        self.left = Some(left);
        let most = to.len().min(usize::try_from(left).unwrap_or(to.len()));
        if most == 0 {
            return Ok(0);
        }
        match contents.read(&mut to[..most])? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => {
                self.left = Some(left - count as u64);
                Ok(count)
            }
        }
    }
}
