"""Settings in the formats of deployment tools: shell, Kubernetes, Dockerfile, systemd and ECS."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gcsim.units import GIB, KIB, MIB

_QUANTITIES = (
    (GIB, "Gi"),
    (MIB, "Mi"),
    (10**9, "G"),
    (10**6, "M"),
    (KIB, "Ki"),
)  # the first exact one is used
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_USUAL_NAME = "app"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A setting and its container."""

    env: Mapping[str, str]  # in Go's spelling
    memory_bytes: int  # of the container
    container: str  # its name in a Pod or a task


def container_name(name: str) -> str:
    """The name if a container may have it (a DNS label), else ``app``."""
    return name if _DNS_LABEL.fullmatch(name) else _USUAL_NAME


def kubernetes_bytes(size_bytes: int) -> str:
    """An exact Kubernetes quantity: ``512Mi``, ``512M``, or plain bytes."""
    for factor, suffix in _QUANTITIES:
        if size_bytes % factor == 0:
            return f"{size_bytes // factor}{suffix}"
    return str(size_bytes)


def kubernetes_env(env: Mapping[str, str]) -> str:
    """The settings as a container's ``env`` in a Kubernetes manifest."""
    lines = [f'  - name: {name}\n    value: "{value}"' for name, value in env.items()]
    return "env:\n" + "\n".join(lines)


def _env(what: Deployed) -> str:
    return "\n".join(f"{name}={value}" for name, value in what.env.items())


def _yaml(what: Deployed) -> str:
    size = kubernetes_bytes(what.memory_bytes)
    resources = f'resources:\n  requests:\n    memory: "{size}"\n  limits:\n    memory: "{size}"'
    return f"{kubernetes_env(what.env)}\n{resources}"


def _patch(what: Deployed) -> str:
    lines = [f"- name: {what.container}", *(f"  {line}" for line in _yaml(what).split("\n"))]
    above = "spec:\n  template:\n    spec:\n      containers:\n"
    return above + "\n".join(f"        {line}" for line in lines)


def _dockerfile(what: Deployed) -> str:
    return "\n".join(f"ENV {name}={value}" for name, value in what.env.items())


def _systemd(what: Deployed) -> str:
    mib, rest = divmod(what.memory_bytes, MIB)
    size = f"{what.memory_bytes}" if rest else f"{mib}M"  # systemd's M is 1024 x 1024 bytes
    variables = "\n".join(f'Environment="{name}={value}"' for name, value in what.env.items())
    return f"[Service]\n{variables}\nMemoryMax={size}"


def _ecs(what: Deployed) -> str:
    container = {
        "name": what.container,
        "memory": math.ceil(what.memory_bytes / MIB),
        "environment": [{"name": name, "value": value} for name, value in what.env.items()],
    }
    return json.dumps({"containerDefinitions": [container]}, indent=2)


#: The formats by name. A new format is a function and a row.
SNIPPETS: Mapping[str, Callable[[Deployed], str]] = {
    "env": _env,
    "yaml": _yaml,
    "patch": _patch,
    "dockerfile": _dockerfile,
    "systemd": _systemd,
    "ecs": _ecs,
}
#: The formats that name the container.
NAMED = ("patch", "ecs")
