"""What bubblewrap and runc leave to others: to unpack the image, to look the command
up, to pass its status on."""

import os
import signal
import subprocess
import tarfile

from contract import Failed, image_path


def check_image(options):
    """The path of the image, made sure to be a whole tar."""
    path = image_path(options)
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


def run_tar(command, image, prepare):
    """Runs GNU tar on an image, and makes one failure of what it says: that it can't
    make devices, and that it changed a name, is none."""
    arguments = ["--extract", "--file=-", "--same-permissions", "--no-same-owner"]
    harmless = (
        ": Removing leading ",
        ": Cannot mknod: Operation not permitted",
        ": Exiting with failure status due to previous errors",
    )
    with open(image, "rb") as archive:
        tar = subprocess.run(
            [*command, *arguments, "--numeric-owner"],
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
    """Looks the command up inside. Both tools give 1 for whatever goes wrong, so
    what can go wrong with the command is found out before."""
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


def wait_for(child, ours, tool, why):
    """The child's status. Passes on what we are sent: who stops the runtime means the
    command, and we still have a directory to remove.

    A child that ends under the tool's name never became the command. The tool has said
    so, but its status is 1: `why` tells the right one."""
    while True:
        number = signal.sigwait(ours)
        if number != signal.SIGCHLD:
            os.kill(child, number)
        if not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            continue
        # The name is there as long as nobody has reaped it.
        with open(f"/proc/{child}/comm", "rb") as comm:
            never = comm.read().startswith(tool)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if never:
            raise Failed(status=why())
        return 128 - code if code < 0 else code
