#!/usr/bin/env python3
"""bwrap.py run [OPTIONS] -- CMD [ARG...]

The workshop's contract, levels 00 to 06, kept by bubblewrap (0.8 or later). All that
this adds is what bwrap leaves to others: it unpacks the image, looks the command up,
mounts a sysfs (bwrap has no option for it), passes the status on, and removes what it
made. bwrap has nothing for control groups, and knows overlays only since 0.11. Like
Flatpak's, the command can't gain privileges (no_new_privs), and PWD is added to its
environment.

In the order things happen: main, unpack, look_up, run, adopt, mount_sys, wait_for.
"""

import ctypes
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

from adapter import check_image, look_up, run_tar, wait_for
from contract import (
    Failed,
    call,
    callers_environment,
    fill_stdio,
    host_name,
    parse,
    report,
)

PR_SET_CHILD_SUBREAPER = 36
NAMESPACES = ["--unshare-pid", "--as-pid-1", "--unshare-ipc", "--unshare-net"]
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8


def main(arguments):
    command, options = parse(arguments, ["--hostname"])
    identifier = f"bwrap-{os.getpid()}-{time.monotonic_ns():x}"
    name = host_name(options, identifier)
    fill_stdio()
    image = check_image(options)
    os.makedirs(options["--container-dir"], exist_ok=True)

    # From here on there is something to remove: signals wait until we take them.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ours = [signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ours)

    root = os.path.abspath(tempfile.mkdtemp(dir=options["--container-dir"]))
    try:
        os.chmod(root, 0o755)
        unpack(image, root, mask)
        look_up(command[0], root)
        return run(root, name, command, mask, ours)
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", "--", root], check=False)


# ---- the image -----------------------------------------------------------------------


def unpack(image, root, mask):
    """Runs tar in a bubble of its own, in which nothing but the new root can be
    written and no device be made: what an archive is up to doesn't matter then."""
    bubble = ["--ro-bind", "/", "/", "--bind", root, root, "--cap-drop", "CAP_MKNOD"]

    def prepare():
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.umask(0o022)  # for directories that the image takes for granted

    run_tar(["bwrap", *bubble, "tar", "-C", root], image, prepare)


# ---- running --------------------------------------------------------------------------


def run(root, name, command, mask, ours):
    """Starts the command in a bubble, as a child of ours, and waits for it.

    bwrap stays the command's parent to report its status. Its status can't be told from
    the command's, though: 1 is also a failed exec. So we have it set up the container,
    take the container's process over while that still waits for a byte from us, and
    wait for the command ourselves."""
    told, tell = os.pipe()
    info, info_writer = os.pipe()
    options = ["--bind", root, "/", "--proc", "/proc", "--bind", "/sys", "/sys"]
    options += ["--dev", "/dev", "--chdir", "/"]
    options += [*NAMESPACES, "--unshare-uts", "--hostname", name]
    options += ["--block-fd", str(told), "--info-fd", str(info_writer)]
    # Who is orphaned below us becomes our child.
    call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    bwrap = subprocess.Popen(
        ["bwrap", *options, "--", *command],
        env=callers_environment(),
        pass_fds=[told, info_writer],
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask),
    )
    os.close(info_writer)
    child = adopt(bwrap, info, told)
    call("prctl", PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    mount_sys(child, root)
    os.write(tell, b"!")
    return wait_for(child, ours, b"bwrap\n", lambda: 125 if unread(told) else 126)


def adopt(bwrap, info, told):
    """Takes the container's process over from bwrap, and returns its pid."""
    said = b""
    while b"}" not in said:
        more = os.read(info, 4096)
        if not more:
            break
        said += more
    # bwrap's last act before it waits is to close what it passed on: then it has told
    # its child all that it had to.
    while holds(bwrap.pid, os.readlink(f"/proc/self/fd/{told}")):
        time.sleep(0.0005)
    bwrap.kill()
    if bwrap.wait() != -signal.SIGKILL:
        raise Failed()
    return json.loads(said)["child-pid"]


def mount_sys(child, root):
    """Mounts a sysfs for the container's network over the caller's, when the container
    has its root: that comes last."""
    wanted = identity(root)
    try:
        while identity(f"/proc/{child}/root") != wanted:
            time.sleep(0.0005)
    except FileNotFoundError:
        return  # it has ended, and said why
    namespaces = [os.open(f"/proc/{child}/ns/{name}", os.O_RDONLY) for name in ("net", "mnt")]
    helper = os.fork()
    if helper == 0:
        status = 125
        try:
            for namespace in namespaces:
                call("setns", namespace, 0)
            # pivot_root(".", ".") leaves the old root on top until it is unmounted.
            for _ in range(10_000):
                if identity("/") == wanted:
                    break
                time.sleep(0.0005)
                call("setns", namespaces[1], 0)
            flags = ctypes.c_ulong(MS_NOSUID | MS_NODEV | MS_NOEXEC)
            call("mount", b"sysfs", b"/sys", b"sysfs", flags, None)
            status = 0
        finally:
            os._exit(status)
    for namespace in namespaces:
        os.close(namespace)
    if os.waitstatus_to_exitcode(os.waitpid(helper, 0)[1]):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise Failed("mount sysfs on /sys: refused")


def identity(path):
    status = os.stat(path)
    return status.st_dev, status.st_ino


def holds(pid, pipe):
    """Whether the process still has that pipe open. One that ended has nothing open."""
    directory = f"/proc/{pid}/fd"
    for number in os.listdir(directory):
        try:
            if os.readlink(f"{directory}/{number}") == pipe:
                return True
        except FileNotFoundError:
            pass  # closed since
    return False


def unread(pipe):
    """How many bytes wait in a pipe: ours still does if the set-up failed before."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]


if __name__ == "__main__":
    sys.exit(report(lambda: main(sys.argv[1:])))
