"""Predicted against real latency: docs/explanation/latency.md, and a table of docs/explanation/accuracy.md."""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from experiments.latency import matrix
from experiments.latency.predict import Prediction, load_predictions

Lines = list[str]

AIMS = {"p50": 0.15, "p99": 0.30}
_LOAD, _GOGC = "share of capacity", "GOGC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One quantile at one load and setting: what runs measured, and what each calibrated log predicted; seconds."""

    load: float
    gogc: int
    quantile: str
    real: tuple[float, ...]
    predicted: tuple[float, ...]
    inside: int  # pairs of a prediction and another run with the run in the 90 % interval
    pairs: int

    @property
    def error(self) -> float:
        """Of the medians."""
        return statistics.median(self.predicted) / statistics.median(self.real) - 1.0

    @property
    def met(self) -> str:
        """Which of the two conditions is kept."""
        if abs(self.error) <= AIMS[self.quantile]:
            return "yes"
        return "by spread" if min(self.real) <= statistics.median(self.predicted) <= max(self.real) else "no"


def cells() -> list[Cell]:
    """Every load, setting and quantile."""
    predictions = load_predictions()
    return [
        _cell(load, gogc, quantile, predictions)
        for load in matrix.LOADS
        for gogc in matrix.GOGC
        for quantile in AIMS
    ]


def _cell(load: float, gogc: int, quantile: str, predictions: Sequence[Prediction]) -> Cell:
    real = {
        repeat: float(matrix.best_run(load, gogc, repeat).result["latency_seconds"][quantile])
        for repeat in matrix.undisturbed(load, gogc)
    }
    ours = {p.repeat: getattr(p, quantile) for p in predictions if p.load == load and p.gogc == gogc}
    pairs = [
        (ours[log], real[run]) for log in ours for run in real if gogc != matrix.CALIBRATED or log != run
    ]
    return Cell(
        load=load,
        gogc=gogc,
        quantile=quantile,
        real=tuple(real.values()),
        predicted=tuple(value for value, _, _ in ours.values()),
        inside=sum(low <= measured <= high for (_, low, high), measured in pairs),
        pairs=len(pairs),
    )


def latency_table(found: Sequence[Cell]) -> Lines:
    """Predicted, real and repeats, at each load and setting."""
    head = (
        "load",
        "GOGC",
        "quantile",
        "real: median (runs)",
        "predicted (logs)",
        "error",
        "aim met",
        "in 90 %",
    )
    rows = [
        (
            f"{cell.load:.0%}", str(cell.gogc), cell.quantile, _amounts(cell.real), _amounts(cell.predicted),
            f"{100 * cell.error:+.0f} %", "calibrated" if cell.gogc == matrix.CALIBRATED else cell.met,
            f"{cell.inside} of {cell.pairs}",
        )
        for cell in found
    ]  # fmt: skip
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


def _amounts(values: Sequence[float]) -> str:
    return f"{_amount(statistics.median(values))} ({', '.join(map(_amount, values))})"


def _amount(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds >= 1e-3 else f"{1e6 * seconds:.0f} µs"


def order_by_p99(found: Sequence[Cell]) -> Lines:
    """Settings from the highest p99 to the lowest, real and predicted, at each load."""
    lines = []
    for load in matrix.LOADS:
        high = [cell for cell in found if cell.load == load and cell.quantile == "p99"]
        real, ours = (
            ", ".join(str(cell.gogc) for cell in sorted(high, key=key, reverse=True))
            for key in (lambda c: statistics.median(c.real), lambda c: statistics.median(c.predicted))
        )
        lines.append(f"- {load:.0%}: real {real}; predicted {ours}.")
    return lines


def widths(found: Sequence[Cell]) -> Iterator[tuple[str, float, float]]:
    """(quantile, relative standard deviation at the calibrated setting, what a doubling of GOGC's distance adds).

    Logarithm of real over predicted, every log against every other run; a doubling's part is what the settings
    away from home have beyond the one at home, in quadrature, two doublings from 100 to 400 and one to 50.
    """
    for quantile in AIMS:
        home, away = [], []
        for cell in (cell for cell in found if cell.quantile == quantile):
            at_home = cell.gogc == matrix.CALIBRATED
            for i, ours in enumerate(cell.predicted):
                for j, measured in enumerate(cell.real):
                    if at_home and i != j:
                        home.append(math.log(measured / ours))
                    elif not at_home:
                        away.append(
                            (math.log(measured / ours), abs(math.log2(cell.gogc / matrix.CALIBRATED)))
                        )
        base = math.sqrt(statistics.fmean(x * x for x in home))
        beyond = max(sum(x * x for x, _ in away) - base * base * len(away), 0.0)
        yield quantile, base, math.sqrt(beyond / sum(d * d for _, d in away))


def latency_section() -> Lines:
    """For docs/explanation/accuracy.md."""
    found = cells()
    judged = [cell for cell in found if cell.gogc != matrix.CALIBRATED]
    counts = {
        quantile: (sum(c.met != "no" for c in judged if c.quantile == quantile),
                   sum(c.met == "yes" for c in judged if c.quantile == quantile),
                   sum(c.quantile == quantile for c in judged))
        for quantile in AIMS
    }  # fmt: skip
    return [
        "## Request latency",
        "",
        "The order service ran open-loop (Poisson arrivals, 32 workers, 2 Ps, Go 1.27.3) at three shares of its "
        f"capacity. Each of three settings had {matrix.REPEATS} interleaved runs of {matrix.SECONDS:.0f} s. A run "
        "that other load on the machine disturbed was repeated; where every attempt was disturbed, the run is left "
        "out. The event engine was calibrated on one run at GOGC=100, with its log and the latencies that its load "
        "driver printed. It predicted the other settings. Each run at GOGC=100 was the calibrated one in turn.",
        "",
        f"The aim is a p50 within {AIMS['p50']:.0%} and a p99 within {AIMS['p99']:.0%} of the median run. `by spread` "
        "means: outside the aim, but between the lowest and the highest run. The width of the intervals comes from an "
        "earlier set of runs.",
        "",
        *latency_table(found),
        "",
        "; ".join(
            f"{quantile}: {met} of {count} settings meet the aim, {close} of them without the spread"
            for quantile, (met, close, count) in counts.items()
        ) + ". Order of settings by p99, highest first:",
        "",
        *order_by_p99(found),
        "",
        "[latency.md](latency.md) gives the causes and the known misses.",
    ]  # fmt: skip
