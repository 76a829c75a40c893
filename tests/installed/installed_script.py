"""How tests run the installed script."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 300
_PROGRESS = re.compile(r"^gcsim: \w+: (\d+ of \d+ [a-z ]+, )?\d+ s(, [\d.,]+ /s, [\d.,]+ s left)?\n", re.M)


def without_progress(stderr: str) -> str:
    """Standard error without the lines on progress, which a slow machine prints every five seconds."""
    return _PROGRESS.sub("", stderr)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An environment with gcsim in it, and a folder to work in."""

    script: Path
    folder: Path

    def run(
        self,
        *arguments: str | bytes | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | bytes | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the script to its end with both streams read as text, progress left out."""
        found = subprocess.run(
            [self.script, *arguments],
            input=stdin.encode() if isinstance(stdin, str) else stdin or b"",
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            cwd=cwd or self.folder,
            env={**os.environ, **(env or {})},
        )
        out, err = (stream.decode(errors="surrogateescape") for stream in (found.stdout, found.stderr))
        return subprocess.CompletedProcess(found.args, found.returncode, out, without_progress(err))

    def shell(self, command: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a bash command with ``$GCSIM`` as the script and the arguments as $1, $2 ..."""
        found = subprocess.run(
            ["bash", "-c", command, "bash", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            cwd=self.folder,
            env={**os.environ, "GCSIM": str(self.script)},
        )
        found.stderr = without_progress(found.stderr)
        return found
