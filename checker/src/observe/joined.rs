//! What only a process in a namespace can find out: a helper joins it, and tells.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result};
use nix::ifaddrs::getifaddrs;
use nix::mqueue::{MQ_OFlag, MqAttr, mq_open, mq_unlink};
use nix::net::if_::InterfaceFlags;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::{Mode, fstat, major, minor};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Gid, Uid, gethostname, pipe, setresgid, setresuid};
use serde::{Deserialize, Serialize};

use crate::belt::Belt;
use crate::evidence::Link;
use crate::sys;

/// Do something in a child process, and get what it has to tell.
pub fn in_helper(tell: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    let (result, answer) = pipe()?;
    match sys::fork().context("fork")? {
        ForkResult::Child => {
            drop(result);
            let told =
                tell().and_then(|text| Ok(File::from(answer).write_all(&text)?));
            sys::exit_now(i32::from(told.is_err()))
        }
        ForkResult::Parent { child } => {
            drop(answer);
            let mut text = Vec::new();
            let read = File::from(result).read_to_end(&mut text);
            let _ = waitpid(child, None);
            read?;
            Ok(text)
        }
    }
}

/// A namespace of a process, and the user namespace that has power over it: not
/// always the process's own, which it may have entered afterwards.
pub fn namespace(pid: i32, name: &str) -> Result<(OwnedFd, OwnedFd)> {
    let path = format!("/proc/{pid}/ns/{name}");
    let file = File::open(&path).with_context(|| format!("open {path}"))?;
    with_owner(file.into())
}

/// A namespace, and the user namespace that has power over it.
pub fn with_owner(namespace: OwnedFd) -> Result<(OwnedFd, OwnedFd)> {
    let owner = sys::owner_of_namespace(&namespace).context("NS_GET_USERNS")?;
    Ok((namespace, owner))
}

/// Join a namespace. One that we are in is no error.
pub fn join(namespace: &(OwnedFd, OwnedFd), kind: CloneFlags) -> Result<()> {
    let (file, owner) = namespace;
    let _ = setns(owner, CloneFlags::CLONE_NEWUSER);
    setns(file, kind).context("setns")
}

/// A host name, the links of a network, and the file system of the message queues.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Identity {
    pub hostname: String,
    pub links: Option<Vec<Link>>,
    pub queues: Option<(u64, u64)>,
}

/// The host name, the links and the message queues of process `pid`.
pub fn identity(pid: i32) -> Result<Identity> {
    let open = |name| namespace(pid, name);
    identity_in([open("uts")?, open("net")?, open("ipc")?])
}

/// Those of the caller of programs: the sandbox's init. An ordinary user can't open its
/// namespaces by its pid.
pub fn identity_of_caller(belt: &Belt) -> Result<Identity> {
    let [uts, net, ipc] = belt.namespaces();
    let owned = |file: &OwnedFd| with_owner(file.try_clone()?);
    identity_in([owned(uts)?, owned(net)?, owned(ipc)?])
}

fn identity_in([uts, net, ipc]: [(OwnedFd, OwnedFd); 3]) -> Result<Identity> {
    let text = in_helper(|| {
        join(&uts, CloneFlags::CLONE_NEWUTS)?;
        let hostname = gethostname()?.to_string_lossy().into_owned();
        let links = join(&net, CloneFlags::CLONE_NEWNET)
            .and_then(|()| links())
            .ok();
        let queues = join(&ipc, CloneFlags::CLONE_NEWIPC)
            .and_then(|()| queues())
            .ok();
        let identity = Identity {
            hostname,
            links,
            queues,
        };
        Ok(serde_json::to_vec(&identity)?)
    })?;
    Ok(serde_json::from_slice(&text)?)
}

/// The links that each new network namespace of the sandbox has, `lo` switched on.
pub fn new_network(belt: &Belt) -> Result<Vec<Link>> {
    let [_, net, _] = belt.namespaces();
    let owner = sys::owner_of_namespace(net).context("NS_GET_USERNS")?;
    let text = in_helper(|| {
        setns(owner, CloneFlags::CLONE_NEWUSER).context("setns")?;
        unshare(CloneFlags::CLONE_NEWNET).context("unshare")?;
        sys::loopback_up().context("SIOCSIFFLAGS")?;
        Ok(serde_json::to_vec(&links()?)?)
    })?;
    Ok(serde_json::from_slice(&text)?)
}

/// The device number of the file system in which POSIX message queues are: each IPC
/// namespace has one of its own, mounted or not. It is that of a new queue.
fn queues() -> Result<(u64, u64)> {
    // A new file is its maker's, who must be somebody in that user namespace.
    let (user, group) = (Uid::from_raw(0), Gid::from_raw(0));
    setresgid(group, group, group)?;
    setresuid(user, user, user)?;
    let name = format!("/checker-{}", std::process::id());
    let small = MqAttr::new(0, 1, 1, 0);
    let flags = MQ_OFlag::O_CREAT | MQ_OFlag::O_EXCL | MQ_OFlag::O_RDONLY;
    let queue = mq_open(name.as_str(), flags, Mode::S_IRUSR, Some(&small))?;
    let device = fstat(&queue).map(|stat| stat.st_dev);
    mq_unlink(name.as_str())?;
    let device = device?;
    Ok((major(device), minor(device)))
}

fn links() -> Result<Vec<Link>> {
    let mut all: Vec<Link> = Vec::new();
    for address in getifaddrs().context("getifaddrs")? {
        let name = address.interface_name;
        let known = all.iter().position(|link| link.name == name);
        let index = known.unwrap_or_else(|| {
            all.push(Link {
                up: address.flags.contains(InterfaceFlags::IFF_UP),
                name,
                addresses: Vec::new(),
            });
            all.len() - 1
        });
        let internet = address.address.as_ref().and_then(|address| {
            let four = address.as_sockaddr_in().map(|a| a.ip().to_string());
            four.or_else(|| address.as_sockaddr_in6().map(|a| a.ip().to_string()))
        });
        all[index].addresses.extend(internet);
    }
    Ok(all)
}
