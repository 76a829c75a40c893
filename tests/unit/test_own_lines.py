"""What of standard error is shown: the program's own lines, not its trace."""

import gzip
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gcsim.capture.own_lines import OwnLines

GC_LINE = (
    b"gc 7 @0.600s 2%: 0.018+1.2+0.003 ms clock, 0.036+0.1/0.2/0.3+0.006 ms cpu, 3->4->1 MB, 4 MB goal,"
    b" 0 MB stacks, 0 MB globals, 2 P\n"
)
TRACE_LINES = [
    GC_LINE,
    GC_LINE.replace(b"2 P", b"2 P (forced)"),
    GC_LINE.replace(b"2%:", b"2% (checking for goroutine leaks):"),
    b"GC forced\n",
    b"pacer: assist ratio=0.7609941107527899 (scan 0 MB in 11->11 MB) workers=0+0.25\n",
    b"pacer: assist ratio=+1.439397e+000 (scan 0 MB in 3->4 MB) workers=2++0.000000e+000\n",
    "pacer: 25% CPU (25 exp.) for 52480+2120+153290 B work (153290 B exp.) in 4087808 B -> 4153344 B"
    " (∆goal -40960, cons/mark +1.100000e+000)\n".encode(),
    b"pacer: sweep done at heap size 3MB; allocated 0MB during sweep; swept 448 pages at +1.4e-004 pages/byte\n",
    b"scav 8 KiB work (bg), 0 KiB work (eager), 3000 KiB now, 94% util\n",
    b"scav 8 KiB work (bg), 0 KiB work (eager), 3000 KiB now, 94% util (forced)\n",
]
OWN_LINES = [
    b"listening on :8080\n",
    b"gc 5 is my own line\n",
    b"pacer: mine\n",
    b"app gc 1 @ start\n",
    GC_LINE[:60] + b"torn by a log line\n",
    b"\n",
    b"\x00\xff\r\n",
]


@given(st.lists(st.sampled_from(TRACE_LINES + OWN_LINES), max_size=12), st.data())
def test_only_whole_trace_lines_are_kept_from_the_terminal(lines: list[bytes], data: st.DataObject) -> None:
    """Wherever the pipe cuts the text, the program's own lines come out in full and in order.

    A signal may end the program in the middle of a trace line: that is the runtime's too.
    """
    last = data.draw(st.sampled_from([b"", b"Password: ", b"gc 1 @0.0", b"gc ", b"gc 1 of mine", b"g"]))
    text = b"".join(lines) + last
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    own, shown = OwnLines(), b""
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        shown += own.add(text[start:end])
    shown += own.end()
    expected = b"".join(line for line in lines if line in OWN_LINES)
    if last not in (b"gc 1 @0.0", b"gc "):
        expected += last
    assert shown == expected


def test_a_prompt_without_a_newline_is_shown_at_once() -> None:
    """A line that cannot become a trace line is not held back."""
    assert OwnLines().add(b"Password: ") == b"Password: "
    assert OwnLines().add(b"first\ng") == b"first\n"


def test_a_real_trace_is_all_trace_lines() -> None:
    """Committed captures of several Go versions hold nothing that would be shown, but for the programs' own lines."""
    logs = sorted((Path(__file__).parents[2] / "experiments").rglob("*-r1.log.gz"))[::97]
    assert len(logs) > 5
    for log in logs:
        own = OwnLines()
        shown = own.add(gzip.decompress(log.read_bytes())) + own.end()
        assert not any(line.startswith((b"gc ", b"pacer: ", b"scav ")) for line in shown.split(b"\n")), log
