"""Findings about the evidence of a process's memory."""

from collections.abc import Iterator
from typing import Literal

from gcsim.calibration.memory.file_pages import FILE_RESIDENT
from gcsim.service.assessment import Finding
from gcsim.service.parameter_interval import interval
from gcsim.service.parameters import Parameter
from gcsim.units import format_interval, format_mib


def memory_findings(
    source: Literal["capture", "reading", "prior"], file_pages: Parameter = FILE_RESIDENT
) -> Iterator[Finding]:
    """The finding about memory from this source; ``file_pages`` is the assumed size, if it was not measured."""
    if source == "prior":
        low, high = interval("file_resident_bytes", file_pages)
        assumed = format_interval(*(format_mib(size) for size in (file_pages.value, low, high)))
        yield Finding(
            "memory not measured",
            "care",
            "the log does not show the memory outside the Go heap: the program's binary, mapped files and C memory."
            f" gcsim assumes {assumed} of file pages; log with gcsim capture, or give a reading such as --rss, before"
            " you choose a container's memory",
        )
    elif source == "reading":
        yield Finding(
            "memory read once",
            "care",
            "memory was read at one moment, and its peak is not known: the interval of memory is wider for that; log"
            " with gcsim capture, which measures the peak",
        )
