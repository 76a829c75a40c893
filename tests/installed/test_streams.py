"""Standard streams that are full, closed, not UTF-8 or not read: a sentence or silence, never a traceback."""

import json
import os
from pathlib import Path

import pytest
from installed_script import Installed

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's devices and bash")

QUICK = "--duration 20s --replicas 2"


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "versions --json",
        f"simulate order-service {QUICK}",
    ],
)
@pytest.mark.parametrize("stream", [">/dev/full", ">&-"])
def test_standard_output_that_cannot_be_written(command: str, stream: str, installed: Installed) -> None:
    """Status 2 and one sentence: the result is lost."""
    found = installed.shell(f'"$GCSIM" {command} {stream}')
    assert found.returncode == 2, found
    assert found.stderr.startswith("gcsim: standard ")
    assert found.stderr.count("\n") == 1


@pytest.mark.parametrize("stream", ["2>/dev/full", "2>&-"])
def test_standard_error_that_cannot_be_written(stream: str, installed: Installed) -> None:
    """The status stays what it is: 2 for bad input, 0 for success, with the document whole."""
    assert installed.shell(f'"$GCSIM" simulate nowhere {stream}').returncode == 2
    found = installed.shell(f'"$GCSIM" simulate order-service {QUICK} --json {stream}')
    assert found.returncode == 0
    assert "metrics" in json.loads(found.stdout)


def test_a_closed_standard_input_is_no_log(installed: Installed) -> None:
    """One sentence, status 2."""
    found = installed.shell('"$GCSIM" inspect - <&-')
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1), found
    assert found.stderr.startswith("gcsim: ")


def test_all_streams_closed(installed: Installed, tmp_path: Path) -> None:
    """A file that is written then must not take a stream's place."""
    found = installed.shell('"$GCSIM" report order-service --gogc 50,100 --duration 20s -o "$1" <&- >&- 2>&-',
                            tmp_path / "page.html")  # fmt: skip
    assert found.returncode == 0
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert text.endswith("</html>\n")


def test_an_output_file_that_cannot_be_written_does_not_stop_the_document(installed: Installed) -> None:
    """The prediction is printed, then one sentence says what failed; status 2."""
    found = installed.shell(f'"$GCSIM" simulate order-service {QUICK} --trace-out /dev/full')
    assert found.returncode == 2
    assert "GC CPU" in found.stdout
    assert (
        found.stderr
        == "gcsim: /dev/full: cannot be written (No space left on device); choose another output\n"
    )


@pytest.mark.parametrize(
    ("path", "target"),
    [("/dev/stdout", '> "$1"; cat "$1"'), ("/dev/fd/1", '>> "$1"; cat "$1"'), ("/proc/self/fd/1", "| cat")],
)
def test_an_output_to_standard_output_follows_the_document(
    path: str, target: str, installed: Installed, tmp_path: Path
) -> None:
    """In a file and in a pipe; the file is not replaced."""
    found = installed.shell(
        f'"$GCSIM" simulate order-service {QUICK} --trace-out {path} {target}', tmp_path / "f"
    )
    assert found.stdout.startswith("order-service at ")
    assert found.stdout.index("throughput") < found.stdout.index("\ngc 1 @")
    assert found.stderr == f"wrote {path}\n"


def test_a_document_that_cannot_be_printed_does_not_stop_the_files(
    installed: Installed, tmp_path: Path
) -> None:
    """The sweep is written to its folder; the status says that standard output was not."""
    found = installed.shell(
        f'"$GCSIM" sweep order-service --gogc 50,100 {QUICK} -o "$1" >/dev/full', tmp_path / "out"
    )
    assert found.returncode == 2
    assert json.loads((tmp_path / "out" / "sweep.json").read_text())["runs"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_an_output_encoding_without_our_characters(encoding: str, installed: Installed) -> None:
    """Escapes stand for what it lacks."""
    found = installed.run(
        "simulate",
        "order-service",
        "--duration",
        "20s",
        "--replicas",
        "2",
        env={"PYTHONIOENCODING": encoding},
    )
    assert (found.returncode, found.stderr) == (0, "")
    assert "order-service" in found.stdout


@pytest.mark.parametrize("locale", ["POSIX", "tr_TR.UTF-8"])
def test_the_locale_does_not_change_a_byte(locale: str, installed: Installed) -> None:
    """Numbers, words and encoding."""
    arguments = ("simulate", "order-service", "--duration", "20s", "--replicas", "2")
    assert (
        installed.run(*arguments, env={"LC_ALL": locale, "LANG": locale}).stdout
        == installed.run(*arguments).stdout
    )


def test_a_reader_that_leaves_early_is_no_failure(installed: Installed) -> None:
    """``| head -1``: silence and status 0, for documents and for the help."""
    for command in ("--help", f"sweep order-service --gogc 25:800:5 {QUICK}"):
        found = installed.shell(f'set -o pipefail; "$GCSIM" {command} | head -1')
        assert (found.returncode, found.stderr) == (0, ""), found


def test_output_is_80_columns_wide_in_a_pipe(installed: Installed) -> None:
    """The prose of a recommendation, whatever COLUMNS says: a pipe is no terminal."""
    found = installed.run(
        "recommend", "order-service", "--memory", "512Mi", "--duration", "20s", "--replicas", "2",
        env={"COLUMNS": "200"},
    )  # fmt: skip
    assert found.returncode == 0
    prose = [line for line in found.stdout.splitlines() if "  " not in line.strip()]
    assert max(map(len, prose)) <= 80


def test_control_characters_of_names_and_logs_do_not_reach_the_terminal(
    installed: Installed, tmp_path: Path
) -> None:
    """In a model's name, a log's lines and its file name: escapes are printed in their place."""
    evil = "a\x1b]0;OWNED\x07\x9b31m\u202eb"
    model = tmp_path / "model.toml"
    shipped = next(
        installed.script.parent.parent.glob("lib/python*/site-packages/gcsim/models/order-service.toml")
    )
    text = shipped.read_text(encoding="utf-8")
    toml_name = "a\\u001b]0;OWNED\\u0007\\u009b31m\\u202eb"
    model.write_text(text.replace('name = "order-service"', f'name = "{toml_name}"', 1), encoding="utf-8")
    log = tmp_path / f"{evil}.log"
    log.write_bytes(b"gc 9 @\x1b]0;OWNED\x07 P\n" + b"gc 1 @0.1s \x1bc torn\n")
    outputs = [
        installed.run("simulate", model, "--duration", "20s", "--replicas", "2"),
        installed.run("simulate", model, "--duration", "20s", "--replicas", "2", "--json"),
        installed.run(
            "sweep", model, "--gogc", "50,100", "--duration", "20s", "--replicas", "2", "-o", tmp_path / "o"
        ),
        installed.run("inspect", log, "--warnings"),
        installed.run("inspect", log),
    ]
    for output in outputs:
        printed = (output.stdout + output.stderr).replace("\n", "")
        assert printed.isprintable(), [char for char in printed if not char.isprintable()]


def test_a_home_that_cannot_be_written_is_no_news(installed: Installed, tmp_path: Path) -> None:
    """As in a container: the drawing library's words on its caches stay away."""
    found = installed.run(
        "plot",
        "order-service",
        "-o",
        tmp_path / "out",
        "--gogc",
        "100",
        "--duration",
        "30s",
        env={"HOME": "/nonexistent", "MPLCONFIGDIR": "/proc/none"},
    )
    assert (found.returncode, found.stderr.count("\n")) == (0, 1), found


def test_a_dollar_sign_in_a_name_is_drawn(installed: Installed, tmp_path: Path) -> None:
    """It is not mathematics; letters of another script give no warning."""
    for name in ("$\\frac{$", "a$b$c_\u670d\u52a1"):
        folder = tmp_path / str(len(name))
        trace = tmp_path / f"{name.replace('/', '')}.log"
        quick = ["--duration", "20s", "--replicas", "2"]
        assert installed.run("simulate", "order-service", *quick, "--trace-out", trace).returncode == 0
        found = installed.run("inspect", trace, "-o", folder)
        assert (found.returncode, found.stderr.count("\n")) == (0, 1), found.stderr
        assert (folder / "heap.svg").stat().st_size > 1000


@pytest.mark.skipif(os.name == "nt", reason="names of bytes")
def test_a_name_that_is_not_utf8_is_written_as_an_escape(installed: Installed, tmp_path: Path) -> None:
    """calibrate --name takes it, and the model can be read again."""
    trace, model = tmp_path / "t.log", tmp_path / "m.toml"
    quick = ["--duration", "60s", "--replicas", "2"]
    assert installed.run("simulate", "order-service", *quick, "--trace-out", trace).returncode == 0
    found = installed.run("calibrate", trace, "-o", model, "--name", b"caf\xff\n")
    assert found.returncode == 0, found
    again = installed.run("simulate", model, *quick)
    assert again.stdout.startswith("caf\\xff\\n at "), again
