#!/usr/bin/env python3
"""bwrap.py run [-i NAME] [--image-dir DIR] [--container-dir DIR] -- CMD [ARG...]

The workshop's contract, levels 00 to 03, kept by bubblewrap (0.8 or later). All that
this adds is what bwrap leaves to others: it unpacks the image, looks the command up,
passes its status on, and removes what it made. There is no PID namespace: the command
is an ordinary process in the caller's. Like Flatpak's, it can't gain privileges
(no_new_privs), and PWD is added to its environment.

In the order things happen: main, unpack, look_up, run, adopt, wait_for.
"""

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
from contract import Failed, call, callers_environment, fill_stdio, parse, report

PR_SET_CHILD_SUBREAPER = 36


def main(arguments):
    command, options = parse(arguments)
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
        return run(root, command, mask, ours)
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


def run(root, command, mask, ours):
    """Starts the command in a bubble, as a child of ours, and waits for it.

    bwrap stays the command's parent to report its status. Its status can't be told from
    the command's, though: 1 is also a failed exec. So we have it set up the container,
    take the container's process over while that still waits for a byte from us, and
    wait for the command ourselves."""
    told, tell = os.pipe()
    info, info_writer = os.pipe()
    options = ["--bind", root, "/", "--proc", "/proc", "--bind", "/sys", "/sys"]
    options += ["--dev", "/dev", "--chdir", "/"]
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
