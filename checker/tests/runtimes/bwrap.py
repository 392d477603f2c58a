#!/usr/bin/env python3
"""bwrap.py run [-i NAME] [--image-dir DIR] [--container-dir DIR] -- CMD [ARG...]

The workshop's contract, levels 00 to 03, kept by bubblewrap (0.8 or later). All that
this adds is what bwrap leaves to others: it unpacks the image, looks the command up,
passes its status on, and removes what it made. There is no PID namespace: the command
is an ordinary process in the caller's. Like Flatpak's, it can't gain privileges
(no_new_privs), and PWD is added to its environment.

In the order things happen: main, unpack, look_up, run, adopt, wait_for.
"""

import ctypes
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import termios
import time

libc = ctypes.CDLL(None, use_errno=True)

PR_SET_CHILD_SUBREAPER = 36

USAGE = (
    "usage: bwrap.py run [-i NAME] [--image-dir DIR] [--container-dir DIR]"
    " -- CMD [ARG...]"
)


class Failed(Exception):
    """One line for stderr, none if bwrap has said one; and the status."""

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

    root = os.path.abspath(tempfile.mkdtemp(dir=options["--container-dir"]))
    try:
        os.chmod(root, 0o755)
        unpack(image, root, mask)
        look_up(command[0], root)
        return run(root, command, mask, ours)
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", "--", root], check=False)


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
    """Runs tar in a bubble of its own, in which nothing but the new root can be
    written and no device be made: what an archive is up to doesn't matter then."""
    bubble = ["--ro-bind", "/", "/", "--bind", root, root, "--cap-drop", "CAP_MKNOD"]
    arguments = ["--same-permissions", "--no-same-owner", "--numeric-owner"]
    harmless = (
        ": Removing leading ",
        ": Cannot mknod: Operation not permitted",
        ": Exiting with failure status due to previous errors",
    )

    def prepare():
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.umask(0o022)  # for directories that the image takes for granted

    with open(image, "rb") as archive:
        tar = subprocess.run(
            ["bwrap", *bubble, "tar", "--extract", "--file=-", "-C", root, *arguments],
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
    """Looks the command up inside. bwrap gives 1 for whatever goes wrong, so what
    can go wrong with the command is found out before."""
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
    return wait_for(child, told, ours)


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


def wait_for(child, told, ours):
    """The child's status. Passes on what we are sent: who stops the runtime means the
    command, and we still have a directory to remove."""
    while True:
        number = signal.sigwait(ours)
        if number != signal.SIGCHLD:
            os.kill(child, number)
        if not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            continue
        # A process that ends under bwrap's name never became the command. bwrap says
        # why, but its status is 1; the name is there as long as nobody has reaped it.
        with open(f"/proc/{child}/comm", "rb") as comm:
            never = comm.read() == b"bwrap\n"
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if never:
            raise Failed(status=125 if unread(told) else 126)
        return 128 - code if code < 0 else code


def unread(pipe):
    """How many bytes wait in a pipe: ours still does if the set-up failed before."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]


def callers_environment():
    """What the caller passed; Python may have added LC_CTYPE to its own (PEP 538)."""
    with open("/proc/self/environ", "rb") as environ:
        entries = environ.read().split(b"\0")
    return dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)


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
        sys.stderr.buffer.write(b"bwrap.py: " + os.fsencode(line) + b"\n")
        sys.stderr.flush()
    return status


if __name__ == "__main__":
    sys.exit(report(lambda: main(sys.argv[1:])))
