//! A network of a container's own, with nothing in it but the loopback link.
//! `unshare` makes it; `up` switches the link on, by a message to the kernel.
//! Read them in this order, then `set_flags`: the message itself.
// Take this line out when all exercises are done:
#![allow(dead_code, unused_imports, unused_mut, unused_variables)]

use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::libc;
use nix::sched::{self, CloneFlags};
use nix::sys::socket::{
    self, AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType,
};

/// The number of `lo` in every network namespace: it is the first link.
const LO: i32 = 1;

/// Puts this process into a network namespace of its own: links, addresses, routes,
/// ports and abstract Unix sockets. It has one link, `lo`, and that is down.
///
/// A sysfs shows the links of the namespace in which it is mounted, so this comes
/// before `mounts::populate`.
///
/// # Errors
/// `EPERM` without the capability CAP_SYS_ADMIN (`man 2 unshare`).
pub fn unshare() -> Result<()> {
    // EXERCISE 1: A network namespace
    // Call `sched::unshare` with the flag for a new network namespace.

    Ok(())
}

/// Switches `lo` on. The kernel gives it its addresses then: 127.0.0.1 and ::1.
///
/// # Errors
/// `EPERM` without the capability CAP_NET_ADMIN (`man 7 rtnetlink`).
pub fn up() -> Result<()> {
    // EXERCISE 2: Switch the link on
    // The three functions below do most of it. Open a `netlink_socket`. Make the
    // request: `set_flags`, for the link `LO` and the flag `libc::IFF_UP as u32`.
    // Send it with `socket::send`, which wants the socket's number: it has
    // `as_raw_fd`. Then let `acknowledged` read the kernel's answer.

    Ok(())
}

/// A socket whose other end is the kernel's routing part (`man 7 rtnetlink`).
fn netlink_socket() -> Result<OwnedFd> {
    socket::socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )
    .context("socket AF_NETLINK")
}

/// A request to set these flags of a link, `libc::IFF_…`, and leave the others.
///
/// It is a `struct nlmsghdr` (`man 7 netlink`), then a `struct ifinfomsg` (`man 7
/// rtnetlink`), all numbers in the machine's own byte order.
fn set_flags(link: i32, flags: u32) -> Vec<u8> {
    // The header has 16 bytes, what follows it 16 more.
    const LENGTH: u32 = 32;
    let wanted = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
    // EXERCISE 3: The message
    // Put eleven fields into the array, in this order, each as its bytes:
    // `&LENGTH.to_ne_bytes()`, for a number `&1_u32.to_ne_bytes()`.
    // First nlmsghdr: `LENGTH` (u32), the type `libc::RTM_NEWLINK` (u16), `wanted`
    // (u16), a sequence number (u32, any), the sender (u32, 0: the kernel knows).
    // Then ifinfomsg: family (u8, 0), padding (u8, 0), type of device (u16, 0), the
    // link's number (i32), the flags' values (u32), and which flags to change
    // (u32): the same ones.
    let message: [&[u8]; 0] = [];
    message.concat()
}

/// Reads the kernel's answer to a request: a `struct nlmsghdr` of type NLMSG_ERROR,
/// then an i32, which is 0 or the negative errno (`man 7 netlink`).
fn acknowledged(socket: &OwnedFd) -> Result<()> {
    let mut answer = [0; 1024];
    // It is there when send returns: no waiting for an answer that won't come, as
    // when the kernel can make nothing of the message.
    let length =
        socket::recv(socket.as_raw_fd(), &mut answer, MsgFlags::MSG_DONTWAIT)
            .context("no answer")?;
    ensure!(length >= 20, "an answer of {length} bytes");
    let kind = u16::from_ne_bytes([answer[4], answer[5]]);
    ensure!(
        i32::from(kind) == libc::NLMSG_ERROR,
        "no answer, but type {kind}"
    );
    let error = i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]);
    match error {
        0 => Ok(()),
        error => Err(Errno::from_raw(-error).into()),
    }
}
