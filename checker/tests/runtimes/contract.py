"""What the workshop's contract asks of a runtime, whatever makes its containers: the
command line, the environment, one line for a failure."""

import ctypes
import os
import sys

NAME = os.path.basename(sys.argv[0])
USAGE = f"usage: {NAME} run [OPTIONS] -- CMD [ARG...]"

libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """One line for stderr, none if somebody has said one; and the status."""

    def __init__(self, line=None, status=125):
        super().__init__(line)
        self.line, self.status = line, status


def parse(arguments, more=()):
    """The command as bytes, and the options: the three of level 01, and those of `more`,
    which are None unless they are given."""
    options = {
        "--image": "base",
        "--image-dir": "/workshop/images",
        "--container-dir": "/workshop/containers",
    }
    options.update((name, None) for name in more)
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


LONGEST_NAME = 64  # bytes, man 2 sethostname


def host_name(options, identifier):
    """What the container is called: as it was asked for, or by its id."""
    name = options["--hostname"]
    name = os.fsencode(identifier if name is None else name)
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Failed(f"--hostname: {len(name)} bytes, it takes 1 to {LONGEST_NAME}")
    return name


def fill_stdio():
    """What we open must not land on a stdin, stdout or stderr that is closed."""
    while (opened := os.open("/dev/null", os.O_RDWR)) <= 2:
        os.set_inheritable(opened, True)
    os.close(opened)


def image_path(options):
    """Where the image is."""
    name = options["--image"]
    if not name or "/" in name:
        raise Failed(f"{name}: not the name of an image")
    return os.path.join(options["--image-dir"], name + ".tar")


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
        sys.stderr.buffer.write(os.fsencode(f"{NAME}: {line}\n"))
        sys.stderr.flush()
    return status
