//! What the checker and the sandbox's init say to each other: one JSON value a
//! message, over a Unix socket that keeps messages apart (SOCK_SEQPACKET).

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use anyhow::{Context, Result};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc::ucred;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg, sendmsg,
};
use nix::unistd::{Pid, getgid, getuid};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::evidence::{End, Facts};

/// The longest message, in bytes: long arguments fit.
const LONGEST: usize = 512 * 1024;

/// A program to start in the sandbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Start {
    /// The file to execute, then its arguments from argv[0] on; bytes.
    pub program: Vec<u8>,
    pub arguments: Vec<Vec<u8>>,
    /// The whole environment, `NAME=value`; bytes.
    pub environment: Vec<Vec<u8>>,
    /// The working directory.
    pub directory: String,
    pub umask: u32,
    /// Make descriptor 0 the controlling terminal of a session of its own.
    pub terminal: bool,
    /// Which of its descriptors those that go with the message become; when empty:
    /// 0, 1, 2, … in their order.
    pub numbers: Vec<RawFd>,
    /// Leave it a child that it knows nothing of, and that has ended already, as
    /// `sh -c 'true & exec …'` does.
    pub child: bool,
    /// Stop it before it is executed, for a tracer to attach.
    pub held: bool,
    /// How much of the processor's time each of its processes may take, in seconds.
    pub seconds: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Request {
    Start(Start),
    /// End every process but init.
    Sweep,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Event {
    /// The sandbox is up. The descriptors that come along are its `/`, and the mount
    /// table of init: the caller's.
    Ready(Facts),
    /// The sandbox can't be had: which call, on what, and the errno.
    Failed {
        step: String,
        errno: i32,
    },
    /// The process that is to execute the program is about to stop, and waits for
    /// SIGCONT. It counts as the sender.
    Held {
        pid: i32,
    },
    /// The program has been executed: `pid` is what it is called inside. It counts as
    /// the sender, so that the kernel attaches its pid on the host.
    Started {
        pid: i32,
    },
    /// The program could not be executed.
    NotStarted {
        pid: i32,
        errno: i32,
    },
    /// A child of init has ended: one that was started, or one that was orphaned.
    Ended {
        pid: i32,
        /// What the kernel called it (man 5 proc, "comm").
        name: String,
        end: End,
        /// Were all programs that were started still running? Then it was none of
        /// their children, but one of a process that has ended before.
        early: bool,
    },
    Swept,
}

/// A message as it came in.
pub struct Received<T> {
    pub message: T,
    /// The sender, as the kernel names it in the receiver's PID namespace; 0 when
    /// the socket doesn't ask for it (SO_PASSCRED, man 7 unix).
    pub sender: i32,
    pub descriptors: Vec<OwnedFd>,
}

/// Send `message` and copies of `descriptors`.
///
/// Errors: that of sendmsg, EPIPE when the other side is gone.
pub fn send(
    socket: &impl AsFd,
    message: &impl Serialize,
    descriptors: &[RawFd],
) -> Result<()> {
    let rights = [ControlMessage::ScmRights(descriptors)];
    let control: &[_] = if descriptors.is_empty() { &[] } else { &rights };
    send_with(socket, message, control)
}

/// Send `message` in the name of process `pid`, a child of the caller. That takes
/// power over the PID namespace (man 7 unix, "SCM_CREDENTIALS").
pub fn send_for(
    pid: Pid,
    socket: &impl AsFd,
    message: &impl Serialize,
) -> Result<()> {
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    let who = UnixCredentials::from(ucred {
        pid: pid.as_raw(),
        uid,
        gid,
    });
    send_with(socket, message, &[ControlMessage::ScmCredentials(&who)])
}

fn send_with(
    socket: &impl AsFd,
    message: &impl Serialize,
    control: &[ControlMessage],
) -> Result<()> {
    let text = serde_json::to_vec(message)?;
    let sent = sendmsg::<()>(
        socket.as_fd().as_raw_fd(),
        &[IoSlice::new(&text)],
        control,
        MsgFlags::MSG_NOSIGNAL,
        None,
    );
    sent.map(drop)
        .context("sendmsg on the sandbox's control socket")
}

/// Receive one message, waiting for it. `None` when the other side is gone.
pub fn receive<T: DeserializeOwned>(
    socket: &impl AsFd,
) -> Result<Option<Received<T>>> {
    let mut text = vec![0; LONGEST];
    let mut control = cmsg_space!([RawFd; 8], UnixCredentials);
    let (length, sender, descriptors) = loop {
        let mut parts = [IoSliceMut::new(&mut text)];
        let got = recvmsg::<()>(
            socket.as_fd().as_raw_fd(),
            &mut parts,
            Some(&mut control),
            MsgFlags::MSG_CMSG_CLOEXEC,
        );
        let got = match got {
            Err(Errno::EINTR) => continue,
            Err(Errno::ECONNRESET) => return Ok(None),
            got => got.context("recvmsg on the sandbox's control socket")?,
        };
        let mut sender = 0;
        let mut descriptors = Vec::new();
        for part in got.cmsgs()? {
            match part {
                ControlMessageOwned::ScmRights(list) => {
                    descriptors.extend(list.into_iter().map(crate::sys::own));
                }
                ControlMessageOwned::ScmCredentials(who) => sender = who.pid(),
                _ => {}
            }
        }
        break (got.bytes, sender, descriptors);
    };
    if length == 0 {
        return Ok(None);
    }
    let message = serde_json::from_slice(&text[..length])
        .context("a message from the sandbox's init")?;
    Ok(Some(Received {
        message,
        sender,
        descriptors,
    }))
}
