"""``gcsim recommend`` on a log, and its answers as snippets, through the installed script."""

import json
import re
from pathlib import Path

import pytest
from installed_script import Installed

QUICK = ("--duration", "5s", "--replicas", "2")


@pytest.fixture(scope="module")
def folder(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a simulated minute as a log, and the model that calibrate makes of it."""
    made = tmp_path_factory.mktemp("logs")
    log = ("--duration", "40s", "--replicas", "1", "--trace-out", "app.log")
    assert installed.run("simulate", "order-service", *log, cwd=made).returncode == 0
    assert installed.run("calibrate", "app.log", "-o", "app.toml", "--go", "1.26", cwd=made).returncode == 0
    return made


def test_a_log_and_its_model_have_one_answer(installed: Installed, folder: Path) -> None:
    """From standard input, with lines of the program in between, and from the model."""
    common = ("--memory", "512Mi", *QUICK, "--json")
    text = (folder / "app.log").read_text()
    piped = installed.run("recommend", "-", "--go", "1.26", *common, stdin=f"listening\n{text}")
    model = installed.run("recommend", "app.toml", *common, cwd=folder)
    assert (piped.returncode, model.returncode) == (0, 0), piped.stderr
    assert json.loads(piped.stdout) == json.loads(model.stdout)
    assert piped.stderr.startswith("standard input: trust with care")


def test_the_container_and_the_loop_come_from_the_evidence(installed: Installed, folder: Path) -> None:
    """From the side file of a capture; options state the loop; the heading shows the log's settings."""
    (folder / "limited.log").write_text((folder / "app.log").read_text())
    side = {"gogc": 100, "gomemlimit_bytes": None, "go": "1.27", "cgroup": {"limit_bytes": 768 << 20}}
    (folder / "limited.log.meta.json").write_text(json.dumps(side))
    found = installed.run("recommend", "limited.log", "--open-loop", *QUICK, cwd=folder)
    assert found.returncode == 0, found.stderr
    assert "limited.log.meta.json: 768 MiB" in found.stderr
    words = " ".join(found.stdout.split())
    assert "log: GOGC=100, GOMEMLIMIT=off, GOMAXPROCS=2, Go 1.27" in words
    assert "load × 1.5" in words


def test_a_limit_file_of_the_cgroup_is_the_container(installed: Installed, folder: Path) -> None:
    """memory.max gives the size and leaves the reading to other files; "max" gives none."""
    (folder / "memory.max").write_text(f"{768 << 20}\n")
    found = installed.run("recommend", "app.log", "--memory-file", "memory.max", *QUICK, "--json", cwd=folder)
    assert json.loads(found.stdout)["memory_bytes"] == 768 << 20
    (folder / "memory.max").write_text("max\n")
    refused = installed.run("recommend", "app.log", "--memory-file", "memory.max", cwd=folder)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--memory: no evidence" in refused.stderr


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [(0, "standard input: is empty"), (4, "standard input: 4 of 4 GC cycles"), (-1, "has no gc line")],
)
def test_a_log_that_shows_too_little_is_one_sentence(
    installed: Installed, folder: Path, lines: int, sentence: str
) -> None:
    """Exit status 2, nothing on standard output."""
    kept = "".join((folder / "app.log").read_text().splitlines(keepends=True)[: max(lines, 0)])
    text = "listening on :8080\n" if lines < 0 else kept
    refused = installed.run("recommend", "-", "--memory", "512Mi", "--format", "yaml", stdin=text)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert sentence in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_log_of_an_old_go_is_refused_by_its_name(installed: Installed) -> None:
    """The engines have no pacer of Go 1.17; the sentence names the log, not an option that nobody gave."""
    line = (
        "gc {0} @{0}.100s 1%: 0.02+1.0+0.02 ms clock, 0.04+0/1.0/0+0.04 ms cpu, 7->8->4 MB, 8 MB goal, 2 P\n"
    )
    refused = installed.run(
        "recommend", "-", "--memory", "1Gi", stdin="".join(map(line.format, range(1, 40)))
    )
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "standard input: Go 1.17 or older wrote this log" in refused.stderr


def test_a_log_without_allocation_while_marking_is_calibrated(installed: Installed, folder: Path) -> None:
    """Heaps that print the same size before and after marking: an answer, or a verdict, and no error of gcsim."""
    line = (
        "gc {0} @{0}.100s 1%: 0.02+1.0+0.02 ms clock, 0.04+0.1/1.0/0.9+0.04 ms cpu, 7->7->4 MB, 8 MB goal,"
        " 0 MB stacks, 0 MB globals, 2 P\n"
    )
    (folder / "quiet.log").write_text("".join(map(line.format, range(1, 60))))
    found = installed.run("recommend", "quiet.log", "--open-loop", "--memory", "1Gi", *QUICK, cwd=folder)
    assert found.returncode in (0, 1), found.stderr
    assert "internal error" not in found.stderr


def test_a_format_prints_the_setting_and_nothing_else(installed: Installed, folder: Path) -> None:
    """Go's spelling of the setting, Kubernetes' spelling of the container; verdict and reasons on standard error."""
    asked = ("recommend", "app.toml", "--memory", "512Mi", "--container", "web", "--gomaxprocs", "4", *QUICK)
    found = installed.run(*asked, "--format", "patch", cwd=folder)
    assert found.returncode == 0
    assert re.fullmatch(
        r"spec:\n  template:\n    spec:\n      containers:\n        - name: web\n          env:\n"
        r'            - name: GOGC\n              value: "(\d+|off)"\n'
        r'            - name: GOMEMLIMIT\n              value: "(\d+MiB|off)"\n'
        r'            - name: GOMAXPROCS\n              value: "4"\n'
        r"          resources:\n            requests:\n              memory: \"512Mi\"\n"
        r"            limits:\n              memory: \"512Mi\"\n",
        found.stdout,
    )
    assert "trust with care" in found.stderr
    assert "is predicted to peak" in found.stderr


def test_a_miss_prints_nothing_to_paste(installed: Installed, folder: Path) -> None:
    """Exit status 1 and an empty standard output."""
    found = installed.run("recommend", "app.toml", "--memory", "64Mi", *QUICK, "--format", "env", cwd=folder)
    assert (found.returncode, found.stdout) == (1, "")
    assert "Not possible" in found.stderr


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--format", "toml"), "--format"),
        (("--format", "env", "--json"), "--json"),
        (("--format", "env", "--container", "web"), "--container"),
        (("--format", "patch", "--container", "We b"), "--container"),
        (("--open-loop",), "--open-loop"),
        (("--no-job",), "--no-job"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    installed: Installed, folder: Path, options: tuple[str, ...], word: str
) -> None:
    """Before any work, in one sentence that names the option."""
    refused = installed.run("recommend", "app.toml", "--memory", "512Mi", *options, cwd=folder)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1
    assert word in refused.stderr


def test_without_a_container_the_smallest_one_is_the_answer(installed: Installed, folder: Path) -> None:
    """A table of sizes with one marked, and the setting to paste; without a bound, one sentence asks for either."""
    found = installed.run("recommend", "app.toml", "--max-gc-cpu", "12%", *QUICK, cwd=folder)
    assert found.returncode == 0, found.stderr
    assert re.search(
        r"^The smallest container for GC CPU of at most 12 % has \d+ MiB \(\d+Mi\)\.$", found.stdout, re.M
    )
    rows = re.findall(r"^[\d.]+ [MG]iB .*$", found.stdout, re.M)
    assert sum(row.endswith(" smallest") for row in rows) == 1
    assert rows[0].endswith(("over the bound", "no setting fits"))
    assert re.search(r"^  GOGC=\d+$", found.stdout, re.M)
    refused = installed.run("recommend", "app.toml", cwd=folder)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--memory" in refused.stderr
    assert "--max-gc-cpu" in refused.stderr
