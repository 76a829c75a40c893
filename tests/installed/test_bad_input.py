"""Bad input of every kind through the installed script: one sentence on standard error, status 2, no traceback."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from installed_script import Installed

Argument = str | bytes | Path

MANY_DIGITS = "9" * 5000
DEEP = "[" * 20_000
LONG_NAME = "n" * 300

OPTIONS: dict[str, tuple[list[Argument], str]] = {
    # name: (arguments, what the sentence must name)
    "no such command": (["simulat", "order-service"], "simulate"),
    "no such option": (["simulate", "order-service", "--gcgo", "100"], "--gogc"),
    "an option without its value": (["simulate", "order-service", "--seed"], "--seed"),
    "an argument too many": (["simulate", "order-service", "other"], "other"),
    "no model": (["simulate"], "MODEL"),
    "an unknown model": (["simulate", "order-servise"], "order-service"),
    "a model name too long for a file": (["simulate", LONG_NAME], "nnn"),
    "a name with a line end": (["plot", "a\nb", "-o", "out"], "a\\nb"),
    "a name that is not UTF-8": (["simulate", b"caf\xe9"], "caf\\xe9"),
    "a name with an escape sequence": (["simulate", "\x1b]0;title\x07"], "\\x1b"),
    "an empty argument": (["simulate", ""], "empty"),
    "an empty output": (["sweep", "order-service", "-o", ""], "-o"),
    "an empty value": (["simulate", "order-service", "--gogc="], "--gogc"),
    "a word for GOGC": (["simulate", "order-service", "--gogc", "lots"], "whole number"),
    "a negative GOGC": (["simulate", "order-service", "--gogc", "-5"], "negative"),
    "GOGC of 5,000 digits": (["simulate", "order-service", "--gogc", MANY_DIGITS], "largest"),
    "GOGC in other digits": (["simulate", "order-service", "--gogc", "\u0663"], "--gogc"),
    "GOGC as a decimal": (["simulate", "order-service", "--gogc", "1e2"], "--gogc"),
    "two values for one GOGC": (["simulate", "order-service", "--gogc", "50-400"], "from:to:count"),
    "a grid with dots": (["sweep", "order-service", "--gogc", "50..400"], "50:400:"),
    "a grid with a dash": (["sweep", "order-service", "--gogc", "50-400"], "50:400:"),
    "a grid of sizes with a dash": (["sweep", "order-service", "--gomemlimit", "64MiB-2GiB"], "64MiB:2GiB:"),
    "a range without a count": (["sweep", "order-service", "--gogc", "50:400"], "50:400:"),
    "a range of one": (["sweep", "order-service", "--gogc", "50:400:1"], "count"),
    "a range of too many": (["sweep", "order-service", "--gogc", "50:400:99999999"], "10,000"),
    "a range count of 5,000 digits": (["sweep", "order-service", "--gogc", f"5:9:{MANY_DIGITS}"], "10,000"),
    "a range from 0": (["sweep", "order-service", "--gogc", "0:400:3"], "log-spaced"),
    "an empty grid entry": (["sweep", "order-service", "--gogc", "50,,100"], "empty entry"),
    "a Kubernetes size for Go": (["simulate", "order-service", "--gomemlimit", "512Mi"], "write 512MiB"),
    "a decimal size for Go": (["simulate", "order-service", "--gomemlimit", "512M"], "512000000B"),
    "a size of 5,000 digits": (["simulate", "order-service", "--gomemlimit", MANY_DIGITS], "--gomemlimit"),
    "a size beyond Go's": (["simulate", "order-service", "--gomemlimit", "9999999TiB"], "largest"),
    "a size in other digits": (["simulate", "order-service", "--gomemlimit", "\uff15MiB"], "--gomemlimit"),
    "memory without a unit": (["recommend", "order-service", "--memory", "512"], "512MiB"),
    "memory of nothing": (["recommend", "order-service", "--memory", "0"], "unit"),
    "memory in thousandths": (["recommend", "order-service", "--memory", "512m"], "512MiB"),
    "memory below 4 MiB": (["sweep", "order-service", "--memory", "3Mi"], "--memory"),
    "memory of 400 digits": (["sweep", "order-service", "--memory", "9" * 400 + "Gi"], "--memory"),
    "no memory": (["recommend", "order-service"], "--memory"),
    "a share in words": (["recommend", "order-service", "--memory", "1Gi", "--max-gc-cpu", "ten"], "10%"),
    "a share of 200 %": (["recommend", "order-service", "--memory", "1Gi", "--max-gc-cpu", "200%"], "share"),
    "a pause of 400 digits": (
        ["recommend", "order-service", "--memory", "1Gi", "--max-stw-p99", "9" * 400], "--max-stw-p99",
    ),
    "a duration in words": (["simulate", "order-service", "--duration", "soon"], "10m"),
    "a duration of 0": (["simulate", "order-service", "--duration", "0s"], "more than zero"),
    "a duration of 400 digits": (["simulate", "order-service", "--duration", "9" * 400], "--duration"),
    "a duration of a million years": (["simulate", "order-service", "--duration", "9999999999h"], "292 years"),
    "a negative duration": (["simulate", "order-service", "--duration", "-5s"], "--duration"),
    "an unknown Go version": (["simulate", "order-service", "--go", "1.99"], "1.27"),
    "a Go version of 5,000 digits": (["versions", "--go", f"1.{MANY_DIGITS}"], "--go"),
    "processors in words": (["simulate", "order-service", "--gomaxprocs", "two"], "--gomaxprocs"),
    "no processors": (["simulate", "order-service", "--gomaxprocs", "0"], "from 1"),
    "no replicas": (["simulate", "order-service", "--replicas", "0"], "from 1"),
    "replicas with an underscore": (["simulate", "order-service", "--replicas", "1_0"], "--replicas"),
    "a seed in other digits": (["simulate", "order-service", "--seed", "\u0663"], "--seed"),
    "a seed of 5,000 digits": (["simulate", "order-service", "--seed", MANY_DIGITS], "--seed"),
    "a negative seed": (["simulate", "order-service", "--seed", "-1"], "0 or more"),
    "an unknown engine": (["simulate", "order-service", "--engine", "warp"], "lanes"),
    "a timeline of the wrong engine": (["simulate", "order-service", "--timeline-out", "t"], "--engine des"),
    "standard input twice": (["inspect", "-", "-"], "once"),
    "an empty standard input": (["inspect", "-"], "standard input"),
    "a missing log": (["inspect", "nowhere.log"], "nowhere.log"),
    "an output in a missing folder": (["report", "order-service", "-o", "no/page.html"], "no/page.html"),
    "no program to capture": (["capture", "-o", "app.log", "--", "./no-such-program"], "no-such-program"),
}  # fmt: skip

#: name: (file's name, content, what stands around it on the command line)
FILES: dict[str, tuple[str, bytes, Callable[[str], list[Argument]]]] = {
    "an empty log": ("a.log", b"", lambda file: ["inspect", file]),
    "a binary log": ("a.log", b"\x7fELF" + bytes(range(256)) * 99, lambda file: ["inspect", file]),
    "a damaged gzip log": ("a.log.gz", b"\x1f\x8b\x08\x00abc", lambda file: ["inspect", file]),
    "an empty model": ("m.toml", b"", lambda file: ["simulate", file]),
    "a binary model": ("m.toml", b"\xff\xfe\x00", lambda file: ["simulate", file]),
    "a truncated model": ("m.toml", b'format_version = 1\nname = "cu', lambda file: ["simulate", file]),
    "a model of the future": ("m.toml", b"format_version = 999\n", lambda file: ["simulate", file]),
    "a deeply nested model": ("m.toml", f"x = {DEEP}".encode(), lambda file: ["simulate", file]),
    "a huge integer in a model": ("m.toml", f"x = {MANY_DIGITS}".encode(), lambda file: ["simulate", file]),
    "an empty sweep": ("s.json", b"", lambda file: ["plot", file, "-o", "out"]),
    "a truncated sweep": ("s.json", b'{"runs": [', lambda file: ["plot", file, "-o", "out"]),
    "a deeply nested sweep": ("s.json", DEEP.encode(), lambda file: ["plot", file, "-o", "out"]),
    "a huge integer in a sweep": ("s.json", MANY_DIGITS.encode(), lambda file: ["plot", file, "-o", "out"]),
    "a sweep that is a list": ("s.json", b"[1]", lambda file: ["plot", file, "-o", "out"]),
    "a binary sweep": ("s.json", b"\xff\xfe\x00", lambda file: ["plot", file, "-o", "out"]),
    "a file where a folder should be": ("out", b"", lambda file: ["sweep", "order-service", "-o", file]),
    "an output below a file": ("f", b"", lambda file: ["report", "order-service", "-o", f"{file}/page.html"]),
}


def sentence_of(installed: Installed, arguments: list[Argument], folder: Path) -> str:
    """The one sentence that the script prints for bad input."""
    found = installed.run(*arguments, cwd=folder)
    assert found.returncode == 2, found
    assert found.stdout == ""
    assert found.stderr.startswith("gcsim: ")
    assert found.stderr.endswith("\n")
    assert found.stderr.count("\n") == 1, found.stderr
    assert "Traceback" not in found.stderr
    assert len(found.stderr) < 1500
    assert found.stderr[:-1].isprintable(), found.stderr
    return found.stderr


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_bad_command_line(kind: str, installed: Installed, tmp_path: Path, large: bool) -> None:
    """The sentence names the option, value or file, or says what to write; no file is written.

    Every second one runs with ``--large`` only.
    """
    if not large and list(OPTIONS).index(kind) % 2:
        pytest.skip("runs with --large")
    arguments, named = OPTIONS[kind]
    assert named in sentence_of(installed, arguments, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", FILES)
def test_a_bad_file(kind: str, installed: Installed, tmp_path: Path, large: bool) -> None:
    """The sentence names the file, which is left as it was. Every second one runs with ``--large`` only."""
    if not large and list(FILES).index(kind) % 2:
        pytest.skip("runs with --large")
    name, content, arguments = FILES[kind]
    (tmp_path / name).write_bytes(content)
    sentence = sentence_of(installed, arguments(name), tmp_path)
    assert name in sentence or "nested" in sentence or "sweep" in sentence, sentence
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize(
    "command", [["inspect", "folder"], ["simulate", "folder"], ["plot", "folder", "-o", "x"]]
)
def test_a_folder_instead_of_a_file(command: list[Argument], installed: Installed, tmp_path: Path) -> None:
    """Names it."""
    (tmp_path / "folder").mkdir()
    assert "folder" in sentence_of(installed, command, tmp_path)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read and write anything"
)
def test_a_file_without_permission(installed: Installed, tmp_path: Path) -> None:
    """Names it."""
    (tmp_path / "secret.log").write_text("")
    (tmp_path / "secret.log").chmod(0)
    assert "secret.log" in sentence_of(installed, ["inspect", "secret.log"], tmp_path)


def test_memory_takes_sizes_as_people_write_them(installed: Installed, tmp_path: Path) -> None:
    """Kubernetes' and Go's spellings of one size give one answer; a decimal one is less."""
    quick = ["--gogc", "400", "--gomemlimit", "off", "--duration", "20s", "--replicas", "2"]
    answers = {
        size: installed.run("sweep", "order-service", "--memory", size, *quick, cwd=tmp_path)
        for size in ("512Mi", "512MiB", "512M")
    }
    assert {answer.returncode for answer in answers.values()} == {0}
    assert answers["512Mi"].stdout == answers["512MiB"].stdout


def test_exit_status_1_is_a_negative_answer(installed: Installed, tmp_path: Path) -> None:
    """With its document on standard output."""
    quick = ["--duration", "20s", "--replicas", "2", "--json"]
    found = installed.run("recommend", "order-service", "--memory", "40Mi", *quick, cwd=tmp_path)
    assert found.returncode == 1, found
    assert json.loads(found.stdout)["feasible"] is False
