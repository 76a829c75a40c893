"""CPU time and wall time of real jobs at other settings, compared with those that gcsim predicts.

python -m experiments.job_costs    print a row for each run and a table by job

Each job of ``experiments/software`` is calibrated from its capture at GOGC=100 with two Ps, and its other captures with
two Ps are predicted.
"""

import math
import statistics
from collections import defaultdict
from pathlib import Path

from experiments.archive import unpacked
from experiments.software.cases import CASES
from gcsim.api import calibrate
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.capture.info import CaptureInfo, side_file
from gcsim.engine.plan import Plan
from gcsim.engine.simulate import simulate
from gcsim.gctrace import read_gctrace
from gcsim.service.model import Model
from gcsim.settings import Settings

CAPTURES = Path(__file__).parent / "software" / "captures"
METRICS = {"job_wall_seconds": "wall time", "job_cpu_seconds": "CPU time"}
PROCS, HOME_GOGC, REPLICAS = 2, 100, 16

Found = dict[str, list[tuple[float, bool]]]  # by metric: error, whether inside


def main() -> None:
    """Print the rows and the table."""
    folder = unpacked(CAPTURES)
    rows = []
    for case in CASES:
        if not case.is_job:
            continue
        found = errors_of(case.label, sorted(folder.glob(f"{case.label}-go*-p{PROCS}-*.log.gz")))
        for metric, label in METRICS.items():
            errors = [abs(error) for error, _ in found[metric]]
            inside = sum(is_inside for _, is_inside in found[metric])
            rows.append(
                f"| {case.label} | {case.split} | {label} | {len(errors)} |"
                f" {100 * statistics.median(errors):.0f} % | {inside} of {len(errors)} |"
            )
    print("| job | programs | metric | runs | median error | inside the 90 % interval |")
    print("|---|---|---|---|---|---|")
    print("\n".join(rows))


def errors_of(name: str, logs: list[Path]) -> Found:
    """The error of every run of one job except the calibrated one."""
    infos = {log: CaptureInfo.load(side_file(log)) for log in logs}
    home = next(log for log, info in infos.items() if _settings(info) == (HOME_GOGC, None))
    model = calibrate(
        read_gctrace(home), name=name, overrides=Overrides(loop="closed", job=True), fit_check=False
    ).model
    found: Found = defaultdict(list)
    for log, info in infos.items():
        if log != home:
            _add(model, info, found)
    return found


def _add(model: Model, info: CaptureInfo, found: Found) -> None:
    gogc, limit = _settings(info)
    settings = Settings(gogc=gogc, gomemlimit_bytes=limit, gomaxprocs=PROCS, go=model.settings.go)
    (run,) = simulate(model, [settings], Plan(replicas=REPLICAS))
    for metric in METRICS:
        observed = getattr(info, metric.removeprefix("job_"))
        error = math.log(run.metrics[metric].value / observed)
        found[metric].append((error, run.metrics[metric].contains(observed)))
        print(f"{model.name} {settings}: {metric} {run.metrics[metric].value:.3g} for {observed:.3g}")


def _settings(info: CaptureInfo) -> tuple[int | None, int | None]:
    gogc, limit = info.gogc, info.gomemlimit_bytes
    return (gogc if isinstance(gogc, int) else None), (limit if isinstance(limit, int) else None)


if __name__ == "__main__":
    main()
