"""The settings that ``gcsim recommend`` gives for a log, with and without its side file."""

import gzip
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.capture import RunPlan, load_run
from experiments.software.cases import Case, Places
from experiments.software.matrix import PROCS, plan_of
from experiments.software.run import data_folder
from gcsim.capture.disk import read_ahead_kib
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


def reference(case: Case) -> RunPlan:
    """The run at GOGC=100, today's setting."""
    return plan_of(case, (100, None), PROCS, 1)


def calibrated(case: Case, evidence: str, out: Path, place: Path, *, with_requests: bool = False) -> Path:
    """The model file, in ``place``, of the run at GOGC=100 in ``out``; with the requests of its load on request."""
    name = reference(case).name
    run = load_run(out / f"{name}.result.json")
    log = place / "app.log"
    log.write_bytes(gzip.decompress((out / f"{name}.log.gz").read_bytes()))
    options = ["--job"] if case.is_job else []
    options.append("--closed-loop" if run.result["loop"] == "closed" else "--open-loop")
    if evidence == "capture":
        disk = read_ahead_kib(Path(case.command(Places(data=data_folder(case), scratch=place))[0]))
        replace(run.info, read_ahead_kib=disk).save(log.with_name("app.log.meta.json"))
    else:
        options += ["--go", str(run.info.go), "--gomaxprocs", str(PROCS)]
    if with_requests:
        result = place / "load-test.json"
        shutil.copy(out / f"{name}.result.json", result)
        options += ["--requests", str(result)]
    model = place / "app.toml"
    gcsim_output("calibrate", str(log), "-o", str(model), *options, allowed=(0, 1))
    return model


def recommend(
    case: Case,
    model: Path,
    memory_mib: int,
    out: Path,
    *,
    options: Sequence[str] = (),
    more: Sequence[str] = (),
) -> dict[str, Any]:
    """The answer of ``gcsim recommend``: settings, verdicts and reasons, and ``more`` keys of its document."""
    run = load_run(out / f"{reference(case).name}.result.json")
    extra = ["--duration", f"{run.info.wall_seconds:g}s"] if "growing" in case.label else []
    memory = f"{memory_mib}MiB"
    text = gcsim_output(
        "recommend", str(model), "--memory", memory, "--json", *extra, *options, allowed=(0, 1)
    )
    document = json.loads(text)
    chosen = ("feasible", "settings", "verdicts", "reason", "memory", *more)
    return {"memory_mib": memory_mib} | {key: document.get(key) for key in chosen}


def gcsim_output(*arguments: str, allowed: Collection[int] = (0,)) -> str:
    """The standard output of the gcsim command. Raises InputError, with its reason, for a status not allowed."""
    done = subprocess.run(
        [sys.executable, "-m", "gcsim", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode not in allowed:
        reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no reason given"]
        raise InputError(f"gcsim {arguments[0]} ended with status {done.returncode}: {reason[0]}")
    return done.stdout
