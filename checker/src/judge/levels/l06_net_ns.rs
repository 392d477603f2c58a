//! 06 net-ns: a network with nothing in it but the loopback link.

use nix::errno::Errno;

use crate::evidence::{Evidence, Link, NO_ANSWER, Seen};
use crate::judge::clues::{Clue, starts_with};
use crate::judge::common::{
    self, container_checks, failing, first_of, is_callers, is_own, mount_at, seen,
    two_containers, unanswered,
};
use crate::judge::{Check, Finding, Level, fail, waits};
use crate::plan::{Act, Plan};

const STARTS: &str = "net.starts";
const NAMESPACE: &str = "net.namespace";
const LOOPBACK: &str = "net.loopback";
const CALLER: &str = "net.caller-links";

pub static LEVEL: Level = Level {
    number: "06",
    name: "net-ns",
    title: "a network namespace",
    learned: "a network stack with nothing in it but lo",
    contained: true,
    groups: false,
    runs,
    checks: container_checks!(
        "net",
        [
            Check {
                id: NAMESPACE,
                claim: "it has a network namespace of its own",
                judge: namespace,
            },
            Check {
                id: "net.only-loopback",
                claim: "lo is its only link",
                judge: only_loopback,
            },
            Check {
                id: LOOPBACK,
                claim: "lo is up, with 127.0.0.1 and ::1",
                judge: loopback,
            },
            Check {
                id: "net.sys",
                claim: "/sys/class/net shows the same links",
                judge: sys,
            },
            Check {
                id: "net.no-socket-left",
                claim: "the runtime leaves no socket open in it",
                judge: no_socket_left,
            },
            Check {
                id: CALLER,
                claim: "the caller's links are as before",
                judge: caller_links,
            },
            Check {
                id: "net.same-port",
                claim: "two containers listen on the same port at once",
                judge: same_port,
            },
        ]
    ),
};

/// Above 1023: whoever gave up its power over low ports may still listen here.
const PORT: u16 = 8080;
const LISTEN: &str = "listen 8080";

fn runs() -> Vec<Plan> {
    let [mut look, mut beside] = two_containers(vec![Act::Listen(PORT)]);
    beside.steps.push(Act::Listen(PORT).into());
    look = look.closely();
    let mut all = vec![look, beside];
    all.extend(failing());
    all
}

/// What the errors of these calls mean here.
pub const CLUES: &[Clue] = &[
    Clue {
        words: &["netlink|send|recv|answer"],
        errno: Errno::EPERM,
        likely: "To change a link takes CAP_NET_ADMIN in the user namespace that the link's network namespace belongs to. This process has given that up, or has entered another user namespace since.",
        next: "Switch lo on right after unshare(CLONE_NEWNET), before power is given up.",
        more: "man 7 network_namespaces, man 7 user_namespaces",
    },
    Clue {
        words: &["netlink|send|recv|answer"],
        errno: Errno::ECONNREFUSED,
        likely: "Nobody answers on this netlink protocol. Each part of the kernel has one of its own; links are NETLINK_ROUTE's.",
        next: "Open the socket with SockProtocol::NetlinkRoute.",
        more: "man 7 netlink",
    },
    Clue {
        words: &["netlink|send|recv|answer"],
        errno: Errno::ENODATA,
        likely: "The message is empty: its bytes are still to be put together (`set_flags`).",
        next: "Put the fields of nlmsghdr and ifinfomsg together: 32 bytes.",
        more: "man 7 netlink, man 7 rtnetlink",
    },
    Clue {
        words: &["netlink|send|recv|answer"],
        errno: Errno::EAGAIN,
        likely: "The kernel gave no answer: it could make no message of what it got. The length in the header must be that of the whole message, 32 bytes; without NLM_F_ACK there is no answer either.",
        next: "Look at the order and the sizes of the fields: u32 u16 u16 u32 u32, then u8 u8 u16 i32 u32 u32.",
        more: "man 7 netlink",
    },
    Clue {
        words: &["netlink|send|recv|answer"],
        errno: Errno::ENODEV,
        likely: "There is no link of this number in the namespace. lo is number 1; a field in the wrong place makes another number of it.",
        next: "Look at the order and the sizes of ifinfomsg's fields: u8 u8 u16 i32 u32 u32.",
        more: "man 7 rtnetlink",
    },
    Clue {
        words: &["netlink|send|recv|answer"],
        errno: Errno::EOPNOTSUPP,
        likely: "The kernel doesn't know this type of message, or not for what it is to do.",
        next: "The type is RTM_NEWLINK.",
        more: "man 7 rtnetlink",
    },
    Clue {
        words: &["netlink|send|recv|answer"],
        errno: Errno::EINVAL,
        likely: "The kernel refuses what the message says: a number or a length in it isn't what it should be.",
        next: "Look at the order and the sizes of the fields: u32 u16 u16 u32 u32, then u8 u8 u16 i32 u32 u32.",
        more: "man 7 rtnetlink",
    },
    Clue {
        words: &["mount", "sysfs|/sys:|/sys |/sys\""],
        errno: Errno::EPERM,
        likely: "A new sysfs belongs to the network namespace of the process that mounts it. In a user namespace the kernel mounts one only if that network namespace is the user namespace's own, and while another sysfs is in sight.",
        next: "unshare the network namespace before you mount /sys, in the same process, and mount it before the old root is gone.",
        more: "man 7 network_namespaces, man 5 sysfs",
    },
];

fn starts(evidence: &Evidence) -> Finding {
    starts_with(
        evidence,
        &[
            CLUES,
            super::l05_uts_ns::CLUES,
            super::l04_pid_ns::CLUES,
            super::l03_pivot_root::CLUES,
        ],
    )
}

fn namespace(evidence: &Evidence) -> Finding {
    if let Err(waits) = seen(evidence.run("look"), STARTS) {
        return waits;
    }
    let shared = ["look", "beside"].into_iter().find_map(|name| {
        let run = evidence.run(name);
        let seen = seen(run, STARTS).ok()?;
        (!is_own(evidence, seen, "net")).then_some((run, seen))
    });
    let Some((run, seen)) = shared else {
        return Finding::Pass;
    };
    let number = seen.namespaces.get("net").copied().unwrap_or_default();
    fail(
        run,
        "a network namespace that is not the caller's",
        format!("the command and the caller are both in net:[{number}]"),
        "unshare(CLONE_NEWNET) is missing, or was called in another process; or on another thread: it moves the calling thread only, and a program that starts threads may fork from one that stayed behind.",
        "Call unshare(CLONE_NEWNET) in the child, in the thread that goes on to exec.",
        "man 7 network_namespaces, man 2 unshare",
    )
}

/// The links of the command's own network.
fn links<'a>(evidence: &'a Evidence, seen: &'a Seen) -> Result<&'a [Link], Finding> {
    match &seen.links {
        Some(links) if is_own(evidence, seen, "net") => Ok(links),
        _ => Err(waits(NAMESPACE)),
    }
}

/// Links that every new namespace has on this machine besides `lo`
/// (net.core.fb_tunnels_only_for_init_net).
fn is_usual(evidence: &Evidence, name: &str) -> bool {
    name == "lo" || evidence.machine.links.iter().any(|usual| usual == name)
}

fn only_loopback(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    let links = match seen(run, STARTS).and_then(|seen| links(evidence, seen)) {
        Ok(links) => links,
        Err(waits) => return waits,
    };
    let names = links.iter().map(|link| link.name.clone());
    let others: Vec<String> =
        names.filter(|name| !is_usual(evidence, name)).collect();
    if others.is_empty() {
        return Finding::Pass;
    }
    fail(
        run,
        "no link but lo",
        first_of(&others, 4),
        "The container has a link that a new network namespace doesn't have: one was made in it, or moved there (level 20 does that), or lo was given another name.",
        "Leave the new namespace as it is, and switch lo on.",
        "man 7 network_namespaces",
    )
}

fn loopback(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    let links = match seen(run, STARTS).and_then(|seen| links(evidence, seen)) {
        Ok(links) => links,
        Err(waits) => return waits,
    };
    let wanted = match evidence.machine.ipv6 {
        true => "lo is up, and has 127.0.0.1 and ::1",
        false => "lo is up, and has 127.0.0.1",
    };
    let Some(lo) = links.iter().find(|link| link.name == "lo") else {
        return fail(
            run,
            wanted,
            "there is no lo",
            "It was deleted or renamed.",
            "Every network namespace begins with a lo: switch it on.",
            "man 7 network_namespaces",
        );
    };
    let has = |address: &str| lo.addresses.iter().any(|own| own == address);
    if lo.up && has("127.0.0.1") && (has("::1") || !evidence.machine.ipv6) {
        return match reachable(evidence, "look") {
            Ok(()) => Finding::Pass,
            Err(finding) => finding,
        };
    }
    if !lo.up && matches!(caller_links(evidence), Finding::Fail(_)) {
        return waits(CALLER);
    }
    let (likely, next) = match lo.up {
        false => (
            "A new network namespace has a lo, and it is down: not even 127.0.0.1 can be reached. No error was reported, and the caller's lo is as it was. So the message was not sent, or its answer not read, or it asks for nothing: IFF_UP is not among the flags, or not among those to change. And the kernel says 0 to a message that it passes over: one without NLM_F_REQUEST, or whose length leaves out what follows the header.",
            "Look in this order. Is the message sent, after unshare, and the answer read? Are the last two numbers in it IFF_UP, both? Is the length in the header that of the whole message, 32? Is NLM_F_REQUEST among the header's flags?",
        ),
        true => (
            "lo is on, and the addresses come from the kernel then. Somebody took one away: removed it, or switched IPv6 off (/proc/sys/net/ipv6/conf/*/disable_ipv6).",
            "Only switch lo on.",
        ),
    };
    fail(
        run,
        wanted,
        show(lo),
        likely,
        next,
        "man 7 rtnetlink, man 7 netdevice",
    )
}

/// Could the command listen and connect on its loopback addresses?
fn reachable(evidence: &Evidence, name: &str) -> Result<(), Finding> {
    let run = evidence.run(name);
    if unanswered(run, LISTEN) {
        return Err(waits("net.two-at-once"));
    }
    let did = run.outcome(LISTEN);
    let six = !evidence.machine.ipv6 || did.contains("::1:ok");
    if did.contains("127.0.0.1:ok") && six {
        return Ok(());
    }
    if did == NO_ANSWER {
        return Err(waits(STARTS));
    }
    Err(fail(
        run,
        "the command listens on port 8080 of both loopback addresses, and connects to it",
        did,
        "The addresses are there, but can't be used. EADDRINUSE: another one listens on this port, in the same namespace. ETIMEDOUT: something drops the packets, a firewall in there or a link that is not really on.",
        "Leave the new namespace as it is, and switch lo on: nobody else is in there.",
        "man 7 ip",
    ))
}

fn sys(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    let seen = match seen(run, STARTS) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    let links = match links(evidence, seen) {
        Ok(links) => links,
        Err(waits) => return waits,
    };
    let mount = mount_at(seen, "/sys").filter(|mount| mount.kind == "sysfs");
    let Some(mount) = mount else {
        return fail(
            run,
            "a sysfs on /sys",
            "none is mounted there",
            "It was not mounted, or in another mount namespace, or its error was dropped.",
            "Mount sysfs on the container's /sys, as in level 02.",
            "man 5 sysfs",
        );
    };
    let mut names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
    names.sort_unstable();
    let mut shown: Vec<&str> = seen.shown_links.iter().map(String::as_str).collect();
    // A file of the bonding driver's, no link.
    shown.retain(|name| *name != "bonding_masters");
    // Another network than the caller's may have the same links.
    let up = links.iter().any(|link| link.name == "lo" && link.up);
    let other = seen.shown_lo_up.is_some_and(|shown| shown != up);
    if !is_callers(evidence, mount) && names == shown && !other {
        return Finding::Pass;
    }
    let state = |up: bool| if up { "up" } else { "down" };
    let saw = if is_callers(evidence, mount) {
        format!(
            "/sys is the caller's, and shows its links: {}",
            shown.join(" ")
        )
    } else if names != shown {
        format!(
            "in /sys/class/net: {}; in the namespace: {}",
            shown.join(" "),
            names.join(" ")
        )
    } else {
        format!(
            "by /sys/class/net/lo/flags, lo is {}; it is {}",
            state(!up),
            state(up)
        )
    };
    fail(
        run,
        "/sys/class/net shows the links of the container's own network",
        saw,
        "A sysfs shows the network namespace of the process that mounted it, for ever. This one was mounted before unshare(CLONE_NEWNET), or before another one, or the caller's was bound here.",
        "unshare the network namespace first, then mount /sys.",
        "man 7 network_namespaces, man 5 sysfs",
    )
}

fn no_socket_left(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    let seen = match seen(run, STARTS) {
        Ok(seen) => seen,
        Err(waits) => return waits,
    };
    let open: Vec<String> = seen
        .descriptors
        .iter()
        .filter(|open| open.number > 2 && open.target.starts_with("socket:"))
        .map(|open| format!("descriptor {} is a socket", open.number))
        .collect();
    if open.is_empty() {
        return Finding::Pass;
    }
    fail(
        run,
        "only descriptors 0, 1 and 2 are open in the command",
        first_of(&open, 4),
        "A socket that the runtime opened went through exec: without SOCK_CLOEXEC it is inherited, and close_descriptors has run before. A socket stays in the network in which it was opened: one of the caller's would lead out of the container.",
        "Open it with SockFlag::SOCK_CLOEXEC, and let it be dropped at the end of the function.",
        "man 2 socket",
    )
}

fn caller_links(evidence: &Evidence) -> Finding {
    let run = evidence.run("look");
    if let Err(waits) = seen(run, STARTS).and_then(|seen| links(evidence, seen)) {
        return waits;
    }
    let relinked = evidence
        .runs
        .values()
        .find_map(|run| Some((run, run.relinked.as_ref()?)));
    let Some((run, links)) = relinked else {
        return Finding::Pass;
    };
    let shown: Vec<String> = links.iter().map(show).collect();
    let saw = format!("the caller has now: {}", first_of(&shown, 4));
    if links.iter().any(|link| !is_usual(evidence, &link.name)) {
        return fail(
            run,
            "the caller's links are as before: here, lo alone",
            saw,
            "A link was made in the caller's network, and nobody took it away. (Level 20 makes some.)",
            "This level needs no link but the lo that is there.",
            "man 7 network_namespaces, man 8 ip-link",
        );
    }
    fail(
        run,
        "the caller's links are as before: here, lo, down and without an address",
        saw,
        "What was meant for the container's link was done to the caller's. A socket belongs for ever to the network namespace in which it was opened: this one was opened before unshare(CLONE_NEWNET), or by another process, which never left. Outside this sandbox, these are the machine's own links.",
        "Call unshare(CLONE_NEWNET) first, then open the socket, in the same process.",
        "man 7 network_namespaces, man 7 netlink",
    )
}

/// `lo (up, 127.0.0.1 ::1)`
fn show(link: &Link) -> String {
    let state = if link.up { "up" } else { "down" };
    match link.addresses.is_empty() {
        true => format!("{} ({state}, no address)", link.name),
        false => format!("{} ({state}, {})", link.name, link.addresses.join(" ")),
    }
}

fn same_port(evidence: &Evidence) -> Finding {
    let mut networks = Vec::new();
    for name in ["look", "beside"] {
        match seen(evidence.run(name), STARTS) {
            Ok(seen) if !is_own(evidence, seen, "net") => return waits(NAMESPACE),
            Ok(seen) => networks.push(seen.namespaces.get("net")),
            Err(waits) => return waits,
        }
    }
    if let [Some(first), second] = networks[..] {
        if second == Some(first) {
            return fail(
                evidence.run("beside"),
                "a network namespace of its own for each container",
                format!("both containers are in net:[{first}]"),
                "The namespace is made once, and the next container joins it: what one listens on, the other can't, and each reaches what the other offers on 127.0.0.1.",
                "Make a new network namespace for each container.",
                "man 7 network_namespaces",
            );
        }
    }
    if loopback(evidence) != Finding::Pass {
        return waits(LOOPBACK);
    }
    reachable(evidence, "beside").err().unwrap_or(Finding::Pass)
}
