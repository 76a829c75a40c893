"""The programs and settings of the runs with real scrapes."""

from dataclasses import dataclass

GO = "1.27.3"
SECONDS, EVERY_SECONDS = 60.0, 5.0
WARM_UP_SECONDS = 3.0  # before the first scrape
TARGET_SECONDS = 20.0  # of a run that is predicted: only its log is needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One program with its load, and the limit of its run under GOGC=off."""

    program: str
    switches: tuple[str, ...]
    limit: str
    held_out: bool = False  # from the model, as ``experiments.validation.matrix`` says

    @property
    def settings(self) -> tuple[tuple[str, str], ...]:
        """GOGC and GOMEMLIMIT of each run; calibration uses the first, which is scraped."""
        return ("100", "off"), ("50", "off"), ("200", "off"), ("400", "off"), ("off", self.limit)


SUBJECTS = (
    Subject(program="orders", switches=("-rate", "7000"), limit="124MiB"),
    Subject(program="jsonapi", switches=("-rate", "12000"), limit="52MiB"),
    Subject(program="spans", switches=(), limit="84MiB", held_out=True),
    Subject(program="resolver", switches=(), limit="56MiB", held_out=True),
)


def stem(subject: Subject, gogc: str, limit: str) -> str:
    """The name of a run's files; ``experiments.archive`` takes the program from its start."""
    return f"{subject.program}-go{GO}-gogc{gogc}-limit{limit}"
