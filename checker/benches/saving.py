"""From saving a file to the verdict on the screen, against what cargo alone takes to
build that crate. Arguments are the checker, the project's folder and rounds.

The workshop runs in a pseudo-terminal, in a copy of the project; a level's source is
saved with another comment each time."""
import fcntl
import os
import pty
import re
import select
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time

checker, project, rounds = os.path.abspath(sys.argv[1]), sys.argv[2], int(sys.argv[3])
work = tempfile.mkdtemp()


def copy(name):
    """A copy of the project, with a target directory of its own."""
    folder = f"{work}/{name}"
    os.mkdir(folder)
    for name in ("Cargo.toml", "Cargo.lock", ".cargo", "levels", "solutions", "checker"):
        source, target = f"{project}/{name}", f"{folder}/{name}"
        (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, target)
    return folder


environment = dict(
    os.environ, TERM="xterm", XDG_STATE_HOME=f"{work}/state", CARGO_TERM_COLOR="never"
)
environment.pop("CARGO_TARGET_DIR", None)


def save(path, number):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(re.sub(r"\n// saved \d+\n$", "", text) + f"\n// saved {number}\n")


def build(folder):
    command = ["cargo", "build", "--quiet", "--package", f"level-{LEVEL}"]
    subprocess.run(command, cwd=folder, env=environment, check=True)


class Workshop:
    def __init__(self, folder):
        child, self.terminal = pty.fork()
        if child == 0:
            os.chdir(folder)
            os.execve(checker, [checker], environment)
        self.child = child
        size = struct.pack("HHHH", 40, 100, 0, 0)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, size)

    def until(self, wanted):
        """Read until the last thing drawn is as wanted."""
        drawn = ""
        while not wanted(drawn):
            ready, _, _ = select.select([self.terminal], [], [], 120)
            assert ready, drawn
            drawn += os.read(self.terminal, 1 << 16).decode("utf-8", "replace")

    def judged(self):
        head = lambda drawn: drawn.rsplit("\x1b[H", 1)[-1]
        self.until(lambda drawn: "Rubber Crab" in head(drawn)
                   and "judging" not in head(drawn) and "q" in head(drawn)[-40:])

    def press(self, keys):
        os.write(self.terminal, keys.encode())


LEVEL, SOURCE = "03", "levels/03-pivot-root/src/pivot.rs"
apart, watched = copy("apart"), copy("watched")
build(apart)
workshop = Workshop(watched)
workshop.judged()
workshop.press(f"l{LEVEL[1]}\r")
workshop.until(lambda drawn: "judging" in drawn)
workshop.judged()
alone, verdicts = [], []
for number in range(rounds):
    time.sleep(0.5)
    begun = time.perf_counter()
    save(f"{apart}/{SOURCE}", number)
    build(apart)
    alone.append((time.perf_counter() - begun) * 1000)
    time.sleep(0.5)
    begun = time.perf_counter()
    save(f"{watched}/{SOURCE}", number)
    workshop.until(lambda drawn: "judging" in drawn)
    workshop.judged()
    verdicts.append((time.perf_counter() - begun) * 1000)
workshop.press("q")
os.waitpid(workshop.child, 0)
shutil.rmtree(work)
alone, verdict = statistics.median(alone), statistics.median(verdicts)
print(f"{f'cargo build of level {LEVEL} alone':<56} {alone:>9.0f} ms")
ratio = f"× {verdict / alone:.2f}  goal: × 1.15"
print(f"{'from saving to the verdict':<56} {verdict:>9.0f} ms   {ratio}")
