"""How long judging takes, and how much memory: arguments are the checker and rounds."""
import json
import os
import statistics
import subprocess
import sys

checker, rounds = sys.argv[1], int(sys.argv[2])
levels, walls, memory = {}, [], 0
for _ in range(rounds):
    wall = 0
    for number in ("00", "01", "02", "03"):
        # The built program, so that the memory is the checker's own and not cargo's.
        program = os.path.join(os.path.dirname(checker), f"solution-{number}")
        child = subprocess.Popen(
            [checker, "check", number, "--json", "--bin", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        level = json.load(child.stdout)["levels"][0]
        _, status, usage = os.wait4(child.pid, 0)
        assert status == 0, level
        memory = max(memory, usage.ru_maxrss)
        levels.setdefault(number, []).append(level["milliseconds"])
        wall += level["milliseconds"]
    walls.append(wall)


def row(what, measured, goal):
    print(f"{what:<56} {measured:>12}   {goal}")


for level, times in sorted(levels.items()):
    row(f"level {level}", f"{statistics.median(times):.0f} ms", "≤ 60 ms")
row("all of them", f"{statistics.median(walls):.0f} ms", "≤ 1000 ms for Part I")
row("the checker's memory, at most", f"{memory / 1024:.1f} MiB", "≤ 30 MiB")
