"""Reads one page in the text format of Prometheus or OpenMetrics.

Only lines of go_* and process_* metrics are parsed: a page of a large service has megabytes of other metrics, and the
parser of the Prometheus client needs minutes for them.
"""

import math
import re

from gcsim.scrapes.sample import PAUSES, Sample

_QUOTED = r'"(?:[^"\\\n]|\\.){0,300}"'
_LINE = re.compile(
    rf"""^((?:go|process)_\w{{1,100}})(?:\{{((?:[^"\n}}]|{_QUOTED}){{0,500}})\}})?[ \t]+([^\s#]{{1,40}})"""
    r"(?:[ \t]+(-?\d{1,19}(?:\.\d{1,9})?))?",
    re.MULTILINE | re.ASCII,
)
_LABEL = re.compile(r'(\w{1,100})="((?:[^"\\]|\\.){0,300})"')
_SECONDS_AS_MS = 1e11  # Prometheus writes time stamps in ms, OpenMetrics in seconds


def is_exposition(text: str) -> bool:
    """Whether a page has metrics of a Go process."""
    return re.search(r"^go_(?:memstats|gc|goroutines|info|cpu_classes)", text, re.MULTILINE) is not None


def read_exposition(text: str, source: str) -> Sample:
    """The sample on a page; metrics that no reader uses are left out."""
    sample = Sample(source=source)
    for name, labels, number, stamp in _LINE.findall(text):
        value = number_of(number)
        if value is None:
            continue
        if name == "go_info":
            sample.put_version(dict(_LABEL.findall(labels)).get("version", ""))
        elif name.endswith("_bucket") and name.removesuffix("_bucket") in PAUSES:
            upper = number_of(dict(_LABEL.findall(labels)).get("le", ""))
            if upper is not None:
                sample.pauses[upper] = value
        elif "quantile=" not in labels:
            sample.put(name, value)
        if stamp and math.isnan(sample.seconds):
            at = float(stamp)
            sample.seconds = at / 1e3 if at > _SECONDS_AS_MS else at
    return sample


def number_of(text: str) -> float | None:
    """A number as Prometheus writes it; None for other text."""
    try:
        return float(text)
    except ValueError:
        return None
