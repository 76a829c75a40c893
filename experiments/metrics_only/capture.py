"""Captures the runs, each with its GC trace; the run at GOGC=100 is scraped each 5 s, as Prometheus does.

    python -m experiments.metrics_only.capture --out DIR [--program NAME] [--gogc 50,off]

A run leaves its log, packed with gzip, its side file, and its scrapes as the answer of a range query. The runs of one
program take two and a half minutes, and must have a quiet machine. A run whose log is there is kept.
"""

import argparse
import gzip
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from experiments import toolchains
from experiments.metrics_only.programs import (
    EVERY_SECONDS,
    GO,
    SECONDS,
    SUBJECTS,
    TARGET_SECONDS,
    WARM_UP_SECONDS,
    Subject,
    stem,
)
from experiments.metrics_only.range_query import range_query
from gcsim.capture.info import side_file
from gcsim.capture.run import run_capture
from gcsim.capture.web.address import Address
from gcsim.capture.web.collect import Plan, collect
from gcsim.errors import InputError

MOST_FOREIGN_CPU, ATTEMPTS = 0.06, 2  # a run that others disturbed is made again
PAGES = Path(__file__).parent / "pages.go"


def build(program: str) -> Path:
    """The program with its pages, built without folders of this machine in it."""
    toolchain = toolchains.find(GO)
    folder = toolchains.PROGRAMS / program
    output = toolchains.cache_dir() / "programs" / GO / f"{program}-with-pages"
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as overlay:
        json.dump({"Replace": {str(folder / "pages.go"): str(PAGES)}}, overlay)
        overlay.flush()
        command = [str(toolchain.go), "build", "-trimpath", "-overlay", overlay.name, "-o", str(output), "."]
        built = subprocess.run(
            command, cwd=folder, env=toolchain.environment, capture_output=True, text=True, check=False
        )
    if built.returncode != 0:
        raise InputError(f"Go {GO} does not build {program} with its pages: {built.stderr.strip()}")
    return output


def capture(subject: Subject, gogc: str, limit: str, out: Path) -> float:
    """Captures one run into ``out``; returns the share of CPU that others used. Raises InputError if it fails."""
    binary, name = build(subject.program), stem(subject, gogc, limit)
    is_scraped = (gogc, limit) == subject.settings[0]
    seconds = WARM_UP_SECONDS + SECONDS + 1.0 if is_scraped else TARGET_SECONDS
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    knobs = {"GOGC": gogc, "GOMEMLIMIT": limit, "GOMAXPROCS": "2", "GODEBUG": "", "PAGES_ADDRESS": address}
    with tempfile.TemporaryDirectory() as folder:
        log, pages = Path(folder) / "app.log", Path(folder) / "pages"
        scraper = threading.Thread(target=_scrape, args=[address, pages])
        if is_scraped:
            scraper.start()
        command = [str(binary), "-duration", f"{seconds:g}s", *subject.switches]
        with tempfile.TemporaryFile() as stdout:
            done = run_capture(command, log, env={**os.environ, **knobs}, stdout=stdout, echo=False)
        if is_scraped:
            scraper.join()
        if done.info.exit_status != 0:
            raise InputError(f"{name}: exit status {done.info.exit_status}: {log.read_bytes()[-300:]!r}")
        scrapes = sorted((pages / "metrics").glob("*.txt"))
        if is_scraped:
            (out / f"{name}.range.json").write_text(range_query(pages, scrapes) + "\n")
        target = out / f"{name}.log.gz"
        target.write_bytes(gzip.compress(log.read_bytes(), mtime=0))
        replace(done.info, command=[binary.name, *subject.switches]).save(side_file(target))
    foreign = done.info.foreign_cpu_fraction or 0.0
    print(f"{name}: {len(scrapes)} scrapes, foreign CPU {foreign:.3f}", flush=True)
    return foreign


def _scrape(address: str, folder: Path) -> None:
    time.sleep(WARM_UP_SECONDS)
    plan = Plan(addresses=(Address.of(address),), folder=folder, seconds=SECONDS, every_seconds=EVERY_SECONDS)
    collect(plan, lambda _text: None)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--program", choices=[subject.program for subject in SUBJECTS])
    parser.add_argument("--gogc", help="only runs at these values")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for subject in SUBJECTS:
        for gogc, limit in subject.settings:
            is_wanted = options.gogc is None or gogc in options.gogc.split(",")
            is_there = (options.out / f"{stem(subject, gogc, limit)}.log.gz").exists()
            if options.program not in (None, subject.program) or not is_wanted or is_there:
                continue
            for _ in range(ATTEMPTS):
                if capture(subject, gogc, limit, options.out) <= MOST_FOREIGN_CPU:
                    break
    return 0


if __name__ == "__main__":
    sys.exit(main())
