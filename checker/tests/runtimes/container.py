#!/usr/bin/env python3
"""container.py run [-i NAME] [--image-dir DIR] [--container-dir DIR] -- CMD [ARG...]

Levels 00 to 03 in Python 3.9 or later, with nothing but its standard library: ctypes
for the system calls, tarfile to unpack, pivot_root(".", ".").

In the order things happen: main, unpack, container, wait_for, remove.
"""

import ctypes
import os
import signal
import stat
import sys
import tarfile
import tempfile

from contract import Failed, call, callers_environment, fill_stdio, image_path, parse, report

CLONE_NEWNS = 0x20000
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
MNT_DETACH = 2


def main(arguments):
    command, options = parse(arguments)
    fill_stdio()
    archive = open_image(options)
    os.makedirs(options["--container-dir"], exist_ok=True)

    # From here on there is something to remove: signals wait until we take them.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ours = [signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT]
    callers_mask = signal.pthread_sigmask(signal.SIG_BLOCK, ours)

    root = os.path.abspath(tempfile.mkdtemp(dir=options["--container-dir"]))
    try:
        os.chmod(root, 0o755)
        child = fork(lambda: unpack(archive, root), callers_mask)
        status = wait_for(child, ours)
        if status == 0:
            child = fork(lambda: container(root, command, callers_mask), None)
            status = wait_for(child, ours)
    finally:
        remove(root)
    return status


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


def container(root, command, callers_mask):
    """Makes `root` the root of a mount namespace of its own and runs the command."""
    call("unshare", CLONE_NEWNS)
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    mount(root, root, None, MS_BIND)  # pivot_root wants a mount point
    # After the pivot, names lead nowhere but into the image. These keep hold of the
    # host's devices, which we can't make ourselves in a user namespace.
    names = ["null", "zero", "full", "random", "urandom", "tty"]
    devices = {name: os.open(f"/dev/{name}", os.O_PATH) for name in names}

    os.chdir(root)
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
