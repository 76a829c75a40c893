"""The programs, the questions, and the two runs of each: the one that calibrates and the one that is predicted.

Runs that the validation or the study of real software made are used as they are. The rest are in ``captures``. Their
own runs at the calibrated setting have the repeat ``FRESH``, so that both runs of a question are of one hour.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from experiments.archive import unpacked
from experiments.capture import RunPlan, is_captured
from experiments.software.cases import CASE, Case
from experiments.software.matrix import CAPTURES as SOFTWARE_CAPTURES
from experiments.software.matrix import plan_of
from experiments.validation.matrix import CAPTURES as OWN_CAPTURES
from experiments.validation.matrix import LOAD

HERE = Path(__file__).parent
CAPTURES = HERE / "captures"
TRAFFIC = 1.5
OLD_GO, NEW_GO = "1.21.13", "1.27.3"
PROCS, OTHER_PROCS = 2, (1, 4)
FRESH = 3  # repeat of the runs at the calibrated setting that this study made
_SECONDS, _RARE_SECONDS = 10.0, 15.0
_OTHERS = (50, 400)  # GOGC of captured runs on other versions, in addition to 100

Kind = Literal["traffic", "procs", "go"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """An open-loop program; real software has a case, the programs of ``experiments/programs`` have none."""

    name: str
    rate: float  # requests per second
    case: Case | None = None

    @property
    def held_out(self) -> bool:
        """Whether no form, prior or width was chosen on it."""
        if self.case is not None:
            return self.case.split in ("held out", "short")
        return not LOAD[self.name].design


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A change of a program; ``home`` calibrates and ``after`` is predicted."""

    program: Program
    kind: Kind
    option: str  # of gcsim whatif
    home: RunPlan
    after: RunPlan
    traffic: float = 1.0


def _of_case(name: str) -> Program:
    load = CASE[name].load
    return Program(name=name, rate=float(load[load.index("-rate") + 1]), case=CASE[name])


OWN = (
    Program(name="orders-open", rate=10000),
    Program(name="broker", rate=8000),
    Program(name="gateway", rate=3000),
    Program(name="kvstore", rate=5000),
    Program(name="spans", rate=3000),
    Program(name="bidder", rate=2500),
)
REAL = tuple(_of_case(name) for name in ("caddy-templates", "nats-stream", "rclone-serve", "hugo-server"))
PROGRAMS = (*OWN, *REAL)


def questions() -> Iterator[Question]:
    """All questions: traffic, GOMAXPROCS, and for our own programs the Go version."""
    for program in PROGRAMS:
        home = _plan(program, repeat=FRESH)
        yield Question(
            program=program,
            kind="traffic",
            option=f"--traffic {TRAFFIC:g}",
            home=home,
            after=_plan(program, traffic=TRAFFIC),
            traffic=TRAFFIC,
        )
        for procs in OTHER_PROCS:
            after = _plan(program, procs=procs)
            yield Question(
                program=program,
                kind="procs",
                option=f"--gomaxprocs {procs}",
                home=_home_of(program, after),
                after=after,
            )
    for program in OWN:
        yield from upgrades_of(program, OLD_GO, NEW_GO)


def upgrades_of(program: Program, old: str, new: str) -> Iterator[Question]:
    """An upgrade, at each GOGC of which the new version has a captured run."""
    home = _plan(program, go=old)
    for gogc in (100, *_OTHERS):
        after = _plan(program, go=new, gogc=gogc)
        if gogc == 100 and not _is_old(home):
            after = replace(after, repeat=FRESH)
        if gogc == 100 or (_is_old(home) and _is_old(after)):
            option = f"--go {new.rsplit('.', 1)[0]}" + ("" if gogc == 100 else f" --gogc {gogc}")
            yield Question(program=program, kind="go", option=option, home=home, after=after)


def new_plans() -> Iterator[tuple[Program, RunPlan, float]]:
    """The runs that only this study has, with their traffic; both runs of a question in turn."""
    seen: set[str] = set()
    for question in questions():
        for plan, traffic in ((question.home, 1.0), (question.after, question.traffic)):
            if plan.name not in seen and not _is_old(plan):
                seen.add(plan.name)
                yield question.program, plan, traffic


def folder_of(plan: RunPlan) -> Path:
    """The folder with the files of a run."""
    for folder in (OWN_CAPTURES, SOFTWARE_CAPTURES):
        if is_captured(plan, folder):
            return folder
    return unpacked(CAPTURES)


def _is_old(plan: RunPlan) -> bool:
    return any(is_captured(plan, folder) for folder in (OWN_CAPTURES, SOFTWARE_CAPTURES))


def _home_of(program: Program, after: RunPlan) -> RunPlan:
    """The run at the calibrated setting from the same study as ``after``."""
    return _plan(program) if _is_old(after) else _plan(program, repeat=FRESH)


def _plan(
    program: Program,
    *,
    traffic: float = 1.0,
    procs: int = PROCS,
    go: str = NEW_GO,
    gogc: int = 100,
    repeat: int = 1,
) -> RunPlan:
    label = program.name if traffic == 1.0 else f"{program.name}-traffic"
    if program.case is not None:
        return replace(plan_of(program.case, (gogc, None), procs, repeat), label=label)
    load = LOAD[program.name]
    args = load.args
    if traffic != 1.0:
        args = ("-rate", f"{traffic * program.rate:g}")
    return RunPlan(
        program=load.program or load.label,
        label=label,
        args=args,
        go_version=go,
        gogc=gogc,
        gomaxprocs=procs,
        duration_seconds=_RARE_SECONDS if load.rare else _SECONDS,
        repeat=repeat,
    )


def case_of(program: Program, traffic: float) -> Case | None:
    """The case of real software with a traffic; None for our own programs."""
    if program.case is None or traffic == 1.0:
        return program.case
    load = list(program.case.load)
    load[load.index("-rate") + 1] = f"{traffic * program.rate:g}"
    return replace(program.case, load=tuple(load))
