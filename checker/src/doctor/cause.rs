//! From a failed step and what is around it to the most specific cause, and to one
//! command that cures it. Pure: tests make causes up.

use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::around::{Around, Container};
use super::mounts::lacks_notes;
use super::trial::{Failure, NO_ANSWER};

/// Why something doesn't work, as one phrase, and one command (or sentence) that
/// cures it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub reason: String,
    pub cure: String,
}

fn cause(reason: impl Into<String>, cure: impl Into<String>) -> Cause {
    Cause {
        reason: reason.into(),
        cure: cure.into(),
    }
}

/// Errors with which something says *you may not*.
const DENIED: [Errno; 2] = [Errno::EPERM, Errno::EACCES];

/// The cause of `failure`. The order is from what rules everything out to what is
/// only a guess; the failed step is always quoted.
pub fn of(failure: &Failure, around: &Around) -> Cause {
    let found = place(around)
        .or_else(|| limit(failure, around))
        .or_else(|| kernel(failure, around))
        .or_else(|| filter(failure, around))
        .or_else(|| switch(failure, around))
        .or_else(|| covered(failure, around))
        .or_else(|| hidden(failure, around))
        .or_else(|| module(failure, around))
        .unwrap_or_else(|| unknown(failure, around));
    let Cause { reason, cure } = found;
    Cause {
        reason: format!("{reason} ({failure})"),
        cure,
    }
}

/// Places where nothing of this can work.
fn place(around: &Around) -> Option<Cause> {
    if let Some(name) = &around.wsl1 {
        return Some(cause(
            "WSL 1 isn't Linux: it has no namespaces",
            format!("in Windows' PowerShell: wsl --set-version {name} 2"),
        ));
    }
    around.no_proc.then(|| {
        cause(
            "/proc is not mounted",
            around.as_root("mount -t proc proc /proc"),
        )
    })
}

/// Something that is counted is used up.
fn limit(failure: &Failure, around: &Around) -> Option<Cause> {
    let step = failure.step.as_str();
    if step.starts_with(NO_ANSWER) {
        return Some(cause(
            "it hangs, or this machine is very busy",
            "try again when less is running",
        ));
    }
    if step.contains("fork") && failure.is(&[Errno::EAGAIN]) {
        return Some(cause(
            "this user may not have more processes",
            "ulimit -u \"$(ulimit -H -u)\"",
        ));
    }
    if failure.is(&[Errno::ENOMEM]) {
        return Some(cause(
            "memory is short",
            "close some programs and try again",
        ));
    }
    if failure.is(&[Errno::EMFILE, Errno::ENFILE]) {
        return Some(cause("too many files are open", "ulimit -n 1024"));
    }
    if !failure.is(&[Errno::ENOSPC, Errno::EUSERS]) {
        return None;
    }
    if !around.zero_limits.is_empty() {
        let names = around.zero_limits.iter().map(|name| format!("user.{name}"));
        let names: Vec<String> = names.collect();
        let settings: Vec<_> =
            names.iter().map(|name| format!("{name}=15000")).collect();
        let command = format!("sysctl -w {}", settings.join(" "));
        let reason = format!("{} is 0", names.join(" and "));
        return Some(cause(reason, around.as_root(&command)));
    }
    if !step.contains("NEWUSER") {
        return None;
    }
    let Some(most) = around.most_user_namespaces.filter(|_| around.initial) else {
        // More than 32 levels, or a limit of a namespace further out.
        return Some(cause(
            "user namespaces are nested too deep here, or one around this allows no \
             more",
            "leave the containers and namespaces that this shell is in, and start \
             again outside",
        ));
    };
    let more = (2 * most).max(15000);
    let command = format!("sysctl -w user.max_user_namespaces={more}");
    let reason = format!("all {most} user namespaces are in use");
    Some(cause(reason, around.as_root(&command)))
}

/// The kernel hasn't got it.
fn kernel(failure: &Failure, around: &Around) -> Option<Cause> {
    let step = failure.step.as_str();
    if step.contains("NEWUSER")
        && failure.is(&[Errno::EINVAL, Errno::ENOSYS])
        && !around.user_namespaces_built
    {
        return Some(cause(
            "this kernel was built without user namespaces",
            "boot a kernel with CONFIG_USER_NS=y, such as any distribution's own",
        ));
    }
    let new_calls = ["open_tree", "mount_setattr", "move_mount"];
    if failure.is(&[Errno::ENOSYS]) && new_calls.iter().any(|c| step.contains(c)) {
        // Filters that are older than a call say that it isn't there, too.
        let Some(container) = around.container.filter(|_| around.seccomp) else {
            return Some(cause(
                "this kernel is older than the mount API",
                "boot Linux 5.12 or newer",
            ));
        };
        return Some(cause(
            "a seccomp filter doesn't know the mount API, or the kernel doesn't",
            container.allow(),
        ));
    }
    if step.contains("idmapped") && failure.is(&[Errno::EINVAL]) {
        return Some(cause(
            "this kernel can't map the ids of a tmpfs",
            "boot Linux 6.3 or newer",
        ));
    }
    if !step.contains("overlay") {
        return None;
    }
    if failure.is(&[Errno::ENODEV]) {
        return Some(cause(
            "the kernel's overlay module isn't loaded",
            around.as_root("modprobe overlay"),
        ));
    }
    let mounting = step.contains("mount overlay");
    if mounting && failure.is(&[Errno::EINVAL]) {
        return Some(cause(
            "this kernel's overlay doesn't know userxattr",
            "boot Linux 5.11 or newer",
        ));
    }
    let blocked = !around.filtered.is_empty() || around.apparmor_profile.is_some();
    if mounting && failure.is(&[Errno::EPERM]) && !blocked {
        return Some(cause(
            "this kernel keeps overlay for the machine's root",
            "boot Linux 5.11 or newer",
        ));
    }
    (lacks_notes(failure) || failure.is(&[Errno::EIO, Errno::EOPNOTSUPP])).then(
        || {
            cause(
                "a tmpfs has no user.* attributes here, which overlay marks \
             directories with",
                "boot Linux 6.6 or newer",
            )
        },
    )
}

const PLAIN_LOGIN: &str = "start again from a plain login: what this shell runs in (a \
    service with RestrictNamespaces=, a sandboxed terminal) set the filter";

/// A seccomp filter refuses the call.
fn filter(failure: &Failure, around: &Around) -> Option<Cause> {
    const NAMING: &str = "sethostname";
    let step = failure.step.as_str();
    let killed = failure.signal == Signal::SIGSYS as i32;
    let errors = [Errno::EPERM, Errno::EACCES, Errno::ENOSYS, Errno::EINVAL];
    let called = around.filtered.iter().find(|call| step.contains(*call));
    let called = match called {
        Some(call) if failure.is(&errors) => call.as_str(),
        _ if killed => "system calls",
        // Only a filter refuses it to whoever is root in a namespace of their own.
        _ if around.seccomp && failure.is(&errors) && step.starts_with(NAMING) => {
            NAMING
        }
        _ => return None,
    };
    let reason = format!("a seccomp filter refuses {called}");
    Some(match around.container {
        Some(container) => cause(reason, container.allow()),
        None => cause(reason, PLAIN_LOGIN),
    })
}

/// A switch that keeps user namespaces from ordinary users, or from this process.
fn switch(failure: &Failure, around: &Around) -> Option<Cause> {
    if !failure.is(&DENIED) {
        return None;
    }
    let making = ["NEWUSER", "uid_map", "gid_map", "setgroups"]
        .iter()
        .any(|word| failure.step.contains(word));
    if making && around.unmapped {
        return Some(cause(
            "this user has no id in the user namespace that this shell is in",
            "leave that namespace, and start again outside",
        ));
    }
    // Root meets it too: with namespaces inside of namespaces.
    if making && around.clone_switched_off {
        return Some(cause(
            "kernel.unprivileged_userns_clone is 0",
            around.as_root("sysctl -w kernel.unprivileged_userns_clone=1"),
        ));
    }
    // Depending on the release, the namespace is refused or has no power in it.
    if around.apparmor_restricts && !around.privileged {
        return Some(cause(
            "kernel.apparmor_restrict_unprivileged_userns is 1",
            around
                .as_root("sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
        ));
    }
    let is = "this is a chroot, and the kernel makes no user namespaces in one";
    (making && around.chrooted).then(|| cause(is, NOT_A_CHROOT))
}

const NOT_A_CHROOT: &str =
    "leave the chroot; where it has to be one: bwrap --dev-bind DIR / bash";

/// proc and sysfs can only be mounted where the ones in sight are whole and
/// writable (man 7 user_namespaces, "Rules for mounting").
fn covered(failure: &Failure, around: &Around) -> Option<Cause> {
    let kinds = [("mount proc", "/proc"), ("mount sysfs", "/sys")];
    let (_, root) = kinds
        .into_iter()
        .find(|(call, _)| failure.step.contains(call))?;
    if !failure.is(&DENIED) || around.apparmor_profile.is_some() {
        return None;
    }
    let below: Vec<&str> = around.covered.iter().map(String::as_str).collect();
    let below: Vec<&str> = below
        .into_iter()
        .filter(|point| point.starts_with(root))
        .collect();
    let read_only = around.read_only.iter().any(|point| point == root);
    let reason = match below.as_slice() {
        [] if read_only => format!("{root} is read-only"),
        [] => return None,
        [one] => format!("{one} is covered by a mount"),
        [first, others @ ..] => {
            format!(
                "{first} and {} more places are covered by mounts",
                others.len()
            )
        }
    };
    Some(match around.container {
        Some(container) => cause(reason, container.allow()),
        None if below.is_empty() => cause(
            reason,
            around.as_root(&format!("mount -o remount,rw {root}")),
        ),
        None => cause(
            reason,
            around.as_root(&format!("umount {}", below.join(" "))),
        ),
    })
}

/// The checker doesn't see in /proc what it has started.
fn hidden(failure: &Failure, around: &Around) -> Option<Cause> {
    if !failure.step.contains("/children") {
        return None;
    }
    Some(match around.hides_processes {
        true => cause(
            "/proc is mounted with hidepid, and hides processes",
            around.as_root("mount -o remount,hidepid=0 /proc"),
        ),
        false => cause(
            "this kernel's /proc doesn't list a process's children",
            "boot a kernel with CONFIG_PROC_CHILDREN=y, such as any distribution's own",
        ),
    })
}

/// Security modules: they don't say that it was them.
fn module(failure: &Failure, around: &Around) -> Option<Cause> {
    if !failure.is(&DENIED) {
        return None;
    }
    if let Some(profile) = &around.apparmor_profile {
        let reason = format!("the AppArmor profile {profile} confines the checker");
        return Some(match around.container {
            Some(container) => cause(reason, container.allow()),
            None => {
                let command = format!("aa-complain {profile}");
                cause(reason, around.as_root(&command))
            }
        });
    }
    if around.selinux_enforces {
        let reason = "SELinux is enforcing, and probably refuses it";
        return Some(match around.container {
            Some(Container::Docker) => {
                cause(reason, "docker run --security-opt label=disable …")
            }
            Some(Container::Podman) => {
                cause(reason, "podman run --security-opt label=disable …")
            }
            Some(container) => cause(reason, container.allow()),
            None => cause(
                reason,
                around.as_root(
                    "sh -c 'ausearch -m AVC -ts recent | audit2allow -M rubber-crab \
                     && semodule -i rubber-crab.pp'",
                ),
            ),
        });
    }
    let powerless = around.uid == 0 && !around.privileged;
    if let Some(container) = around.container {
        let reason = match powerless {
            true => "root has no CAP_SYS_ADMIN in this container",
            false => "the container that this runs in refuses it",
        };
        return Some(cause(reason, container.allow()));
    }
    if powerless {
        return Some(cause(
            "this root has no CAP_SYS_ADMIN",
            "run the checker as an ordinary user: su - USER",
        ));
    }
    around.seccomp.then(|| {
        cause(
            "a seccomp filter is at work, and may refuse it",
            PLAIN_LOGIN,
        )
    })
}

fn unknown(failure: &Failure, around: &Around) -> Cause {
    if failure.is(&[Errno::EPERM]) && failure.step.contains("NEWUSER") {
        // All else that man 2 unshare names is ruled out.
        return cause(
            "only a chroot does this, or a security module that doesn't show",
            NOT_A_CHROOT,
        );
    }
    cause("the cause isn't known", around.as_root("dmesg | tail"))
}

impl Around {
    /// `command`, as this user types it.
    pub fn as_root(&self, command: &str) -> String {
        if self.uid == 0 {
            command.into()
        } else {
            format!("sudo {command}")
        }
    }
}

impl Container {
    /// How a container is started that may have containers of its own.
    pub fn allow(self) -> String {
        match self {
            Self::Docker => "docker run --privileged … (start the container anew)",
            Self::Podman => "podman run --privileged … (start the container anew)",
            Self::Kubernetes => {
                "set securityContext.privileged: true for this container of the pod"
            }
            Self::Lxc => {
                "lxc config set NAME security.nesting true && lxc restart NAME (on \
                 the host)"
            }
            Self::Flatpak => "flatpak-spawn --host cargo checker",
            Self::Other => {
                "start the container anew, privileged; or run the checker outside"
            }
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around() -> Around {
        Around {
            uid: 1000,
            user: "ada".into(),
            user_namespaces_built: true,
            initial: true,
            most_user_namespaces: Some(95000),
            ..Around::default()
        }
    }

    fn failure(step: &str, errno: Errno) -> Failure {
        Failure {
            step: format!("{step}: {errno}"),
            errno: errno as i32,
            signal: 0,
        }
    }

    const UNSHARE: &str = "unshare(CLONE_NEWUSER)";

    #[track_caller]
    fn expect(step: &str, errno: Errno, around: &Around, reason: &str, cure: &str) {
        let found = of(&failure(step, errno), around);
        assert_eq!(found.reason, format!("{reason} ({step}: {errno})"));
        assert_eq!(found.cure, cure);
    }

    #[test]
    fn wsl_1() {
        expect(
            UNSHARE,
            Errno::EINVAL,
            &Around {
                wsl1: Some("Ubuntu-22.04".into()),
                ..around()
            },
            "WSL 1 isn't Linux: it has no namespaces",
            "in Windows' PowerShell: wsl --set-version Ubuntu-22.04 2",
        );
    }

    #[test]
    fn no_proc() {
        expect(
            "open the user namespace",
            Errno::ENOENT,
            &Around {
                no_proc: true,
                uid: 0,
                ..around()
            },
            "/proc is not mounted",
            "mount -t proc proc /proc",
        );
    }

    #[test]
    fn apparmor_on_ubuntu_refuses_the_namespace() {
        let around = Around {
            apparmor_restricts: true,
            ..around()
        };
        // 23.10 refuses it; 24.04 makes one without power in it.
        for (step, errno) in [
            (UNSHARE, Errno::EPERM),
            ("write \"0 1000 1\" to uid_map", Errno::EPERM),
            ("mount / as a slave", Errno::EACCES),
        ] {
            expect(
                step,
                errno,
                &around,
                "kernel.apparmor_restrict_unprivileged_userns is 1",
                "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
            );
        }
    }

    #[test]
    fn apparmor_on_ubuntu_leaves_root_alone() {
        let around = Around {
            apparmor_restricts: true,
            privileged: true,
            uid: 0,
            ..around()
        };
        let found = of(&failure(UNSHARE, Errno::EPERM), &around);
        assert!(!found.cure.contains("apparmor"), "{found:?}");
    }

    #[test]
    fn debians_old_switch() {
        expect(
            UNSHARE,
            Errno::EPERM,
            &Around {
                clone_switched_off: true,
                ..around()
            },
            "kernel.unprivileged_userns_clone is 0",
            "sudo sysctl -w kernel.unprivileged_userns_clone=1",
        );
    }

    #[test]
    fn debians_old_switch_and_root() {
        expect(
            "unshare(CLONE_NEWUSER) inside a user namespace",
            Errno::EPERM,
            &Around {
                clone_switched_off: true,
                privileged: true,
                uid: 0,
                ..around()
            },
            "kernel.unprivileged_userns_clone is 0",
            "sysctl -w kernel.unprivileged_userns_clone=1",
        );
    }

    #[test]
    fn a_proc_that_hides_processes() {
        let step = "open /proc/PID/task/PID/children of the sandbox's init";
        expect(
            step,
            Errno::ENOENT,
            &Around {
                hides_processes: true,
                ..around()
            },
            "/proc is mounted with hidepid, and hides processes",
            "sudo mount -o remount,hidepid=0 /proc",
        );
        let found = of(&failure(step, Errno::ENOENT), &around());
        assert!(found.cure.contains("CONFIG_PROC_CHILDREN"), "{found:?}");
    }

    #[test]
    fn no_user_namespaces_allowed() {
        let limits = vec!["max_user_namespaces".into()];
        expect(
            UNSHARE,
            Errno::ENOSPC,
            &Around {
                zero_limits: limits,
                ..around()
            },
            "user.max_user_namespaces is 0",
            "sudo sysctl -w user.max_user_namespaces=15000",
        );
    }

    #[test]
    fn no_other_namespaces_allowed() {
        let limits = vec!["max_net_namespaces".into(), "max_pid_namespaces".into()];
        expect(
            "unshare(PID, net, IPC, UTS and cgroup namespaces)",
            Errno::ENOSPC,
            &Around {
                zero_limits: limits,
                uid: 0,
                ..around()
            },
            "user.max_net_namespaces and user.max_pid_namespaces is 0",
            "sysctl -w user.max_net_namespaces=15000 user.max_pid_namespaces=15000",
        );
    }

    #[test]
    fn all_user_namespaces_used() {
        expect(
            UNSHARE,
            Errno::ENOSPC,
            &around(),
            "all 95000 user namespaces are in use",
            "sudo sysctl -w user.max_user_namespaces=190000",
        );
    }

    #[test]
    fn nested_too_deep() {
        let found = of(
            &failure(UNSHARE, Errno::ENOSPC),
            &Around {
                initial: false,
                ..around()
            },
        );
        assert!(found.reason.contains("nested too deep"), "{found:?}");
        assert!(found.cure.starts_with("leave the containers"), "{found:?}");
    }

    #[test]
    fn kernel_without_user_namespaces() {
        expect(
            UNSHARE,
            Errno::EINVAL,
            &Around {
                user_namespaces_built: false,
                ..around()
            },
            "this kernel was built without user namespaces",
            "boot a kernel with CONFIG_USER_NS=y, such as any distribution's own",
        );
    }

    #[test]
    fn dockers_seccomp_filter() {
        expect(
            UNSHARE,
            Errno::EPERM,
            &Around {
                filtered: vec!["unshare".into(), "mount".into()],
                seccomp: true,
                container: Some(Container::Docker),
                uid: 0,
                ..around()
            },
            "a seccomp filter refuses unshare",
            "docker run --privileged … (start the container anew)",
        );
    }

    #[test]
    fn a_filter_that_kills() {
        let killed = Failure {
            step: "the trial was killed by SIGSYS".into(),
            errno: 0,
            signal: Signal::SIGSYS as i32,
        };
        let found = of(&killed, &around());
        assert!(
            found.reason.starts_with("a seccomp filter refuses"),
            "{found:?}"
        );
        assert!(found.cure.contains("RestrictNamespaces="), "{found:?}");
    }

    #[test]
    fn flatpaks_filter() {
        let around = Around {
            filtered: vec!["unshare".into()],
            container: Some(Container::Flatpak),
            ..around()
        };
        let found = of(&failure(UNSHARE, Errno::EPERM), &around);
        assert_eq!(found.cure, "flatpak-spawn --host cargo checker");
    }

    #[test]
    fn chroot() {
        let found = of(
            &failure(UNSHARE, Errno::EPERM),
            &Around {
                chrooted: true,
                ..around()
            },
        );
        assert!(found.reason.starts_with("this is a chroot"), "{found:?}");
        assert!(found.cure.starts_with("leave the chroot"), "{found:?}");
    }

    #[test]
    fn what_can_only_be_a_chroot() {
        let found = of(&failure(UNSHARE, Errno::EPERM), &around());
        assert!(found.reason.starts_with("only a chroot"), "{found:?}");
        assert!(found.cure.starts_with("leave the chroot"), "{found:?}");
    }

    #[test]
    fn a_user_without_an_id() {
        expect(
            UNSHARE,
            Errno::EPERM,
            &Around {
                unmapped: true,
                ..around()
            },
            "this user has no id in the user namespace that this shell is in",
            "leave that namespace, and start again outside",
        );
    }

    #[test]
    fn root_without_power() {
        expect(
            "open_tree /bin",
            Errno::EPERM,
            &Around { uid: 0, ..around() },
            "this root has no CAP_SYS_ADMIN",
            "run the checker as an ordinary user: su - USER",
        );
        let inside = Around {
            uid: 0,
            container: Some(Container::Docker),
            ..around()
        };
        expect(
            "open_tree /bin",
            Errno::EPERM,
            &inside,
            "root has no CAP_SYS_ADMIN in this container",
            "docker run --privileged … (start the container anew)",
        );
    }

    #[test]
    fn covered_proc_in_a_container() {
        let covered = ["/proc/bus", "/proc/kcore", "/sys/firmware"];
        expect(
            "mount proc in a user namespace",
            Errno::EPERM,
            &Around {
                covered: covered.map(String::from).into(),
                container: Some(Container::Podman),
                ..around()
            },
            "/proc/bus and 1 more places are covered by mounts",
            "podman run --privileged … (start the container anew)",
        );
    }

    #[test]
    fn covered_proc_on_a_host() {
        expect(
            "mount proc on /tmp/proc",
            Errno::EPERM,
            &Around {
                covered: vec!["/proc/cpuinfo".into()],
                ..around()
            },
            "/proc/cpuinfo is covered by a mount",
            "sudo umount /proc/cpuinfo",
        );
    }

    #[test]
    fn read_only_sysfs() {
        expect(
            "mount sysfs in a user namespace",
            Errno::EPERM,
            &Around {
                read_only: vec!["/sys".into()],
                ..around()
            },
            "/sys is read-only",
            "sudo mount -o remount,rw /sys",
        );
    }

    #[test]
    fn dockers_apparmor_profile() {
        expect(
            "mount / as a slave",
            Errno::EACCES,
            &Around {
                apparmor_profile: Some("docker-default".into()),
                container: Some(Container::Docker),
                ..around()
            },
            "the AppArmor profile docker-default confines the checker",
            "docker run --privileged … (start the container anew)",
        );
    }

    #[test]
    fn selinux() {
        let around = Around {
            selinux_enforces: true,
            ..around()
        };
        let found = of(&failure(UNSHARE, Errno::EACCES), &around);
        assert!(found.reason.starts_with("SELinux"), "{found:?}");
        assert!(found.cure.starts_with("sudo sh -c 'ausearch"), "{found:?}");
        let inside = Around {
            container: Some(Container::Podman),
            ..around
        };
        let found = of(&failure(UNSHARE, Errno::EACCES), &inside);
        assert_eq!(found.cure, "podman run --security-opt label=disable …");
    }

    #[test]
    fn lxc_without_nesting() {
        let around = Around {
            container: Some(Container::Lxc),
            ..around()
        };
        let found = of(&failure("mount proc on /x", Errno::EPERM), &around);
        assert!(found.cure.contains("security.nesting true"), "{found:?}");
    }

    #[test]
    fn old_kernels() {
        for (step, errno, cure) in [
            ("open_tree /usr", Errno::ENOSYS, "boot Linux 5.12 or newer"),
            (
                "mount_setattr read-only",
                Errno::ENOSYS,
                "boot Linux 5.12 or newer",
            ),
            (
                "mount_setattr idmapped on tmpfs",
                Errno::EINVAL,
                "boot Linux 6.3 or newer",
            ),
            (
                "mount overlay in a user namespace",
                Errno::EPERM,
                "boot Linux 5.11 or newer",
            ),
            (
                "mount overlay in a user namespace",
                Errno::EINVAL,
                "boot Linux 5.11 or newer",
            ),
            (
                "overlay: make a directory anew that was removed",
                Errno::EIO,
                "boot Linux 6.6 or newer",
            ),
        ] {
            assert_eq!(of(&failure(step, errno), &around()).cure, cure, "{step}");
        }
    }

    #[test]
    fn overlay_module() {
        expect(
            "mount overlay in a user namespace",
            Errno::ENODEV,
            &around(),
            "the kernel's overlay module isn't loaded",
            "sudo modprobe overlay",
        );
    }

    #[test]
    fn what_hangs() {
        let step = "no answer within 20 s".into();
        let found = of(
            &Failure {
                step,
                ..Failure::default()
            },
            &around(),
        );
        assert_eq!(found.cure, "try again when less is running");
    }

    #[test]
    fn process_limit() {
        expect(
            "fork",
            Errno::EAGAIN,
            &around(),
            "this user may not have more processes",
            "ulimit -u \"$(ulimit -H -u)\"",
        );
    }

    #[test]
    fn what_is_not_known_is_said() {
        let found = of(&failure("setns", Errno::EBADF), &around());
        assert_eq!(
            found.reason,
            "the cause isn't known (setns: EBADF: Bad file number)"
        );
    }
}
