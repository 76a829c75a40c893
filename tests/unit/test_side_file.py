"""The side file of a log: what it may lack, what is malformed, and whether it belongs to its log."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcsim.calibration.calibrate import calibrate
from gcsim.calibration.settings.log_settings import log_settings
from gcsim.capture.cgroup import CgroupMemory
from gcsim.capture.elf import BinarySizes
from gcsim.capture.info import CaptureInfo, read_side_file, side_file
from gcsim.capture.log_mark import MARKED_BYTES, LogMark
from gcsim.capture.side_values import side_values
from gcsim.cli.main import run
from gcsim.errors import InputError
from gcsim.gctrace import read_gctrace

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
CAPTURED = Path(__file__).parents[1] / "data" / "quiet-blobcache.log.gz"
INFO = CaptureInfo(
    gogc=None, gomemlimit_bytes=1 << 29, gomaxprocs=2, go_version="go1.27.3", go="1.27", rss_peak_bytes=9,
    start_time="2026-01-02T03:04:05.678+00:00", wall_seconds=10.5, cpu_seconds=19.25, exit_status=143,
    command=["./app", "-x"], foreign_cpu_fraction=None,
)  # fmt: skip
# The side file of experiments/captures/order-service.log.gz, as it was written before there were marks.
KEYS: dict[str, object] = {
    "gogc": 100,
    "gomemlimit_bytes": None,
    "gomaxprocs": 2,
    "go_version": "go1.27.3",
    "go": "1.27",
    "rss_peak_bytes": 209731584,
    "start_time": "2026-11-23T06:35:36.762+00:00",
    "wall_seconds": 40.48210377699979,
    "cpu_seconds": 78.32465599999999,
    "exit_status": 0,
    "command": ["./orders", "-duration", "40s"],
    "foreign_cpu_fraction": 0.023162630212233665,
}


def a_log(folder: Path, side: object) -> Path:
    """A captured log with another side file; text as it is."""
    log = folder / "x.log"
    log.write_bytes(gzip.decompress(CAPTURED.read_bytes()))
    side_file(log).write_text(side if isinstance(side, str) else json.dumps(side))
    return log


def test_the_side_file_round_trips(tmp_path: Path) -> None:
    """What is saved is what is loaded, for a run with every knob off or not known too."""
    path = side_file(tmp_path / "run.log.gz")
    assert path.name == "run.log.gz.meta.json"
    for info in (
        INFO,
        replace(INFO, gogc=0, gomemlimit_bytes=None, foreign_cpu_fraction=0.03),
        replace(INFO, log=LogMark.of(b"gc 1 @")),
        replace(
            INFO,
            anonymous_peak_bytes=7,
            file_peak_bytes=2,
            shared_peak_bytes=0,
            cgroup=CgroupMemory(limit_bytes=1 << 26, working_set_peak_bytes=8),
            binary=BinarySizes(
                text_bytes=1, read_only_bytes=2, data_bytes=3, zeroed_bytes=4, is_dynamic=False
            ),
        ),
        CaptureInfo(gogc=50, assumed=("gomemlimit_bytes",)),
        CaptureInfo(assumed=("gogc", "gomemlimit_bytes")),
    ):
        info.save(path)
        assert CaptureInfo.load(path) == info


@pytest.mark.parametrize("key", sorted(KEYS))
def test_any_key_may_be_missing(key: str, tmp_path: Path) -> None:
    """The rest is used, calibration works, and there is one note at most, which names the key."""
    log = a_log(tmp_path, {name: value for name, value in KEYS.items() if name != key})
    trace = read_gctrace(log)
    assert trace.info is not None
    notes = [warning for warning in trace.parse_warnings if warning.kind == "side file"]
    assert len(notes) <= 1
    assert all(f"has no {key}; the rest is used" in str(note) for note in notes)
    assert calibrate(trace, name="x").model.settings.gomaxprocs == 2


@pytest.mark.parametrize("key", sorted(KEYS))
def test_any_key_may_stand_alone(key: str, tmp_path: Path) -> None:
    """A side file written by hand needs no more than what its writer knows."""
    trace = read_gctrace(a_log(tmp_path, {key: KEYS[key]}))
    assert trace.info is not None
    assert getattr(trace.info, key) is not None or KEYS[key] is None
    assert calibrate(trace, name="x").model.settings == log_settings(trace).settings


def test_a_hand_written_gogc_is_the_log_s(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command line uses it and says in one line what the file lacks."""
    log = a_log(tmp_path, {"gogc": 200})
    assert run(["inspect", str(log)]) == 0
    printed = capsys.readouterr()
    assert "GOGC=200," in printed.out
    assert printed.err.count("x.log.meta.json") == 1
    assert "x.log.meta.json states only gogc" in printed.err


def test_an_unknown_knob_is_not_off(tmp_path: Path) -> None:
    """null is off, as captures have always written it; a missing key has Go's default and is marked as assumed."""
    info = read_side_file(a_log(tmp_path, {"gogc": None, "go": "1.22"}))[0]
    assert info is not None
    assert (info.gogc, info.gomemlimit_bytes, info.assumed) == (None, None, ("gomemlimit_bytes",))
    info = read_side_file(a_log(tmp_path, {"gomemlimit_bytes": "off"}))[0]
    assert info is not None
    assert (info.gogc, info.gomemlimit_bytes, info.assumed) == (100, None, ("gogc",))


def test_the_go_version_follows_from_the_binary_s(tmp_path: Path) -> None:
    """One of go and go_version is enough."""
    info = read_side_file(a_log(tmp_path, {"go_version": "go1.23.9 X:nocoverageredesign"}))[0]
    assert info is not None
    assert info.go == "1.23"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gogc", "100"), ("gogc", -1), ("gogc", 1.5), ("gogc", 10**400), ("gogc", True), ("gogc", []),
        ("gomemlimit_bytes", "512MiB"), ("gomemlimit_bytes", -1), ("gomaxprocs", 0), ("gomaxprocs", 5000),
        ("go", "27"), ("go", 1.27), ("go_version", 1), ("rss_peak_bytes", 1 << 60), ("rss_peak_bytes", "1 GiB"),
        ("wall_seconds", float("nan")), ("wall_seconds", float("inf")), ("cpu_seconds", -1.0),
        ("cpu_seconds", 10**400), ("exit_status", "0"), ("command", "./app"), ("command", [1]),
        ("foreign_cpu_fraction", {}), ("start_time", "a\nb"), ("heap_accounts", []), ("heap_accounts", {"seconds": []}),
        ("anonymous_peak_bytes", -1), ("file_peak_bytes", "1"), ("shared_peak_bytes", 0.5), ("cgroup", []),
        ("cgroup", {"limit_bytes": "max"}), ("cgroup", {"usage_peak_bytes": -1}), ("binary", {}),
        ("binary", {"text_bytes": 1, "read_only_bytes": 1, "data_bytes": 1, "zeroed_bytes": -1, "is_dynamic": True}),
        ("log", "x"), ("log", {"marked_bytes": -1, "sha256": ""}),
    ],
)  # fmt: skip
def test_a_malformed_value_is_named_and_not_used(tmp_path: Path, key: str, value: object) -> None:
    """It counts as missing, which a test above calibrates with; everything else is used."""
    info, note = read_side_file(a_log(tmp_path, KEYS | {key: value}))
    assert note.startswith(f"x.log.meta.json has a malformed {key} (")
    assert "\n" not in note
    assert len(note) < 160
    rest = {name: known for name, known in KEYS.items() if name != key}
    assert info == read_side_file(a_log(tmp_path, rest))[0]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1]", "3", "null", "gogc=100", "\ud800", "[" * 200_000, '{"gogc": ' + "9" * 5000 + "}",
     '{"a": ' * 100_000],
)  # fmt: skip
def test_what_is_no_side_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    """Deep nesting, long integers and other bytes end in an error that names the file."""
    log = a_log(tmp_path, {})
    side_file(log).write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(InputError, match=r"x\.log\.meta\.json: is not ") as caught:
        read_gctrace(log)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab1.\n\x00é", max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*KEYS, "log", "assumed", "x"]), JSON, max_size=6))
def test_no_values_break_the_reading(record: dict[str, object]) -> None:
    """Whatever stands in the keys, the settings come out and the note is one line."""
    values, note = side_values(record, [*KEYS, "log"])
    assert "\n" not in note
    info = CaptureInfo(**values)
    assert info.gogc is None or info.gogc >= 0


def test_a_side_file_of_another_log_is_ignored_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The mark is of the log's first bytes; the settings of another run are not believed."""
    log = a_log(tmp_path, {})
    data = log.read_bytes()
    side_file(log).write_text(json.dumps({"gogc": 200, "log": vars_of(LogMark.of(b"x" + data))}))
    assert run(["inspect", str(log)]) == 0
    printed = capsys.readouterr()
    assert "GOGC=200" not in printed.out
    assert printed.err.count("was written for another log and is ignored") == 1
    side_file(log).write_text(json.dumps({"gogc": 200, "log": vars_of(LogMark.of(data))}))
    assert run(["inspect", str(log)]) == 0
    assert "GOGC=200," in capsys.readouterr().out


@pytest.mark.parametrize("size", [0, 1, MARKED_BYTES - 1, MARKED_BYTES, 10 * MARKED_BYTES])
def test_a_log_keeps_its_mark_when_it_is_packed_or_grows(tmp_path: Path, size: int) -> None:
    """gzip, Windows line ends and more text at the end do not matter; other text at the start does."""
    data = (b"gc 1 @0.1s a line\n" * size)[:size]
    mark, log = LogMark.of(data), tmp_path / "log"
    for kept in (data, gzip.compress(data), data.replace(b"\n", b"\r\n")):
        log.write_bytes(kept)
        assert mark.fits(log)
    log.write_bytes(b"#" + data)
    assert not mark.fits(log)
    log.write_bytes(data + b"more")
    assert mark.fits(log) is (size > 0)


def test_committed_captures_need_no_mark_and_no_note() -> None:
    """Side files of before there were marks are read as they were, knob by knob."""
    for path in sorted(EXPERIMENTS.rglob("*.log.gz.meta.json"))[::40]:
        info, note = read_side_file(path.with_name(path.name.removesuffix(".meta.json")))
        record = json.loads(path.read_text())
        assert note == ""
        assert info is not None
        assert (info.gogc, info.gomemlimit_bytes) == (record["gogc"], record["gomemlimit_bytes"])
        assert info.assumed == ()
        assert info.settings.gomaxprocs == record["gomaxprocs"]


def vars_of(mark: LogMark) -> dict[str, object]:
    """The mark as JSON has it."""
    return {"marked_bytes": mark.marked_bytes, "sha256": mark.sha256}
