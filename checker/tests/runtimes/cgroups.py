"""A container's control group, on version 1, version 2, and where there are both (man 7
cgroups). As Docker has it without systemd, all groups lie in one that stays: /python/ID
in each tree that is needed. In the order things happen: Group, limit, join, remove."""

import os
import re
import signal
import time

from contract import Failed

ABOVE = "python"  # the group that all containers' are in
FREEZER = "freezer"
USUAL_PERIOD = 100_000  # microseconds


class Group:
    """The group of one container: a directory in each tree, made when it is needed."""

    def __init__(self, identifier):
        self.identifier = identifier
        self.directories = {}  # by controller; on version 2 they are all the same

    def limit(self, limits):
        """Makes the group, and writes the limits. Without any there is no group."""
        if not limits:
            return
        if limits.memory is not None:
            self.limit_memory(limits)
        if limits.pids is not None:
            self.write("pids", "pids.max", limits.pids)
        if limits.cpus is not None:
            quota = round(limits.cpus * USUAL_PERIOD)
            if self.version("cpu") == 2:
                self.write("cpu", "cpu.max", f"{quota} {USUAL_PERIOD}")
            else:
                self.write("cpu", "cpu.cfs_period_us", USUAL_PERIOD)
                self.write("cpu", "cpu.cfs_quota_us", quota)
        if limits.shares is not None:
            if self.version("cpu") == 2:
                weight = 1 + (limits.shares - 2) * 9999 // 262142
                self.write("cpu", "cpu.weight", weight)
            else:
                self.write("cpu", "cpu.shares", limits.shares)
        if limits.cpuset is not None:
            self.write("cpuset", "cpuset.cpus", limits.cpuset)
        if FREEZER in trees():
            self.directory(FREEZER)  # on version 2, every group can be frozen

    def limit_memory(self, limits):
        if self.version("memory") == 2:
            self.write("memory", "memory.max", limits.memory)
            file = "memory.swap.max"
            swap = "max" if limits.swap == -1 else limits.swap - limits.memory
        else:
            self.write("memory", "memory.limit_in_bytes", limits.memory)
            file, swap = "memory.memsw.limit_in_bytes", limits.swap
        # Where the kernel doesn't count swap, there is nothing to limit.
        if os.path.exists(os.path.join(self.directory("memory"), file)):
            self.write("memory", file, swap)

    def version(self, controller):
        return tree(controller)[0]

    def directory(self, controller):
        if controller not in self.directories:
            version, top = tree(controller)
            above = make(top, ABOVE, version, controller)
            if above not in map(os.path.dirname, self.directories.values()):
                sweep(above)
            made = make(above, self.identifier, version, controller)
            self.directories[controller] = made
        return self.directories[controller]

    def write(self, controller, file, value):
        write(os.path.join(self.directory(controller), file), value)

    def join(self):
        """The calling process joins, and with it what it will start."""
        for directory in set(self.directories.values()):
            write(os.path.join(directory, "cgroup.procs"), 0)

    def remove(self):
        for directory in set(self.directories.values()):
            remove(directory)


def make(above, name, version, controller):
    """The group of this name below `above`, made if need be."""
    if version == 2:
        write(os.path.join(above, "cgroup.subtree_control"), f"+{controller}")
    directory = os.path.join(above, name)
    os.makedirs(directory, exist_ok=True)
    if controller == "cpuset" and version == 1:  # a new one is empty, and of no use
        for file in ["cpuset.cpus", "cpuset.mems"]:
            with open(os.path.join(above, file), encoding="ascii") as inherited:
                write(os.path.join(directory, file), inherited.read())
    return directory


def trees():
    """Version and top directory of the tree that has each controller."""
    found = {}
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as table:
        for line in table:
            left, right = line.rstrip("\n").split(" - ")
            place, kind = left.split()[4], right.split()[0]
            if kind == "cgroup":
                names = right.split()[2].split(",")  # and `rw`
                found.update((name, (1, place)) for name in names)
            if kind == "cgroup2":
                with open(f"{place}/cgroup.controllers", encoding="ascii") as names:
                    found.update((name, (2, place)) for name in names.read().split())
    return found


def tree(controller):
    try:
        return trees()[controller]
    except KeyError:
        raise Failed(f"no control groups for {controller} here") from None


def write(path, value):
    # Unbuffered: the kernel's answer is that of this very call.
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, f"{value}\n".encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(descriptor)


# ---- who is gone ----------------------------------------------------------------------


def identify():
    """An id for the container of this process, which tells later ones whether this is
    still there: a pid is used again, but not at the same time after boot."""
    return f"{os.getpid():x}-{start_time(os.getpid()):x}"


def start_time(pid):
    """In ticks after boot (man 5 proc, "stat"); None if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def sweep(above):
    """Removes the groups, and ends the containers, whose runtime was killed."""
    for name in filter(is_stale, os.listdir(above)):
        remove(os.path.join(above, name))


def is_stale(identifier):
    """Is this the id of a container whose runtime is gone?"""
    match = re.fullmatch("([0-9a-f]+)-([0-9a-f]+)", identifier)
    return match and start_time(int(match[1], 16)) != int(match[2], 16)


def remove(directory):
    """Removes a group, and ends what is still in it."""
    for _ in range(500):
        try:
            os.rmdir(directory)
            return
        except FileNotFoundError:
            return
        except OSError:  # EBUSY: there are processes in it, or on their way out
            end_all(directory)
            time.sleep(0.002)
    raise Failed(f"rmdir {directory}: still busy")


def end_all(directory):
    thaw = {"freezer.state": "THAWED", "cgroup.freeze": "0"}
    for file, value in thaw.items():  # what is frozen can't end, on version 1
        if os.path.exists(os.path.join(directory, file)):
            write(os.path.join(directory, file), value)
    try:
        with open(os.path.join(directory, "cgroup.procs"), encoding="ascii") as procs:
            for pid in procs.read().split():
                os.kill(int(pid), signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        pass


# ---- pause ----------------------------------------------------------------------------


def freeze(identifier, frozen):
    """Stops or resumes a container. Returns when it is done."""
    known = trees()
    if FREEZER in known:
        top, file, wanted = known[FREEZER][1], "freezer.state", ["THAWED", "FROZEN"]
        answer = file
    else:
        top, file, wanted = tree("cpu")[1], "cgroup.freeze", ["0", "1"]
        answer = "cgroup.events"
    directory = os.path.join(top, ABOVE, identifier)
    if not re.fullmatch("[0-9a-f-]+", identifier) or not os.path.isdir(directory):
        raise Failed(f"{identifier}: no such container")
    write(os.path.join(directory, file), wanted[frozen])
    for _ in range(1000):
        with open(os.path.join(directory, answer), encoding="ascii") as said:
            words = said.read().split()
        if wanted[frozen] in (words if len(words) == 1 else words[words.index("frozen") + 1]):
            return
        time.sleep(0.002)
    raise Failed(f"{identifier}: not done after two seconds")
