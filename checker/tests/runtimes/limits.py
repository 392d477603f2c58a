"""The limits of levels 07 and 08, as the command line has them: read, and refused where
they make no sense."""

import os
import re

from contract import Failed

OPTIONS = [
    "--memory",
    "--memory-swap",
    "--pids-limit",
    "--cpus",
    "--cpu-shares",
    "--cpuset-cpus",
]
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
LEAST_MEMORY = 6 << 20
LEAST_SHARES, MOST_SHARES = 2, 262144


class Limits:
    """Bytes and numbers; None where there is no limit. `swap` is memory and swap
    together, -1 any amount."""

    def __init__(self, options):
        self.memory = option(options, "--memory", size)
        self.swap = option(options, "--memory-swap", size_or_any)
        self.pids = option(options, "--pids-limit", int)
        self.cpus = option(options, "--cpus", float)
        self.shares = option(options, "--cpu-shares", int)
        self.cpuset = option(options, "--cpuset-cpus", cpu_list)
        self.check()
        if self.memory and self.swap is None:
            self.swap = 2 * self.memory

    def check(self):
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        between("--memory", self.memory, LEAST_MEMORY, machine)
        between("--pids-limit", self.pids, 1, 1 << 22)
        between("--cpus", self.cpus, 0.01, os.cpu_count())
        between("--cpu-shares", self.shares, LEAST_SHARES, MOST_SHARES)
        if self.swap is not None and self.swap != -1:
            if self.memory is None or self.swap < self.memory:
                raise Failed("--memory-swap: less than --memory")

    def __bool__(self):
        """Is anything limited?"""
        return any(value is not None for value in vars(self).values())


def option(options, name, read):
    text = options[name]
    try:
        return None if text is None else read(text)
    except ValueError:
        raise Failed(f"{name} {text}: makes no sense") from None


def between(name, value, least, most):
    if value is not None and not least <= value <= most:
        raise Failed(f"{name} {value}: not between {least} and {most}")


def size(text):
    match = re.fullmatch(r"([0-9]+)([kmg]?)b?", text.lower())
    if not match:
        raise ValueError(text)
    return int(match[1]) * UNITS[match[2]]


def size_or_any(text):
    return -1 if text == "-1" else size(text)


def cpu_list(text):
    """The list as it is, made sure that the CPUs are there."""
    with open("/sys/devices/system/cpu/online", encoding="ascii") as online:
        missing = numbers(text) - numbers(online.read())
    if missing:
        raise Failed(f"--cpuset-cpus {text}: no CPU {min(missing)}")
    return text


def numbers(text):
    """`0-2,4` is 0, 1, 2 and 4."""
    found = set()
    for part in text.strip().split(","):
        first, dash, last = part.partition("-")
        last = int(last if dash else first)
        if last > 1 << 20:  # don't count that far
            found.add(last)
        else:
            found.update(range(int(first), last + 1))
    return found
