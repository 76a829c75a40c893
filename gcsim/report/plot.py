"""The entry of one figure, and the results that it may draw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.figure import Figure

from gcsim.engine.run import RecordedRun, Run
from gcsim.tuning.compare import Comparison
from gcsim.tuning.recommend import Recommendation
from gcsim.tuning.sweep import Sweep

Section = Literal["recommendation", "grid", "over time"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The results that a command has to draw."""

    about: str  # service, Go version and GOMAXPROCS, for subtitles
    sweep: Sweep | None = None
    chosen: Run | None = None  # the setting to mark
    recommendation: Recommendation | None = None
    comparison: Comparison | None = None
    recorded: Sequence[RecordedRun] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One figure: the stem of its files, its place and description on the HTML page, and its function."""

    stem: str
    section: Section
    order: int  # figures of a lower order are written first, and stand above the others of their section
    text: str
    draw: Callable[[Shown], Figure | None]  # None if the results do not have its data
