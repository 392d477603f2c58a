#!/usr/bin/env python3
"""container.py run [OPTIONS] -- CMD [ARG...]
container.py pause ID
container.py unpause ID

Levels 00 to 09 in Python 3.9 or later, with nothing but its standard library: ctypes
for the system calls, tarfile to unpack, pivot_root(".", "."). Unpacked images are kept
under their archive's digest. There are two processes besides the command: one that
waits outside, and one that has entered the namespaces, all at once, and is not in the
PID namespace, as only its child is.

In the order things happen: main, run, unpacked, enter, container, wait_for, remove.
"""

import ctypes
import errno
import fcntl
import hashlib
import os
import signal
import socket
import stat
import struct
import sys
import tarfile
import tempfile

import cgroups
import limits
from contract import (
    Failed,
    call,
    callers_environment,
    fill_stdio,
    host_name,
    image_path,
    parse,
    report,
)

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x20000000, 0x40000000
CLONE_NEWUTS, CLONE_NEWIPC = 0x4000000, 0x8000000
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def main(arguments):
    if len(arguments) == 2 and arguments[0] in ("pause", "unpause"):
        cgroups.freeze(arguments[1], arguments[0] == "pause")
        return 0
    more = ["--hostname", "--cache-dir", *limits.OPTIONS]
    command, options = parse(arguments, more)
    limited = limits.Limits(options)
    identifier = cgroups.identify()
    name = host_name(options, identifier)
    fill_stdio()
    archive = open_image(options)

    # From here on there is something to remove: signals wait until we take them.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ours = [signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT]
    callers_mask = signal.pthread_sigmask(signal.SIG_BLOCK, ours)

    image, status = unpacked(archive, options["--cache-dir"], ours, callers_mask)
    if status:
        return status
    os.makedirs(options["--container-dir"], exist_ok=True)
    place = os.path.join(os.path.abspath(options["--container-dir"]), identifier)
    layers = Layers(image, place)
    group = cgroups.Group(identifier)
    try:
        layers.make()
        group.limit(limited)
        inside = lambda: container(layers, group, name, command, callers_mask)
        return wait_for(fork(lambda: enter(inside, ours), None), ours)
    finally:
        group.remove()
        remove(place)


# ---- the image -----------------------------------------------------------------------


def open_image(options):
    """The image, made sure to be one."""
    path = image_path(options)
    file = open(path, "rb")
    try:
        archive = Archive.open(fileobj=file, mode="r:", errorlevel=2)
        archive.getmembers()
    except tarfile.TarError as error:
        raise Failed(f"{path}: {error}") from None
    return archive


class Archive(tarfile.TarFile):
    """A tar whose files all become ours, with the modes that it says."""

    extraction_filter = staticmethod(lambda member, path: member)

    def chown(self, tarinfo, targetpath, numeric_owner):
        """In a user namespace there may be no other owner to give it to."""

    def chmod(self, tarinfo, targetpath):
        """A hard link has its mode already; and if it is one to a symbolic link,
        this would change what that one points to."""
        if not tarinfo.islnk():
            super().chmod(tarinfo, targetpath)

    def utime(self, tarinfo, targetpath):
        """As chmod."""
        if not tarinfo.islnk():
            super().utime(tarinfo, targetpath)

    def makefile(self, tarinfo, targetpath):
        """tarfile would write through a link that is already there."""
        if os.path.lexists(targetpath):
            os.unlink(targetpath)
        super().makefile(tarinfo, targetpath)


def unpacked(archive, cache, ours, callers_mask):
    """Where the archive is unpacked, which is done if it never was; and a status.

    Each that comes at once unpacks for itself. Who is first, wins: rename doesn't
    replace a directory with something in it."""
    cache = os.path.abspath(cache or "/workshop/cache")
    kept = os.path.join(cache, digest(archive.fileobj))
    if os.path.isdir(kept):
        return kept, 0
    os.makedirs(cache, mode=0o700, exist_ok=True)
    aside = tempfile.mkdtemp(prefix="unpacking-", dir=cache)
    try:
        root = os.path.join(aside, "root")
        os.mkdir(root)
        os.chmod(root, 0o755)
        status = wait_for(fork(lambda: unpack(archive, root), callers_mask), ours)
        if status == 0:
            os.rename(root, kept)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
    finally:
        remove(aside)
    return kept, status


def digest(file):
    """The SHA-256 of what is in it."""
    total = hashlib.sha256()
    file.seek(0)
    while some := file.read(1 << 20):
        total.update(some)
    return total.hexdigest()


def unpack(archive, root):
    """Unpacks the image from inside: after chroot no name and no link leads out."""
    os.umask(0o022)  # for directories that the image takes for granted
    os.chroot(root)
    os.chdir("/")
    # Devices in an image are the host's devices.
    members = [m for m in archive if not (m.ischr() or m.isblk())]
    try:
        archive.extractall("/", members, numeric_owner=True)
    except (tarfile.TarError, KeyError) as error:
        raise Failed(f"unpack: {error}") from None
    return 0


# ---- processes ------------------------------------------------------------------------


def fork(action, mask):
    """Runs `action` in a child, which ends with the status it returns."""
    child = os.fork()
    if child:
        return child
    status = 125
    try:
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        status = report(action)
    finally:
        os._exit(status)


def wait_for(child, ours):
    """The child's status. Passes on what we are sent: who stops the runtime means the
    command, and we still have a directory to remove."""
    while True:
        number = signal.sigwait(ours)
        if number != signal.SIGCHLD:
            os.kill(child, number)
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code


# ---- inside ---------------------------------------------------------------------------


def enter(inside, ours):
    """Enters namespaces of the container's own, and starts its PID 1: who calls unshare
    keeps his PID namespace, and only his children are in the new one."""
    namespaces = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET
    call("unshare", namespaces)
    return wait_for(fork(inside, None), ours)


class Layers:
    """The directories of an overlay."""

    def __init__(self, lower, place):
        self.lower, self.place = lower, place
        self.upper, self.work, self.root = (
            os.path.join(place, name) for name in ("upper", "work", "root")
        )

    def make(self):
        os.mkdir(self.place, 0o700)  # out of reach of others: there is setuid in it
        for directory in (self.upper, self.work, self.root):
            os.mkdir(directory)
        # The container's / has the mode of the upper directory.
        os.chmod(self.upper, stat.S_IMODE(os.stat(self.lower).st_mode))

    def mount(self):
        layers = zip(("lowerdir", "upperdir", "workdir"), (self.lower, self.upper, self.work))
        options = [f"{name}={escaped(path)}" for name, path in layers]
        mount("overlay", self.root, "overlay", 0, ",".join([*options, "userxattr"]))


def escaped(path):
    """Commas and colons mean something to overlayfs."""
    for special in "\\,:":
        path = path.replace(special, "\\" + special)
    return path


def container(layers, group, name, command, callers_mask):
    """Makes the overlay the root of this mount namespace and runs the command."""
    group.join()
    socket.sethostname(name)
    loopback_up()
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    layers.mount()
    # After the pivot, names lead nowhere but into the image. These keep hold of the
    # host's devices, which we can't make ourselves in a user namespace.
    names = ["null", "zero", "full", "random", "urandom", "tty"]
    devices = {name: os.open(f"/dev/{name}", os.O_PATH) for name in names}

    os.chdir(layers.root)
    call("pivot_root", b".", b".")
    # The old root now lies on top of the new one, out of sight of names that begin
    # with /. It goes last: the kernel lets us mount proc and sysfs only as long as
    # we see others, uncovered.
    mount_special("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount_special("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    make_dev(devices)
    call("umount2", b".", MNT_DETACH)
    os.chdir("/")
    return execute(command, callers_mask)


def loopback_up():
    """man 7 netdevice. The kernel gives it its addresses then."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def make_dev(devices):
    mount_special("tmpfs", "/dev", MS_NOSUID, "mode=755")
    for name, source in devices.items():
        os.close(os.open(f"/dev/{name}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        mount(f"/proc/self/fd/{source}", f"/dev/{name}", None, MS_BIND)
    os.symlink("/proc/self/fd", "/dev/fd")
    for number, name in enumerate(["stdin", "stdout", "stderr"]):
        os.symlink(f"/proc/self/fd/{number}", f"/dev/{name}")
    options = "newinstance,ptmxmode=0666,mode=0620"
    mount_special("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, options)
    os.symlink("pts/ptmx", "/dev/ptmx")


def mount_special(kind, path, flags, options=None):
    """Mounts a file system of this kind on a directory that the image may not have."""
    if not os.path.lexists(path):
        os.mkdir(path)
        os.chmod(path, 0o755)
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        raise Failed(f"mount {kind} on {path}: the image has no directory there")
    mount(kind, path, kind, flags, options)


def execute(command, callers_mask):
    """Becomes the command. Looks its name up here, inside."""
    # Only 0, 1 and 2 are the command's business.
    for number in os.listdir("/proc/self/fd"):
        if int(number) > 2:
            try:
                os.close(int(number))
            except OSError:
                pass  # listdir's own
    environment = callers_environment()
    name = os.fsdecode(command[0])
    try:
        if not name:
            raise FileNotFoundError(2, os.strerror(2))
        # Python ignores these two, and the command would inherit that.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, callers_mask)
        os.execvpe(command[0], command, environment)
    except OSError as error:
        missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
        line = f"container.py: exec {name}: {error.strerror}\n"
        sys.stderr.buffer.write(os.fsencode(line))
        sys.stderr.flush()
        return 127 if missing else 126


def mount(source, target, kind, flags, options=None):
    words = [os.fsencode(w) if w is not None else None for w in (source, target, kind)]
    data = os.fsencode(options) if options else None
    call("mount", *words, ctypes.c_ulong(flags), data)


# ---- afterwards -----------------------------------------------------------------------


def remove(root):
    """Removes a tree, as deep as it may be: every directory in it is moved up to the
    top first, so that no path gets long and nothing recurses."""
    directories = [root]
    for directory in directories:  # it grows as we go
        with os.scandir(directory) as found:
            entries = list(found)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                moved = f"{root}/{os.path.basename(root)}-{len(directories)}"
                os.rename(entry.path, moved)
                directories.append(moved)
            else:
                os.unlink(entry.path)
    for directory in reversed(directories):
        os.rmdir(directory)


if __name__ == "__main__":
    sys.exit(report(lambda: main(sys.argv[1:])))
