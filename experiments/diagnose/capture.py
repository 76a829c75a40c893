"""Captures the scenarios on each Go version.

    python -m experiments.diagnose.capture --out DIR [--only NAME,NAME] [--go 1.27.3]

Each run leaves its log, packed with gzip, its side file and the evidence that the program wrote. A scenario with a CPU
quota needs root and cgroups.
"""

import argparse
import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

from experiments import toolchains
from experiments.cgroup import cpu_quota
from experiments.diagnose.scenarios import (
    CONFIRMATION_GO,
    DESIGN,
    GO_VERSIONS,
    SCENARIOS,
    Scenario,
    confirmation,
)
from gcsim.capture.info import CaptureInfo, side_file
from gcsim.capture.run import run_capture
from gcsim.capture.runtime_counters import HeapAccounts
from gcsim.diagnosis.profiles.schema import parsed
from gcsim.errors import InputError

PROGRAM = Path(__file__).parent / "program"
_SAMPLES = 40


def stem(scenario: Scenario, go: str) -> str:
    """The name of a run's files."""
    return f"{scenario.name}-go{go}"


def build(go: str, program: str = "diagnose") -> Path:
    """A program, built by one Go version; profiles name no folder of this machine."""
    if program != "diagnose":
        return toolchains.build(program, go)
    output = toolchains.cache_dir() / "programs" / go / "diagnose"
    output.parent.mkdir(parents=True, exist_ok=True)
    toolchain = toolchains.find(go)
    command = [str(toolchain.go), "build", "-trimpath", "-o", str(output.absolute()), "."]
    built = subprocess.run(
        command, cwd=PROGRAM, env=toolchain.environment, capture_output=True, text=True, check=False
    )
    if built.returncode != 0:
        raise InputError(f"Go {go} does not build the program: {built.stderr.strip()}")
    return output


def capture(scenario: Scenario, go: str, out: Path) -> Path:
    """The log of one run, captured into ``out``. Raises InputError if the program fails."""
    binary = build(go, scenario.program)
    target = out / f"{stem(scenario, go)}.log.gz"
    with tempfile.TemporaryDirectory() as folder, cpu_quota(scenario.cpus) as wrapper:
        log, written = Path(folder) / "app.log", Path(folder) / "written"
        written.mkdir()
        command = [*wrapper, str(binary), "-duration", f"{scenario.seconds:g}s", *scenario.switches]
        if scenario.evidence:
            command += ["-out", str(written), "-evidence", ":".join(scenario.evidence)]
        knobs = {"GOMAXPROCS": "2", "GODEBUG": "", **scenario.environment}
        with tempfile.TemporaryFile() as stdout:
            done = run_capture(command, log, env={**os.environ, **knobs}, stdout=stdout, echo=False)
        if done.info.exit_status != 0:
            raise InputError(
                f"{target.name}: exit status {done.info.exit_status}: {log.read_bytes()[-300:]!r}"
            )
        target.write_bytes(gzip.compress(log.read_bytes(), mtime=0))
        thinned(replace(done.info, command=[binary.name, *scenario.switches])).save(side_file(target))
        for file in sorted(written.iterdir()):
            (out / f"{stem(scenario, go)}.{file.name}").write_bytes(without_folders(file.read_bytes()))
    return target


def without_folders(content: bytes) -> bytes:
    """A profile whose absolute paths, those of the binary and of libraries, are file names; other content as it is."""
    if not content.startswith(b"\x1f\x8b"):
        return content
    message = parsed(gzip.decompress(content))
    for place, text in enumerate(message.string_table):
        if text.startswith("/"):
            message.string_table[place] = Path(text).name
    return gzip.compress(message.SerializeToString(), mtime=0)


def thinned(info: CaptureInfo) -> CaptureInfo:
    """The side file with at most some forty samples of the runtime's counts, so that the repository stays small."""
    accounts = info.heap_accounts
    if accounts is None:
        return info
    step = max(len(accounts.seconds) // _SAMPLES, 1)
    columns = {column.name: getattr(accounts, column.name)[::step] for column in fields(accounts)}
    return replace(info, heap_accounts=HeapAccounts(**columns))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.diagnose.capture")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--go", default=",".join(GO_VERSIONS))
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    wanted = options.only.split(",") if options.only else [one.name for one in SCENARIOS]
    for go in options.go.split(","):
        for scenario in SCENARIOS:
            if scenario.name not in wanted or (options.out / f"{stem(scenario, go)}.log.gz").exists():
                continue
            if go == CONFIRMATION_GO and scenario not in DESIGN:
                continue
            try:
                run = confirmation(scenario) if go == CONFIRMATION_GO else scenario
                done = capture(run, go, options.out)
            except InputError as error:
                print(f"experiments.diagnose: {error}", file=sys.stderr)
                continue
            print(f"{done.name}: {done.stat().st_size} bytes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
