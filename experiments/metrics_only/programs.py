"""The programs and settings of the experiment."""

from dataclasses import dataclass

GO = "1.27.3"
SECONDS, EVERY_SECONDS = 50.0, 5.0
WARM_UP_SECONDS = 2.0  # before the first scrape


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One program with its load, and the limit of its run under GOGC=off."""

    program: str
    switches: tuple[str, ...]
    limit: str

    @property
    def settings(self) -> tuple[tuple[str, str], ...]:
        """GOGC and GOMEMLIMIT of each run; calibration uses the first."""
        return ("100", "off"), ("50", "off"), ("200", "off"), ("400", "off"), ("off", self.limit)


SUBJECTS = (
    Subject(program="orders", switches=("-rate", "5000"), limit="180MiB"),
    Subject(program="jsonapi", switches=("-rate", "7000"), limit="100MiB"),
    Subject(program="sessions", switches=(), limit="110MiB"),
)


def stem(subject: Subject, gogc: str, limit: str) -> str:
    """The name of a run's files; ``experiments.archive`` takes the program from its start."""
    return f"{subject.program}-go{GO}-gogc{gogc}-limit{limit}"
