#!/usr/bin/env python3
"""fork_exec.py run -- CMD [ARG...]

Level 00 in Python: subprocess does the fork, the exec and the wait.
"""

import os
import signal
import subprocess
import sys


def main(arguments):
    if len(arguments) < 3 or arguments[:2] != ["run", "--"]:
        return fail(125, "usage: fork_exec.py run -- CMD [ARG...]")
    # sys.argv is text; fsencode gives back the very bytes that came in.
    command = [os.fsencode(argument) for argument in arguments[2:]]
    if not command[0]:
        return fail(127, "exec '': no such file or directory")
    # With a handler of our own, Ctrl-C doesn't end us before the command. The
    # command doesn't inherit it: execve sets caught signals back to the default.
    # A caller that ignores SIGCHLD would leave us nothing to wait for.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        child = subprocess.Popen(
            command,
            env=environment(),
            close_fds=True,  # only 0, 1 and 2 are the command's business
            restore_signals=True,  # Python itself ignores SIGPIPE and SIGXFSZ
        )
    except (FileNotFoundError, NotADirectoryError) as error:
        return fail(127, f"exec {printable(command[0])}: {error.strerror}")
    except BlockingIOError as error:
        return fail(125, f"fork: {error.strerror}")
    except OSError as error:
        return fail(126, f"exec {printable(command[0])}: {error.strerror}")
    status = child.wait()
    return 128 - status if status < 0 else status


def environment():
    """What the caller passed; Python may have added LC_CTYPE to its own (PEP 538)."""
    with open("/proc/self/environ", "rb") as environ:
        entries = environ.read().split(b"\0")
    return dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)


def printable(name):
    return name.decode(errors="backslashreplace")


def fail(status, why):
    sys.stderr.buffer.write(f"fork_exec.py: {why}\n".encode())
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
