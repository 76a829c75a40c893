"""The diagnostic pages of Go services, and a check of each answer."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gcsim.capture.web.fetch import PAGE_SECONDS, Limits
from gcsim.units import MIB

When = Literal["start and end", "end", "each time"]

_PROFILE_BYTES, _TEXT_BYTES = 48 * MIB, 16 * MIB
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page: its path, when it is fetched, the files that it becomes, and the check of an answer."""

    path: str
    when: When
    name: str  # of its files
    suffix: str
    limits: Limits
    check: Callable[[bytes], str]  # the reason why a body is not the page; "" if it is

    def file(self, mark: str) -> str:
        """The name of one file."""
        folder = f"{self.name}/" if self.when == "each time" else ""
        return f"{folder}{self.name}-{mark}{self.suffix}"


def _profile(body: bytes) -> str:
    return "" if body.startswith(_GZIP) else f"is not a pprof profile ({_kind(body)})"


def _goroutines(body: bytes) -> str:
    return "" if body.startswith(b"goroutine profile: ") else f"is not a goroutine profile ({_kind(body)})"


def _memstats(body: bytes) -> str:
    return "" if b"# runtime.MemStats" in body else f"is not a heap profile in text ({_kind(body)})"


def _metrics(body: bytes) -> str:
    if b"\ngo_" in body or body.startswith(b"go_"):
        return ""
    if b"# TYPE " in body:
        return "has no go_* metrics; register the Go collector of the Prometheus client"
    return f"is not a page of Prometheus ({_kind(body)})"


def _vars(body: bytes) -> str:
    if not body.lstrip().startswith(b"{"):
        return f"is not a page of expvar ({_kind(body)})"
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return "is not JSON, or not all of it"
    found = document.get("memstats") if isinstance(document, dict) else None
    return "" if isinstance(found, dict) else "has no memstats, so it is not a page of Go's expvar"


def _kind(body: bytes) -> str:
    start = body[:200].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<")):
        return "the service answers with a web page"
    return "the answer is empty" if not body.strip() else "the answer has another format"


def _of_pprof(name: str, when: When) -> Page:
    return Page(
        path=f"/debug/pprof/{name}", when=when, name=name, suffix=".pb.gz",
        limits=Limits(_PROFILE_BYTES), check=_profile,
    )  # fmt: skip


PROFILES = (
    _of_pprof("heap", "start and end"),
    Page(
        path="/debug/pprof/goroutine?debug=1", when="start and end", name="goroutine", suffix=".txt",
        limits=Limits(_TEXT_BYTES), check=_goroutines,
    ),
    _of_pprof("allocs", "end"),
    _of_pprof("block", "end"),
    _of_pprof("mutex", "end"),
)  # fmt: skip
SAMPLED = (
    Page(
        path="/metrics", when="each time", name="metrics", suffix=".txt",
        limits=Limits(_TEXT_BYTES), check=_metrics,
    ),
    Page(
        path="/debug/vars", when="each time", name="vars", suffix=".json",
        limits=Limits(_TEXT_BYTES), check=_vars,
    ),
)  # fmt: skip
MEMSTATS = Page(
    path="/debug/pprof/heap?debug=1", when="each time", name="memstats", suffix=".txt",
    limits=Limits(_TEXT_BYTES), check=_memstats,
)  # fmt: skip
"""Sampled if the service has neither of SAMPLED: the page ends with runtime.MemStats."""


def cpu_profile(seconds: float) -> Page:
    """The CPU profile over a time; the answer comes at its end."""
    whole = max(round(seconds), 1)
    return Page(
        path=f"/debug/pprof/profile?seconds={whole}", when="end", name="cpu", suffix=".pb.gz",
        limits=Limits(_PROFILE_BYTES, whole + PAGE_SECONDS), check=_profile,
    )  # fmt: skip
