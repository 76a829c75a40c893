"""Lines of a log whose right reading is known."""

import io

from gcsim.gctrace import Trace, read_processes

TAIL = (
    "1%: 0.018+1.2+0.003 ms clock, 0.036+0.14/1.2/0.10+0.006 ms cpu, 31->36->11 MB, 40 MB goal,"
    " 0 MB stacks, 0 MB globals, 2 P"
)


def gc(number: int, clock: float | None = None) -> str:
    """The gc line of a cycle."""
    return f"gc {number} @{number * 0.1 if clock is None else clock:.3f}s {TAIL}"


def read(text: str | bytes) -> list[Trace]:
    """All processes of a log."""
    return read_processes(io.BytesIO(text.encode() if isinstance(text, str) else text))


def numbers(text: str | bytes) -> list[list[int]]:
    """The cycle numbers of each process."""
    return [trace.cycles.cycle_number.tolist() for trace in read(text)]


LOG = [gc(n) for n in range(1, 10)]
BARE = read("\n".join(LOG))
