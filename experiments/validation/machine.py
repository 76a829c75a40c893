"""The machine of the captures, in a note next to them: absolute figures depend on it."""

import json
import os
import platform
import re
from pathlib import Path

from gcsim.atomic import write_text_atomically

_FILE = "machine.json"


def note(folder: Path) -> None:
    """Write this machine's processor, cores, memory and system to the folder's ``machine.json``."""
    record = {
        "cpu": _first(r"model name\s*: (.*)", "/proc/cpuinfo") or platform.processor(),
        "cpus": os.cpu_count(),
        "memory_kib": int(_first(r"MemTotal:\s*(\d+)", "/proc/meminfo") or 0),
        "system": f"{platform.system()} {platform.release()}",
    }
    write_text_atomically(folder / _FILE, json.dumps(record, indent=2) + "\n")


def described(folder: Path) -> str:
    """The noted machine in a phrase."""
    file = folder / _FILE
    if not file.exists():
        return "a machine that was not noted"
    record = json.loads(file.read_text())
    memory_gib = record["memory_kib"] / (1 << 20)
    return f"{record['cpu']}, {record['cpus']} CPUs, {memory_gib:.0f} GiB, {record['system']}"


def _first(pattern: str, file: str) -> str | None:
    try:
        found = re.search(pattern, Path(file).read_text())
    except OSError:
        return None
    return found[1].strip() if found else None
