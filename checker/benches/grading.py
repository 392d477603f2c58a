"""Grading: what a class costs, beside what cargo takes to compile the same sources.

    grading.py CHECKER GRADING PROJECT LEVEL SIZE…

A submission is one of the catalogue's mistakes in that level. Sizes should be 10, 100, 1000.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

checker, grading, project, level, *sizes = sys.argv[1:]
project = Path(project).resolve()
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def row(what, measured, goal=""):
    print(f"{what:<56} {measured:>12}   {goal}", flush=True)


def sources():
    """The catalogue's mistakes in the level: a folder `src` each."""
    subprocess.run([checker, "author", "verify", level, "--build-only"], cwd=project, **quiet)
    target = Path(checker).resolve().parents[1]
    return sorted((target / "variations" / f"of-{level}").glob(f"variation-{level}-*/src"))


def hand_in(folder, catalogue, size):
    name = next(project.glob(f"levels/{level}-*")).name
    for number, source in enumerate(islice(cycle(catalogue), size)):
        there = folder / f"{number:04}" / "levels" / name / "src"
        shutil.copytree(source, there)
        # No two are the same.
        with open(there / "main.rs", "a") as main:
            main.write(f"// {number}\n")


def peak(pid):
    """The most memory that this process itself has had so far, in MiB."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return max((int(line.split()[1]) / 1024 for line in status.splitlines() if "VmHWM" in line), default=0)


def grade(folder, out, *options):
    """Seconds, and the most memory that `grade` itself took, in MiB."""
    begun, memory = time.monotonic(), 0
    process = subprocess.Popen(
        [grading, folder, "--levels", level, "--out", out, *options],
        cwd=project,
        env={**os.environ, "RUBBER_CRAB_CHECKER": checker},
        **quiet,
    )
    while process.poll() is None:
        memory = max(memory, peak(process.pid))
        time.sleep(0.01)
    if process.returncode > 1:
        sys.exit(f"grade ended with {process.returncode}")
    return time.monotonic() - begun, memory


def cargo(folder, work, size):
    """Seconds that cargo takes for the same sources, one after the other, as for one's own."""
    prepared = json.loads(
        subprocess.run([checker, "grader", "prepare"], cwd=project, capture_output=True).stdout
    )
    workspace = Path(prepared["folder"]).parent / "project"
    shutil.copytree(workspace, work)
    place = next((work / "levels").glob(f"{level}-*")) / "src"
    command = ["cargo", "build", "--quiet", "--package", f"level-{level}", "--target-dir", work / "t"]
    subprocess.run(command, cwd=work, **quiet)
    spent = 0
    for submission in islice(sorted(folder.iterdir()), size):
        shutil.rmtree(place)
        shutil.copytree(next(submission.glob("levels/*/src")), place)
        for file in place.iterdir():
            os.utime(file)
        begun = time.monotonic()
        subprocess.run(command, cwd=work, **quiet)
        spent += time.monotonic() - begun
    return spent / size


with tempfile.TemporaryDirectory() as top:
    top = Path(top)
    catalogue = sources()
    row(f"grading level {level}: {len(catalogue)} mistakes of the catalogue", "measured", "goal")
    hand_in(top / "first", catalogue, 1)
    grade(top / "first", top / "first-out")  # what all stand on is compiled
    costs = []
    for size in map(int, sizes):
        hand_in(top / f"class-{size}", catalogue, size)
        seconds, memory = grade(top / f"class-{size}", top / f"out-{size}")
        costs.append(seconds / size)
        row(f"{size} submissions: each", f"{1000 * seconds / size:.0f} ms")
        row(f"{size} submissions: a minute", f"{60 * size / seconds:.0f}")
        row(f"{size} submissions: memory of `grade`", f"{memory:.1f} MiB")
    own = cargo(top / f"class-{sizes[-1]}", top / "cargo", min(30, int(sizes[-1])))
    row("cargo build of such a level", f"{1000 * own:.0f} ms")
    row("grading against that", f"× {costs[-1] / own:.2f}", "≤ × 1.20")
    row(f"each of {sizes[-1]} against each of {sizes[0]}", f"× {costs[-1] / costs[0]:.2f}", "flat")
