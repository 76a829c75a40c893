"""The versions in a process that determine the bytes of a result."""

import platform
from functools import lru_cache
from importlib.metadata import version

Versions = dict[str, str]


@lru_cache(maxsize=1)
def versions_here() -> Versions:
    """The versions in this process of everything that determines the bytes of a result."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"gcsim": version("gcsim"), "Python": python, "NumPy": version("numpy"), "SciPy": version("scipy")}
