"""The snippets of ``gcsim recommend --format``: each tool's own spelling, and the same setting in all."""

import json
import re
import subprocess

import pytest

from gcsim.report.snippets import SNIPPETS, Deployed, container_name, kubernetes_bytes
from gcsim.units import GIB, MIB, parse_memory_size

ENV = {"GOGC": "off", "GOMEMLIMIT": "441MiB"}
WHAT = Deployed(env=ENV, memory_bytes=512 * MIB, container="web")
VARIABLE = {
    "env": r"^(GO\w+)=(\S+)$",
    "dockerfile": r"^ENV (GO\w+)=(\S+)$",
    "systemd": r'^Environment="(GO\w+)=(\S+)"$',
    "yaml": r'^  - name: (GO\w+)\n    value: "(\S+)"$',
    "patch": r'^            - name: (GO\w+)\n              value: "(\S+)"$',
    "ecs": r'"name": "(GO\w+)",\s+"value": "(\S+)"',
}
SIZE = {
    "yaml": 'limits:\n    memory: "512Mi"',
    "patch": 'limits:\n              memory: "512Mi"',
    "systemd": "MemoryMax=512M",
    "ecs": '"memory": 512',
}


@pytest.mark.parametrize("form", SNIPPETS)
def test_every_format_has_the_setting_and_its_own_spelling_of_the_size(form: str) -> None:
    """Values are quoted in YAML, where a bare off is false."""
    text = SNIPPETS[form](WHAT)
    assert dict(re.findall(VARIABLE[form], text, re.MULTILINE)) == ENV
    assert SIZE.get(form, "") in text


def test_the_shell_lines_are_assignments() -> None:
    """A shell that sources them has the values."""
    script = f"set -a\n{SNIPPETS['env'](WHAT)}\nset +a\nenv"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert {"GOGC=off", "GOMEMLIMIT=441MiB"} <= set(done.stdout.splitlines())


def test_a_task_definition_names_its_container_and_counts_mebibytes() -> None:
    """ECS knows whole MiB only: a decimal size is rounded up."""
    decimal = Deployed(env=ENV, memory_bytes=512_000_000, container="web")
    (container,) = json.loads(SNIPPETS["ecs"](decimal))["containerDefinitions"]
    assert (container["name"], container["memory"]) == ("web", 489)


@pytest.mark.parametrize(
    ("size", "text"),
    [(GIB, "1Gi"), (1536 * MIB, "1536Mi"), (512_000_000, "512M"), (3 * 10**9, "3G"), (5_000_001, "5000001")],
)
def test_kubernetes_reads_the_same_size_back(size: int, text: str) -> None:
    """Exact, in the shortest usual unit."""
    assert kubernetes_bytes(size) == text
    assert parse_memory_size(text) == size


@pytest.mark.parametrize(
    ("name", "kept"),
    [("order-service", True), ("App", False), ("a b", False), ("-a", False), ("a" * 64, False)],
)
def test_a_name_that_kubernetes_refuses_is_not_used(name: str, kept: bool) -> None:
    """A container's name is a DNS label."""
    assert container_name(name) == (name if kept else "app")
