//! What is around the checker that could be the cause of a refusal. Nothing here
//! decides whether something works: only trials do. These facts explain them.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::{env, fs};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{User, getuid};

use super::PATIENCE;
use super::trial::{Failure, trial};
use crate::belt::unescape;

/// What contains the checker, by the name of what made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    Docker,
    Podman,
    Kubernetes,
    Lxc,
    Flatpak,
    /// There is one, made by something else.
    Other,
}

/// The facts, as plain data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Around {
    pub uid: u32,
    /// The user's name, or its number.
    pub user: String,
    /// CAP_SYS_ADMIN is effective, in whichever user namespace this is.
    pub privileged: bool,
    /// On WSL 1: the distribution's name.
    pub wsl1: Option<String>,
    pub wsl2: bool,
    pub container: Option<Container>,
    /// /proc isn't there, so that nothing else is known.
    pub no_proc: bool,
    /// The kernel was built with user namespaces.
    pub user_namespaces_built: bool,
    /// This is the first user namespace, the machine's own.
    pub initial: bool,
    /// No id of this user namespace stands for this user.
    pub unmapped: bool,
    /// Files in /proc/sys/user that are zero: `max_user_namespaces`, …
    pub zero_limits: Vec<String>,
    /// user.max_user_namespaces
    pub most_user_namespaces: Option<u64>,
    /// kernel.apparmor_restrict_unprivileged_userns is 1 (Ubuntu 23.10 and later).
    pub apparmor_restricts: bool,
    /// kernel.unprivileged_userns_clone is 0 (Debian up to 10, Arch's hardened).
    pub clone_switched_off: bool,
    /// The AppArmor profile that confines the checker.
    pub apparmor_profile: Option<String>,
    pub selinux_enforces: bool,
    /// A seccomp filter is at work, whatever it refuses.
    pub seccomp: bool,
    /// Programs gain nothing from being setuid (prctl PR_SET_NO_NEW_PRIVS).
    pub no_new_privs: bool,
    /// Calls that a seccomp filter was seen to refuse.
    pub filtered: Vec<String>,
    /// `/` was seen to be another one than the mount namespace's. Where it wasn't,
    /// it may still be.
    pub chrooted: bool,
    /// What is mounted over parts of /proc and /sys, and those of the two that are
    /// read-only.
    pub covered: Vec<String>,
    pub read_only: Vec<String>,
    /// /proc hides processes (man 5 proc, "hidepid").
    pub hides_processes: bool,
    /// systemd runs this machine.
    pub systemd: bool,
    /// The command that installs packages.
    pub installer: Option<&'static str>,
}

const INSTALLERS: [&str; 5] = ["apt-get", "dnf", "pacman", "zypper", "apk"];

impl Around {
    pub fn look() -> Self {
        let uid = getuid();
        let user = User::from_uid(uid).ok().flatten().map(|user| user.name);
        let status = text("/proc/self/status");
        let sysctl = |name: &str| number(&format!("/proc/sys/{name}"));
        let uid_map = text("/proc/self/uid_map");
        let table = text("/proc/self/mountinfo");
        let version = text("/proc/version");
        let switched_off = sysctl("kernel/unprivileged_userns_clone") == Some(0);
        let seccomp = field(&status, "Seccomp") == Some("2");
        let covered = covered(&table);
        let profile = [
            "/proc/self/attr/apparmor/current",
            "/proc/self/attr/current",
        ];
        Self {
            uid: uid.as_raw(),
            user: user.unwrap_or_else(|| uid.to_string()),
            privileged: has_sys_admin(&status),
            wsl1: wsl1(&version, env::var("WSL_DISTRO_NAME").ok()),
            wsl2: version.contains("WSL2"),
            container: container(seccomp || own_processes()),
            no_proc: status.is_empty(),
            user_namespaces_built: exists("/proc/self/ns/user"),
            initial: is_initial(&uid_map),
            unmapped: !status.is_empty() && uid_map.is_empty(),
            zero_limits: zero_limits(),
            most_user_namespaces: sysctl("user/max_user_namespaces"),
            apparmor_restricts: sysctl(
                "kernel/apparmor_restrict_unprivileged_userns",
            ) == Some(1),
            clone_switched_off: switched_off,
            apparmor_profile: profile.iter().find_map(|file| confined(&text(file))),
            selinux_enforces: number("/sys/fs/selinux/enforce") == Some(1),
            seccomp,
            no_new_privs: field(&status, "NoNewPrivs") == Some("1"),
            filtered: filtered(switched_off),
            chrooted: chrooted(&table),
            covered,
            read_only: read_only(&table),
            hides_processes: hides_processes(&table),
            systemd: exists("/run/systemd/system"),
            installer: INSTALLERS.into_iter().find(|name| in_path(name)),
        }
    }
}

fn exists(path: &str) -> bool {
    Path::new(path).exists()
}

/// What a small file says; empty when it can't be read.
fn text(path: &str) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .trim_end_matches(['\n', '\0'])
        .into()
}

fn number(path: &str) -> Option<u64> {
    text(path).trim().parse().ok()
}

/// Is there such a program?
pub fn in_path(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// A field of /proc/PID/status (man 5 proc).
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':');
    status.lines().find_map(value).map(str::trim)
}

fn has_sys_admin(status: &str) -> bool {
    const CAP_SYS_ADMIN: u64 = 1 << 21;
    field(status, "CapEff")
        .and_then(|mask| u64::from_str_radix(mask, 16).ok())
        .is_some_and(|mask| mask & CAP_SYS_ADMIN != 0)
}

/// WSL 1 is no Linux: its version says Microsoft, WSL 2's `microsoft-…-WSL2`.
fn wsl1(version: &str, name: Option<String>) -> Option<String> {
    let one = version.contains("Microsoft") && !version.contains("WSL2");
    one.then(|| name.unwrap_or_else(|| "NAME".into()))
}

/// By the marks that their makers leave. Docker's mark stays in a file system that
/// was exported and boots elsewhere (WSL, a VM): it needs a second witness.
fn container(confined: bool) -> Option<Container> {
    let says = env::var("container").unwrap_or_default();
    let init = text("/run/systemd/container");
    let is = |name: &str| says == name || init == name;
    Some(match () {
        () if exists("/.flatpak-info") => Container::Flatpak,
        () if env::var_os("KUBERNETES_SERVICE_HOST").is_some() => {
            Container::Kubernetes
        }
        () if exists("/run/.containerenv") || is("podman") => Container::Podman,
        () if is("docker") || exists("/.dockerenv") && confined => Container::Docker,
        () if is("lxc") || is("lxc-libvirt") => Container::Lxc,
        () if !says.is_empty() || !init.is_empty() => Container::Other,
        () => return None,
    })
}

/// All ids stand for themselves.
fn is_initial(uid_map: &str) -> bool {
    uid_map.split_whitespace().eq(["0", "0", "4294967295"])
}

fn zero_limits() -> Vec<String> {
    let Ok(entries) = fs::read_dir("/proc/sys/user") else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with("_namespaces"))
        .filter(|name| number(&format!("/proc/sys/user/{name}")) == Some(0))
        .collect();
    names.sort();
    names
}

/// `docker-default (enforce)` confines; `unconfined` and a profile that only
/// complains don't. SELinux' contexts have colons and stand in the same file.
fn confined(label: &str) -> Option<String> {
    let name = label.strip_suffix(" (enforce)")?;
    (!name.contains(":object_r:")).then(|| name.to_owned())
}

/// Make calls that are wrong, so that the kernel's own answer is known: any other
/// comes from a filter.
fn filtered(switched_off: bool) -> Vec<String> {
    type Call = fn() -> nix::Result<()>;
    let unknown_flag: Call = || {
        let bits = CloneFlags::CLONE_NEWUSER.bits() | 1;
        unshare(CloneFlags::from_bits_retain(bits))
    };
    // Debian's switch comes before the kernel looks at flags.
    let unknown_alone: Call = || unshare(CloneFlags::from_bits_retain(1));
    let unshared = if switched_off {
        unknown_alone
    } else {
        unknown_flag
    };
    let no_such_place: Call = || {
        let place = "/no/such/place";
        mount(
            None::<&str>,
            place,
            None::<&str>,
            MsFlags::empty(),
            None::<&str>,
        )
    };
    let calls = [
        ("unshare", unshared, Errno::EINVAL),
        ("mount", no_such_place, Errno::ENOENT),
    ];
    let refuses = |call: Call, expected: Errno| {
        let answer = trial(PATIENCE, || Ok(call().err().map(|errno| errno as i32)));
        match answer {
            Ok(errno) => errno != Some(expected as i32),
            Err(Failure { signal, .. }) => signal != 0,
        }
    };
    let mut found: Vec<String> = Vec::new();
    for (name, call, expected) in calls {
        if refuses(call, expected) {
            found.push(name.into());
        }
    }
    found
}

/// In a mount namespace's own root, something is mounted on `/`. In a chroot that
/// may be so, too: then only the first process's root tells, if it may be seen and
/// isn't in there as well.
fn chrooted(table: &str) -> bool {
    if !table.is_empty() && !mounts(table).any(|mount| mount.point == "/") {
        return true;
    }
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    let (Ok(first), Ok(own)) = (fs::metadata("/proc/1/root"), fs::metadata("/"))
    else {
        return false;
    };
    let same = (first.dev(), first.ino()) == (own.dev(), own.ino());
    namespace("1") == namespace("self") && !same
}

/// Is this another PID namespace than the machine's own, whose number is fixed
/// (`PROC_PID_INIT_INO`, linux/proc_ns.h)? Each distribution on WSL 2 has one, too.
fn own_processes() -> bool {
    if env::var_os("WSL_DISTRO_NAME").is_some() {
        return false;
    }
    let link = fs::read_link("/proc/self/ns/pid");
    link.is_ok_and(|link| link.as_os_str() != "pid:[4026531836]")
}

/// `hidepid` is one of the super options, by number or by name.
fn hides_processes(table: &str) -> bool {
    let hides = |option: &str| {
        let value = option.strip_prefix("hidepid=");
        value.is_some_and(|value| !["0", "off"].contains(&value))
    };
    mounts(table)
        .filter(|mount| mount.point == "/proc")
        .any(|mount| mount.super_options.split(',').any(hides))
}

struct Mount {
    point: String,
    options: String,
    kind: String,
    super_options: String,
}

/// The lines of mountinfo (man 5 proc).
fn mounts(table: &str) -> impl Iterator<Item = Mount> {
    table.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(4);
        let mut right = right.split(' ');
        Some(Mount {
            point: unescape(left.next()?),
            options: left.next()?.to_owned(),
            kind: right.next()?.to_owned(),
            super_options: right.nth(1).unwrap_or_default().to_owned(),
        })
    })
}

/// File systems whose places in /proc and /sys the kernel keeps empty: they cover
/// nothing (`mnt_already_visible`, fs/namespace.c).
const ON_EMPTY_PLACES: [&str; 17] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "efivarfs",
    "fusectl",
    "nfsd",
    "pstore",
    "resctrl",
    "securityfs",
    "selinuxfs",
    "smackfs",
    "tracefs",
    "xenfs",
];

fn covered(table: &str) -> Vec<String> {
    let mut points: Vec<String> = mounts(table)
        .filter(|mount| !ON_EMPTY_PLACES.contains(&mount.kind.as_str()))
        .map(|mount| mount.point)
        .filter(|point| point.starts_with("/proc/") || point.starts_with("/sys/"))
        // Version 1 keeps its hierarchies in a tmpfs there.
        .filter(|point| !Path::new(point).starts_with("/sys/fs/cgroup"))
        .collect();
    points.sort();
    points.dedup();
    points
}

fn read_only(table: &str) -> Vec<String> {
    mounts(table)
        .filter(|mount| ["/proc", "/sys"].contains(&mount.point.as_str()))
        .filter(|mount| mount.options.split(',').any(|option| option == "ro"))
        .map(|mount| mount.point)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKER: &str = "\
600 500 0:50 / / rw,relatime - overlay overlay rw
601 600 0:51 / /proc rw,nosuid - proc proc rw
602 600 0:52 / /sys ro,nosuid - sysfs sysfs ro
603 602 0:53 / /sys/fs/cgroup ro - cgroup2 cgroup rw
604 601 0:51 /bus /proc/bus ro - proc proc rw
605 601 0:54 / /proc/kcore rw - tmpfs tmpfs rw
606 602 0:55 / /sys/firmware ro - tmpfs tmpfs ro
607 601 0:56 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw";

    #[test]
    fn what_covers_proc_and_sys() {
        assert_eq!(
            covered(DOCKER),
            ["/proc/bus", "/proc/kcore", "/sys/firmware"]
        );
        assert_eq!(read_only(DOCKER), ["/sys"]);
    }

    #[test]
    fn hidden_processes() {
        let line =
            |options| format!("24 30 0:22 / /proc rw,nosuid - proc proc {options}");
        assert!(hides_processes(&line("rw,hidepid=invisible")));
        assert!(hides_processes(&line("rw,gid=4,hidepid=2")));
        assert!(!hides_processes(&line("rw,hidepid=off")));
        assert!(!hides_processes(&line("rw")));
    }

    #[test]
    fn cgroups_of_version_1_cover_nothing() {
        let table = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
            35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory";
        assert!(covered(table).is_empty());
    }

    #[test]
    fn a_chroot_has_nothing_mounted_on_its_root() {
        assert!(chrooted("22 27 0:21 / /proc rw - proc proc rw"));
    }

    #[test]
    fn wsl_1_and_2() {
        let one = "Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com)";
        let two =
            "Linux version 5.15.90.1-microsoft-standard-WSL2 (oe-user@oe-host)";
        assert_eq!(wsl1(one, Some("Ubuntu".into())), Some("Ubuntu".into()));
        assert_eq!(wsl1(two, Some("Ubuntu".into())), None);
        assert_eq!(wsl1("Linux version 6.1.0-18-amd64", None), None);
    }

    #[test]
    fn capabilities_and_seccomp() {
        let status = "Name:\tx\nCapEff:\t000001fffeffffff\nSeccomp:\t2\n\
            Seccomp_filters:\t1";
        assert!(has_sys_admin(status));
        assert_eq!(field(status, "Seccomp"), Some("2"));
        assert!(!has_sys_admin("CapEff:\t00000000a80425fb"));
    }

    #[test]
    fn the_first_user_namespace() {
        assert!(is_initial("         0          0 4294967295"));
        assert!(!is_initial("         0       1000          1"));
    }

    #[test]
    fn profiles_that_confine() {
        assert_eq!(
            confined("docker-default (enforce)"),
            Some("docker-default".into())
        );
        assert_eq!(confined("unconfined"), None);
        assert_eq!(confined("firefox (complain)"), None);
    }
}
