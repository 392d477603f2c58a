//! The system calls that nix has no safe name for, and nothing else: the only file
//! of the checker in which `unsafe` is allowed. Each wrapper says what makes it safe.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::unistd::{ForkResult, Pid};

/// Fork. The checker has one thread, so that the child may allocate and lock as it
/// likes (man 2 fork, "multithreaded process"); nothing here starts another one.
pub fn fork() -> nix::Result<ForkResult> {
    // SAFETY: single-threaded, see above.
    unsafe { nix::unistd::fork() }
}

/// Leave without running destructors or `atexit` handlers that belong to the parent.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: never returns, touches no memory of ours.
    unsafe { libc::_exit(status) }
}

/// Take ownership of a descriptor that the kernel has just handed to us.
pub fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: callers pass a descriptor that was received a moment ago
    // (SCM_RIGHTS, open_tree, …) and is known to nobody else.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn path(path: &Path) -> nix::Result<CString> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)
}

/// What `mount_setattr` is to set on a mount.
#[derive(Default, Clone, Copy)]
pub struct MountAttributes<'a> {
    /// `MOUNT_ATTR_*`
    pub set: u64,
    /// `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE` or 0 to leave it.
    pub propagation: u64,
    /// The user namespace whose mapping the mount takes on (`MOUNT_ATTR_IDMAP`).
    pub idmap: Option<BorrowedFd<'a>>,
}

/// A detached copy of the mount at `at` (man 2 open_tree, Linux 5.2).
pub fn clone_mount(at: &Path, recursive: bool) -> nix::Result<OwnedFd> {
    let name = path(at)?;
    let mut flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= libc::AT_RECURSIVE as u32;
    }
    // SAFETY: `name` outlives the call.
    let fd = unsafe {
        libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, name.as_ptr(), flags)
    };
    Ok(own(Errno::result(fd)? as RawFd))
}

/// Set attributes on the mount behind `tree` (man 2 mount_setattr, Linux 5.12).
pub fn set_mount_attributes(
    tree: &impl AsFd,
    attributes: MountAttributes,
    recursive: bool,
) -> nix::Result<()> {
    let mut flags = libc::AT_EMPTY_PATH as u32;
    if recursive {
        flags |= libc::AT_RECURSIVE as u32;
    }
    let mut set = attributes.set;
    if attributes.idmap.is_some() {
        set |= libc::MOUNT_ATTR_IDMAP;
    }
    let attr = libc::mount_attr {
        attr_set: set,
        attr_clr: 0,
        propagation: attributes.propagation,
        userns_fd: attributes.idmap.map_or(0, |fd| fd.as_raw_fd() as u64),
    };
    // SAFETY: the empty path and `attr` outlive the call; the size is the struct's.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    };
    Errno::result(done).map(drop)
}

/// Attach a detached mount at `target` (man 2 move_mount, Linux 5.2).
pub fn attach_mount(tree: &impl AsFd, target: &Path) -> nix::Result<()> {
    let name = path(target)?;
    // SAFETY: both paths outlive the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            name.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    Errno::result(done).map(drop)
}

/// The user namespace that a namespace belongs to (man 2 NS_GET_USERNS).
pub fn owner_of_namespace(namespace: &impl AsFd) -> nix::Result<OwnedFd> {
    let request = nix::request_code_none!(0xb7, 0x1);
    // SAFETY: this request takes no argument and returns a new descriptor.
    let fd = unsafe { libc::ioctl(namespace.as_fd().as_raw_fd(), request) };
    Errno::result(fd).map(own)
}

/// Close every descriptor from `first` on, but those named (man 2 close_range).
pub fn close_from(first: RawFd, but: &[RawFd]) {
    let mut keep: Vec<RawFd> =
        but.iter().copied().filter(|fd| *fd >= first).collect();
    keep.sort_unstable();
    let mut from = first as libc::c_uint;
    for fd in keep {
        let fd = fd as libc::c_uint;
        if fd > from {
            // SAFETY: only called right after fork, by a process that uses none of
            // the descriptors it inherited but the ones it keeps.
            unsafe { libc::syscall(libc::SYS_close_range, from, fd - 1, 0) };
        }
        from = fd + 1;
    }
    // SAFETY: as above.
    unsafe { libc::syscall(libc::SYS_close_range, from, libc::c_uint::MAX, 0) };
}

/// Make descriptor `number` a copy of `fd` that stays open across exec.
pub fn duplicate_to(fd: &impl AsFd, number: RawFd) -> nix::Result<()> {
    // SAFETY: only called by a process that is about to become another program and
    // has given the number no other meaning.
    let done = unsafe { libc::dup2(fd.as_fd().as_raw_fd(), number) };
    Errno::result(done).map(drop)
}

/// Let `signal` do what it does by default. SIGKILL and SIGSTOP always do.
pub fn default_action(signal: nix::sys::signal::Signal) {
    // SAFETY: SIG_DFL runs no code of ours.
    unsafe { libc::signal(signal as libc::c_int, libc::SIG_DFL) };
}

/// Should this process end, however that comes, the one that `command` starts is asked
/// to (SIGTERM).
pub fn end_with_us(command: &mut std::process::Command) {
    use nix::sys::{prctl, signal::Signal};
    use std::os::unix::process::CommandExt;
    let ask = || Ok(prctl::set_pdeathsig(Signal::SIGTERM)?);
    // SAFETY: between fork and exec there is one system call, and no memory is taken.
    unsafe { command.pre_exec(ask) };
}

/// Make `fd` the controlling terminal of the calling session leader (TIOCSCTTY).
pub fn take_terminal(fd: &impl AsFd) -> nix::Result<()> {
    // SAFETY: the third argument is a plain number for this request.
    let done = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::TIOCSCTTY, 0) };
    Errno::result(done).map(drop)
}

/// The window size of a terminal (TIOCGWINSZ): rows and columns.
pub fn window_size(fd: &impl AsFd) -> nix::Result<libc::winsize> {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the kernel writes one winsize into `size`.
    let done = unsafe {
        libc::ioctl(fd.as_fd().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size)
    };
    Errno::result(done).map(|_| size)
}

/// Give a terminal a window size (TIOCSWINSZ).
pub fn set_window_size(fd: &impl AsFd, size: &libc::winsize) -> nix::Result<()> {
    // SAFETY: the kernel reads one winsize from `size`.
    let done = unsafe {
        libc::ioctl(fd.as_fd().as_raw_fd(), libc::TIOCSWINSZ, size as *const _)
    };
    Errno::result(done).map(drop)
}

/// The number of the pseudo-terminal behind a master (TIOCGPTN).
pub fn pty_number(master: &impl AsFd) -> nix::Result<u32> {
    let mut number: libc::c_uint = 0;
    // SAFETY: the kernel writes one unsigned int.
    let done = unsafe {
        libc::ioctl(master.as_fd().as_raw_fd(), libc::TIOCGPTN, &raw mut number)
    };
    Errno::result(done).map(|_| number)
}

/// Unlock the slave of a pseudo-terminal (TIOCSPTLCK).
pub fn unlock_pty(master: &impl AsFd) -> nix::Result<()> {
    let unlock: libc::c_int = 0;
    // SAFETY: the kernel reads one int.
    let done = unsafe {
        libc::ioctl(
            master.as_fd().as_raw_fd(),
            libc::TIOCSPTLCK,
            &raw const unlock,
        )
    };
    Errno::result(done).map(drop)
}

/// The identity of the mount that `fd` is on (STATX_MNT_ID, Linux 5.8).
pub fn mount_id(fd: &impl AsFd) -> nix::Result<u64> {
    statx(fd, c"").map(|found| found.stx_mnt_id)
}

/// All about the file of this name in a directory, and its mount's identity; links are
/// not followed. The empty name is the directory itself (man 2 statx).
pub fn statx(directory: &impl AsFd, name: &CStr) -> nix::Result<libc::statx> {
    const MNT_ID: libc::c_uint = 0x1000; // include/uapi/linux/stat.h
    // SAFETY: statx is plain data; the kernel fills it.
    let mut found: libc::statx = unsafe { std::mem::zeroed() };
    // SAFETY: the name and the buffer outlive the call.
    let done = unsafe {
        libc::statx(
            directory.as_fd().as_raw_fd(),
            name.as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT,
            libc::STATX_BASIC_STATS | MNT_ID,
            &raw mut found,
        )
    };
    Errno::result(done).map(|_| found)
}

/// Let `pid` run only when nobody else wants to (man 2 setpriority). A process that is
/// gone already doesn't.
pub fn put_last(pid: Pid) {
    const LEAST: libc::c_int = 19;
    // SAFETY: numbers only.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, pid.as_raw() as libc::id_t, LEAST)
    };
}

/// Let a process go on that a signal has stopped.
pub fn go_on_now(pid: i32) {
    let _ = nix::sys::signal::kill(
        Pid::from_raw(pid),
        nix::sys::signal::Signal::SIGCONT,
    );
}

/// What became of a child, or of a process that this one traces: its pid, and the
/// status as wait(2) has it.
///
/// Errors: ECHILD when there is none; EINTR.
pub fn wait_for_any() -> Result<(Pid, i32), Errno> {
    let mut status = 0;
    // SAFETY: the kernel writes an i32 to where one is.
    let pid = unsafe { libc::waitpid(-1, &mut status, libc::__WALL) };
    Errno::result(pid).map(|pid| (Pid::from_raw(pid), status))
}

/// Let a traced process go on, with this signal; 0 for none. One that is gone by now
/// has no need of it.
pub fn go_on(pid: Pid, signal: i32) {
    let data = signal as usize;
    // SAFETY: this request takes two numbers and no memory of ours.
    unsafe { libc::ptrace(libc::PTRACE_CONT, pid.as_raw(), 0_usize, data) };
}

/// Likewise, up to its next system call, or the end of this one.
pub fn go_on_to_call(pid: Pid, signal: i32) {
    let data = signal as usize;
    // SAFETY: this request takes two numbers and no memory of ours.
    unsafe { libc::ptrace(libc::PTRACE_SYSCALL, pid.as_raw(), 0_usize, data) };
}

/// Where a traced process stands that has stopped at a system call.
pub enum AtCall {
    /// Before the call of this number.
    Begins(i64),
    /// After one.
    Ends { failed: bool },
}

/// Where does it stand? `None`: it is gone, or not at a call (man 2 ptrace,
/// PTRACE_GET_SYSCALL_INFO, Linux 5.3).
pub fn at_call(pid: Pid) -> Option<AtCall> {
    // Not nix's own: that tells the kernel of no room (nix 0.30).
    let mut info = std::mem::MaybeUninit::<libc::ptrace_syscall_info>::zeroed();
    let size = size_of_val(&info);
    // SAFETY: the kernel writes no more than `size` bytes, to where these are. All of
    // them are numbers, and zero before; `op` says which part has been filled in.
    unsafe {
        let (request, pid) = (libc::PTRACE_GET_SYSCALL_INFO, pid.as_raw());
        Errno::result(libc::ptrace(request, pid, size, info.as_mut_ptr())).ok()?;
        let info = info.assume_init();
        match info.op {
            libc::PTRACE_SYSCALL_INFO_ENTRY => {
                Some(AtCall::Begins(info.u.entry.nr as i64))
            }
            libc::PTRACE_SYSCALL_INFO_EXIT => {
                let failed = info.u.exit.is_error != 0;
                Some(AtCall::Ends { failed })
            }
            _ => None,
        }
    }
}

/// Let a traced process stay stopped, but hear of it when it goes on (man 2 ptrace,
/// PTRACE_LISTEN).
pub fn listen_to(pid: Pid) {
    // SAFETY: this request takes a pid and no memory of ours.
    unsafe { libc::ptrace(libc::PTRACE_LISTEN, pid.as_raw(), 0_usize, 0_usize) };
}

/// Does the file system keep extended attributes of users? Tried on this directory,
/// and undone (man 7 xattr).
pub fn keeps_user_attributes(directory: &impl AsFd) -> bool {
    let (name, value) = (c"user.rubber-crab", b"x");
    let fd = directory.as_fd().as_raw_fd();
    // SAFETY: the name is terminated, and the length is the value's.
    unsafe {
        let set = libc::fsetxattr(
            fd,
            name.as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        );
        libc::fremovexattr(fd, name.as_ptr());
        set == 0
    }
}

/// End `pid` now. A process that is gone already is what was wanted.
pub fn kill_now(pid: Pid) {
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
}

/// Ignore `signal`.
pub fn ignore(signal: nix::sys::signal::Signal) {
    // SAFETY: SIG_IGN runs no code of ours.
    unsafe { libc::signal(signal as libc::c_int, libc::SIG_IGN) };
}

/// Leave the caller's session keyring for a new, empty one (man 2 keyctl).
pub fn new_session_keyring() -> nix::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_ulong = 1;
    let nameless = std::ptr::null::<libc::c_char>();
    // SAFETY: a null pointer is how the call is told to make a keyring without name.
    let made = unsafe {
        libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nameless)
    };
    Errno::result(made).map(drop)
}

/// Let nobody send descriptors to this socket (SO_PASSRIGHTS, Linux 6.16).
pub fn refuse_descriptors(socket: &impl AsFd) -> nix::Result<()> {
    const SO_PASSRIGHTS: libc::c_int = 83;
    let no: libc::c_int = 0;
    // SAFETY: the kernel reads one int.
    let done = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PASSRIGHTS,
            (&raw const no).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    Errno::result(done).map(drop)
}

/// The name under which this program was executed (AT_EXECFN, man 3 getauxval).
pub fn executed_as() -> &'static [u8] {
    // SAFETY: the kernel puts a terminated string on the stack, and it stays there.
    unsafe {
        let name = libc::getauxval(libc::AT_EXECFN) as *const libc::c_char;
        if name.is_null() {
            b""
        } else {
            std::ffi::CStr::from_ptr(name).to_bytes()
        }
    }
}

/// The size of a segment of shared memory, in bytes: a page.
pub const SEGMENT: usize = 4096;

/// The System V shared memory with this key, from here and now on in this process. It
/// is made if there is none and `make` says so.
pub fn shared_memory(key: i32, make: bool) -> nix::Result<*mut [u8; SEGMENT]> {
    let flags = if make { libc::IPC_CREAT | 0o600 } else { 0 };
    // SAFETY: no memory is touched. The kernel chooses a free place to attach.
    let place = unsafe {
        let id = Errno::result(libc::shmget(key, SEGMENT, flags))?;
        libc::shmat(id, std::ptr::null(), 0)
    };
    match place.addr() {
        usize::MAX => Err(Errno::last()),
        _ => Ok(place.cast()),
    }
}

/// What is in that memory. (Others may write meanwhile: it is no reference.)
pub fn read_segment(segment: *mut [u8; SEGMENT]) -> [u8; SEGMENT] {
    // SAFETY: callers pass what `shared_memory` has attached; nothing detaches it.
    unsafe { segment.read_volatile() }
}

/// Write all of that memory.
pub fn write_segment(segment: *mut [u8; SEGMENT], content: [u8; SEGMENT]) {
    // SAFETY: as in `read_segment`.
    unsafe { segment.write_volatile(content) }
}

/// The name of an error's errno: `ENOENT`; its text where it has none.
pub fn errno_name(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => format!("{:?}", Errno::from_raw(number)),
        None => error.to_string(),
    }
}

/// Write where nothing is mapped: the kernel answers with SIGSEGV.
pub fn fault() -> ! {
    // SAFETY: this is the end of the process, and meant to be.
    unsafe {
        std::ptr::without_provenance_mut::<u8>(8).write_volatile(0);
        libc::_exit(1)
    }
}

/// Switch this network namespace's `lo` on (man 7 netdevice).
pub fn loopback_up() -> nix::Result<()> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Inet, SockType::Datagram, flags, None)?;
    // SAFETY: a struct of numbers may be all zeros.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[..2].copy_from_slice(&[b'l' as libc::c_char, b'o' as _]);
    // The flags that it has anyway, IFF_LOOPBACK and the like, can't be taken away.
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: the kernel reads one ifreq, from where one is.
    let done = unsafe {
        libc::ioctl(
            socket.as_raw_fd(),
            libc::SIOCSIFFLAGS as _,
            &raw const request,
        )
    };
    Errno::result(done).map(drop)
}
