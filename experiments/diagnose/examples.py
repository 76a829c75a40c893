"""Makes the example files of the how-to pages: small captures of scenarios, and heap profiles of a leak.

    python -m experiments.diagnose.examples

The examples are copies of captured scenarios on Go 1.27, without the samples of the runtime's counts. ``--heap`` makes
the heap profiles again, which takes half a minute.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from experiments.archive import unpacked
from experiments.diagnose.capture import build, stem, without_folders
from experiments.diagnose.report import RUNS
from experiments.diagnose.scenarios import GO_VERSIONS, SCENARIOS
from gcsim.capture.info import CaptureInfo, side_file

EXAMPLES = Path(__file__).parent / "examples"
_LOGS = {
    "leak-fast": "leak",
    "death-spiral": "spiral",
    "gogc-low": "low-gogc",
    "assists": "assists",
    "pauses": "pauses",
    "goroutine-leak": "goroutines",
    "steady": "steady",
}
_OTHERS = {"http-bodies": ("goroutine1", "goroutine2")}
_SERVED = (
    Path(__file__).parents[1] / "captures" / "order-service-open.log.gz"
)  # requests that arrive at their own pace
_HEAP_SECONDS = 20


def copy_logs(runs: Path) -> None:
    """Copies logs, side files and goroutine profiles under short names."""
    EXAMPLES.mkdir(exist_ok=True)
    by_name = {scenario.name: scenario for scenario in SCENARIOS}
    for name, short in _LOGS.items():
        log = runs / f"{stem(by_name[name], GO_VERSIONS[0])}.log.gz"
        target = EXAMPLES / f"{short}.log.gz"
        shutil.copyfile(log, target)
        replace(CaptureInfo.load(side_file(log)), heap_accounts=None, log=None).save(side_file(target))
    for source in (_SERVED, side_file(_SERVED)):
        shutil.copyfile(source, EXAMPLES / source.name.replace(_SERVED.name, "orders.log.gz"))
    for name, files in _OTHERS.items():
        for file in files:
            source = runs / f"{stem(by_name[name], GO_VERSIONS[0])}.{file}"
            shutil.copyfile(source, EXAMPLES / f"{file.replace('goroutine', 'goroutines')}.txt")


def make_heap_profiles() -> None:
    """Runs the fast leak and keeps its two heap profiles."""
    scenario = next(one for one in SCENARIOS if one.name == "leak-fast")
    with tempfile.TemporaryDirectory() as folder:
        command = [str(build(GO_VERSIONS[0])), "-duration", f"{_HEAP_SECONDS}s", *scenario.switches]
        subprocess.run([*command, "-out", folder, "-evidence", "heap"], check=True)
        for number in (1, 2):
            content = without_folders((Path(folder) / f"heap{number}").read_bytes())
            (EXAMPLES / f"heap{number}.pb.gz").write_bytes(content)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.diagnose.examples")
    parser.add_argument("--runs", type=Path, default=RUNS)
    parser.add_argument("--heap", action="store_true", help="make the heap profiles, too")
    options = parser.parse_args(arguments)
    copy_logs(unpacked(options.runs))
    if options.heap:
        make_heap_profiles()
    return 0


if __name__ == "__main__":
    sys.exit(main())
