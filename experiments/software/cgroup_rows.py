"""The runs in memory cgroups as rows: CSV files and Markdown tables."""

import csv
import io
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from experiments.cgroup import Peaks
from experiments.software.contained import Contained, ContainedPlan
from gcsim.atomic import write_text_atomically
from gcsim.units import MIB

KEPT_SPEED = 0.9  # of the speed without a limit
_COLUMNS = (
    "label", "name", "gogc", "gomemlimit", "repeat", "share", "limit_bytes", "end", "answers_hz", "failures",
    "p99_seconds", "anonymous_bytes", "kernel_bytes", "file_resident_bytes", "usage_peak_bytes", "at_limit",
    "oom_kills", "read_ahead_kb",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One run."""

    label: str
    name: str  # of the setting, or of the load
    gogc: str
    gomemlimit: str
    repeat: int
    share: float | None  # of the file pages, for which the limit has room
    limit_bytes: int | None
    run: Contained

    @classmethod
    def of(cls, plan: ContainedPlan, name: str, repeat: int, share: float | None, run: Contained) -> Self:
        """The row of a run that was made."""
        return cls(
            label=plan.case.label, name=name, gogc=plan.environment["GOGC"],
            gomemlimit=plan.environment["GOMEMLIMIT"], repeat=repeat, share=share, limit_bytes=plan.limit_bytes,
            run=run,
        )  # fmt: skip

    @property
    def room(self) -> int | None:
        """Limit less the anonymous and kernel memory of this run: the bytes left for file pages."""
        if self.limit_bytes is None:
            return None
        return self.limit_bytes - self.run.peaks.anonymous_bytes - self.run.peaks.kernel_bytes

    @property
    def values(self) -> tuple[object, ...]:
        """The fields of its line of CSV."""
        run = self.run
        return (
            self.label, self.name, self.gogc, self.gomemlimit, self.repeat, self.share, self.limit_bytes, run.end,
            f"{run.answers_hz:.4f}", run.failures, run.p99_seconds and f"{run.p99_seconds:.5f}",
            run.peaks.anonymous_bytes, run.peaks.kernel_bytes, run.peaks.file_resident_bytes, run.usage_peak_bytes,
            run.at_limit, run.oom_kills, run.read_ahead_kb,
        )  # fmt: skip


def write_rows(rows: Iterable[Row], path: Path) -> None:
    """Writes a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(["" if value is None else value for value in row.values] for row in rows)
    write_text_atomically(path, text.getvalue())


def read_rows(path: Path) -> list[Row]:
    """The rows of a CSV file."""
    with path.open(newline="") as file:
        return [_row(one) for one in csv.DictReader(file)]


def _row(one: dict[str, str]) -> Row:
    def number(name: str) -> int | None:
        return int(one[name]) if one[name] else None

    run = Contained(
        end=one["end"],  # type: ignore[arg-type]  # write_rows wrote it, from an End
        answers_hz=float(one["answers_hz"]),
        failures=int(one["failures"]),
        p99_seconds=float(one["p99_seconds"]) if one["p99_seconds"] else None,
        peaks=Peaks(
            anonymous_bytes=int(one["anonymous_bytes"]),
            kernel_bytes=int(one["kernel_bytes"]),
            file_resident_bytes=int(one["file_resident_bytes"]),
        ),
        usage_peak_bytes=number("usage_peak_bytes"),
        at_limit=number("at_limit"),
        oom_kills=int(one["oom_kills"]),
        read_ahead_kb=number("read_ahead_kb"),
    )
    return Row(
        label=one["label"], name=one["name"], gogc=one["gogc"], gomemlimit=one["gomemlimit"],
        repeat=int(one["repeat"]), share=float(one["share"]) if one["share"] else None,
        limit_bytes=number("limit_bytes"), run=run,
    )  # fmt: skip


def settings_table(rows: Sequence[Row]) -> str:
    """One line a run: how a program fares in one cgroup at several settings."""
    head = "| setting | GOGC | GOMEMLIMIT | read-ahead, KiB | run | ends | answers/s |"
    head += " failures | p99, ms | anonymous, MiB | file pages, MiB | usage, MiB |"
    lines = [f"{head} at the limit | OOM kills |", "|---" * 14 + "|"]
    for row in sorted(rows, key=lambda one: (one.name, -(one.run.read_ahead_kb or 0), one.repeat)):
        run = row.run
        lines.append(
            f"| {row.name} | {row.gogc} | {row.gomemlimit} | {run.read_ahead_kb} | {row.repeat} | {run.end} |"
            f" {run.answers_hz:.1f} | {run.failures} | {_milliseconds(run.p99_seconds)} |"
            f" {run.peaks.anonymous_bytes / MIB:.1f} | {run.peaks.file_resident_bytes / MIB:.1f} |"
            f" {(run.usage_peak_bytes or 0) / MIB:.1f} | {run.at_limit} | {run.oom_kills} |"
        )
    return "\n".join(lines)


def hot_table(rows: Sequence[Row]) -> str:
    """Speed by limit, and between which shares of its file pages each program stops to keep its speed."""
    lines = [
        "| program | load | read-ahead, KiB | limit, MiB | room for file pages | ends | speed | p99, ms |"
        " anonymous, MiB | room left by the run |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    answers = [
        "| program | load | read-ahead, KiB | file pages, MiB | planned room that keeps speed | that loses it |"
        " room left by a run: least that ran | most that did not |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for key in dict.fromkeys((row.label, row.name, row.run.read_ahead_kb) for row in rows):
        mine = [row for row in rows if (row.label, row.name, row.run.read_ahead_kb) == key]
        base = statistics.median(row.run.answers_hz for row in mine if (row.share or 1.0) >= 1.0)
        file = max(row.run.peaks.file_resident_bytes for row in mine if row.share is None)
        start = f"| {key[0]} | {key[1]} | {key[2]} |"
        for share in [None, *_shares(mine)]:
            group = [row for row in mine if row.share == share]
            limit = "none" if share is None else f"{(group[0].limit_bytes or 0) / MIB:.1f}"
            lines.append(
                f"{start} {limit} | {'' if share is None else f'{share:.0%}'} |"
                f" {_joined(row.run.end for row in group)} |"
                f" {_joined(f'{row.run.answers_hz / base:.2f}' for row in group)} |"
                f" {_joined(_milliseconds(row.run.p99_seconds) for row in group)} |"
                f" {_joined(f'{row.run.peaks.anonymous_bytes / MIB:.1f}' for row in group)} |"
                f" {_joined(_share(row.room / file) for row in group if row.room is not None)} |"
            )
        kept, lost = hot_shares(mine, base)
        rooms = [(row.room / file, row.run.end == "runs") for row in mine if row.room is not None]
        least = min((room for room, has_run in rooms if has_run), default=None)
        most = max((room for room, has_run in rooms if not has_run), default=None)
        answers.append(
            f"{start} {file / MIB:.1f} | {_share(kept)} | {_share(lost)} | {_share(least)} | {_share(most)} |"
        )
    return "\n".join([*lines, "", *answers])


def hot_shares(rows: Sequence[Row], base_hz: float) -> tuple[float | None, float | None]:
    """The smallest share down to which no run stalled and the median speed was kept, and the next smaller one.

    The share is planned: that of the file pages for which the limit has room, in addition to the anonymous and
    kernel memory of a run without a limit. A prediction can know it.
    """
    kept: float | None = None
    for share in _shares(rows):
        runs = [row.run for row in rows if row.share == share]
        speed_hz = statistics.median(run.answers_hz for run in runs)
        if speed_hz < KEPT_SPEED * base_hz or any(run.end != "runs" for run in runs):
            return kept, share
        kept = share
    return kept, None


def _shares(rows: Sequence[Row]) -> list[float]:
    return sorted({row.share for row in rows if row.share is not None}, reverse=True)


def _share(share: float | None) -> str:
    return "none" if share is None else f"{share:.0%}"


def _joined(texts: Iterable[str]) -> str:
    return ", ".join(texts)


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1e3:.1f}"
