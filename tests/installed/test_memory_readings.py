"""Every kind of reading of memory through the installed script: what it changes, and what is refused."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from installed_script import Installed

DATA = Path(__file__).parents[1] / "data"
SAVED = DATA / "memory"  # of blobcache at its 6th second; its log is quiet-blobcache.log.gz
MIB = 1 << 20
RSS = 462.0 * MIB  # in the saved status; the high-water mark is 463 MiB
V2_STAT = (
    "anon 481759232\nfile 12582912\nkernel 3145728\nkernel_stack 163840\npagetables 1040384\nshmem 0\n"
    "inactive_anon 481755136\nactive_anon 4096\ninactive_file 8388608\nactive_file 4194304\nslab 516096\n"
)
MEMSTATS: dict[str, object] = {
    "Alloc": 300 * MIB, "TotalAlloc": 10**11, "Sys": 500 * MIB, "HeapAlloc": 300 * MIB, "HeapSys": 488 * MIB,
    "HeapIdle": 170 * MIB, "HeapInuse": 318 * MIB, "HeapReleased": 12 * MIB, "StackInuse": 700_000,
    "NextGC": 430 * MIB, "NumGC": 100, "EnableGC": True, "BySize": [{"Size": 8, "Mallocs": 1, "Frees": 0}],
}  # fmt: skip
PROMETHEUS = """\
# HELP go_memstats_sys_bytes Number of bytes obtained from system.
# TYPE go_memstats_sys_bytes gauge
go_memstats_sys_bytes 5.24288e+08
go_memstats_heap_sys_bytes 5.11705088e+08
go_memstats_heap_idle_bytes 1.7825792e+08
go_memstats_heap_inuse_bytes 3.33447168e+08
go_memstats_heap_released_bytes 1.2582912e+07
go_memstats_heap_alloc_bytes 3.145728e+08
go_memstats_next_gc_bytes 4.5088768e+08
process_resident_memory_bytes 4.84442112e+08
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log without a side file, the saved readings, and readings in other formats."""
    made = tmp_path_factory.mktemp("readings")
    shutil.copy(DATA / "quiet-blobcache.log.gz", made / "x.log.gz")
    for saved in SAVED.iterdir():
        shutil.copy(saved, made)
    for name, text in FILES.items():
        (made / name).write_text(text)
    return made


PPROF = "heap profile: 0: 0 [0: 0] @ heap/1048576\n\n# runtime.MemStats\n" + "".join(
    f"# {name} = {value}\n" for name, value in MEMSTATS.items() if type(value) is int
)
FILES = {
    "v2.stat": V2_STAT,
    "memory.current": f"{490 * MIB}\n",
    "memory.peak": f"{495 * MIB}\n",
    "memstats.json": json.dumps(MEMSTATS),
    "vars": json.dumps({"cmdline": ["./app"], "memstats": MEMSTATS}, indent=1),
    "heap.txt": PPROF,
    "metrics": PROMETHEUS,
    # not readings
    "empty": " \n", "words": "hello\n", "list.json": "[1]", "cut.json": '{"memstats": {"Sys": 1',
    "other.json": '{"a": 1}', "half.json": json.dumps({"Sys": 1}), "memory.max": f"{64 * MIB}", "max": "max\n",
    "wrong.json": json.dumps(MEMSTATS | {"HeapSys": 1}), "text.json": json.dumps(MEMSTATS | {"Sys": "5"}),
    "unlimited": "9223372036854771712\n", "small": "61\n", "zombie": "Name:\tapp\nState:\tZ (zombie)\n",
    "two": PROMETHEUS + PROMETHEUS, "goal.json": json.dumps(MEMSTATS | {"NextGC": 4 * MIB, "HeapAlloc": 3 * MIB}),
    "digits": "9" * 6000, "deep.json": '{"a":' * 100_000,
    "other-status": "Name:\tapp\nVmRSS:\t 2000000 kB\nRssAnon:\t 1990000 kB\n",
}  # fmt: skip


def calibrated(installed: Installed, folder: Path, *options: str) -> dict[str, Mapping[str, float]]:
    """The parameters of the calibrated log."""
    done = installed.run(
        "calibrate", "x.log.gz", "-o", "m.toml", "--go", "1.27", "--json", *options, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    kinds = {finding["kind"] for finding in document["findings"]}
    process = any(option in ("--rss", "--working-set") for option in options)
    assert not (process and "memory not measured" in kinds)
    parameters: dict[str, Mapping[str, float]] = document["parameters"]
    return parameters


def width(parameter: Mapping[str, float]) -> float:
    """The interval's high end over its low end."""
    return parameter["high"] / max(parameter["low"], 1.0)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        # RSS alone, at one moment: its standard error of 5 % makes an interval of 8.2 %, and this reading is low
        (["--rss", "462MiB"], 0.082),
        (["--rss", "462Mi"], 0.082),
        (["--memory-file", "metrics"], 0.082),
        (["--memory-file", "status"], 0.05),
        (["--memory-file", "smaps_rollup"], 0.05),
        (["--memory-file", "smaps"], 0.05),
    ],
)
def test_resident_memory_sets_the_resident_peak(
    installed: Installed, folder: Path, options: list[str], error: float
) -> None:
    """The model's resident memory at the log's heap peak is the reading, within the reading's own interval."""
    found = calibrated(installed, folder, *options)
    peak = 459.0 * MIB
    resident = found["rss_base_bytes"]["value"] + found["rss_ratio"]["value"] * peak
    assert resident == pytest.approx(RSS, rel=error)


@pytest.mark.parametrize("file", ["memstats.json", "vars", "heap.txt", "metrics"])
def test_the_runtime_s_account_gives_memory_outside_the_heap(
    installed: Installed, folder: Path, file: str
) -> None:
    """Metadata and stacks are Sys less HeapSys, with a narrower interval than without the account."""
    before = calibrated(installed, folder)
    found = calibrated(installed, folder, "--memory-file", file)
    peak, begun = 459.0 * MIB, 0.7 * MIB
    counted = (
        found["metadata_base_bytes"]["value"]
        - begun
        + found["metadata_share"]["value"] * peak
        + found["allocated_stack_bytes"]["value"]
    )
    assert counted == pytest.approx(12 * MIB, rel=0.1)
    assert width(found["metadata_share"]) < 0.5 * width(before["metadata_share"])


@pytest.mark.parametrize(
    "options",
    [
        ["--working-set", "470Mi"],
        ["--memory-file", "memory.stat"],
        ["--memory-file", "v2.stat"],
        ["--memory-file", "memory.current"],
        ["--memory-file", "memory.usage_in_bytes"],
        ["--memory-file", "memory.peak"],
        ["--memory-file", "memory.current", "--memory-file", "v2.stat"],
        ["--rss", "462MiB", "--working-set", "470Mi", "--memory-file", "memory.stat"],
    ],
)
def test_container_readings_are_accepted(installed: Installed, folder: Path, options: list[str]) -> None:
    """Alone and together; the log is no longer without a measurement of memory."""
    done = installed.run("calibrate", "x.log.gz", "-o", "c.toml", *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "does not show the memory outside" not in done.stdout


def test_a_reading_updates_a_calibrated_model(installed: Installed, folder: Path) -> None:
    """A model and a reading predict, within their intervals, what the log and the reading predict."""
    calibrated(installed, folder)
    shutil.copy(folder / "m.toml", folder / "bare.toml")
    calibrated(installed, folder, "--memory-file", "status")
    common = ["--memory", "700MiB", "--duration", "1m", "--replicas", "8", "--json"]
    answers = [
        installed.run("recommend", model, *common, *options, cwd=folder)
        for model, options in (
            ("bare.toml", []), ("m.toml", []), ("bare.toml", ["--memory-file", "status"]),
        )
    ]  # fmt: skip
    assert {answer.returncode for answer in answers} == {0}
    bare, once, later = (json.loads(answer.stdout) for answer in answers)
    peaks = [answer["today"]["metrics"]["rss_peak_bytes"] for answer in (bare, once, later)]
    assert peaks[1]["low"] < peaks[2]["value"] < peaks[1]["high"]
    assert peaks[2]["low"] < peaks[1]["value"] < peaks[2]["high"]
    assert peaks[2]["high"] - peaks[2]["low"] < 0.7 * (peaks[0]["high"] - peaks[0]["low"])
    assert "memory not measured" in {finding["kind"] for finding in bare["findings"]}
    assert "memory not measured" not in {finding["kind"] for finding in later["findings"]}


def test_measured_memory_is_not_replaced(installed: Installed, folder: Path) -> None:
    """A shipped model is of a capture: a note says that its measurement stays."""
    common = [
        "recommend",
        "order-service",
        "--memory",
        "512Mi",
        "--duration",
        "1m",
        "--replicas",
        "4",
        "--json",
    ]
    plain, given = (installed.run(*common, *more, cwd=folder) for more in ([], ["--rss", "300MiB"]))
    assert "has measured memory" in given.stderr
    assert given.stdout == plain.stdout


BAD: dict[str, tuple[list[str], str]] = {
    "a size without unit": (["--rss", "58"], "--rss"),
    "a word": (["--working-set", "much"], "--working-set"),
    "a size that Kubernetes and Docker read differently": (["--rss", "58m"], "--rss"),
    "no such file": (["--memory-file", "nothing"], "nothing: cannot be read"),
    "a folder": (["--memory-file", "."], "cannot be read"),
    "an endless file": (["--memory-file", "/dev/zero"], "/dev/zero"),
    "a binary file": (["--memory-file", "x.log.gz"], "x.log.gz: is not text"),
    "a limit": (["--memory-file", "memory.max"], "memory.max: holds a limit"),
    "no limit": (["--memory-file", "max"], "limit"),
    "no limit of version 1": (["--memory-file", "unlimited"], "limit"),
    "a number that is no size": (["--memory-file", "small"], "small: holds 61 B"),
    "a process that has ended": (["--memory-file", "zombie"], "VmRSS"),
    "metrics of two processes": (["--memory-file", "two"], "several processes"),
    **{name: (["--memory-file", name], name) for name in
       ("empty", "words", "list.json", "cut.json", "other.json", "half.json", "wrong.json", "text.json", "digits",
        "deep.json")},
    "RSS below the live heap": (["--rss", "58MiB"], "less than the live heap in the log"),
    "a working set below the live heap": (["--working-set", "58Mi"], "less than the live heap in the log"),
    "MemStats of another process": (["--memory-file", "goal.json"], "NextGC"),
    "two readings that differ": (["--rss", "462MiB", "--memory-file", "other-status"], "not of one process"),
    "more anonymous memory than the container has": (
        ["--memory-file", "other-status", "--working-set", "500Mi"], "of anonymous memory, but"),
    "a binary that is not there": (["--binary", "nothing"], "--binary: nothing"),
    "a script as the binary": (["--binary", "words"], "--binary: words: not a program built by Go"),
    "a C program": (["--binary", "/bin/sh"], "not a program built by Go"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_readings_are_one_sentence(installed: Installed, folder: Path, name: str) -> None:
    """Exit status 2, the option or file by name, and no model file."""
    options, named = BAD[name]
    done = installed.run("calibrate", "x.log.gz", "-o", "bad.toml", *options, cwd=folder)
    sentences = [line for line in done.stderr.splitlines() if line.startswith("gcsim: ")]
    assert done.returncode == 2, done.stderr
    assert named in done.stderr
    assert len(sentences) == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr) < 1000
    assert not (folder / "bad.toml").exists()


def test_a_model_contradicts_a_reading(installed: Installed, folder: Path) -> None:
    """recommend refuses what calibrate refuses."""
    calibrated(installed, folder)
    done = installed.run("recommend", "m.toml", "--memory", "700MiB", "--rss", "58MiB", cwd=folder)
    assert done.returncode == 2
    assert "less than the live heap in the model" in done.stderr


def test_a_reading_is_of_one_run(installed: Installed, folder: Path) -> None:
    """Several logs have several peaks; the sentence says what to do."""
    shutil.copy(folder / "x.log.gz", folder / "y.log.gz")
    done = installed.run("calibrate", "x.log.gz", "y.log.gz", "-o", "bad.toml", "--rss", "462MiB", cwd=folder)
    assert done.returncode == 2
    assert "belongs to one run" in done.stderr
