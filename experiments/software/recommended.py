"""The settings that ``gcsim recommend`` gives for a log, with and without its side file."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from gcsim.capture.info import side_file
from gcsim.errors import InputError


def recommended_environment(log: Path, memory: str, *, with_side_file: bool) -> dict[str, str]:
    """GOGC and GOMEMLIMIT for a container of this size. Raises InputError if there is no such setting."""
    with tempfile.TemporaryDirectory() as folder:
        copy, model = Path(folder) / log.name, Path(folder) / "m.toml"
        shutil.copy(log, copy)
        if with_side_file:
            shutil.copy(side_file(log), side_file(copy))
        gcsim_output("calibrate", str(copy), "-o", str(model))
        answer = json.loads(gcsim_output("recommend", str(model), "--memory", memory, "--json"))
    return dict(answer["env"])


def gcsim_output(*arguments: str, allowed: Collection[int] = (0,)) -> str:
    """The standard output of the gcsim command. Raises InputError, with its reason, for a status not allowed."""
    done = subprocess.run(
        [sys.executable, "-m", "gcsim", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode not in allowed:
        reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no reason given"]
        raise InputError(f"gcsim {arguments[0]} ended with status {done.returncode}: {reason[0]}")
    return done.stdout
