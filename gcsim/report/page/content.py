"""The results that the page shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gcsim.calibration.validation import Validation
from gcsim.engine.run import RecordedRun, Run
from gcsim.report.plot import Shown
from gcsim.report.sweep_figures import about_model
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.tuning.compare import Comparison
from gcsim.tuning.limits_reached import LimitReached
from gcsim.tuning.reason import short
from gcsim.tuning.recommend import Recommendation
from gcsim.tuning.sweep import Sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The results about one model. Without a recommendation the page has the grid, the curves and the fit."""

    model: Model
    sweep: Sweep  # of two or more finished settings; it has today's setting and the recommended one
    recorded: Sequence[RecordedRun] = ()
    recommendation: Recommendation | None = None
    comparison: Comparison | None = None
    checks: Mapping[str, Validation] = field(default_factory=dict)  # by name of the log
    reached: Sequence[LimitReached] = ()

    @property
    def about(self) -> str:
        """Service, Go version and GOMAXPROCS."""
        return about_model(self.model.name, self.base)

    @property
    def base(self) -> Settings:
        """Any setting of the grid: all have one Go version and one GOMAXPROCS."""
        return self.sweep.finished[0].settings

    @property
    def today(self) -> Settings:
        """The calibrated setting, with the Go version and GOMAXPROCS of the grid."""
        calibrated, base = self.model.settings, self.base
        return Settings(
            gogc=calibrated.gogc,
            gomemlimit_bytes=calibrated.gomemlimit_bytes,
            gomaxprocs=base.gomaxprocs,
            go=base.go,
        )

    @property
    def chosen(self) -> Settings | None:
        """The recommended setting; None without one."""
        found = self.recommendation
        return found.settings if found is not None and found.feasible else None

    @property
    def is_change(self) -> bool:
        """Whether the page recommends another setting than today's."""
        return self.chosen is not None and self.chosen != self.today

    @property
    def today_run(self) -> Run | None:
        """The prediction of today's setting."""
        if self.recommendation is not None:
            return self.recommendation.today
        return next((run for run in self.sweep.finished if run.settings == self.today), None)

    @property
    def shown(self) -> Shown:
        """The same results for still figures."""
        found = self.recommendation
        return Shown(
            about=self.about,
            sweep=self.sweep,
            chosen=found.run if found is not None and found.feasible else None,
            recommendation=found,
            comparison=self.comparison,
            recorded=self.recorded,
        )

    def name_of(self, settings: Settings) -> str:
        """The setting's part in the page: today, recommended, or its own values."""
        if settings == self.today:
            return "today" if self.is_change or self.chosen is None else "today, and recommended"
        return "recommended" if settings == self.chosen else short(settings)
