//! What this is, in a phrase: the first thing that somebody who helps wants to know.

use super::Item;
use super::around::{Around, Container};
use crate::belt;
use crate::status::kernel;

pub fn item(around: &Around) -> Item {
    Item::fine(
        "machine",
        describe(around, &kernel(), belt::cgroup_versions()),
    )
}

/// Pure.
fn describe(around: &Around, kernel: &str, groups: &str) -> String {
    let mut parts = vec![format!("Linux {kernel}")];
    let mut add = |is: bool, words: &str| {
        if is {
            parts.push(words.into());
        }
    };
    add(around.wsl1.is_some(), "WSL 1");
    add(around.wsl2, "WSL 2");
    if let Some(container) = around.container {
        add(true, &format!("in a container ({})", container.name()));
    }
    add(around.chrooted, "in a chroot");
    add(true, &format!("as {}", around.user));
    let groups = match groups {
        "none" => "no control groups".to_owned(),
        versions => format!("control groups {versions}"),
    };
    add(true, &groups);
    add(!around.systemd, "no systemd");
    add(around.seccomp, "a seccomp filter");
    add(
        around.apparmor_restricts,
        "AppArmor restricts user namespaces",
    );
    if let Some(profile) = &around.apparmor_profile {
        add(true, &format!("AppArmor profile {profile}"));
    }
    add(around.selinux_enforces, "SELinux enforces");
    parts.join(", ")
}

impl Container {
    fn name(self) -> &'static str {
        match self {
            Self::Docker => "Docker",
            Self::Podman => "Podman",
            Self::Kubernetes => "Kubernetes",
            Self::Lxc => "LXC",
            Self::Flatpak => "Flatpak",
            Self::Other => "of a kind that isn't known",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_machine() {
        let around = Around {
            user: "ada".into(),
            systemd: true,
            ..Around::default()
        };
        assert_eq!(
            describe(&around, "6.12.1", "v2"),
            "Linux 6.12.1, as ada, control groups v2"
        );
    }

    #[test]
    fn ubuntu() {
        let around = Around {
            user: "ada".into(),
            systemd: true,
            apparmor_restricts: true,
            ..Around::default()
        };
        assert_eq!(
            describe(&around, "6.8.0", "v2"),
            "Linux 6.8.0, as ada, control groups v2, AppArmor restricts user namespaces"
        );
    }

    #[test]
    fn a_container() {
        let around = Around {
            user: "root".into(),
            container: Some(Container::Podman),
            seccomp: true,
            ..Around::default()
        };
        assert_eq!(
            describe(&around, "6.1.0", "none"),
            "Linux 6.1.0, in a container (Podman), as root, no control groups, no \
             systemd, a seccomp filter"
        );
    }

    #[test]
    fn wsl_2() {
        let around = Around {
            user: "ada".into(),
            wsl2: true,
            ..Around::default()
        };
        assert_eq!(
            describe(&around, "5.15.153.1-microsoft-standard-WSL2", "v1 and v2"),
            "Linux 5.15.153.1-microsoft-standard-WSL2, WSL 2, as ada, control groups \
             v1 and v2, no systemd"
        );
    }
}
