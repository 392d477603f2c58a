"""Draws failure.svg: what the checker says when in level 03 the old root stays mounted.

    cargo build --package checker
    cargo checker author verify 03 --only old-root-stays --build-only
    python3 slides/pictures/failure.py      # needs rich (PyPI, or python3-rich)

Run it again when the wording of a verdict changes."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILT = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
WIDTH = 100

with tempfile.TemporaryDirectory(dir=BUILT) as folder:
    # The checker calls a program by its file's name.
    program = shutil.copy(BUILT / "variation-03-old-root-stays", f"{folder}/level-03")
    environment = dict(os.environ, CLICOLOR_FORCE="1")
    environment.pop("NO_COLOR", None)
    said = subprocess.run(
        [BUILT / "checker", "check", "03", "--bin", program],
        env=environment, capture_output=True, text=True,
    )
assert said.returncode == 1, said
# How long it took here is of no interest.
verdict = re.sub(r" *(\x1b\[\d+m)?\d+ ms(\x1b\[0m)?\n", "\n", said.stdout, count=1)
console = Console(record=True, width=WIDTH, file=open(os.devnull, "w", encoding="utf-8"))
console.print(Text("$ cargo checker check 03"))
console.print(Text.from_ansi(verdict))
console.save_svg(
    str(ROOT / "slides/pictures/failure.svg"),
    title="cargo checker check 03", unique_id="failure",
    # The reader's own fonts: nothing is fetched when it is shown.
    code_format=re.sub(r"@font-face {{.*?}}", "", CONSOLE_SVG_FORMAT, flags=re.S),
)
