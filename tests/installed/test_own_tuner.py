"""``gcsim compare --controller``: a user's file works with the installed script."""

from installed_script import Installed

TUNER = """import numpy as np

def tuner(commit, memory_bytes):
    return np.clip(commit.percent_for(0.6 * memory_bytes), 25, 1000), 0.95 * memory_bytes
"""
SHORT = ["--memory", "512Mi", "--duration", "5s", "--replicas", "2"]


def test_a_tuner_gives_the_same_bytes_for_any_number_of_jobs(installed: Installed) -> None:
    """And writes nothing next to the file."""
    (installed.folder / "mytuner.py").write_text(TUNER)
    command = ["compare", "order-service", *SHORT, "--controller", "mytuner.py:tuner", "--json"]
    alone, two = (installed.run(*command, "--jobs", jobs) for jobs in ("1", "2"))
    assert (alone.returncode, alone.stderr) == (0, "")
    assert '"rule": "mytuner.py:tuner"' in alone.stdout
    assert (two.returncode, two.stdout) == (0, alone.stdout)
    assert not (installed.folder / "__pycache__").exists()


def test_a_fault_is_one_sentence_with_file_and_line(installed: Installed) -> None:
    """No traceback, status 2."""
    (installed.folder / "faulty.py").write_text(
        "\n\ndef tuner(commit, memory_bytes):\n    return undefined, 1\n"
    )
    found = installed.run("compare", "order-service", *SHORT, "--controller", "faulty.py")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("gcsim: faulty.py:4: NameError: ")
    assert len(found.stderr.splitlines()) == 1
