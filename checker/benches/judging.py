"""How long judging takes, and how much memory: arguments are the checker and rounds."""
import json
import os
import select
import statistics
import subprocess
import sys

checker, rounds = sys.argv[1], int(sys.argv[2])
folder = os.path.dirname(checker)
numbers = sorted(
    name.removeprefix("solution-")
    for name in os.listdir(folder)
    if name.startswith("solution-") and name[-2:].isdigit()
)
# These measure time: they can't be quicker than what they measure.
MEASURING = ("08",)
levels, walls, memory = {}, [], 0


def peak(pid):
    """The most memory that this process itself has had so far, in KiB (its programs
    don't count)."""
    try:
        with open(f"/proc/{pid}/status") as status:
            lines = [line for line in status if line.startswith("VmHWM:")]
    except OSError:
        lines = []
    return max((int(line.split()[1]) for line in lines), default=0)


for _ in range(rounds):
    wall = 0
    for number in numbers:
        # The built program, so that the memory is the checker's own and not cargo's.
        program = os.path.join(folder, f"solution-{number}")
        child = subprocess.Popen(
            [checker, "check", number, "--json", "--bin", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        output = b""
        while not output.endswith(b"\n}\n"):
            ready, _, _ = select.select([child.stdout], [], [], 0.02)
            memory = max(memory, peak(child.pid))
            output += os.read(child.stdout.fileno(), 1 << 16) if ready else b""
        level = json.loads(output)["levels"][0]
        assert child.wait() == 0, level
        levels.setdefault(number, []).append(level["milliseconds"])
        wall += level["milliseconds"]
    walls.append(wall)


def row(what, measured, goal):
    print(f"{what:<56} {measured:>12}   {goal}")


for level, times in sorted(levels.items()):
    goal = "it measures time" if level in MEASURING else "≤ 60 ms"
    row(f"level {level}", f"{statistics.median(times):.0f} ms", goal)
row(f"all {len(levels)}", f"{statistics.median(walls):.0f} ms", "≤ 1000 ms for Part I")
row("the checker's memory, at most", f"{memory / 1024:.1f} MiB", "≤ 30 MiB")
