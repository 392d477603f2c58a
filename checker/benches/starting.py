"""Start-up of the finished container against bubblewrap and unshare: arguments are the
folder of the built programs, and rounds. All take turns, so that noise hits all alike.

Everything runs in a user and mount namespace of its own, with an image as small as the
program `true` needs, on a tmpfs."""
import os
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


os.makedirs(f"{work}/images")
os.makedirs(f"{work}/containers")
true = os.path.realpath(shutil.which("true"))
with tarfile.open(f"{work}/images/true.tar", "w") as image:
    for path in sorted(set(files_of(true))):
        image.add(os.path.realpath(path), path.lstrip("/"))
root = f"{work}/root"
with tarfile.open(f"{work}/images/true.tar") as image:
    image.extractall(root)
for name in ("proc", "dev", "sys"):
    os.makedirs(f"{root}/{name}", exist_ok=True)


def level(number):
    options = [] if number == "00" else [
        "-i", "true",
        "--image-dir", f"{work}/images",
        "--container-dir", f"{work}/containers",
    ]
    return [f"{programs}/solution-{number}", "run", *options, "--", true]


rivals = {"bare unshare --mount": ["unshare", "--mount", true]}
if shutil.which("bwrap"):
    rivals["bubblewrap"] = [
        "bwrap", "--bind", root, "/", "--proc", "/proc", "--dev", "/dev", "--", true,
    ]
rivals |= {f"solution {number}": level(number) for number in ("00", "01", "02", "03")}

times = {name: [] for name in rivals}
for _ in range(rounds):
    for name, command in rivals.items():
        begun = time.perf_counter()
        subprocess.run(command, check=True)
        times[name].append((time.perf_counter() - begun) * 1000)

medians = {name: statistics.median(all_of) for name, all_of in times.items()}
for name, median in medians.items():
    ratio = ""
    if "bubblewrap" in medians:
        ratio = f"× {median / medians['bubblewrap']:.2f}"
    print(f"{name:<56} {median:>9.1f} ms   {ratio}")
