"""Whether the runtime could have printed a gc line that was joined from pieces.

Source: Go 1.5-1.27 mgc.go ``gcMarkTermination`` and ``fmtNSAsMS``. Over 7,000 gc lines of public logs satisfy these
rules. A joined line that violates a rule where its pieces meet has a digit too many or too few there.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gcsim.arrays import BoolArray
from gcsim.gctrace.formats import Template
from gcsim.gctrace.numbers import Number, printed_step_ns

_INTEGER = re.compile(rb"0|[1-9]\d*")
_MS = re.compile(rb"0|0\.00[1-9]|0\.0[1-9]\d|0\.[1-9]\d|[1-9]\.\d|[1-9]\d+")
_MS_ZEROS_DROPPED = re.compile(rb"0|0\.\d{1,3}|[1-9](?:\.\d{1,2})?|[1-9]\d+")
_SECONDS = re.compile(rb"(?:0|[1-9]\d*)\.\d{3}")
_PAUSES = (
    ("stw_sweep_term_ns", "stw_sweep_term_cpu_ns"),
    ("stw_mark_term_ns", "stw_mark_term_cpu_ns"),
)
_HEAPS = ("heap_start_bytes", "heap_end_bytes", "heap_marked_bytes")
_BEFORE_FMT_NS_AS_MS = ("1.2", "1.3", "1.4", "1.5beta")


def could_be_printed(
    template: Template, match: re.Match[bytes], joints: Sequence[int], *, broken_number: bool = False
) -> bool:
    """Whether the runtime spells and orders the numbers in this way at the places where pieces meet.

    A tool or a person that broke a number over two lines may have dropped zeros at its end (``broken_number``).
    """
    old = template.generation in _BEFORE_FMT_NS_AS_MS
    ms = _INTEGER if old else _MS_ZEROS_DROPPED if broken_number else _MS
    touched = {
        token.name: token.number
        for token in template.fields
        if token.number and any(match.start(token.name) <= at <= match.end(token.name) for at in joints)
    }
    if not all(_spelled(number, match[name], ms) for name, number in touched.items()):
        return False
    if "utilization_percent" in touched and int(match["utilization_percent"]) > 100:
        return False
    if "gomaxprocs" in touched and int(match["gomaxprocs"]) == 0:
        return False
    if not old and touched.keys() & set(_HEAPS):
        start, end, marked = (int(match[name]) for name in _HEAPS)
        return start <= end >= marked
    return True


def _spelled(number: Number, text: bytes, ms: re.Pattern[bytes]) -> bool:
    spelling = {"ms": ms, "seconds": _SECONDS}.get(number.kind, _INTEGER)
    return spelling.fullmatch(text) is not None


def pauses_agree(fields: Mapping[str, Any]) -> BoolArray:
    """Whether CPU time / wall time of both pauses fits one number of Ps up to GOMAXPROCS; for columns or one line.

    The runtime multiplies a pause by ``work.stwprocs``: GOMAXPROCS, or the number of CPUs when that is less.
    """
    most = np.asarray(fields["gomaxprocs"], np.float64)
    fewest = np.minimum(1.0, most)
    for wall, cpu in _PAUSES:
        if wall not in fields or cpu not in fields:
            continue
        wall_ns, cpu_ns = (np.asarray(fields[name], np.int64) for name in (wall, cpu))
        fewest = np.maximum(fewest, cpu_ns / (wall_ns + printed_step_ns(wall_ns)))
        upper = (cpu_ns + printed_step_ns(cpu_ns)) / np.maximum(wall_ns, 1)
        most = np.where(wall_ns > 0, np.minimum(most, upper), most)
    agree: BoolArray = np.floor(most) >= fewest
    return agree
