"""Start, run `true`, clean up: the finished levels against others. Arguments are the
folder of the built programs, and rounds. All take turns, so that noise hits all alike.

Everything runs in namespaces of its own, with an image as small as the program `true`
needs, on a tmpfs. bubblewrap and runc get their root ready-made, as the finished
container finds its image unpacked."""
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

if len(sys.argv) == 3:
    with tempfile.TemporaryDirectory() as work:
        own = ["unshare", "--user", "--map-root-user", "--mount", "--net", "--pid"]
        own += ["--fork", "--mount-proc", sys.executable, *sys.argv, work]
        sys.exit(subprocess.run(own).returncode)

programs, rounds, work = sys.argv[1], int(sys.argv[2]), sys.argv[3]
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", work], check=True)


def files_of(program):
    """The program and the libraries that it loads."""
    yield program
    for line in subprocess.check_output(["ldd", program], text=True).splitlines():
        for word in line.split():
            if word.startswith("/"):
                yield word


for name in ("images", "containers", "cache", "bundle", "state"):
    os.makedirs(f"{work}/{name}")
true = os.path.realpath(shutil.which("true"))
with tarfile.open(f"{work}/images/true.tar", "w") as image:
    for path in sorted(set(files_of(true))):
        image.add(os.path.realpath(path), path.lstrip("/"))
root = f"{work}/root"
with tarfile.open(f"{work}/images/true.tar") as image:
    image.extractall(root)
for name in ("proc", "dev", "sys", "tmp"):
    os.makedirs(f"{root}/{name}", exist_ok=True)

LAST = max(name[-2:] for name in os.listdir(programs) if name.startswith("solution-0"))


def level(number, image_dir=None):
    options = [] if number == "00" else [
        "-i", "true",
        "--image-dir", image_dir or f"{work}/images",
        "--container-dir", f"{work}/containers",
    ]
    if number == "09":
        options += ["--cache-dir", f"{work}/cache"]
    return [f"{programs}/solution-{number}", "run", *options, "--", true]


def first_start():
    """The finished container on an image that was never unpacked."""
    shutil.rmtree(f"{work}/cache")
    return level("09")


def bundle():
    """What runc and its like run: a rootless container with the usual namespaces."""
    subprocess.run(["runc", "spec", "--rootless"], cwd=f"{work}/bundle", check=True)
    path = f"{work}/bundle/config.json"
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    config["root"] = {"path": root, "readonly": False}
    config["process"] |= {"terminal": False, "args": [true]}
    kinds = ("pid", "ipc", "uts", "mount", "network")
    config["linux"]["namespaces"] = [{"type": kind} for kind in kinds]
    for key in ("uidMappings", "gidMappings", "resources"):
        config["linux"].pop(key, None)
    config["mounts"] = [m for m in config["mounts"] if m["type"] != "cgroup"]
    for mount in config["mounts"]:
        if mount["destination"] == "/sys":
            mount |= {"type": "sysfs", "source": "sysfs", "options": ["nosuid"]}
        mount["options"] = [o for o in mount.get("options", []) if o != "gid=5"]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file)


def oci(program):
    return [program, "--root", f"{work}/state", "run", "--bundle", f"{work}/bundle", "x"]


rivals = {"bare unshare": lambda: [
    "unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--fork", true,
]}
if shutil.which("bwrap"):
    bare = ["bwrap", "--bind", root, "/", "--proc", "/proc", "--dev", "/dev"]
    apart = ["--unshare-pid", "--unshare-uts", "--unshare-ipc", "--unshare-net"]
    rivals["bubblewrap, a mount namespace"] = lambda: [*bare, "--", true]
    rivals["bubblewrap, all namespaces"] = lambda: [*bare, *apart, "--", true]
if shutil.which("runc"):
    bundle()
for name in ("runc", "crun", "youki"):
    if shutil.which(name) and shutil.which("runc"):
        tried = subprocess.run(oci(name), capture_output=True, text=True)
        if tried.returncode == 0:
            rivals[name] = lambda name=name: oci(name)
        else:
            said = (tried.stdout + tried.stderr).strip().splitlines()
            print(f"{name}: cannot run here: {said[-1][:90] if said else ''}")
    else:
        print(f"{name}: not installed")
for number in range(int(LAST) + 1):
    rivals[f"solution {number:02}"] = lambda number=f"{number:02}": level(number)
if LAST == "09":
    rivals["solution 09, first start of an image"] = first_start

times = {name: [] for name in rivals}
for turn in range(rounds + 1):
    # In an order of its own each time, and with a pause: what one leaves for the kernel
    # to do must not be the next one's burden.
    for name, command in random.sample(list(rivals.items()), len(rivals)):
        words = command()
        time.sleep(0.01)
        begun = time.perf_counter()
        subprocess.run(words, check=True)
        # The first turn is for warming up.
        if turn:
            times[name].append((time.perf_counter() - begun) * 1000)

medians = {name: statistics.median(all_of) for name, all_of in times.items()}
rival = "bubblewrap, all namespaces"
for name, median in medians.items():
    ratio = f"× {median / medians[rival]:.2f}" if rival in medians else ""
    goal = "  goal: × 1.20" if name == "solution 09" else ""
    print(f"{name:<56} {median:>9.1f} ms   {ratio}{goal}")
