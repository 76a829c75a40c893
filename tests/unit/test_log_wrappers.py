"""Logs as container runtimes, shippers and log databases hand them out: each gives the trace of the plain log."""

import datetime
import gzip
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from gcsim.calibration.source import read_source
from gcsim.gctrace import read_gctrace
from gcsim.scrapes.files import is_metrics

LOG = Path(__file__).parents[1] / "data/quiet-blobcache.log.gz"
LINES = gzip.decompress(LOG.read_bytes()).decode().splitlines()[:60]
PLAIN = "\n".join(LINES) + "\n"
START = datetime.datetime(2026, 11, 30, 12, 0, 0, 123456, tzinfo=datetime.UTC)
TIMES = [START + datetime.timedelta(milliseconds=70 * i) for i in range(len(LINES))]


def iso(time: datetime.datetime) -> str:
    """A time as container runtimes write it, to the nanosecond."""
    return f"{time:%Y-%m-%dT%H:%M:%S.%f}789Z"


def epoch(time: datetime.datetime, unit: float) -> int:
    """A time in units since 1970."""
    return int(time.timestamp() * unit)


def each(form: Callable[[str, datetime.datetime], str], *, newest_first: bool = False) -> str:
    """One record per line of the log."""
    records = [form(line, time) for line, time in zip(LINES, TIMES, strict=True)]
    return "".join(reversed(records) if newest_first else records)


def row(**fields: object) -> str:
    """One JSON object in a line."""
    return json.dumps(fields) + "\n"


def values(*, newest_first: bool = False) -> list[list[str]]:
    """The lines as Loki lists them."""
    found = [[str(epoch(time, 1e9)), line] for line, time in zip(LINES, TIMES, strict=True)]
    return found[::-1] if newest_first else found


def loki(streams: Iterable[tuple[str, list[list[str]]]]) -> str:
    """An answer of Loki."""
    result = [{"stream": {"stream": name}, "values": lines} for name, lines in streams]
    return json.dumps({"status": "success", "data": {"resultType": "streams", "result": result}})


def cut_in_two(line: str, time: datetime.datetime) -> str:
    """docker's records of a long line, with one of another stream between."""
    head = {"stream": "stderr", "time": iso(time)}
    return row(log=line[:50], **head) + row(log="x\n", stream="stdout") + row(log=f"{line[50:]}\n", **head)


def binary_field(line: str, _time: datetime.datetime) -> str:
    """journald's export of a message with control characters: its length in 8 bytes, then the text."""
    size = len(line).to_bytes(8, "little").decode("latin-1")
    return f"__CURSOR=s=1\n_PID=4711\nMESSAGE\n{size}{line}\nPRIORITY=6\n\n"


FORMS: dict[str, str | bytes] = {
    "docker json-file": each(lambda line, time: row(log=f"{line}\n", stream="stderr", time=iso(time))),
    "docker json-file, escaped": each(lambda line, _: row(log=f"{line}\n").replace(">", "\\u003e")),
    "docker json-file, cut records": each(cut_in_two),
    "CRI": each(lambda line, time: f"{iso(time)} stderr F {line}\n"),
    "CRI, partial lines": each(
        lambda line, time: (
            f"{iso(time)} stderr P {line[:40]}\n{iso(time)} stdout F hi\n{iso(time)} stderr F {line[40:]}\n"
        )
    ),
    "kubectl logs --prefix --timestamps": each(lambda line, time: f"[pod/app-1/app] {iso(time)} {line}\n"),
    "docker compose": each(lambda line, _: f"app-1  | {line}\n"),
    "journald short": each(lambda line, time: f"Nov 30 {time:%H:%M:%S} host app[4711]: {line}\n"),
    "journald short-precise": each(lambda line, time: f"Nov 30 {time:%H:%M:%S.%f} host app[4711]: {line}\n"),
    "journald verbose": each(
        lambda line, time: (
            f"Mon 2026-11-30 {time:%H:%M:%S.%f} UTC [s=ab;i=1]\n    _PID=4711\n    MESSAGE={line}\n"
        )
    ),
    "journald export": each(lambda line, _: f"__CURSOR=s=1\n_PID=4711\nMESSAGE={line}\nPRIORITY=6\n\n"),
    "journald export, binary fields": each(binary_field).encode("latin-1"),
    "journald JSON": each(lambda line, _: row(_PID="4711", PRIORITY="6", MESSAGE=line)),
    "journald JSON, bytes": each(lambda line, _: row(_PID="4711", MESSAGE=list(line.encode()))),
    "journald JSON, pretty": each(
        lambda line, _: json.dumps({"_PID": "1", "MESSAGE": line}, indent=1) + "\n"
    ),
    "syslog, RFC 3164": each(lambda line, time: f"<30>Nov 30 {time:%H:%M:%S} host app[4711]: {line}\n"),
    "syslog, RFC 5424": each(
        lambda line, time: f'<30>1 {iso(time)} host app 4711 ID47 [ex@1 iut="3"] \ufeff{line}\n'
    ),
    "syslog, counted octets": each(
        lambda line, time: f"{len(line) + 60} <30>1 {iso(time)} h app 1 - - {line}"
    ),
    "CloudWatch filter-log-events": json.dumps(
        {"events": [{"timestamp": 1, "message": f"{line}\n"} for line in LINES]}, indent=4
    ),
    "CloudWatch, text": each(lambda line, time: f"EVENTS\t{epoch(time, 1e3)}\t{line}\t{epoch(time, 1e3)}\n"),
    "CloudWatch tail": each(lambda line, time: f"{iso(time)} app/app/123 {row(log=line)}"),
    "CloudWatch Insights": json.dumps(
        {
            "results": [
                [{"field": "@message", "value": line}, {"field": "@ptr", "value": "x"}] for line in LINES
            ]
        }
    ),
    "CloudWatch Insights, CSV": "@timestamp,@message\n"
    + each(lambda line, _: f'2026-11-30 12:00:00,"{line}"\n'),
    "Loki answer": loki([("stderr", values())]),
    "Loki answer, newest first, two streams": loki(
        [("stdout", [["1", "hello"]]), ("stderr", values(newest_first=True))]
    ),
    "logcli": each(lambda line, time: f'{time:%Y-%m-%dT%H:%M:%S}Z {{app="x"}} {line}\n', newest_first=True),
    "Grafana CSV": "Time,Line,tsNs\n" + each(lambda line, time: f'{epoch(time, 1e3)},"{line}",1\n'),
    "Grafana text": "Total bytes: 1\n\n"
    + each(lambda line, time: f"{iso(time)}\t{line}\n", newest_first=True),
    "Stackdriver": json.dumps([{"insertId": "1", "textPayload": line} for line in LINES], indent=2),
    "Elasticsearch": each(lambda line, _: row(_source={"message": line})),
    "fluentd": each(
        lambda line, time: f"{time:%Y-%m-%d %H:%M:%S} +0000 kube.app: {row(log=line, logtag='F')}"
    ),
    "UTF-16 of PowerShell": ("\ufeff" + PLAIN.replace("\n", "\r\n")).encode("utf-16-le"),
    "UTF-16, big-endian": ("\ufeff" + PLAIN).encode("utf-16-be"),
    "UTF-16 without a mark": PLAIN.encode("utf-16-le"),
    "UTF-8 with a mark": b"\xef\xbb\xbf" + PLAIN.encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_wrapped_log_is_the_plain_log(form: str, tmp_path: Path) -> None:
    """Every cycle is read once, by the reader and through the search for the kind of a file."""
    content = FORMS[form]
    data = content if isinstance(content, bytes) else content.encode()
    plain = read_gctrace(io.BytesIO(PLAIN.encode()))
    assert read_gctrace(io.BytesIO(data)) == plain
    path = tmp_path / "app.log"
    path.write_bytes(data)
    assert not is_metrics(path)
    assert read_source(str(path)) == plain
