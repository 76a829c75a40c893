"""Dumps of goroutines as evidence of ``gcsim diagnose``."""

from pathlib import Path

import pytest
from evidence_files import diagnosed

from gcsim.calibration.settings.log_settings import Overrides
from gcsim.diagnosis.evidence import diagnose_files
from gcsim.diagnosis.profiles.goroutines import goroutines_of_dump
from gcsim.errors import InputError

DUMP = "".join(
    f"goroutine {n} [chan send, 5 minutes]:\nmain.send(0x{n:x}, {{0x1, 0x2}})\n\t/src/main.go:30 +0x19\n"
    "created by main.work in goroutine 1\n\t/src/main.go:40 +0x20\n\n"
    for n in range(10, 100)
)


def test_a_dump_has_states(tmp_path: Path) -> None:
    """The state gives the reason."""
    header = "goroutine 1 [running]:\nmain.main()\n\t/src/main.go:5 +0x1\n\n"
    cause = diagnosed(tmp_path, old=header, new=header + DUMP).causes[0]
    assert "wait (chan send) in main.send" in cause.sentence
    assert "nobody receives" in cause.sentence
    found = goroutines_of_dump([DUMP.encode()], "dump")
    assert [(group.count, group.state, group.minutes) for group in found.groups] == [(90, "chan send", 5)]


@pytest.mark.parametrize("size", [7, 100, 1 << 20])
def test_a_dump_is_grouped_whatever_its_pieces(size: int) -> None:
    """Arguments, numbers, labels and line ends differ; the line is that of the group's first goroutine."""
    dump = "fatal error: out of memory\r\n\n" + "".join(
        f"goroutine {n} gp=0xc{n:x} m=nil [select, {n} minutes]{' {user: a]b}' * (n % 2)}:\n"
        f"main.(*pool).wait(0xc{n:x}, {{0x{n:x}, 0x2}})\n\t/src/pool.go:30 +0x19{chr(13) * (n % 3 == 0)}\n"
        f"created by main.serve in goroutine {n % 7 + 1}\n\t/src/main.go:40 +0x20\n\n"
        for n in range(2, 500)
    )
    content = (dump + "goroutine 500 [IO wait]:\nmain.read(...)\n\t/src/main.go:9\n").encode()
    found = goroutines_of_dump((content[at : at + size] for at in range(0, len(content), size)), "dump")
    assert [(one.count, one.state, one.minutes, one.line) for one in found.groups] == [
        (498, "select", 499, 3),
        (1, "IO wait", 0, 3 + 498 * 6),
    ]
    assert [frame.place for frame in found.groups[0].stack] == ["main.(*pool).wait (pool.go:30)"]


def test_a_dump_of_many_different_stacks_is_refused() -> None:
    """The sentence names the file and the page that is smaller."""
    pieces = (
        "".join(f"goroutine {n} [select]:\nmain.f{n}()\n\t/src/main.go:{n}\n\n" for n in range(at, at + 1000))
        for at in range(10, 200_000, 1000)
    )
    with pytest.raises(InputError, match=r"^dump: .* different stacks.*debug=1$"):
        goroutines_of_dump((piece.encode() for piece in pieces), "dump")


@pytest.mark.parametrize(
    "dump",
    [
        "goroutine 5 [chan receive, 9 minutes]:\nmain.close(0x1)\n\t/src/main.go:3 +0x1\n"
        "runtime.runFinalizers()\n\t/go/mfinal.go:2 +0x1\ncreated by runtime.createfing in goroutine 1\n\t/go/m.go:1\n",
        "goroutine 5 [chan receive, 9 minutes]:\nmain.close(0x1)\n\t/src/main.go:3 +0x1\n",  # to Go 1.22
    ],
)
def test_a_finalizer_that_waits_is_found(dump: str, tmp_path: Path) -> None:
    """With the runtime's frames and without them."""
    cause = diagnosed(tmp_path, dump=dump).causes[0]
    assert (cause.name, cause.severity) == ("finalizer-blocked", "serious")
    assert "main.close (main.go:3)" in cause.sentence


def test_a_finalizer_that_sleeps_is_slow(tmp_path: Path) -> None:
    """It is not blocked: its sleep ends by itself."""
    dump = "goroutine 5 [sleep]:\ntime.Sleep(0x1)\n\t/go/time.go:3 +0x1\nmain.close(0x1)\n\t/src/main.go:3 +0x1\n"
    (once,) = diagnosed(tmp_path, dump=dump).causes
    assert (once.name, once.severity, once.confidence) == ("finalizer-backlog", "worth knowing", "low")
    assert "A finalizer waits in main.close (main.go:3) (sleep)" in once.sentence
    (twice,) = diagnosed(tmp_path, first=dump, second=dump).causes
    assert (twice.name, twice.severity, twice.confidence) == ("finalizer-backlog", "serious", "medium")


def test_many_goroutines_are_not_that_of_finalizers(tmp_path: Path) -> None:
    """There is one; others without their creator come from a cut dump."""
    one = "goroutine 5 [select, 9 minutes]:\nmain.wait(0x1)\n\t/src/main.go:3 +0x1\n\n"
    assert diagnosed(tmp_path, dump=one * 3).causes == ()


LEAKS = Path(__file__).parents[1] / "data/goroutine-leaks"


@pytest.mark.parametrize("name", ["debug1.txt", "debug0.pb.gz", "debug2.txt"])
def test_leaks_that_the_collector_found(name: str) -> None:
    """Each form of /debug/pprof/goroutineleak on Go 1.27, from a program that leaks sixty goroutines."""
    (cause,) = diagnose_files([str(LEAKS / name)], stated=Overrides())[0].causes
    assert (cause.name, cause.severity, cause.confidence) == ("goroutine-leak", "serious", "high")
    assert cause.sentence.startswith("60 goroutines can never go on")
    assert "main.send (main.go:11)" in cause.sentence


def test_a_profile_without_leaks_gives_no_finding(tmp_path: Path) -> None:
    """It is empty, and no goroutine profile of the process."""
    assert diagnosed(tmp_path, leaks="goroutineleak profile: total 0\n").causes == ()
