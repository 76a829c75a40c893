"""Scrapes as the answers of Prometheus to range queries, the form in which people export them."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from gcsim.capture.web.manifest import Manifest

_SAMPLE = re.compile(r"^((?:go|process)_\w+)(\{[^}]*\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_LEFT_OUT = re.compile(r"go_(?:gc_heap_(?:allocs|frees)_by_size|godebug)")


def range_query(folder: Path, scrapes: Sequence[Path]) -> str:
    """The document of ``/api/v1/query_range`` for {__name__=~"go_.*|process_.*"} over the scrapes of a folder."""
    manifest = Manifest.of(folder)
    started = datetime.fromisoformat(manifest.started).timestamp()
    times = {one.file: started + one.at_seconds for one in manifest.files}
    series: dict[str, dict[str, Any]] = {}
    for scrape in scrapes:
        at = round(times[scrape.relative_to(folder).as_posix()], 3)
        for name, labels, value in _SAMPLE.findall(scrape.read_text()):
            if _LEFT_OUT.match(name):
                continue
            one = series.setdefault(
                f"{name}{labels}",
                {
                    "metric": {
                        "__name__": name, "instance": "app:6060", "job": "app", **dict(_LABEL.findall(labels)),
                    },
                    "values": [],
                },
            )  # fmt: skip
            one["values"].append([at, value])
    result = ",\n".join(json.dumps(one) for one in series.values())
    return f'{{"status":"success","data":{{"resultType":"matrix","result":[\n{result}\n]}}}}'
