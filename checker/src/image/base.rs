//! The recipe of `base`: a small system made of the host's own programs, so that a
//! first container needs no download, no network and no root.
//!
//! Two makes on one host give the same archive, byte for byte: the order, the
//! owners, the modes and the times in it are fixed.

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::unistd::{AccessFlags, access};

use super::elf::{self, Program};
use super::plan::Plan;
use super::store::{Store, named};
use super::{Added, Image};
use crate::probe::{BLACKBOARD, BREAK_OUT, LISTEN};

/// To be raised with each change that makes an older `base` useless.
const RECIPE: u32 = 4;

/// Says that an image is ours, and of which recipe. First in the archive, so that it
/// can be looked up without reading on.
const OS_RELEASE: &str = "/etc/os-release";

/// What a person types first. Those which the host lacks are left out.
const PROGRAMS: &str = "
    [ awk basename bash cat chgrp chmod chown chroot clear cmp cp cut date dd df diff
    dirname dmesg du echo env expr false find findmnt free getent grep groups head
    hexdump hostname id ip ipcmk ipcrm ipcs kill link ln logname ls lsns md5sum mkdir
    mkfifo mknod mktemp more mount mountpoint mv nice nohup nproc nsenter od paste
    pgrep pivot_root pkill printenv printf ps pwd readlink realpath reset rm rmdir sed
    seq setpriv setsid sh sha256sum sleep sort stat stty swapoff sync tail taskset
    tee test timeout top touch tr true truncate tty umount uname uniq unlink unshare
    uptime watch wc which who whoami xargs yes
";

/// What is pleasant to have, if it's small.
const EXTRAS: &str = "
    capsh getcap less nano nc pidof ping prlimit pstree setcap ss tar tree vi vim.tiny
";

/// The most that an extra may bring with it, libraries included, in bytes.
const SMALL: u64 = 2 << 20;

/// Where programs are looked for before PATH: what is first in a person's PATH is
/// often a wrapper of theirs, which wouldn't find its own way inside.
const DIRECTORIES: [&str; 5] = [
    "/usr/bin",
    "/bin",
    "/usr/sbin",
    "/sbin",
    "/run/current-system/sw/bin",
];

/// Entries of the terminfo database, so that `top` and `less` know the terminal.
const TERMINALS: &str = "
    alacritty ansi dumb foot linux rxvt-unicode-256color screen screen-256color
    st-256color tmux tmux-256color vt100 vt220 wezterm xterm xterm-256color
    xterm-ghostty xterm-kitty
";

/// Write the image into the store.
///
/// Errors: the host has no shell that can be read; the store can't be written.
pub fn make(store: &Store, name: &str) -> Result<Added> {
    let (plan, notes) = recipe()?;
    let mut draft = store.draft(name)?;
    plan.write(
        BufWriter::with_capacity(1 << 16, &mut *draft),
        &["/etc", OS_RELEASE],
    )?;
    draft.commit()?;
    let image = Image::at(name, store.path(name)?)?;
    Ok(Added {
        image,
        entries: plan.len(),
        notes,
    })
}

/// Whether the image at `path` is a `base` of ours that today's recipe would
/// replace: an older recipe's, or made for another machine (a home directory may be
/// shared). One that somebody imported under that name is theirs and never outdated.
pub fn is_outdated(path: &Path) -> bool {
    let label = || -> Option<String> {
        let mut archive = tar::Archive::new(File::open(path).ok()?);
        let entry = archive.entries().ok()?.take(2).last()?.ok()?;
        let is_label =
            Path::new("/").join(entry.path().ok()?) == Path::new(OS_RELEASE);
        is_label.then(|| io::read_to_string(entry.take(4096)).ok())?
    };
    label().is_some_and(|label| {
        label.contains("\nID=rubber-crab\n") && label != os_release()
    })
}

fn os_release() -> String {
    format!(
        "NAME=\"Rubber Crab base\"\nID=rubber-crab\nVERSION_ID={RECIPE}\n\
         PRETTY_NAME=\"Rubber Crab base, made from this host's own programs\"\n\
         ARCHITECTURE={}\n",
        env::consts::ARCH
    )
}

/// All that goes into the image, and notes on what doesn't.
fn recipe() -> Result<(Plan, Vec<String>)> {
    let mut gathering = Gathering::new();
    gathering.skeleton();
    for name in PROGRAMS.split_whitespace() {
        gathering.program(name, u64::MAX);
    }
    for name in EXTRAS.split_whitespace() {
        gathering.program(name, SMALL);
    }
    gathering.shell()?;
    gathering.own_programs();
    gathering.runtime_files();
    gathering.settings();
    let mut notes = gathering.failures;
    if !gathering.missing.is_empty() {
        notes.push(format!("not on this host: {}", gathering.missing.join(" ")));
    }
    Ok((gathering.plan, notes))
}

#[derive(Default)]
struct Gathering {
    plan: Plan,
    /// Where programs are looked for.
    search: Vec<PathBuf>,
    /// The names under which the loaders and libraries so far are known.
    libraries: BTreeSet<PathBuf>,
    missing: Vec<&'static str>,
    failures: Vec<String>,
}

impl Gathering {
    fn new() -> Self {
        let path = env::var_os("PATH").unwrap_or_default();
        let search = DIRECTORIES.iter().map(PathBuf::from);
        let search = search.chain(env::split_paths(&path));
        Self {
            search: search.filter(|directory| directory.is_absolute()).collect(),
            ..Self::default()
        }
    }

    /// The directories that programs expect. /bin and the like are links where the
    /// host has links: the paths inside its programs count on that.
    fn skeleton(&mut self) {
        for place in ["/bin", "/sbin", "/lib", "/lib64", "/usr/bin", "/usr/sbin"] {
            let _ = self.plan.host(Path::new(place));
        }
        for directory in [
            "/dev", "/etc", "/home", "/mnt", "/proc", "/run", "/srv", "/sys",
            "/usr", "/var", "/var/log",
        ] {
            self.plan.directory(directory, 0o755);
        }
        for directory in ["/bin", "/usr/bin"] {
            if !self.plan.contains(Path::new(directory)) {
                self.plan.directory(directory, 0o755);
            }
        }
        self.plan.directory("/root", 0o700);
        self.plan.directory("/tmp", 0o1777);
        self.plan.directory("/var/tmp", 0o1777);
        self.plan.link("/var/run", "/run");
    }

    /// Add the program called `name` with all it needs, unless that would be more
    /// than `most` bytes. One that can't be added is noted: the image is good
    /// without.
    fn program(&mut self, name: &'static str, most: u64) {
        let Some(found) = self.find(name) else {
            // Extras are no loss.
            if most == u64::MAX {
                self.missing.push(name);
            }
            return;
        };
        if let Err(e) = self.found(name, &found, most) {
            self.failures.push(format!("left out {name}: {e:#}"));
        }
    }

    /// Add this very executable, under the names by which it shows how to leave a
    /// chroot (levels 01 and 03), shared memory (level 05), and ports (level 06).
    fn own_programs(&mut self) {
        let added = env::current_exe()
            .context("readlink /proc/self/exe")
            .and_then(|own| {
                for path in self.needs(&own, 0)?.into_iter().skip(1) {
                    self.plan.host(&path)?;
                }
                let directory = self.plan.host(Path::new("/usr/bin"))?;
                self.plan.copy(directory.join(BREAK_OUT), &own)?;
                for name in [BLACKBOARD, LISTEN] {
                    self.plan.link(directory.join(name), BREAK_OUT);
                }
                Ok(())
            });
        if let Err(e) = added {
            let names = format!("{BREAK_OUT}, {BLACKBOARD} and {LISTEN}");
            self.failures.push(format!("left out {names}: {e:#}"));
        }
    }

    /// The first executable file of that name.
    fn find(&self, name: &str) -> Option<PathBuf> {
        let candidates = self.search.iter().map(|directory| directory.join(name));
        candidates.into_iter().find(|path| {
            path.is_file()
                && access(path, AccessFlags::X_OK | AccessFlags::R_OK).is_ok()
        })
    }

    fn found(&mut self, name: &str, path: &Path, most: u64) -> Result<()> {
        let needed = self.needs(path, 0)?;
        if most < u64::MAX && self.cost(&needed)? > most {
            return Ok(());
        }
        for path in needed {
            self.plan.host(&path)?;
            self.libraries.insert(path);
        }
        let usual = DIRECTORIES[..4].iter().any(|usual| path.starts_with(usual));
        if usual {
            self.plan.host(path)?;
        } else {
            // Somewhere that the PATH inside doesn't name.
            self.name(name, &fs::canonicalize(path)?)?;
        }
        Ok(())
    }

    /// The files that the program at `path` needs, itself first.
    fn needs(&self, path: &Path, depth: u32) -> Result<Vec<PathBuf>> {
        let real = fs::canonicalize(path).map_err(named)?;
        if self.plan.contains(&real) {
            return Ok(vec![real]);
        }
        let mut needed = vec![real.clone()];
        match elf::inspect(&real)? {
            Program::Static => {}
            Program::Dynamic { loader } => {
                needed.extend(elf::libraries(&loader, &real)?);
                needed.push(loader);
            }
            // The kernel, too, gives up after a few interpreters of interpreters.
            Program::Script { .. } if depth > 3 => bail!("too many interpreters"),
            Program::Script {
                interpreter,
                argument,
            } => {
                needed.extend(self.needs(&interpreter, depth + 1)?);
                needed.push(interpreter.clone());
                let program = argument.filter(|_| interpreter.ends_with("env"));
                if let Some(program) = program.as_ref().and_then(|p| p.to_str()) {
                    let found = self.find(program).context("its interpreter")?;
                    needed.extend(self.needs(&found, depth + 1)?);
                    needed.push(found);
                }
            }
        }
        Ok(needed)
    }

    /// How many bytes of these are not in the plan yet.
    fn cost(&self, needed: &[PathBuf]) -> Result<u64> {
        let mut cost = 0;
        for path in needed {
            let real = fs::canonicalize(path).map_err(named)?;
            if !self.plan.contains(&real) {
                cost += fs::metadata(&real).map_err(named)?.len();
            }
        }
        Ok(cost)
    }

    /// Make `/usr/bin/NAME` lead to `target`.
    fn name(&mut self, name: &str, target: &Path) -> Result<()> {
        let directory = self.plan.host(Path::new("/usr/bin"))?;
        self.plan.link(directory.join(name), target);
        Ok(())
    }

    /// `/bin/sh` is bash where there is one, whatever it is on the host: a shell for
    /// typing should know the arrow keys.
    fn shell(&mut self) -> Result<()> {
        let shell = self.find("bash").or_else(|| self.find("sh"));
        let shell = shell.context("no shell: neither bash nor sh is in PATH")?;
        let shell = fs::canonicalize(shell).map_err(named)?;
        if !self.plan.contains(&shell) {
            bail!("the shell could not be added: {}", self.failures.join(", "));
        }
        let place = self.plan.host(Path::new("/bin"))?.join("sh");
        if !self.plan.contains(&place) || self.find("bash").is_some() {
            self.plan.link(place, shell);
        }
        Ok(())
    }

    /// What the C library looks up when programs are running already.
    fn runtime_files(&mut self) {
        let mut wanted = Vec::new();
        for library in &self.libraries {
            let name = library.file_name().unwrap_or_default().to_string_lossy();
            if name == "libc.so.6" {
                // Part of libc itself since glibc 2.34.
                wanted.push(library.with_file_name("libnss_files.so.2"));
            } else if let Some(musl) = name.strip_prefix("ld-musl-") {
                let machine = musl.split('.').next().unwrap_or_default();
                wanted.push(format!("/etc/ld-musl-{machine}.path").into());
            }
        }
        // With it, libraries are found where the host's loader finds them.
        wanted.push("/etc/ld.so.cache".into());
        for terminal in TERMINALS.split_whitespace() {
            wanted.extend(terminfo(terminal));
        }
        for path in wanted.iter().filter(|path| path.is_file()) {
            let _ = self.plan.host(path);
        }
    }

    fn settings(&mut self) {
        let plan = &mut self.plan;
        plan.text(OS_RELEASE, os_release());
        plan.text(
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
        );
        plan.text("/etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n");
        plan.text("/etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n");
        plan.text(
            "/etc/nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\n",
        );
        // For sh -l, and for ENV=/etc/profile sh. The prompt is what all shells
        // know.
        plan.text(
            "/etc/profile",
            "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
             export HOME=/root\n\
             export LANG=C.UTF-8\n\
             unset LC_ALL\n\
             PS1='(container) $PWD # '\n",
        );
        plan.text("/etc/bash.bashrc", ". /etc/profile\n");
        plan.text("/root/.bashrc", ". /etc/profile\n");
    }
}

/// Where the entry of a terminal may be: the database has one directory for each
/// first letter, or its code (man 5 terminfo).
fn terminfo(terminal: &str) -> impl Iterator<Item = PathBuf> {
    let letter = terminal.chars().next().unwrap_or('x');
    let inside = [
        format!("{letter}/{terminal}"),
        format!("{:x}/{terminal}", u32::from(letter)),
    ];
    [
        "/etc/terminfo",
        "/lib/terminfo",
        "/usr/lib/terminfo",
        "/usr/share/terminfo",
    ]
    .iter()
    .flat_map(move |database| {
        inside.clone().map(|name| Path::new(database).join(name))
    })
}
