//! Can a cgroup be made, limited, joined and removed? Version 1 and 2 alike, next to
//! where the checker is or above, and otherwise in a scope of the user's systemd.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::unistd::getpid;
use serde::{Deserialize, Serialize};

use super::around::{Around, Container};
use super::cause::Cause;
use super::trial::{Failure, trial};
use super::{Costs, Item, PATIENCE};
use crate::belt::scope::SCOPE;
use crate::belt::unescape;

/// A limit to try: which controller it belongs to, its file and a value, in version
/// 2 and 1. Without a value, the one above is taken over.
struct Limit {
    controller: &'static str,
    v2: (&'static str, Option<&'static str>),
    v1: (&'static str, Option<&'static str>),
}

const MEMORY_AND_PIDS: [Limit; 2] = [
    Limit {
        controller: "memory",
        v2: ("memory.max", Some("268435456")),
        v1: ("memory.limit_in_bytes", Some("268435456")),
    },
    Limit {
        controller: "pids",
        v2: ("pids.max", Some("64")),
        v1: ("pids.max", Some("64")),
    },
];

const CPU: [Limit; 3] = [
    Limit {
        controller: "cpu",
        v2: ("cpu.max", Some("50000 100000")),
        v1: ("cpu.cfs_quota_us", Some("50000")),
    },
    Limit {
        controller: "cpuset",
        v2: ("cpuset.cpus", Some("0")),
        v1: ("cpuset.cpus", None),
    },
    Limit {
        // Not a controller in version 2: every group can be frozen.
        controller: "freezer",
        v2: ("cgroup.freeze", Some("0")),
        v1: ("freezer.state", Some("THAWED")),
    },
];

/// Why there is no cgroup. In the order of how far one gets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Obstacle {
    /// No cgroup file system is mounted that shows where the checker is.
    Unseen,
    /// `mkdir` below this directory, and the errno.
    Make(PathBuf, i32),
    /// A group can be made there, but it has no such controllers.
    Lacks(PathBuf, Vec<String>),
    /// This file can't be written.
    Limit(PathBuf, i32),
    /// No process can be moved into the group.
    Join(PathBuf, i32),
}

/// What was found, with what else is needed to name a cure.
struct Found {
    obstacle: Obstacle,
    version: u8,
    /// A directory for each hierarchy of version 1.
    homes: Vec<PathBuf>,
    /// The controllers that version 2's root has.
    offered: Vec<String>,
    /// `systemd-run --user --scope` gives a group.
    scope: bool,
}

/// Two items: what level 07 needs, and what level 08 needs.
pub fn items(around: &Around) -> [Item; 2] {
    let mut scope = None;
    let mut look = |name: &str, limits: &[Limit], level: u8| {
        let places = Places::look(limits);
        let obstacle = match attempt(&places, limits) {
            Ok(seen) => return Item::fine(name, seen),
            Err(obstacle) => obstacle,
        };
        let version = if places.v1.is_empty() { 2 } else { 1 };
        let may_ask = version == 2 && around.uid != 0;
        let scope = match may_ask {
            true => scope.get_or_insert_with(user_scope).as_ref().ok(),
            false => None,
        };
        if let Some(handed) =
            scope.filter(|_| !matches!(obstacle, Obstacle::Lacks(..)))
        {
            // The checker asks for it by itself.
            return in_scope(name, limits, handed, level);
        }
        let found = Found {
            obstacle,
            version,
            homes: places.homes(),
            offered: places.offered,
            scope: scope.is_some(),
        };
        let costs = match &found.obstacle {
            Obstacle::Lacks(_, names) => costs(names, level),
            _ => Costs::of(&[level]),
        };
        Item::missing(name, cause(&found, around), costs)
    };
    [
        look("cgroups: memory, pids", &MEMORY_AND_PIDS, 7),
        look("cgroups: cpu", &CPU, 8),
    ]
}

/// Where groups could be made.
#[derive(Debug, Default)]
struct Places {
    /// A directory for each controller that version 1 has.
    v1: Vec<(String, PathBuf)>,
    /// From the checker's own group up to the root in sight.
    v2: Vec<PathBuf>,
    offered: Vec<String>,
}

impl Places {
    fn look(limits: &[Limit]) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let groups = read("/proc/self/cgroup");
        let mounts = read("/proc/self/mountinfo");
        let names: Vec<&str> = limits.iter().map(|limit| limit.controller).collect();
        let mut places = Self::of(&names, &groups, &mounts);
        if let Some(root) = places.v2.last() {
            let offered = fs::read_to_string(root.join("cgroup.controllers"));
            let offered = offered.unwrap_or_default();
            places.offered = offered.split_whitespace().map(String::from).collect();
        }
        places
    }

    /// From the texts of /proc/self/cgroup and mountinfo (man 7 cgroups).
    fn of(controllers: &[&str], groups: &str, mounts: &str) -> Self {
        let mut places = Self::default();
        for line in groups.lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let (Some(has), Some(path)) = (fields.next(), fields.next()) else {
                continue;
            };
            for name in has.split(',').filter(|name| controllers.contains(name)) {
                let mount = mount_of(mounts, "cgroup", Some(name));
                if let Some(folder) = mount.and_then(|mount| mount.below(path)) {
                    places.v1.push((name.to_owned(), folder));
                }
            }
        }
        let own = groups.lines().find_map(|line| line.strip_prefix("0::"));
        let mount = mount_of(mounts, "cgroup2", None);
        if let (Some(path), Some(mount)) = (own, mount) {
            let folder = mount.below(path).unwrap_or(mount.point.clone());
            let up = folder
                .ancestors()
                .take_while(|up| up.starts_with(&mount.point));
            places.v2 = up.map(Path::to_owned).collect();
        }
        places
    }

    fn v1_home(&self, controller: &str) -> Option<&Path> {
        let is = |(name, _): &&(String, PathBuf)| name == controller;
        self.v1.iter().find(is).map(|(_, folder)| folder.as_path())
    }

    fn homes(&self) -> Vec<PathBuf> {
        let folders = self.v1.iter().map(|(_, folder)| folder.clone());
        folders.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

struct Mount {
    root: PathBuf,
    point: PathBuf,
}

impl Mount {
    fn below(&self, path: &str) -> Option<PathBuf> {
        let rest = Path::new(path).strip_prefix(&self.root).ok()?;
        Some(self.point.components().chain(rest.components()).collect())
    }
}

fn mount_of(table: &str, kind: &str, controller: Option<&str>) -> Option<Mount> {
    table.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut right = right.split(' ');
        let same_kind = right.next() == Some(kind);
        let options = right.nth(1).unwrap_or_default();
        let has = |name| options.split(',').any(|option| option == name);
        let mut left = left.split(' ').skip(3);
        let (root, point) = (left.next()?, left.next()?);
        (same_kind && controller.is_none_or(has)).then(|| Mount {
            root: unescape(root).into(),
            point: unescape(point).into(),
        })
    })
}

/// Make groups, write the limits, join, remove. Says where it worked.
fn attempt(places: &Places, limits: &[Limit]) -> Result<String, Obstacle> {
    let name = format!("rubber-crab-doctor-{}", getpid());
    let (old, new): (Vec<&Limit>, Vec<&Limit>) = limits
        .iter()
        .partition(|limit| places.v1_home(limit.controller).is_some());
    for limit in &old {
        let home = places.v1_home(limit.controller).unwrap_or(Path::new("/"));
        try_group(home, &name, &[*limit], 1)?;
    }
    if new.is_empty() {
        return Ok("version 1, where the checker is".into());
    }
    let mut furthest = Obstacle::Unseen;
    for home in &places.v2 {
        match try_group(home, &name, &new, 2) {
            Ok(()) => return Ok(format!("version 2, below {}", home.display())),
            Err(obstacle) => furthest = furthest.max(obstacle),
        }
    }
    Err(furthest)
}

fn try_group(
    home: &Path,
    name: &str,
    limits: &[&Limit],
    version: u8,
) -> Result<(), Obstacle> {
    let group = home.join(name);
    let done = trial(PATIENCE, || Ok(use_group(home, &group, limits, version)));
    // The process that was in it may still be on its way out.
    for _ in 0..100 {
        match fs::remove_dir(&group) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                sleep(Duration::from_millis(5));
            }
            _ => break,
        }
    }
    done.unwrap_or_else(|failure| Err(Obstacle::Join(group, failure.errno)))
}

fn use_group(
    home: &Path,
    group: &Path,
    limits: &[&Limit],
    version: u8,
) -> Result<(), Obstacle> {
    let errno = |error: io::Error| error.raw_os_error().unwrap_or(0);
    fs::create_dir(group)
        .map_err(|error| Obstacle::Make(home.into(), errno(error)))?;
    let file_of = |limit: &Limit| if version == 2 { limit.v2 } else { limit.v1 };
    let absent = limits
        .iter()
        .filter(|limit| !group.join(file_of(limit).0).exists());
    let absent: Vec<String> = absent.map(|limit| limit.controller.into()).collect();
    if !absent.is_empty() {
        return Err(Obstacle::Lacks(home.into(), absent));
    }
    // Version 1's cpuset starts out empty, and nobody can join before it has both.
    let inherited = match version {
        1 => ["cpuset.cpus", "cpuset.mems"].as_slice(),
        _ => &[],
    };
    for file in inherited.iter().filter(|file| group.join(file).exists()) {
        set(group, file, &above(home, file))?;
    }
    for limit in limits {
        let (file, value) = file_of(limit);
        let value = value.map_or_else(|| above(home, file), String::from);
        set(group, file, &value)?;
    }
    let me = getpid().to_string();
    fs::write(group.join("cgroup.procs"), me)
        .map_err(|error| Obstacle::Join(group.into(), errno(error)))
}

fn above(home: &Path, file: &str) -> String {
    fs::read_to_string(home.join(file))
        .unwrap_or_default()
        .trim()
        .into()
}

fn set(group: &Path, file: &str, value: &str) -> Result<(), Obstacle> {
    let path = group.join(file);
    let written = fs::OpenOptions::new().write(true).open(&path);
    written
        .and_then(|mut file| file.write_all(value.as_bytes()))
        .map_err(|error| Obstacle::Limit(path, error.raw_os_error().unwrap_or(0)))
}

/// What the user's systemd hands to a scope decides what can be limited there.
fn in_scope(name: &str, limits: &[Limit], handed: &[String], level: u8) -> Item {
    let is_there =
        |name: &str| name == "freezer" || handed.iter().any(|h| h == name);
    let names = limits.iter().map(|limit| limit.controller);
    let lacks: Vec<String> = names
        .filter(|name| !is_there(name))
        .map(String::from)
        .collect();
    if lacks.is_empty() {
        return Item::fine(name, "in a scope of the user's systemd");
    }
    let cause = Cause {
        reason: format!(
            "the user's systemd hands down no {} (version 2)",
            lacks.join(" and ")
        ),
        cure: hand_down(),
    };
    Item::missing(name, cause, costs(&lacks, level))
}

/// Level 08 needs cpuset for one of its options only.
fn costs(lacks: &[String], level: u8) -> Costs {
    match lacks {
        [one] if one == "cpuset" => Costs::part_of(&[level]),
        _ => Costs::of(&[level]),
    }
}

/// What is tried in the scope: a group beside its own, limits, and moving there and
/// back. It prints the scope's controllers. $1 is the group's name.
const IN_SCOPE: &str = r#"
own=$(sed -n 's/^0:://p' /proc/self/cgroup)
home=/sys/fs/cgroup${own%/*}
cat "/sys/fs/cgroup$own/cgroup.controllers"
mkdir "$home/$1" &&
echo 268435456 > "$home/$1/memory.max" &&
echo 64 > "$home/$1/pids.max" &&
echo $$ > "$home/$1/cgroup.procs"
status=$?
echo $$ > "/sys/fs/cgroup$own/cgroup.procs"
rmdir "$home/$1"
exit $status
"#;

/// Does the user's systemd give a scope in which groups can be made? The controllers
/// that groups have there.
fn user_scope() -> Result<Vec<String>, Failure> {
    let name = format!("rubber-crab-doctor-{}", getpid());
    trial(PATIENCE, || {
        let mut command = Command::new(SCOPE[0]);
        command
            .args(&SCOPE[1..])
            .args(["--", "sh", "-c", IN_SCOPE, "sh", &name]);
        let output = command
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .context("systemd-run")?;
        if !output.status.success() {
            bail!("systemd-run --user --scope: {}", output.status);
        }
        let said = String::from_utf8_lossy(&output.stdout);
        Ok(said.split_whitespace().map(String::from).collect())
    })
}

/// The most specific cause, and its cure. Pure.
fn cause(found: &Found, around: &Around) -> Cause {
    let Found {
        obstacle, version, ..
    } = found;
    let reason = format!("{} (version {version})", obstacle.phrase());
    let cure = match (obstacle, around.container) {
        (Obstacle::Lacks(_, names), _) if never_offered(found, names) => {
            switched_off(names, around)
        }
        (obstacle, Some(container)) if obstacle.is_container() => container.allow(),
        (Obstacle::Make(..), _) if around.uid == 0 && !around.initial => {
            outside(around)
        }
        (Obstacle::Unseen, _) => {
            around.as_root("mount -t cgroup2 none /sys/fs/cgroup")
        }
        (Obstacle::Lacks(..), _)
            if around.systemd && around.uid != 0 && found.scope =>
        {
            hand_down()
        }
        _ if *version == 2 && around.systemd && around.uid != 0 => format!(
            "sudo loginctl enable-linger {}; export XDG_RUNTIME_DIR=/run/user/{}",
            around.user, around.uid
        ),
        _ if *version == 2 => delegate_v2(around),
        _ => delegate_v1(&found.homes, around),
    };
    Cause { reason, cure }
}

impl Obstacle {
    /// A container that shows cgroups at all shows them read-only: who started it
    /// decides. Where only rights are missing, it's the files' owner who does.
    fn is_container(&self) -> bool {
        match self {
            Self::Unseen => true,
            Self::Lacks(..) => false,
            Self::Make(_, errno) | Self::Limit(_, errno) | Self::Join(_, errno) => {
                [Errno::EROFS, Errno::EPERM].contains(&Errno::from_raw(*errno))
            }
        }
    }

    fn phrase(&self) -> String {
        let words = |errno: &i32| Errno::from_raw(*errno).to_string();
        match self {
            Self::Unseen => "no cgroup file system is mounted".into(),
            Self::Make(home, errno) => {
                format!("mkdir in {}: {}", home.display(), words(errno))
            }
            Self::Lacks(home, names) => {
                let names = names.join(" and ");
                format!("{} hands down no {names}", home.display())
            }
            Self::Limit(file, errno) => {
                format!("write {}: {}", file.display(), words(errno))
            }
            Self::Join(group, errno) => {
                format!("move a process to {}: {}", group.display(), words(errno))
            }
        }
    }
}

/// The kernel itself doesn't have it, whoever asks.
fn never_offered(found: &Found, names: &[String]) -> bool {
    found.version == 2
        && !found.offered.is_empty()
        && names
            .iter()
            .any(|name| !found.offered.contains(name) && name != "freezer")
}

/// The memory controller is off by default on the Raspberry Pi, among others.
fn switched_off(names: &[String], around: &Around) -> String {
    if names.iter().any(|name| name == "memory") {
        let line = "/boot/firmware/cmdline.txt";
        let command =
            format!("sed -i '1s/$/ cgroup_enable=memory/' {line} && reboot");
        return match around.uid {
            0 => format!("{command} (or wherever the kernel's command line is)"),
            _ => format!(
                "sudo sed -i '1s/$/ cgroup_enable=memory/' {line} && sudo reboot (or \
                 wherever the kernel's command line is)"
            ),
        };
    }
    format!("boot a kernel with the {} controllers", names.join(" and "))
}

/// systemd hands cpu, memory and pids to its users, and the others when told to.
fn hand_down() -> String {
    "checker/environments/systemd, then log in again".into()
}

/// Root of a user namespace has no more rights to the machine's groups than its owner.
fn outside(around: &Around) -> String {
    match around.container {
        Some(Container::Podman) => {
            "sudo podman run --privileged … (start the container anew)"
        }
        Some(_) => "start the container anew, privileged, as the machine's own root",
        None => {
            "leave the user namespace that this shell is in, and start again outside"
        }
    }
    .into()
}

/// Without systemd: a group that belongs to the user, and this shell in it.
fn delegate_v2(around: &Around) -> String {
    around.as_root(&format!("checker/environments/groups {} $$", around.user))
}

fn delegate_v1(homes: &[PathBuf], around: &Around) -> String {
    let homes: Vec<String> = homes
        .iter()
        .map(|home| home.display().to_string())
        .collect();
    let script = format!(
        "sh -c 'for h in {}; do mkdir -p $h/rubber-crab; cd $h/rubber-crab; for f in \
         cpuset.cpus cpuset.mems; do [ ! -e $f ] || cat ../$f > $f; done; chown -R {} \
         .; echo '$$' > cgroup.procs; done'",
        homes.join(" "),
        around.user,
    );
    around.as_root(&script)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around() -> Around {
        Around {
            uid: 1000,
            user: "ada".into(),
            systemd: true,
            initial: true,
            ..Around::default()
        }
    }

    fn found(obstacle: Obstacle) -> Found {
        let offered = ["cpuset", "cpu", "io", "memory", "pids"];
        Found {
            obstacle,
            version: 2,
            homes: Vec::new(),
            offered: offered.map(String::from).into(),
            scope: false,
        }
    }

    fn make() -> Obstacle {
        Obstacle::Make("/sys/fs/cgroup/user.slice".into(), Errno::EACCES as i32)
    }

    #[test]
    fn systemd_that_does_not_answer() {
        assert_eq!(
            cause(&found(make()), &around()).cure,
            "sudo loginctl enable-linger ada; export XDG_RUNTIME_DIR=/run/user/1000"
        );
    }

    #[test]
    fn read_only_in_docker() {
        let read_only = Obstacle::Make("/sys/fs/cgroup".into(), Errno::EROFS as i32);
        let inside = Around {
            uid: 0,
            systemd: false,
            container: Some(Container::Docker),
            ..around()
        };
        assert_eq!(
            cause(&found(read_only), &inside).cure,
            "docker run --privileged … (start the container anew)"
        );
    }

    #[test]
    fn root_of_a_rootless_container() {
        let inside = Around {
            uid: 0,
            systemd: false,
            initial: false,
            container: Some(Container::Podman),
            ..around()
        };
        assert_eq!(
            cause(&found(make()), &inside).cure,
            "sudo podman run --privileged … (start the container anew)"
        );
    }

    #[test]
    fn a_user_in_docker_needs_the_files_owner() {
        let inside = Around {
            systemd: false,
            container: Some(Container::Docker),
            ..around()
        };
        let cure = cause(&found(make()), &inside).cure;
        assert_eq!(cure, "sudo checker/environments/groups ada $$");
    }

    #[test]
    fn cpuset_is_not_handed_to_users() {
        let home = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service";
        let lacks = Obstacle::Lacks(home.into(), vec!["cpuset".into()]);
        let cause = cause(
            &Found {
                scope: true,
                ..found(lacks)
            },
            &around(),
        );
        assert_eq!(
            cause.reason,
            format!("{home} hands down no cpuset (version 2)")
        );
        assert_eq!(
            cause.cure,
            "checker/environments/systemd, then log in again"
        );
    }

    #[test]
    fn a_scope_without_cpuset() {
        let handed = ["cpu", "memory", "pids"].map(String::from);
        let item = in_scope("cgroups: cpu", &CPU, &handed, 8);
        let wanted = Cause {
            reason: "the user's systemd hands down no cpuset (version 2)".into(),
            cure: "checker/environments/systemd, then log in again".into(),
        };
        assert_eq!(
            item,
            Item::missing("cgroups: cpu", wanted, Costs::part_of(&[8]))
        );
        assert!(in_scope("cgroups", &MEMORY_AND_PIDS, &handed, 7).is_fine());
    }

    #[test]
    fn memory_is_switched_off_at_boot() {
        let lacks = Obstacle::Lacks("/sys/fs/cgroup".into(), vec!["memory".into()]);
        let offered = vec!["cpu".into(), "pids".into()];
        let cure = cause(
            &Found {
                offered,
                ..found(lacks)
            },
            &around(),
        )
        .cure;
        assert!(cure.contains("cgroup_enable=memory"), "{cure}");
    }

    #[test]
    fn nothing_mounted() {
        assert_eq!(
            cause(&found(Obstacle::Unseen), &around()).cure,
            "sudo mount -t cgroup2 none /sys/fs/cgroup"
        );
    }

    #[test]
    fn version_2_without_systemd() {
        let alpine = Around {
            systemd: false,
            ..around()
        };
        let cure = cause(&found(make()), &alpine).cure;
        assert_eq!(cure, "sudo checker/environments/groups ada $$");
    }

    #[test]
    fn version_2_as_root_of_a_privileged_container() {
        let lacks = Obstacle::Lacks("/sys/fs/cgroup".into(), vec!["memory".into()]);
        let inside = Around {
            uid: 0,
            user: "root".into(),
            systemd: false,
            container: Some(Container::Docker),
            ..around()
        };
        let cure = cause(&found(lacks), &inside).cure;
        assert_eq!(cure, "checker/environments/groups root $$");
    }

    #[test]
    fn cures_are_shell() {
        let cure = delegate_v1(&[PathBuf::from("/x")], &around());
        let parsed = Command::new("sh").args(["-n", "-c", &cure]).status();
        assert!(parsed.unwrap().success(), "{cure}");
        for script in ["groups", "systemd"] {
            let script =
                format!("{}/environments/{script}", env!("CARGO_MANIFEST_DIR"));
            let parsed = Command::new("sh").args(["-n", &script]).status();
            assert!(parsed.unwrap().success(), "{script}");
        }
        let parsed = Command::new("sh").args(["-n", "-c", IN_SCOPE]).status();
        assert!(parsed.unwrap().success());
    }

    #[test]
    fn version_1() {
        let found = Found {
            version: 1,
            homes: vec!["/cg/memory".into(), "/cg/pids".into()],
            ..found(make())
        };
        let cure = cause(&found, &around()).cure;
        assert!(
            cure.starts_with("sudo sh -c 'for h in /cg/memory /cg/pids;"),
            "{cure}"
        );
        assert!(cure.contains("chown -R ada ."), "{cure}");
    }

    #[test]
    fn places_of_both_versions() {
        let mounts = "\
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
        let groups = "8:pids:/\n4:memory:/a/b\n0::/c/d\n";
        let places = Places::of(&["memory", "pids"], groups, mounts);
        assert_eq!(
            places.v1_home("memory"),
            Some(Path::new("/sys/fs/cgroup/memory/a/b"))
        );
        assert_eq!(
            places.v1_home("pids"),
            Some(Path::new("/sys/fs/cgroup/pids"))
        );
        let up = ["unified/c/d", "unified/c", "unified"];
        assert_eq!(
            places.v2,
            up.map(|path| Path::new("/sys/fs/cgroup").join(path))
        );
    }

    #[test]
    fn the_furthest_obstacle_counts() {
        let lacks = Obstacle::Lacks("/b".into(), vec![]);
        assert!(Obstacle::Unseen < make());
        assert!(make() < lacks);
        assert!(lacks < Obstacle::Join("/a".into(), 1));
    }
}
