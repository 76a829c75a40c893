"""``gcsim.toml``, ``--quiet`` and shell completion, through the installed script."""

import json
from pathlib import Path

import pytest
from installed_script import Installed

SHORT = "duration = '5s'\nreplicas = 2\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gcsim.toml").write_text(f"[recommend]\nmemory = '1Gi'\nconfidence = ['memory=95%']\n{SHORT}")
    return tmp_path


def test_a_file_in_the_folder_sets_defaults_that_options_replace(installed: Installed, folder: Path) -> None:
    """The document holds the file's values; --verbose names those that are used."""
    found = installed.run("recommend", "order-service", "--json", "--verbose", cwd=folder)
    assert found.returncode == 0, found.stderr
    document = json.loads(found.stdout)
    assert (document["memory_bytes"], document["replicas"]) == (1 << 30, 2)
    assert document["margins"][0]["confidence"] == 0.95
    used = found.stderr.splitlines()[0]
    assert used.startswith("gcsim: gcsim.toml: defaults used: ")
    assert "--memory 1Gi" in used
    own = installed.run("recommend", "order-service", "--json", "--memory", "512Mi", "--verbose", cwd=folder)
    assert json.loads(own.stdout)["memory_bytes"] == 1 << 29
    assert "--memory" not in own.stderr.splitlines()[0]
    assert installed.run("simulate", "order-service", "--duration", "1s", cwd=folder).returncode == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[recommend]\nmemroy = '1Gi'\n", ("[recommend]", "'memroy'", "did you mean memory?")),
        ("[recomend]\nmemory = '1Gi'\n", ("'recomend'", "did you mean recommend?")),
        ("memory = '1Gi'\n", ("'memory'", "[recommend]")),
        ("[recommend]\nspend-memory = 'yes'\n", ("spend-memory", "true or false")),
        ("[recommend]\nmemory = true\n", ("memory", "text in quotes")),
        ("[recommend]\nmemory = '12'\n", ("sets a default", "--memory", "12MiB")),
        ("[recommend]\nreplicas = 'many'\n", ("sets a default", "--replicas", "whole number")),
        ("[recommend\n", ("not TOML",)),
    ],
)
def test_a_bad_file_is_one_sentence_with_file_and_key(
    installed: Installed, tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    """Exit status 2 and nothing on standard output; help still works."""
    (tmp_path / "team.toml").write_text(text)
    asked = ("recommend", "order-service", "--config", "team.toml")
    found = installed.run(*asked, cwd=tmp_path)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.count("\n") == 1
    assert found.stderr.startswith("gcsim: team.toml")
    assert all(word in found.stderr for word in words), found.stderr
    assert installed.run(*asked, "--help", cwd=tmp_path).returncode == 0


def test_quiet_leaves_out_notes_and_not_errors(installed: Installed, tmp_path: Path) -> None:
    """Before or behind the command; the result is the same."""
    asked = ("simulate", "order-service-open", "--duration", "5s", "--replicas", "2")
    loud = installed.run(*asked, cwd=tmp_path)
    assert "trust with care" in loud.stderr
    for arguments in ((*asked, "--quiet"), ("-q", *asked)):
        quiet = installed.run(*arguments, cwd=tmp_path)
        assert (quiet.returncode, quiet.stderr, quiet.stdout) == (0, "", loud.stdout)
    wrong = installed.run("simulate", "no-such-service", "--quiet", cwd=tmp_path)
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


def test_the_shell_completes_commands_and_options(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As bash asks for it."""
    monkeypatch.setenv("_GCSIM_COMPLETE", "complete_bash")
    for words, place, wanted in (
        ("gcsim rec", 1, "recommend"),
        ("gcsim recommend --max-g", 2, "--max-gc-cpu"),
    ):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(place))
        assert installed.run(cwd=tmp_path).stdout.split() == [wanted]
