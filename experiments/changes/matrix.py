"""The runs of the study: three programs, without a change and with each of three changes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.capture import RunPlan

HERE = Path(__file__).parent
CAPTURES = HERE / "captures"  # the unchanged programs: log, side file and profiles
RESULTS = HERE / "results.json"  # measured figures of the changed programs

GOS = ("1.21.13", "1.27.3")
GOGCS = (50, 100, 400)
HOME_GOGC = 100  # of the captures that predict
HOME_SECONDS, SECONDS = 30.0, 25.0  # of the load


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program of ``experiments/programs/changes``: its load, and the site of each change."""

    name: str
    rate: int  # requests per second, about half of two Ps
    pool: str
    preallocate: str
    stack: str
    array_bytes: (
        int  # of the slice with its capacity up front, as the program's author knows it: its size class
    )
    homes: int = 1  # runs of the unchanged program; the model is calibrated on all of them

    def site(self, change: str) -> str:
        """The allocation site of a change."""
        return {"pool": self.pool, "prealloc": self.preallocate, "stack": self.stack}[change]


PROGRAMS = (
    Program(
        name="orders",
        rate=3500,
        pool="main.newBuffer",
        preallocate="main.growTotals",
        stack="main.sumOnHeap",
        array_bytes=4096,  # 32 orders and 32 legs of 56 B
        homes=2,
    ),
    Program(
        name="logs",
        rate=1800,
        pool="main.newOutput",
        preallocate="main.growFields",
        stack="main.lineOnHeap",
        array_bytes=40960,  # 60 lines of 10.5 fields of 56 B
    ),
    Program(
        name="nearest",
        rate=2000,
        pool="main.newMarks",
        preallocate="main.(*service).growQueue",
        stack="main.hopOnHeap",
        array_bytes=18432,  # 708 items of 24 B
    ),
    Program(
        name="feeds",
        rate=2500,
        pool="main.newOutput",
        preallocate="main.(*service).addRecords",
        stack="main.noteOnHeap",
        array_bytes=24576,  # 40 to 800 records of 72 B
    ),
    Program(
        name="fanout",
        rate=14000,
        pool="main.newFrame",
        preallocate="main.(*service).addTargets",
        stack="main.newVerdict",
        array_bytes=1792,  # 12 to 166 targets of 32 B
    ),
)
CHANGES = ("pool", "prealloc", "stack")
OPTION = {"pool": "--pool", "prealloc": "--preallocate", "stack": "--stack"}  # of gcsim whatif


def home_plan(program: Program, go: str, repeat: int = 1) -> RunPlan:
    """A run of the unchanged program."""
    return _plan(program, go, HOME_GOGC, "base", repeat)


def changed_plan(program: Program, go: str, gogc: int, change: str) -> RunPlan:
    """A run of the changed program."""
    return _plan(program, go, gogc, change)


def plans() -> Iterator[tuple[Program, RunPlan, str]]:
    """Every run with its program and change, program after program; the unchanged one first."""
    for program in PROGRAMS:
        for repeat in range(1, program.homes + 1):
            for go in GOS:
                yield program, home_plan(program, go, repeat), "base"
        for gogc in GOGCS:
            for change in CHANGES:
                for go in GOS:
                    yield program, changed_plan(program, go, gogc, change), change


def _plan(program: Program, go: str, gogc: int, change: str, repeat: int = 1) -> RunPlan:
    switches = () if change == "base" else (f"-{change}",)
    return RunPlan(
        program=f"changes/{program.name}",
        label=f"{program.name}-{change}",
        go_version=go,
        gogc=gogc,
        duration_seconds=HOME_SECONDS if change == "base" else SECONDS,
        repeat=repeat,
        args=("-rate", str(program.rate), *switches),
    )
