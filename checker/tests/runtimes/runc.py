#!/usr/bin/env python3
"""runc.py run [-i NAME] [--image-dir DIR] [--container-dir DIR] -- CMD [ARG...]

The workshop's contract, levels 00 to 03, kept by runc (1.1 or later). All that this
adds is what runc leaves to Docker: it unpacks the image, writes the bundle, waits for
the command, and removes what it made. The command is PID 1 of a PID namespace, as
runc's containers are, and gets HOME if it had none.

In the order things happen: main, unpack, look_up, bundle, run, wait_for.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile

libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS = 0x20000
MS_REC, MS_SLAVE = 0x4000, 0x80000
PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER = 24, 36
CAP_MKNOD = 27

USAGE = (
    "usage: runc.py run [-i NAME] [--image-dir DIR] [--container-dir DIR]"
    " -- CMD [ARG...]"
)


class Failed(Exception):
    """One line for stderr, none if runc has said one; and the status."""

    def __init__(self, line=None, status=125):
        super().__init__(line)
        self.line, self.status = line, status


def main(arguments):
    command, options = parse(arguments)
    fill_stdio()
    image = check_image(options)
    os.makedirs(options["--container-dir"], exist_ok=True)

    # From here on there is something to remove: signals wait until we take them.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ours = [signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ours)

    place = os.path.abspath(tempfile.mkdtemp(dir=options["--container-dir"]))
    try:
        root = os.path.join(place, "rootfs")
        os.mkdir(root)
        os.chmod(root, 0o755)
        unpack(image, root, mask)
        look_up(command[0], root)
        shim = bundle(place, command, mask)
        show_cgroups()
        return run(place, shim, mask, ours)
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", "--", place], check=False)


# ---- the command line and the image ---------------------------------------------------


def parse(arguments):
    """The command as bytes, and the options."""
    options = {
        "--image": "base",
        "--image-dir": "/workshop/images",
        "--container-dir": "/workshop/containers",
    }
    if arguments[:1] != ["run"] or "--" not in arguments:
        raise Failed(USAGE)
    end = arguments.index("--")
    given, command = arguments[1:end], arguments[end + 1 :]
    while given:
        name, equals, value = given.pop(0).partition("=")
        name = "--image" if name == "-i" else name
        if name not in options or not (equals or given):
            raise Failed(USAGE)
        options[name] = value if equals else given.pop(0)
    if not command:
        raise Failed(USAGE)
    # sys.argv is text; fsencode gives back the very bytes that came in.
    return [os.fsencode(argument) for argument in command], options


def fill_stdio():
    """What we open must not land on a stdin, stdout or stderr that is closed."""
    while (opened := os.open("/dev/null", os.O_RDWR)) <= 2:
        os.set_inheritable(opened, True)
    os.close(opened)


def check_image(options):
    """The path of the image, made sure to be a whole tar."""
    name = options["--image"]
    if not name or "/" in name:
        raise Failed(f"{name}: not the name of an image")
    path = os.path.join(options["--image-dir"], name + ".tar")
    try:
        with open(path, "rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            archive.getmembers()
            # tarfile ends silently where the archive does, and so does tar. A whole
            # one goes on to two blocks of zeros.
            file.seek(archive.offset)
            if file.read(1024) != bytes(1024):
                raise Failed(f"{path}: cut short")
    except tarfile.TarError as error:
        raise Failed(f"{path}: {error}") from None
    return path


def unpack(image, root, mask):
    """Leaves it to GNU tar, which strips / and .. from names, and makes links that
    point up or out last of all, so that nothing is written through them."""
    arguments = ["--same-permissions", "--no-same-owner", "--numeric-owner"]
    harmless = (
        ": Removing leading ",
        ": Cannot mknod: Operation not permitted",
        ": Exiting with failure status due to previous errors",
    )

    def prepare():
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.umask(0o022)  # for directories that the image takes for granted
        # Devices in an image are the host's devices: tar can't make them then.
        libc.prctl(PR_CAPBSET_DROP, CAP_MKNOD, 0, 0, 0)

    with open(image, "rb") as archive:
        tar = subprocess.run(
            ["tar", "--extract", "--file=-", "--directory", root, *arguments],
            stdin=archive,
            stderr=subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            preexec_fn=prepare,
            check=False,
        )
    lines = tar.stderr.decode(errors="backslashreplace").splitlines()
    lines = [line for line in lines if not any(phrase in line for phrase in harmless)]
    if tar.returncode not in (0, 2) or (tar.returncode == 2 and lines):
        raise Failed(lines[0] if lines else f"tar: status {tar.returncode}")


def look_up(name, root):
    """Looks the command up inside. runc gives 1 for whatever goes wrong, so what can
    go wrong with the command is found out before."""
    shown = os.fsdecode(name)
    child = os.fork()
    if child == 0:
        status = 127
        try:
            os.chroot(root)
            os.chdir("/")
            path = os.environb.get(b"PATH", b"/bin:/usr/bin")
            places = [b""] if b"/" in name else path.split(b":")
            for candidate in [os.path.join(place, name) for place in places if name]:
                if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
                    status = 0
                    break
                if os.path.exists(candidate):
                    status = 126
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == 127:
        raise Failed(f"exec {shown}: not found in the image", 127)
    if status:
        raise Failed(f"exec {shown}: not an executable file", 126)


# ---- the bundle -----------------------------------------------------------------------


def bundle(place, command, mask):
    """Writes config.json. Returns whether the command needs a shim, as descriptor 3."""
    environment = callers_environment()
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
        "mounts": [
            special("/proc", "proc", []),
            special("/sys", "sysfs", safe),
            special("/dev", "tmpfs", ["nosuid", "mode=755"]),
            special("/dev/pts", "devpts", DEVPTS),
            special("/dev/shm", "tmpfs", ["mode=1777", *safe]),
        ],
        "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}]},
    }
    with open(os.path.join(place, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    return shim


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


def callers_environment():
    """What the caller passed; Python may have added LC_CTYPE to its own (PEP 538)."""
    with open("/proc/self/environ", "rb") as environ:
        return [entry for entry in environ.read().split(b"\0") if b"=" in entry]


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


def run(place, shim, mask, ours):
    """Creates the container, which leaves its process to us, then starts it: so the
    command is our child from its first instruction on, with our stdin, stdout, stderr."""
    identifier = "workshop-" + os.path.basename(place)
    pid_file = os.path.join(place, "pid")

    def runc(*arguments, **others):
        base = ["runc", "--root", f"{place}/state", "--log", f"{place}/log"]
        base += ["--rootless", "true"] if in_user_namespace() else []
        return subprocess.run(
            [*base, *arguments, identifier],
            env={"PATH": os.environ.get("PATH", "/bin") + ":/usr/sbin:/sbin"},
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
        return wait_for(child, ours)
    finally:
        quiet = {stream: subprocess.DEVNULL for stream in ("stdin", "stdout", "stderr")}
        runc("delete", "--force", **quiet)


def wait_for(child, ours):
    """The child's status. Passes on what we are sent: who stops the runtime means the
    command, and we still have a directory to remove."""
    while True:
        number = signal.sigwait(ours)
        if number != signal.SIGCHLD:
            os.kill(child, number)
        if not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            continue
        # A process that ends under runc's name never became the command. runc says
        # why, but its status is 1; the name is there as long as nobody has reaped it.
        with open(f"/proc/{child}/comm", "rb") as comm:
            never = comm.read().startswith(b"runc:[")
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if never:
            raise Failed(status=126)
        return 128 - code if code < 0 else code


def in_user_namespace():
    with open("/proc/self/uid_map", encoding="ascii") as uid_map:
        return uid_map.read().split() != ["0", "0", "4294967295"]


def call(name, *arguments):
    """A system call by its name in libc, with its errno as OSError."""
    if getattr(libc, name)(*arguments) == -1:
        number = ctypes.get_errno()
        shown = " ".join(os.fsdecode(a) for a in arguments if isinstance(a, bytes))
        raise OSError(number, os.strerror(number), f"{name} {shown}")


def report(action):
    """What `action` returns, or the status after the one line that says why not."""
    status = 125
    try:
        return action()
    except Failed as error:
        line, status = error.line, error.status
    except OSError as error:
        line = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except Exception as error:
        line = f"{type(error).__name__}: {error}"
    if line:
        sys.stderr.buffer.write(b"runc.py: " + os.fsencode(line) + b"\n")
        sys.stderr.flush()
    return status


if __name__ == "__main__":
    sys.exit(report(lambda: main(sys.argv[1:])))
