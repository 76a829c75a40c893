"""How fast logs are read, compared with a plain loop that only splits the same lines.

``python -m benchmarks.bench_gctrace_reader [LINES]`` prints lines per second of both, and their ratio, for a
bare log, one in a container's wrapper, one in which three of four lines are foreign, and one with the
pacer's and the scavenger's lines.
"""

import io
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from gcsim.gctrace import read_processes


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Lines per second of one log."""

    log: str
    reader: float
    plain_loop: float


def logs(lines: int) -> dict[str, bytes]:
    """Logs of about so many lines."""
    bare = [_gc_line(n) for n in range(1, lines + 1)]
    wrapped = [
        f"2024-01-01T00:{n // 60 % 60:02}:{n % 60:02}.1{n:08}Z stderr F {text}" for n, text in enumerate(bare)
    ]
    mixed = [text for n in range(lines // 4) for text in (bare[n], *_foreign(n))]
    traced = [text for n in range(lines // 5) for text in (*_pacer_lines(n), bare[n], *_after_lines(n))]
    texts = {
        "bare": bare,
        "in a container's wrapper": wrapped,
        "three of four foreign": mixed,
        "all traces on": traced,
    }
    return {name: ("\n".join(text) + "\n").encode() for name, text in texts.items()}


def _gc_line(n: int) -> str:
    return (
        f"gc {n} @{n * 0.137 + 0.01:.3f}s {n % 30}%: 0.0{n % 90 + 10}+{n % 8 + 1}.{n % 10}+0.{n % 90 + 10} ms clock,"
        f" 0.{n * 7 % 90 + 10}+{n % 9}.1/{n % 60 + 10}/6.3+0.1{n % 10} ms cpu, {n % 900 + 80}->{n % 990 + 90}->49 MB,"
        f" {n % 2000 + 5} MB goal, {n % 3} MB stacks, 0 MB globals, 2 P"
    )


def _foreign(n: int) -> tuple[str, str, str]:
    return (
        f"2024/01/01 00:00:00 order {n} taken in {n % 977} ms",
        f'{{"level":"info","ts":{n}.25,"msg":"served","path":"/orders/{n:x}"}}',
        f"10.0.0.{n % 255} GET /orders 200 {n % 4096}",
    )


def _pacer_lines(n: int) -> tuple[str, str]:
    return (
        f"pacer: assist ratio={n % 97 + 0.5} (scan {n % 40} MB in {n % 90}->{n % 99} MB) workers=0+0.25",
        f"pacer: {n % 50}% CPU (25 exp.) for {n * 997}+2048+4096 B work ({n * 1001} B exp.)"
        f" in {n * 3} B -> {n * 4} B (∆goal -{n % 5000}, cons/mark {n % 13 + 0.25})",
    )


def _after_lines(n: int) -> tuple[str, str]:
    return (
        f"pacer: sweep done at heap size {n % 99}MB; allocated 1MB during sweep;"
        f" swept {n} pages at 0.{n + 1} pages/byte",
        f"scav {n % 900} KiB work (bg), {n % 7} KiB work (eager), {n % 94712} KiB now, {n % 100}% util",
    )


def measure(name: str, data: bytes, repeats: int = 5) -> Speed:
    """The best of some runs of each, in turn, in this process."""
    count = data.count(b"\n")
    best_reader = best_loop = float("inf")
    for _ in range(repeats):
        best_reader = min(best_reader, _seconds(lambda: read_processes(io.BytesIO(data))))
        best_loop = min(best_loop, _seconds(lambda: [line.split() for line in io.BytesIO(data)]))
    return Speed(log=name, reader=count / best_reader, plain_loop=count / best_loop)


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main(lines: int = 200_000, repeats: int = 5) -> list[Speed]:
    """Measures all logs and prints a table."""
    speeds = [measure(name, data, repeats) for name, data in logs(lines).items()]
    print(f"{'log':26} {'reader, lines/s':>16} {'plain loop':>12} {'ratio':>6}")
    for speed in speeds:
        ratio = speed.reader / speed.plain_loop
        print(f"{speed.log:26} {speed.reader:16,.0f} {speed.plain_loop:12,.0f} {ratio:6.2f}")
    return speeds


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
