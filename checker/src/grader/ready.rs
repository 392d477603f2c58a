//! What all submissions stand on, compiled once: the crates and finished levels that
//! theirs are linked with, and the calls of rustc that make a level of them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use report::{CheckInfo, LevelInfo, Machine, Prepared};
use serde::{Deserialize, Serialize};

use super::calls::{self, Call};
use crate::author::{self, sources};
use crate::belt::{self, Belt, Facts, Fit, View};
use crate::judge::Level;
use crate::judge::levels::ALL;
use crate::workspace::{self, Whose};

/// How long what nobody wants any more is kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// A folder in which these things are: `deps/`, `calls/`, `skeleton/`, and this as
/// `ready.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ready {
    #[serde(skip)]
    folder: PathBuf,
    /// Where cargo had put what is in `deps/` now, as the calls name it.
    built: String,
    /// Where the levels were, as the calls name it.
    project: String,
    /// Where the compiler is: `rustc --print sysroot`.
    sysroot: PathBuf,
    rustc: String,
}

impl Ready {
    /// Read what was made ready in this folder.
    pub fn open(folder: &Path) -> Result<Self> {
        let file = folder.join("ready.json");
        let read =
            || -> Result<Self> { Ok(serde_json::from_slice(&fs::read(&file)?)?) };
        let ready = read().with_context(|| format!("read {}", file.display()))?;
        Ok(Self {
            folder: folder.to_owned(),
            ..ready
        })
    }

    /// The libraries to link with.
    pub fn deps(&self) -> PathBuf {
        self.folder.join("deps")
    }

    /// The host's names in calls, of `deps/` and of the project.
    pub fn names(&self) -> [&str; 2] {
        [&self.built, &self.project]
    }

    pub fn sysroot(&self) -> &Path {
        &self.sysroot
    }

    /// How a level's library and program are compiled, in this order.
    pub fn calls(&self, level: &Level) -> Result<Vec<Call>> {
        let package = Whose::Learner.package(level);
        let read = |file: PathBuf| -> Result<Call> {
            let text = fs::read(&file)
                .with_context(|| format!("read {}", file.display()))?;
            Ok(serde_json::from_slice(&text)?)
        };
        calls::files(&self.folder.join("calls"), &package)
            .into_iter()
            .map(read)
            .collect()
    }
}

/// Make everything ready, unless it is. Several may want that at once.
///
/// Errors: the finished levels don't compile, in the compiler's words.
pub fn prepare() -> Result<Prepared> {
    let root = workspace::root()?;
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).context("the target directory")?;
    let top = target.join("grading");
    fs::create_dir_all(&top).with_context(|| format!("mkdir {}", top.display()))?;
    let lock = top.join("lock");
    let file =
        File::create(&lock).with_context(|| format!("create {}", lock.display()))?;
    let _alone = Flock::lock(file, FlockArg::LockExclusive)
        .map_err(|(_, errno)| errno)
        .with_context(|| format!("flock {}", lock.display()))?;
    let fingerprint = fingerprint(&root)?;
    let folder = top.join(format!("ready-{fingerprint}"));
    if Ready::open(&folder).is_err() {
        remove_old(&top);
        build(&root, &top, &folder)?;
    }
    let ready = Ready::open(&folder)?;
    let _ = File::open(&folder)?.set_modified(SystemTime::now());
    Ok(Prepared {
        machine: machine(ready.rustc)?,
        levels: levels(),
        fingerprint,
        folder,
    })
}

/// What verdicts depend on: this program, the compiler, the finished levels.
fn fingerprint(root: &Path) -> Result<String> {
    let mut all = fs::read("/proc/self/exe")?;
    all.extend(say("rustc", &["-vV"], root)?.into_bytes());
    for file in ["Cargo.toml", "Cargo.lock"] {
        all.extend(fs::read(root.join(file))?);
    }
    for level in ALL {
        for (path, text) in sources::finished(root, level)? {
            all.extend(path.as_os_str().as_encoded_bytes());
            all.extend(text);
        }
    }
    Ok(format!("{:016x}", author::hash(&all)))
}

fn build(root: &Path, top: &Path, folder: &Path) -> Result<()> {
    let workspace = top.join("project");
    let members: Vec<String> = ALL.iter().map(|level| member(level)).collect();
    author::write_workspace(root, &workspace, &members)?;
    let draft = folder.with_extension("draft");
    let _ = fs::remove_dir_all(&draft);
    for level in ALL {
        for (path, text) in sources::skeleton(root, level)? {
            let here = workspace.join(member(level)).join(&path);
            author::put(&here, &text)?;
            let skeleton = draft.join("skeleton").join(member(level)).join(&path);
            author::put(&skeleton, &text)?;
        }
    }
    let (calls, built) = (top.join("calls"), top.join("built"));
    fs::create_dir_all(&calls)?;
    let packages: Vec<String> = ALL
        .iter()
        .map(|level| Whose::Learner.package(level))
        .collect();
    forget_if_missing(&calls, &built, &packages)?;
    compile(&workspace, &built, &calls, &packages)?;
    copy_all(&calls, &draft.join("calls"), &["json"])?;
    let deps = built.join("debug/deps");
    copy_all(&deps, &draft.join("deps"), &["rlib", "rmeta", "so"])?;
    let ready = Ready {
        folder: PathBuf::new(),
        built: text(&deps)?,
        project: text(&workspace)?,
        sysroot: say("rustc", &["--print", "sysroot"], &workspace)?.into(),
        rustc: say("rustc", &["--version"], &workspace)?,
    };
    fs::write(draft.join("ready.json"), serde_json::to_vec(&ready)?)?;
    fs::rename(&draft, folder)
        .with_context(|| format!("rename {} to it", draft.display()))
}

fn text(path: &Path) -> Result<String> {
    let text = path
        .to_str()
        .with_context(|| format!("{path:?} is no UTF-8"))?;
    Ok(text.to_owned())
}

/// `levels/05-uts-ns`
fn member(level: &Level) -> String {
    format!("levels/{}", level.folder())
}

/// cargo doesn't call rustc for what it has compiled: let it forget that.
fn forget_if_missing(calls: &Path, built: &Path, packages: &[String]) -> Result<()> {
    let files = packages.iter().flat_map(|one| calls::files(calls, one));
    if files.into_iter().all(|file| file.exists()) {
        return Ok(());
    }
    let known = built.join("debug/.fingerprint");
    for entry in fs::read_dir(&known).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("level-") {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn compile(
    workspace: &Path,
    built: &Path,
    calls: &Path,
    packages: &[String],
) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(workspace)
        .args(["build", "--quiet", "--target-dir"])
        .arg(built)
        .env("RUSTC_WORKSPACE_WRAPPER", std::env::current_exe()?)
        // One of theirs would be between cargo and ours.
        .env("RUSTC_WRAPPER", "")
        .env(calls::FOLDER, calls);
    for package in packages {
        command.args(["--package", package]);
    }
    crate::sys::end_with_us(&mut command);
    let done = command.output().context("start cargo")?;
    if !done.status.success() {
        bail!(
            "the levels don't compile as they are handed out\n{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
    Ok(())
}

fn copy_all(from: &Path, to: &Path, endings: &[&str]) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)?.flatten() {
        let name = entry.path();
        let ending = name.extension().unwrap_or_default();
        // The skeleton's own libraries are what others bring.
        let own = entry.file_name().to_string_lossy().starts_with("liblevel_");
        if !own && endings.iter().any(|one| ending == *one) {
            fs::copy(&name, to.join(entry.file_name()))
                .with_context(|| format!("copy {}", name.display()))?;
        }
    }
    Ok(())
}

/// What an earlier checker had made ready, and nobody has wanted for a day.
fn remove_old(top: &Path) {
    for entry in fs::read_dir(top).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with("ready-");
        let age = entry.metadata().and_then(|data| data.modified());
        let age = age.ok().and_then(|time| time.elapsed().ok());
        if ours && age.is_some_and(|age| age > KEPT) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// What a program prints, without the newline at its end.
fn say(program: &str, arguments: &[&str], folder: &Path) -> Result<String> {
    let shown = || format!("{program} {}", arguments.join(" "));
    let done = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .with_context(shown)?;
    if !done.status.success() {
        bail!("{}: {}", shown(), String::from_utf8_lossy(&done.stderr));
    }
    Ok(String::from_utf8_lossy(&done.stdout).trim_end().to_owned())
}

/// All levels, without what holds in them from the beginning.
pub fn levels() -> Vec<LevelInfo> {
    ALL.iter().map(|level| info(level)).collect()
}

fn info(level: &Level) -> LevelInfo {
    let check = |check: &crate::judge::Check| CheckInfo {
        id: check.id.into(),
        claim: check.claim.into(),
    };
    LevelInfo {
        level: level.number.into(),
        name: level.name.into(),
        title: level.title.into(),
        checks: level.checks.iter().map(check).collect(),
        given: Vec::new(),
    }
}

fn machine(rustc: String) -> Result<Machine> {
    let fit = Fit {
        view: View::Bare,
        ..Fit::default()
    };
    let sandbox = match Belt::fasten(&fit) {
        Ok(belt) => describe(belt.facts()),
        // Then every verdict says so, and names the cure.
        Err(error) => format!("none: {error:#}"),
    };
    Ok(Machine {
        kernel: crate::status::kernel(),
        cgroup: belt::cgroup_versions().into(),
        sandbox,
        checker: env!("CARGO_PKG_VERSION").into(),
        rustc,
    })
}

fn describe(facts: &Facts) -> String {
    let who = match nix::unistd::geteuid().is_root() {
        true => "root's",
        false => "an ordinary user's",
    };
    let ids = match facts.ids {
        1 => "one user id".into(),
        ids => format!("{ids} user ids that nobody has"),
    };
    let group = match facts.cgroup {
        true => "in a control group",
        false => "without a control group",
    };
    format!("{who}, {ids}, {group}")
}
