#!/usr/bin/env python3
"""runc.py run [OPTIONS] -- CMD [ARG...]
runc.py pause ID
runc.py unpause ID

The workshop's contract, levels 00 to 08, kept by runc (1.1 or later). All that this
adds is what runc leaves to Docker: it unpacks the image, writes the bundle, waits for
the command, and removes what it made, also of one that was killed. All namespaces are
the container's own from level 00 on, as runc's are, and the command gets HOME if it
had none.

In the order things happen: main, unpack, look_up, bundle, run, wait_for.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time

from adapter import check_image, look_up, run_tar, wait_for
from cgroups import identify, is_stale
from contract import (
    Failed,
    call,
    callers_environment,
    fill_stdio,
    host_name,
    libc,
    parse,
    report,
)
import limits

CLONE_NEWNS = 0x20000
MS_REC, MS_SLAVE = 0x4000, 0x80000
PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER = 24, 36
CAP_MKNOD = 27
STATE = "/run/runc.py"  # what runc knows of its containers


def main(arguments):
    if len(arguments) == 2 and arguments[0] in ("pause", "unpause"):
        word = {"pause": "pause", "unpause": "resume"}[arguments[0]]
        return tell([word], arguments[1])
    command, options = parse(arguments, ["--hostname", *limits.OPTIONS])
    limited = limits.Limits(options)
    identifier = identify()
    name = host_name(options, identifier)
    fill_stdio()
    image = check_image(options)
    os.makedirs(options["--container-dir"], exist_ok=True)

    # From here on there is something to remove: signals wait until we take them.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ours = [signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ours)

    place = os.path.join(os.path.abspath(options["--container-dir"]), identifier)
    os.mkdir(place, 0o700)
    try:
        root = os.path.join(place, "rootfs")
        os.mkdir(root)
        os.chmod(root, 0o755)
        unpack(image, root, mask)
        look_up(command[0], root)
        shim = bundle(place, name, command, limited, mask)
        show_cgroups()
        sweep()
        return run(place, shim, mask, ours)
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", "--", place], check=False)


# ---- the image -----------------------------------------------------------------------


def unpack(image, root, mask):
    """Leaves it to GNU tar, which strips / and .. from names, and makes links that
    point up or out last of all, so that nothing is written through them."""

    def prepare():
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.umask(0o022)  # for directories that the image takes for granted
        # Devices in an image are the host's devices: tar can't make them then.
        libc.prctl(PR_CAPBSET_DROP, CAP_MKNOD, 0, 0, 0)

    run_tar(["tar", "-C", root], image, prepare)


# ---- the bundle -----------------------------------------------------------------------


def bundle(place, name, command, limited, mask):
    """Writes config.json. Returns whether the command needs a shim, as descriptor 3."""
    environment = [b"=".join(pair) for pair in callers_environment().items()]
    shim = False
    try:
        if not any(variable.startswith(b"PATH=") for variable in environment):
            raise ValueError("runc finds nothing without PATH; execvp has a default")
        words = [word.decode() for word in command]
        variables = [word.decode() for word in environment]
    except ValueError:  # UnicodeDecodeError is one
        build_shim(place, command, environment, mask)
        shim = True
        words, variables = ["/proc/self/fd/3"], ["PATH=/"]

    capabilities = our_capabilities()
    safe = ["nosuid", "noexec", "nodev"]
    config = {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0, "umask": umask()},
            "args": words,
            "env": variables,
            "cwd": "/",
            "capabilities": {
                kind: capabilities for kind in ("bounding", "effective", "permitted")
            },
        },
        "root": {"path": "rootfs"},
        "hostname": os.fsdecode(name),
        "mounts": [
            special("/proc", "proc", []),
            special("/sys", "sysfs", safe),
            special("/dev", "tmpfs", ["nosuid", "mode=755"]),
            special("/dev/pts", "devpts", DEVPTS),
            special("/dev/shm", "tmpfs", ["mode=1777", *safe]),
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in NAMESPACES],
            "resources": resources(limited),
        },
    }
    with open(os.path.join(place, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    return shim


def resources(limited):
    """The limits, as the runtime specification names them. Its swap is memory and
    swap together, too."""
    every = {
        "memory": {"limit": limited.memory, "swap": limited.swap},
        "pids": {"limit": limited.pids},
        "cpu": {"shares": limited.shares, "cpus": limited.cpuset},
    }
    if limited.cpus is not None:
        every["cpu"].update(period=PERIOD, quota=round(limited.cpus * PERIOD))
    given = {
        kind: {name: value for name, value in some.items() if value is not None}
        for kind, some in every.items()
    }
    return {kind: some for kind, some in given.items() if some}


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def special(destination, kind, options):
    return {
        "destination": destination,
        "type": kind,
        "source": kind,
        "options": options,
    }


NAMESPACES = ["mount", "pid", "uts", "ipc", "network"]
PERIOD = 100_000  # microseconds
DEVPTS = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]

CAPABILITIES = [
    "CAP_" + name
    for name in """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP
    LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER
    SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE
    SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP
    MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF
    CHECKPOINT_RESTORE
    """.split()
]


def our_capabilities():
    """All that we have: giving some up is a later level's business."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        effective = next(line for line in status if line.startswith("CapEff:"))
    mask = int(effective.split()[1], 16)
    return [name for bit, name in enumerate(CAPABILITIES) if mask >> bit & 1]


# JSON is Unicode, arguments are bytes. Where they are no UTF-8, runc starts this in
# the command's place, from a descriptor that it closes: the image needs nothing.
SHIM = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
static char *arguments[] = { %(arguments)s 0 };
static char *variables[] = { %(variables)s 0 };
int main(void)
{
    close(3);
    environ = variables;
    execvp(arguments[0], arguments);
    int missing = errno == ENOENT || errno == ENOTDIR;
    fprintf(stderr, "runc.py: exec %%s: %%m\n", arguments[0]);
    return missing ? 127 : 126;
}
"""


def build_shim(place, command, environment, mask):
    """Compiles the shim, with all the bytes in it, and opens it as descriptor 3."""

    def literals(words):
        return "".join(
            '"' + "".join(f"\\{byte:03o}" for byte in word) + '", ' for word in words
        )

    source = SHIM % {
        "arguments": literals(command),
        "variables": literals(environment),
    }
    path = os.path.join(place, "shim")
    cc = subprocess.run(
        ["cc", "-static", "-x", "c", "-o", path, "-"],
        input=source.encode(),
        stderr=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": place},
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask),
        check=False,
    )
    if cc.returncode:
        said = cc.stderr.decode(errors="backslashreplace").splitlines()
        raise Failed(f"cc -static: {said[0] if said else cc.returncode}")
    shim = os.open(path, os.O_RDONLY)
    if shim != 3:
        os.dup2(shim, 3, inheritable=False)
        os.close(shim)


# ---- running --------------------------------------------------------------------------


def show_cgroups():
    """runc wants to see a cgroup file system, though it needn't be allowed to change
    anything there. Where there is none, it gets one, in a mount namespace of ours."""
    if os.listdir("/sys/fs/cgroup"):
        return
    call("unshare", CLONE_NEWNS)
    call("mount", None, b"/", None, ctypes.c_ulong(MS_REC | MS_SLAVE), None)
    call("mount", b"cgroup2", b"/sys/fs/cgroup", b"cgroup2", ctypes.c_ulong(0), None)


def base():
    """How runc is called. Where it is no root of the machine's, it must be told so."""
    rootless = ["--rootless", "true"] if in_user_namespace() else []
    return ["runc", "--root", STATE, *rootless]


def tools():
    return {"PATH": os.environ.get("PATH", "/bin") + ":/usr/sbin:/sbin"}


def tell(words, identifier):
    """Has runc do something to a container. It says on several lines why it can't.

    On version 1 runc gives up on a freezer after a fifth of a second. A process that
    its quota holds back is frozen only when it runs again, which takes longer on a busy
    machine: to try again is the caller's part, say its authors (opencontainers/runc,
    pull request 4388)."""
    patience = time.monotonic() + 5
    while True:
        done = subprocess.run(
            [*base(), *words, identifier],
            env=tools(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        if not done.returncode:
            return 0
        if b"unable to freeze" not in done.stderr or time.monotonic() > patience:
            said = done.stderr.decode(errors="backslashreplace").split()
            raise Failed(f"{words[0]} {identifier}: {' '.join(said)}")


def sweep():
    """Removes containers whose runc.py was killed."""
    if os.path.isdir(STATE):
        for identifier in filter(is_stale, os.listdir(STATE)):
            tell(["delete", "--force"], identifier)


def run(place, shim, mask, ours):
    """Creates the container, which leaves its process to us, then starts it: so the
    command is our child from its first instruction on, with our stdin, stdout, stderr."""
    identifier = os.path.basename(place)
    pid_file = os.path.join(place, "pid")

    def runc(*arguments, **others):
        return subprocess.run(
            [*base(), "--log", f"{place}/log", *arguments, identifier],
            env=tools(),
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask),
            check=False,
            **others,
        ).returncode

    # Who is orphaned below us becomes our child: the container, when runc ends.
    call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        create = ["create", "--bundle", place, "--pid-file", pid_file]
        create += ["--no-new-keyring"]
        create += ["--preserve-fds", "1"] if shim else []
        if runc(*create, pass_fds=[3] if shim else []):
            raise Failed()
        with open(pid_file, encoding="ascii") as file:
            child = int(file.read())
        call("prctl", PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        if runc("start", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
            raise Failed()
        return wait_for(child, ours, b"runc:[", lambda: 126)
    finally:
        quiet = {stream: subprocess.DEVNULL for stream in ("stdin", "stdout", "stderr")}
        runc("delete", "--force", **quiet)


def in_user_namespace():
    with open("/proc/self/uid_map", encoding="ascii") as uid_map:
        return uid_map.read().split() != ["0", "0", "4294967295"]


if __name__ == "__main__":
    sys.exit(report(lambda: main(sys.argv[1:])))
