"""Pages of MemStats, /debug/vars and Prometheus: fragmentation, free memory, growth between two pages."""

from collections.abc import Iterator, Sequence

from gcsim.diagnosis.pages import Page
from gcsim.diagnosis.records import Cause, Sign, Step
from gcsim.diagnosis.rules.memory import fragmentation_cause
from gcsim.diagnosis.thresholds import (
    FRAGMENTED_BYTES,
    FRAGMENTED_SHARE,
    GC_CPU_SERIOUS,
    GOROUTINES_GROW,
    GOROUTINES_GROW_COUNT,
    KEPT_BYTES,
    KEPT_SHARE,
    PAGE_GROWTH,
    PAGE_GROWTH_BYTES,
    QUEUE_GROWTH,
    QUEUE_LENGTH,
    QUEUE_RUN_SHARE,
    QUEUE_SHARE,
)
from gcsim.units import format_mib, format_percent

_OVER_GOAL = 1.3  # spans in use over the heap goal: a heap within its goal fills them


def page_causes(pages: Sequence[Page]) -> Iterator[Cause]:
    """The causes in pages, given in order of time; NumGC orders them if all have it."""
    counts = [page.collections for page in pages]
    if None not in counts:
        pages = sorted(pages, key=lambda page: page.collections or 0)
    if not pages:
        return
    first, last = pages[0], pages[-1]
    grows = last is not first
    yield from _fragmentation(first if grows else None, last)
    yield from _kept(last)
    for name in last.queues:
        yield from _queue(name, first if grows and name in first.queues else None, last)
    if grows:
        yield from _growth(first, last)
        yield from _goroutines(first, last)
    if last.gc_cpu is not None and last.gc_cpu >= GC_CPU_SERIOUS:
        yield Cause(
            name="gc-cpu-high",
            severity="serious",
            confidence="high",
            sentence=f"GC has taken {format_percent(last.gc_cpu, 2)} of all CPU since the program's start.",
            signs=(Sign(text="GCCPUFraction", source=last.source, value=last.gc_cpu, unit="fraction"),),
            steps=(Step(text="Save a GC log, which shows why.", command="gcsim diagnose app.log"),),
        )


def _fragmentation(first: Page | None, last: Page) -> Iterator[Cause]:
    go = last.reading.go
    if go is None or go.free_slot_bytes < max(FRAGMENTED_BYTES, FRAGMENTED_SHARE * go.heap_inuse_bytes):
        return
    if go.heap_inuse_bytes < _OVER_GOAL * go.next_gc_bytes:
        return  # the garbage of one cycle, swept and not reused yet
    before = None if first is None else first.reading.go
    grows = ""
    if before is not None and go.heap_inuse_bytes > 1.1 * before.heap_inuse_bytes:
        grows = (
            f" (spans in use grew from {format_mib(before.heap_inuse_bytes)}, objects from"
            f" {format_mib(before.heap_alloc_bytes)})"
        )
    yield fragmentation_cause(
        spans_bytes=float(go.heap_inuse_bytes),
        object_bytes=float(go.heap_alloc_bytes),
        signs=(
            Sign(text="HeapInuse", source=last.source, value=float(go.heap_inuse_bytes), unit="bytes"),
            Sign(text="HeapAlloc", source=last.source, value=float(go.heap_alloc_bytes), unit="bytes"),
            Sign(text="NextGC", source=last.source, value=float(go.next_gc_bytes), unit="bytes"),
        ),
        log="",
        grows=grows,
    )


def _kept(page: Page) -> Iterator[Cause]:
    go = page.reading.go
    if go is None:
        return
    kept = go.heap_idle_bytes - go.heap_released_bytes
    if kept < max(KEPT_BYTES, KEPT_SHARE * go.counted_bytes):
        return
    yield Cause(
        name="memory-not-returned",
        severity="worth knowing",
        confidence="high",
        sentence=(
            f"Go keeps {format_mib(kept)} of free pages of {format_mib(go.counted_bytes)} in all. The"
            " scavenger returns them in the background within minutes; a GOMEMLIMIT makes it return them"
            " before the limit is reached."
        ),
        signs=(Sign(text="HeapIdle less HeapReleased", source=page.source, value=float(kept), unit="bytes"),),
        steps=(Step(text="A high peak that is over explains it; find the peak in the GC log."),),
    )


def _queue(name: str, first: Page | None, last: Page) -> Iterator[Cause]:
    """The finding of finalizers or cleanups that wait: with two pages by their growth, with one by their number."""
    now = last.queues[name]
    if first is None:
        if now.length < max(QUEUE_LENGTH, QUEUE_SHARE * now.queued):
            return
        grown = f"{now.length:,} of the {now.queued:,} {name} that were ever queued have not run yet"
    else:
        before = first.queues[name]
        queued, executed = now.queued - before.queued, now.executed - before.executed
        if now.length - before.length < QUEUE_GROWTH or executed > QUEUE_RUN_SHARE * queued:
            return
        grown = (
            f"{queued:,} {name} were queued between the two pages and {executed:,} ran; {now.length:,} wait"
        )
    is_blocked = first is not None and name == "finalizers" and executed == 0
    yield Cause(
        name="finalizer-blocked" if is_blocked else "finalizer-backlog",
        severity="worth knowing" if first is None else "serious",
        confidence="medium" if first is None else "high",
        sentence=f"{grown}. Objects that wait for them are not freed, so the heap grows.",
        signs=tuple(
            Sign(
                text=f"{name} that wait",
                source=page.source,
                value=float(page.queues[name].length),
                unit="count",
            )
            for page in (*(() if first is None else (first,)), last)
        ),
        steps=(
            Step(
                text=f"Save a goroutine dump; it shows where the goroutine that runs {name} spends its time. Let them"
                " do no slow work: start a goroutine in them, or use Close methods instead.",
                command="curl -s localhost:6060/debug/pprof/goroutine?debug=2 > dump.txt; gcsim diagnose dump.txt",
            ),
        ),
    )


def _growth(first: Page, last: Page) -> Iterator[Cause]:
    before, after = first.reading.go, last.reading.go
    if before is None or after is None:
        return
    grown = after.next_gc_bytes - before.next_gc_bytes
    if after.next_gc_bytes < PAGE_GROWTH * before.next_gc_bytes or grown < PAGE_GROWTH_BYTES:
        return
    yield Cause(
        name="heap-leak",
        severity="serious",
        confidence="low",
        sentence=(
            f"The heap goal grows from {format_mib(before.next_gc_bytes)} to"
            f" {format_mib(after.next_gc_bytes)} between the two pages, so the live heap grows: a leak, or a"
            " service that still warms up."
        ),
        signs=(
            Sign(text="NextGC", source=first.source, value=float(before.next_gc_bytes), unit="bytes"),
            Sign(text="NextGC", source=last.source, value=float(after.next_gc_bytes), unit="bytes"),
        ),
        steps=(
            Step(
                text="Save two heap profiles a minute apart; they show the code that keeps the objects.",
                command="curl -s localhost:6060/debug/pprof/heap > heap1.pb.gz; sleep 60; curl -s"
                " localhost:6060/debug/pprof/heap > heap2.pb.gz; gcsim diagnose heap1.pb.gz heap2.pb.gz",
            ),
        ),
    )


def _goroutines(first: Page, last: Page) -> Iterator[Cause]:
    if first.goroutines is None or last.goroutines is None:
        return
    grown = last.goroutines - first.goroutines
    if grown < GOROUTINES_GROW_COUNT or last.goroutines < GOROUTINES_GROW * first.goroutines:
        return
    yield Cause(
        name="goroutine-leak",
        severity="serious",
        confidence="medium",
        sentence=f"Goroutines grow from {first.goroutines:,} to {last.goroutines:,} between the two pages.",
        signs=(
            Sign(text="goroutines", source=first.source, value=float(first.goroutines), unit="count"),
            Sign(text="goroutines", source=last.source, value=float(last.goroutines), unit="count"),
        ),
        steps=(
            Step(
                text="Save two goroutine profiles; they show where the goroutines wait.",
                command="curl -s localhost:6060/debug/pprof/goroutine?debug=1 > g1.txt; sleep 60; curl -s"
                " localhost:6060/debug/pprof/goroutine?debug=1 > g2.txt; gcsim diagnose g1.txt g2.txt",
            ),
        ),
    )
