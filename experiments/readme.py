"""Refresh what the README shows: the output of its commands and its figures, from the models as they ship.

    python -m experiments.readme

Replaces the text after ``prints:`` and after ``$ gcsim recommend``, and the images in docs/images/.
"""

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
IMAGES = {
    "out/gc-cpu.png": "gc-cpu",
    "out/heap.png": "heap",
    "choice/trade-off.png": "trade-off",
    "rules/rules.png": "rules",
}


def main() -> None:
    """Run the two commands in a scratch folder and put their output in place."""
    text = README.read_text(encoding="utf-8")
    sweep = _found(r"^\.venv/bin/gcsim (sweep .*)$", text)
    recommend = _found(r"^\$ gcsim (recommend .*)$", text)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        swept = _run(sweep, folder)
        recommended = _run(recommend + " -o choice", folder, errors=False)
        _run(recommend.replace("recommend", "compare", 1) + " -o rules", folder)
        for drawn, name in IMAGES.items():
            shutil.copy(folder / drawn, ROOT / "docs" / "images" / f"order-service-{name}.png")
    text = _replaced(text, r"(prints:\n\n```text\n).*?(\n```)", swept)
    text = _replaced(text, r"(\$ gcsim recommend [^\n]*\n).*?(\n```)", recommended)
    README.write_text(text, encoding="utf-8")


def _run(command: str, folder: Path, *, errors: bool = True) -> str:
    """What a gcsim command prints; standard error after standard output where wanted."""
    program = [sys.executable, "-m", "gcsim", *shlex.split(command)]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, check=True)
    return (done.stdout + (done.stderr if errors else "")).rstrip("\n")


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise SystemExit(f"README.md has no line like {pattern}")
    return match[1]


def _replaced(text: str, pattern: str, body: str) -> str:
    return re.sub(pattern, lambda match: match[1] + body + match[2], text, count=1, flags=re.DOTALL)


if __name__ == "__main__":
    main()
