//! What the finished runtimes do when things go wrong: killed at any moment, ten at
//! once, limits that make no sense, no room, no permission, a broken image. They are
//! run without the sandbox, as root, each in a mount namespace of its own; control
//! groups are made below one of this test's own, which goes at the end.
//!
//! Read the tests first; then `Place`, where all this happens.

mod common;

use std::fs;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{has, root, stderr};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

/// The finished levels that have control groups.
const LEVELS: [&str; 3] = ["07", "08", "09"];
/// How often each is killed.
const KILLS: u32 = 20;

/// Killed at any moment, a runtime leaves nothing that is in the way of the next one;
/// and the next one clears away what it left.
#[test]
fn killed_at_any_moment() {
    let Some(place) = Place::make("killed") else {
        return;
    };
    let mut random = 12_345_u32;
    for level in LEVELS {
        // How long a run takes here, to the end of a command that does nothing.
        let begun = Instant::now();
        place.run(level, &LIMITS, &["/bin/true"]);
        let latest = begun.elapsed().as_micros() as u32 * 6 / 5;
        place.empty("cache");
        let mut found = 0;
        for _ in 0..KILLS {
            let mut child = place.start(level, &LIMITS, &["/bin/sleep", "60"]);
            // A generator of Lehmer's: the moments are much the same in every run.
            random = (u64::from(random) * 48_271 % 0x7fff_ffff) as u32;
            sleep(Duration::from_micros((random % latest).into()));
            child.kill().expect("kill");
            child.wait().expect("wait");
            found += u32::from(!place.left().is_empty());
        }
        // Else this test would show nothing.
        assert!(found > 0, "level {level}: no kill left anything");
        let output = place.run(level, &LIMITS, &["/bin/true"]);
        assert_eq!(code(&output), 0, "level {level}: {}", stderr(&output));
        place.is_as_before(level);
    }
}

/// Ten containers at once, on one image that none has unpacked yet.
#[test]
fn ten_at_once() {
    let Some(place) = Place::make("ten") else {
        return;
    };
    for level in LEVELS {
        let start = |_| place.start(level, &LIMITS, &["/bin/sh", "-c", "exit 7"]);
        let all: Vec<Child> = (0..10).map(start).collect();
        for child in all {
            let output = child.wait_with_output().expect("wait");
            assert_eq!(code(&output), 7, "level {level}: {}", stderr(&output));
            assert_eq!(stderr(&output), "", "level {level}");
        }
        place.is_as_before(level);
        place.keeps_no_container(level);
    }
}

/// Limits that make no sense are refused in one line, and nothing is made.
#[test]
fn limits_without_sense() {
    let Some(place) = Place::make("limits") else {
        return;
    };
    let all: [&[&str]; 8] = [
        &["--memory", "0"],
        &["--memory", "-1"],
        &["--memory", "999999g"],
        &["--memory", "99999999999999999999g"],
        &["--memory", "64m", "--memory-swap", "0"],
        &["--memory", "64m", "--memory-swap", "-2"],
        &["--pids-limit", "0"],
        &["--pids-limit", "-1"],
    ];
    for level in LEVELS {
        for options in all {
            let output = place.run(level, options, &["/bin/true"]);
            place.has_failed(level, &format!("{options:?}"), &output);
        }
    }
}

/// No room for the container, or for the cache.
#[test]
fn full_disk() {
    let Some(place) = Place::make("full") else {
        return;
    };
    for level in LEVELS {
        for full in ["containers", "cache"] {
            if level != "09" && full == "cache" {
                continue;
            }
            let size = if full == "cache" { "1m" } else { "4k" };
            // Before level 09 the container holds the whole image.
            let size = if level == "09" { size } else { "1m" };
            let mount = format!("mount -t tmpfs -o size={size},nr_inodes=9 full");
            let prepare = format!("{mount} '{}'", place.path(full).display());
            let output = place.run_after(level, &prepare, &LIMITS, &["/bin/true"]);
            // Mounting an overlay takes next to nothing.
            if level == "09" && full == "containers" && code(&output) == 0 {
                continue;
            }
            place.has_failed(level, &format!("full {full}"), &output);
        }
        place.empty("cache");
    }
}

/// The directory for containers is read-only.
#[test]
fn read_only() {
    let Some(place) = Place::make("read-only") else {
        return;
    };
    for level in LEVELS {
        let containers = place.path("containers");
        let containers = containers.display();
        let prepare = format!("mount -t tmpfs -o ro none '{containers}'");
        let output = place.run_after(level, &prepare, &LIMITS, &["/bin/true"]);
        place.has_failed(level, "read-only", &output);
        place.empty("cache");
    }
}

/// The image ends in the middle of a file.
#[test]
fn cut_image() {
    let Some(place) = Place::make("cut") else {
        return;
    };
    let image = place.path("images").join("base.tar");
    let whole = fs::read(&image).expect("read the image");
    fs::write(&image, &whole[..whole.len() / 2 + 100]).expect("cut the image");
    for level in LEVELS {
        let output = place.run(level, &LIMITS, &["/bin/true"]);
        place.has_failed(level, "cut image", &output);
    }
}

const LIMITS: [&str; 4] = ["--memory", "64m", "--pids-limit", "30"];

/// One test at a time: each counts what is left.
static ALONE: Mutex<()> = Mutex::new(());

/// Where runtimes are run: directories for images and containers, and control groups.
struct Place {
    directory: PathBuf,
    /// The test's own group in each tree; the last part of it, where runtimes are.
    groups: Vec<PathBuf>,
    join: Vec<PathBuf>,
    mounts: String,
    _alone: MutexGuard<'static, ()>,
}

impl Place {
    /// Nothing where this machine can't do it, with a word why.
    fn make(name: &str) -> Option<Self> {
        if !geteuid().is_root() {
            return cannot("only root can run a container without the sandbox");
        }
        if let Some(lacks) = ["unshare", "ldd", "tar"]
            .into_iter()
            .find(|tool| !has(tool))
        {
            return cannot(&format!("there is no {lacks}"));
        }
        let alone = ALONE.lock().unwrap_or_else(|broken| broken.into_inner());
        let directory = std::env::temp_dir()
            .join(format!("rubber-crab-{name}-{}", std::process::id()));
        let mut place = Self {
            directory,
            groups: Vec::new(),
            join: Vec::new(),
            mounts: String::new(),
            _alone: alone,
        };
        if let Err(error) = place.make_groups(name) {
            return cannot(&format!("no control groups to divide up: {error}"));
        }
        for part in ["images", "containers", "cache"] {
            fs::create_dir_all(place.path(part)).expect("mkdir");
        }
        place.make_image();
        place.mounts = mounts();
        Some(place)
    }

    fn path(&self, part: &str) -> PathBuf {
        self.directory.join(part)
    }

    /// A group below, or on version 2 beside, the one that this process is in.
    fn make_groups(&mut self, name: &str) -> io::Result<()> {
        let own = fs::read_to_string("/proc/self/cgroup")?;
        let name = format!("rubber-crab-test-{name}-{}", std::process::id());
        let mut v1 = false;
        for line in own.lines() {
            let fields: Vec<&str> = line.splitn(3, ':').collect();
            let (controller, path) = (fields[1], fields[2]);
            if ["memory", "pids", "freezer"].contains(&controller) {
                v1 |= controller == "memory";
                let tree = Path::new("/sys/fs/cgroup").join(controller);
                let group = tree.join(&path[1..]).join(&name);
                fs::create_dir(&group)?;
                self.groups.push(group.clone());
                self.join.push(group);
            }
        }
        if v1 {
            return Ok(());
        }
        let path = own.lines().find_map(|line| line.strip_prefix("0::"));
        let tree = Path::new("/sys/fs/cgroup");
        let path = path.ok_or(io::ErrorKind::NotFound)?;
        let mut above = tree.join(&path[1..]);
        // Processes live in the leaves.
        let busy = |group: &Path| !members(group).is_empty();
        while above != tree && busy(&above) {
            above.pop();
        }
        fs::write(above.join("cgroup.subtree_control"), "+memory +pids")?;
        let group = above.join(name);
        fs::create_dir(&group)?;
        self.groups.push(group.clone());
        let caller = group.join("caller");
        fs::create_dir(&caller)?;
        self.join.push(caller);
        Ok(())
    }

    /// A small image: unpacking it must take less time than the latest kill.
    fn make_image(&self) {
        let programs = ["/bin/sh", "/bin/sleep", "/bin/true"];
        let output = Command::new("ldd").args(programs).output().expect("ldd");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let libraries = text
            .split_whitespace()
            .filter(|word| word.starts_with('/') && !word.ends_with(':'));
        let mut files: Vec<&str> = programs.into_iter().chain(libraries).collect();
        files.sort_unstable();
        files.dedup();
        let status = Command::new("tar")
            .args(["--create", "--dereference", "--directory=/", "--file"])
            .arg(self.path("images/base.tar"))
            .args(files.iter().map(|file| &file[1..]))
            .status()
            .expect("tar can be started");
        assert!(status.success(), "tar: {status}");
    }

    /// Start a runtime in this place.
    fn start(&self, level: &str, options: &[&str], command: &[&str]) -> Child {
        self.start_after(level, "true", options, command)
    }

    /// Likewise, when this has been done in its mount namespace.
    fn start_after(
        &self,
        level: &str,
        prepare: &str,
        options: &[&str],
        command: &[&str],
    ) -> Child {
        let join: Vec<String> = self
            .join
            .iter()
            .map(|group| format!("echo $$ >'{}/cgroup.procs'", group.display()))
            .collect();
        // Each becomes the next one: the pid stays.
        let script = format!("{} && {prepare} && exec \"$@\"", join.join(" && "));
        let mut line = Command::new("unshare");
        line.args(["--mount", "--propagation", "private", "--"])
            .args(["sh", "-c", &script, "sh"])
            .arg(program(level))
            .arg("run");
        for (option, part) in
            [("--image-dir", "images"), ("--container-dir", "containers")]
        {
            line.arg(option).arg(self.path(part));
        }
        if level == "09" {
            line.arg("--cache-dir").arg(self.path("cache"));
        }
        line.args(options)
            .arg("--")
            .args(command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("unshare can be started")
    }

    fn run(&self, level: &str, options: &[&str], command: &[&str]) -> Output {
        self.run_after(level, "true", options, command)
    }

    fn run_after(
        &self,
        level: &str,
        prepare: &str,
        options: &[&str],
        command: &[&str],
    ) -> Output {
        let child = self.start_after(level, prepare, options, command);
        child.wait_with_output().expect("wait")
    }

    /// No group, no process, no mount is left.
    fn is_as_before(&self, level: &str) {
        let mut left = Vec::new();
        // A process that was killed takes a moment to end.
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(2) {
            left = self.left();
            if left.is_empty() {
                break;
            }
            sleep(Duration::from_millis(10));
        }
        assert!(left.is_empty(), "level {level} leaves {left:#?}");
        assert_eq!(mounts(), self.mounts, "level {level}");
    }

    fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for top in &self.groups {
            for group in groups_below(top) {
                if !self.join.contains(&group) {
                    left.push(group.display().to_string());
                }
            }
        }
        for group in &self.join {
            for pid in members(group) {
                let line = fs::read_to_string(format!("/proc/{pid}/cmdline"));
                let line = line.unwrap_or_default().replace('\0', " ");
                left.push(format!("process {pid}: {line}"));
            }
        }
        left
    }

    /// No container's directory is left.
    fn keeps_no_container(&self, level: &str) {
        let entries = fs::read_dir(self.path("containers")).expect("read");
        let all: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
        assert!(all.is_empty(), "level {level} leaves {all:?}");
    }

    /// Status 125, one line, and nothing left.
    fn has_failed(&self, level: &str, why: &str, output: &Output) {
        let said = stderr(output);
        assert_eq!(code(output), 125, "level {level}, {why}: {said}");
        assert_eq!(said.lines().count(), 1, "level {level}, {why}: {said}");
        self.is_as_before(level);
        self.keeps_no_container(level);
    }

    fn empty(&self, part: &str) {
        let path = self.path(part);
        fs::remove_dir_all(&path).expect("rm -r");
        fs::create_dir(&path).expect("mkdir");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for top in &self.groups {
            let below = groups_below(top);
            for group in below.iter().rev().chain([top]) {
                for pid in members(group).into_iter().filter(|pid| *pid > 0) {
                    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
                for _ in 0..100 {
                    if fs::remove_dir(group).is_ok() {
                        break;
                    }
                    sleep(Duration::from_millis(10));
                }
            }
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The finished level's program, built as everybody builds it.
fn program(level: &str) -> PathBuf {
    static BUILT: std::sync::Once = std::sync::Once::new();
    let folder = Path::new(env!("CARGO_BIN_EXE_checker"));
    let folder = folder.parent().expect("a folder");
    let path = |level: &str| folder.join(format!("solution-{level}"));
    BUILT.call_once(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.current_dir(root()).args(["build", "--quiet"]);
        for level in LEVELS {
            build.args(["--package", &format!("solution-{level}")]);
        }
        // Without cargo, what is there will do.
        let built = build.status().is_ok_and(|status| status.success());
        assert!(built || LEVELS.iter().all(|level| path(level).exists()));
    });
    path(level)
}

/// Exit status, or 128 + n.
fn code(output: &Output) -> i32 {
    let status = output.status;
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").expect("read the mounts")
}

fn members(group: &Path) -> Vec<i32> {
    let text = fs::read_to_string(group.join("cgroup.procs"));
    let text = text.unwrap_or_default();
    text.lines().flat_map(str::parse).collect()
}

/// Parents first.
fn groups_below(group: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    let children: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    let below = |child: &PathBuf| {
        let mut all = vec![child.clone()];
        all.extend(groups_below(child));
        all
    };
    children.iter().flat_map(below).collect()
}

/// Leave a test that this machine can't run. Not by eprintln: the harness hides it.
fn cannot<T>(reason: &str) -> Option<T> {
    let _ = writeln!(io::stderr(), "cannot: {reason}");
    None
}
