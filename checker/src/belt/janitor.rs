//! The process beside the sandbox: it builds it, waits for its end, and removes
//! what only the host can remove. It lives on when the checker is killed.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::umask;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{
    ForkResult, Pid, geteuid, pipe, read, sethostname, setsid, write,
};

use super::cgroup::Cgroup;
use super::identity::{Identity, USUAL_UMASK, become_root, user_namespace};
use super::tree::{self, Part};
use super::wire::{self, Event};
use super::{Fit, init};
use crate::evidence::Facts;
use crate::sys;

/// What the caller of programs is called: the machine's own name is nobody's business.
const HOSTNAME: &str = "host";

/// What is said when there are to be control groups in the sandbox, and none can be
/// handed to it.
pub const NO_GROUPS: &str = "no control group can be handed to the sandbox";

/// The status with which the janitor leaves when init was killed by a signal n:
/// this plus n.
pub const INIT_KILLED: i32 = 64;

/// Build the sandbox, and clean up after it. `control` is the checker's wire;
/// `let_go` reads to its end when the checker needs the sandbox no more, or is gone.
pub fn run(control: OwnedFd, let_go: OwnedFd, fit: &Fit, identity: Identity) -> ! {
    let _ = setsid();
    // The caller's keys are possessed by whoever is in the caller's session: user
    // namespaces don't change that (man 7 session-keyring).
    let _ = sys::new_session_keyring();
    umask(USUAL_UMASK);
    let _ = prctl::set_name(c"belt-janitor");
    sys::close_from(3, &[control.as_raw_fd(), let_go.as_raw_fd()]);
    for signal in [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGPIPE,
    ] {
        sys::ignore(signal);
    }
    let status = match build_and_wait(&control, &let_go, fit, identity) {
        Ok(status) => status,
        Err(error) => {
            report(&control, &error);
            1
        }
    };
    sys::exit_now(status)
}

fn report(control: &OwnedFd, error: &anyhow::Error) {
    let errno = error
        .downcast_ref::<Errno>()
        .map_or(0, |errno| *errno as i32);
    let step = format!("{error:#}");
    let _ = wire::send(control, &Event::Failed { step, errno }, &[]);
}

fn build_and_wait(
    control: &OwnedFd,
    let_go: &OwnedFd,
    fit: &Fit,
    identity: Identity,
) -> Result<i32> {
    // Init's parent ends when it has done its work: then init is ours.
    prctl::set_child_subreaper(true).context("prctl(PR_SET_CHILD_SUBREAPER)")?;
    let outer = user_namespace(identity)?;
    let mapped = geteuid().is_root() && identity.count > 1;
    // Root without CAP_SYS_ADMIN, as in most containers, is refused here, and does it
    // like everybody else.
    let parts = match mapped {
        true => tree::host_parts(fit.view, &fit.shown, Some(&outer)).ok(),
        false => None,
    };
    let cgroup = Cgroup::make(fit.limits, fit.cgroups.then_some(identity));
    if fit.cgroups && cgroup.is_none() {
        bail!(NO_GROUPS);
    }
    let built = match sys::fork().context("fork")? {
        ForkResult::Child => {
            let _ = prctl::set_name(c"belt-builder");
            let cgroup = cgroup.as_ref();
            let built = build(control, fit, identity, &outer, parts, cgroup);
            if let Err(error) = &built {
                report(control, error);
            }
            sys::exit_now(i32::from(built.is_err()))
        }
        ForkResult::Parent { child } => child,
    };
    drop((outer, parts));
    let locks = cgroup.iter().flat_map(Cgroup::descriptors);
    let kept: Vec<RawFd> = locks.chain([let_go.as_raw_fd()]).collect();
    sys::close_from(3, &kept);
    let divided = cgroup.as_ref().filter(|cgroup| cgroup.is_divided());
    if divided.is_some() {
        let _ = read(let_go, &mut [0]);
    }
    let mut status = 0;
    loop {
        // Init ends when the checker is gone, and takes all along; but version 1
        // keeps what is frozen from ending. Whoever isn't gone yet may freeze more.
        let flags = divided.map(|cgroup| {
            cgroup.thaw();
            WaitPidFlag::WNOHANG
        });
        match waitpid(None, flags) {
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid != built => {
                status = INIT_KILLED + signal as i32;
            }
            Ok(WaitStatus::StillAlive) => sleep(Duration::from_millis(5)),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => break,
        }
    }
    if let Some(cgroup) = cgroup {
        cgroup.remove();
    }
    Ok(status)
}

fn build(
    control: &OwnedFd,
    fit: &Fit,
    identity: Identity,
    outer: &OwnedFd,
    parts: Option<Vec<Part>>,
    cgroup: Option<&Cgroup>,
) -> Result<()> {
    let joined = cgroup.is_some_and(|cgroup| cgroup.join().is_ok());
    setns(outer, CloneFlags::CLONE_NEWUSER)
        .context("setns to the user namespace")?;
    become_root(identity)?;
    prctl::set_pdeathsig(Signal::SIGKILL).context("prctl(PR_SET_PDEATHSIG)")?;
    bound_namespaces();
    unshare(CloneFlags::CLONE_NEWNS).context("unshare(CLONE_NEWNS)")?;
    let slave = MsFlags::MS_SLAVE | MsFlags::MS_REC;
    mount(None::<&str>, "/", None::<&str>, slave, None::<&str>)
        .context("mount / as a slave")?;
    let parts = match parts {
        Some(parts) => parts,
        None => tree::host_parts(fit.view, &fit.shown, None)?,
    };
    let base = Path::new("/tmp");
    tree::build(base, parts)?;

    // From here on everything belongs to a second user namespace. For it, what was
    // mounted so far is locked: it can neither be unmounted nor made writable.
    let inner = user_namespace(identity.nested())?;
    let trees = match cgroup {
        Some(cgroup) if joined => cgroup.trees.clone(),
        _ => Vec::new(),
    };
    if fit.cgroups && trees.is_empty() {
        bail!(NO_GROUPS);
    }
    let facts = Facts {
        cgroup: joined,
        trees,
        ids: identity.count,
        ..Facts::default()
    };
    let (started_read, started_write) = pipe()?;
    let (ready_read, ready_write) = pipe()?;
    let keeper = match sys::fork().context("fork")? {
        ForkResult::Child => {
            drop((started_read, ready_write));
            let begun = begin(
                control,
                fit,
                &inner,
                facts,
                cgroup,
                started_write,
                ready_read,
            );
            if let Err(error) = begun {
                report(control, &error);
            }
            sys::exit_now(1)
        }
        ForkResult::Parent { child } => child,
    };
    drop((started_write, ready_read));
    let mut byte = [0];
    if read(&started_read, &mut byte) != Ok(1) {
        let _ = waitpid(keeper, None);
        bail!("the sandbox's init did not start");
    }
    step_aside(cgroup)?;
    mount_kernel_views(base, keeper)?;
    tree::enter(base)?;
    // One byte for init, one for its parent.
    write(&ready_write, &[1, 1]).context("write to init")?;
    Ok(())
}

/// How many namespaces of each kind there may be in the sandbox: each can hold many
/// mounts, and costs the kernel time. Likewise inotify instances, of which the caller
/// has 128 in all. Set in the outer user namespace, this holds for all inner ones, and
/// only here it can be changed (man 7 namespaces, "/proc/sys/user").
fn bound_namespaces() {
    let kinds = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];
    for kind in kinds {
        let _ = fs::write(format!("/proc/sys/user/max_{kind}_namespaces"), "100");
    }
    let _ = fs::write("/proc/sys/user/max_inotify_instances", "64");
}

/// Enter the inner user namespace, and fork init into new namespaces of its own.
fn begin(
    control: &OwnedFd,
    fit: &Fit,
    inner: &OwnedFd,
    facts: Facts,
    cgroup: Option<&Cgroup>,
    started: OwnedFd,
    ready: OwnedFd,
) -> Result<()> {
    setns(inner, CloneFlags::CLONE_NEWUSER)
        .context("setns to the user namespace")?;
    let own = CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    unshare(own).context("unshare(PID, net, IPC, UTS and cgroup namespaces)")?;
    sethostname(HOSTNAME).context("sethostname")?;
    step_aside(cgroup)?;
    match sys::fork().context("fork")? {
        ForkResult::Child => {
            let _ = prctl::set_name(c"belt-init");
            let begun = (|| {
                write(&started, &[1]).context("write to the builder")?;
                drop(started);
                if read(&ready, &mut [0]) != Ok(1) {
                    // The builder has failed, and says so itself.
                    sys::exit_now(1)
                }
                unshare(CloneFlags::CLONE_NEWNS).context("unshare(CLONE_NEWNS)")?;
                let shared = MsFlags::MS_SHARED | MsFlags::MS_REC;
                mount(None::<&str>, "/", None::<&str>, shared, None::<&str>)
                    .context("mount / as shared")?;
                tree::mount_shm()?;
                tree::mount_cgroups(&facts.trees)
            })();
            match begun {
                Ok(()) => {
                    let control = control.as_fd().try_clone_to_owned();
                    sys::close_from(
                        3,
                        &[control.as_ref().map_or(3, |c| c.as_raw_fd())],
                    );
                    init::serve(
                        control.unwrap_or_else(|_| sys::exit_now(1)),
                        facts,
                        fit.limits,
                    )
                }
                Err(error) => {
                    report(control, &error);
                    sys::exit_now(1)
                }
            }
        }
        ForkResult::Parent { .. } => {
            drop(started);
            // Stay until the views of these namespaces are mounted.
            let _ = read(&ready, &mut [0]);
            sys::exit_now(0)
        }
    }
}

/// Leave the group that is to be the root of the sandbox's cgroup namespace.
fn step_aside(cgroup: Option<&Cgroup>) -> Result<()> {
    match cgroup {
        Some(cgroup) => cgroup.step_aside().context("join the caller's cgroup"),
        None => Ok(()),
    }
}

/// Mount proc and sysfs of the sandbox's PID and network namespaces, by a process
/// that is in them but still has power over the outer mount namespace.
fn mount_kernel_views(base: &Path, keeper: Pid) -> Result<()> {
    let namespace = |name: &str| {
        let path = format!("/proc/{keeper}/ns/{name}");
        File::open(&path).with_context(|| format!("open {path}"))
    };
    let pid = namespace("pid_for_children")?;
    let net = namespace("net")?;
    in_child(&|| {
        setns(&pid, CloneFlags::CLONE_NEWPID)
            .context("setns to the PID namespace")?;
        setns(&net, CloneFlags::CLONE_NEWNET)
            .context("setns to the net namespace")?;
        in_child(&|| {
            for (kind, place) in [("proc", "proc"), ("sysfs", "sys")] {
                let target = base.join(place);
                let safe =
                    MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
                mount(Some(kind), &target, Some(kind), safe, None::<&str>)
                    .with_context(|| {
                        format!("mount {kind} on {}", target.display())
                    })?;
            }
            Ok(())
        })
    })
}

/// Do something in a child, and pass on its error.
fn in_child(steps: &dyn Fn() -> Result<()>) -> Result<()> {
    let (answer, ours) = pipe()?;
    match sys::fork().context("fork")? {
        ForkResult::Child => {
            drop(answer);
            if let Err(error) = steps() {
                let _ = write(&ours, format!("{error:#}").as_bytes());
            }
            sys::exit_now(0)
        }
        ForkResult::Parent { child } => {
            drop(ours);
            let mut text = String::new();
            let read = File::from(answer).read_to_string(&mut text);
            let _ = waitpid(child, None);
            read.context("read from a child")?;
            match text.is_empty() {
                true => Ok(()),
                false => bail!("{text}"),
            }
        }
    }
}
