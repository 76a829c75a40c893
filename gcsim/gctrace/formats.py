"""Templates of all lines of Go's GC traces, from Go 1.2 to 1.27.

A template is the runtime's line, with ``{field:number}`` for a number and ``{field?text}`` for an optional text. Reader
and writer both use these templates. Number kinds are in ``numbers.py``.

Sources: Go 1.2-1.4 ``runtime·gc`` (mgc0.c), ``MHeap_Scavenger`` (mheap.c); Go 1.5-1.27
``gcMarkTermination``, ``gcControllerState.startCycle`` and ``endCycle``, ``sweepone``, ``printScavTrace``.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property

from gcsim.gctrace.numbers import NUMBERS, Number

_YIELDS = (
    " {handoffs:int}({handoff_count:int}) handoff, {steals:int}({steal_count:int}) steal,"
    " {proc_yields:int}/{os_yields:int}/{sleeps:int} yields"
)
_FOUR_PHASES = (
    "gc{cycle_number:int}({gomaxprocs:int}):"
    " {phase1_ns:us}+{phase2_ns:us}+{phase3_ns:us}+{phase4_ns:us} us,"
    " {heap_start_bytes:mib} -> {heap_marked_bytes:mib} MB,"
    " {objects:int} ({mallocs:int}-{frees:int}) objects,"
)
_SWEEPS = " {sweep_spans:int}/{background_sweeps:int}/{pause_sweeps:int} sweeps,"
_CYCLE_START = "gc {cycle_number:int} @{start_ns:seconds}s {utilization_percent:int}%"
_FIVE_CLOCKS = (
    ": {stw_sweep_term_ns:ms}+{scan_ns:ms}+{write_barrier_ns:ms}+{mark_ns:ms}+{stw_mark_term_ns:ms}"
    " ms clock, {stw_sweep_term_cpu_ns:ms}+{scan_cpu_ns:ms}+{write_barrier_cpu_ns:ms}+"
)
_THREE_CLOCKS = (
    ": {stw_sweep_term_ns:ms}+{mark_ns:ms}+{stw_mark_term_ns:ms} ms clock, {stw_sweep_term_cpu_ns:ms}+"
)
_MARK_CPU = "{assist_cpu_ns:ms}/{background_cpu_ns:ms}/{idle_cpu_ns:ms}+{stw_mark_term_cpu_ns:ms} ms cpu,"
_HEAPS = " {heap_start_bytes:mib}->{heap_end_bytes:mib}->{heap_marked_bytes:mib} MB,"
_GOAL = " {heap_goal_bytes:mib} MB goal,"
_PROCS = " {gomaxprocs:int} P{forced? (forced)}"

CYCLE_LINES = {
    "1.2": (
        "gc{cycle_number:int}({gomaxprocs:int}): {phase1_ns:ms}+{phase2_ns:ms}+{phase3_ns:ms} ms,"
        " {heap_start_bytes:mib} -> {heap_marked_bytes:mib} MB"
        " {objects_before:int} -> {objects:int} ({mallocs:int}-{frees:int}) objects," + _YIELDS
    ),
    "1.3": _FOUR_PHASES + _SWEEPS + _YIELDS,
    "1.4": _FOUR_PHASES + " {goroutines:int} goroutines," + _SWEEPS + _YIELDS,
    "1.5beta": _CYCLE_START
    + _FIVE_CLOCKS
    + "{mark_cpu_ns:ms}+{stw_mark_term_cpu_ns:ms} ms cpu,"
    + _HEAPS
    + _PROCS,
    "1.5": _CYCLE_START + _FIVE_CLOCKS + _MARK_CPU + _HEAPS + _GOAL + _PROCS,
    "1.6": _CYCLE_START + _THREE_CLOCKS + _MARK_CPU + _HEAPS + _GOAL + _PROCS,
    "1.18": _CYCLE_START
    + "{leak_check? (checking for goroutine leaks)}"
    + _THREE_CLOCKS
    + _MARK_CPU
    + _HEAPS
    + _GOAL
    + " {stack_bytes:mib} MB stacks, {globals_bytes:mib} MB globals,"
    + _PROCS,
}
"""Lines of gctrace=1, by the first Go version that prints them."""

_SCVG = "{forced?forced }scvg{number:number_or_none}: "
_SCAV_FLAGS = "{forced? (forced)}{controller_reset? [controller reset]}"

OTHER_LINES = {
    "periodic_next": ("GC forced",),  # printed before its cycle: Go 1.5+ forcegchelper
    "periodic_last": (
        "scvg{number:number_or_none}: GC forced",
    ),  # printed after its cycle: Go <= 1.4 MHeap_Scavenger
    "heap_summaries": (  # gctrace=1 up to Go 1.13
        _SCVG + "{newly_released_bytes:mib} MB released",
        _SCVG + "{newly_released_bytes:kib} KB released",
        _SCVG + "inuse: {inuse_bytes:mib}, idle: {idle_bytes:mib}, sys: {sys_bytes:mib},"
        " released: {released_bytes:mib}, consumed: {consumed_bytes:mib} (MB)",
    ),
    "scavenges": (  # scavtrace=1, Go 1.14+
        "scav {number:int} {background_bytes:kib} KiB work, {released_bytes:kib} KiB total,"
        " {utilization_percent:int}% util" + _SCAV_FLAGS,
        "scav {background_bytes:kib} KiB work, {released_bytes:kib} KiB total,"
        " {utilization_percent:int}% util" + _SCAV_FLAGS,
        "scav {background_bytes:kib} KiB work (bg), {eager_bytes:kib} KiB work (eager),"
        " {released_bytes:kib} KiB now, {utilization_percent:int}% util" + _SCAV_FLAGS,
    ),
    "pacer_starts": (
        "pacer: assist ratio={assist_ratio:float} (scan {heap_scan_bytes:mib} MB in"
        " {heap_live_bytes:mib}->{heap_goal_bytes:mib} MB)"
        " workers={dedicated_workers:int}+{fractional_utilization:float}",
    ),
    "pacer_ends": (  # Go 1.18+
        "pacer: {utilization_percent:int}% CPU ({goal_percent:int} exp.) for {heap_work_bytes:int}"
        "+{stack_work_bytes:int}+{globals_work_bytes:int} B work ({expected_work_bytes:int} B exp.)"
        " in {triggered_bytes:int} B -> {heap_live_bytes:int} B (∆goal {past_goal_bytes:signed},"
        " cons/mark {cons_mark:float}){controller_reset?[controller reset]}",
    ),
    "pacer_ends_before_118": (  # Go 1.5-1.17
        "pacer: H_m_prev={heap_marked_previous_bytes:int} h_t={trigger_ratio:float}"
        " H_T={trigger_bytes:int} h_a={actual_ratio:float} H_a={heap_live_bytes:int}"
        " h_g={goal_ratio:float} H_g={heap_goal_bytes:int} u_a={utilization:float}"
        " u_g={goal_utilization:float} W_a={scan_work_bytes:int} goalΔ={goal_delta:float}"
        " actualΔ={actual_delta:float} u_a/u_g={utilization_ratio:float}",
    ),
    "sweeps": (
        "pacer: sweep done at heap size {heap_live_bytes:mib}MB; allocated {allocated_bytes:mib}MB"
        " during sweep; swept {swept_pages:int} pages at {pages_per_byte:float} pages/byte",
        "pacer: sweep done at heap size {heap_live_bytes:mib}MB; allocated {allocated_bytes:mib}MB"
        " of spans; swept {swept_pages:int} pages at {pages_per_byte:float} pages/byte",
    ),
}
"""All other lines, by their table in ``Trace``; several spellings if Go changed the line."""

_PIECE = re.compile(r"\{(\w+):(\w+)\}|\{(\w+)\?([^}]*)\}")


@dataclass(frozen=True, slots=True)
class Token:
    """A literal, a number or an optional text, which the runtime prints in one call of print."""

    text: str = ""  # the literal, or the optional text
    name: str = ""  # the field; "" for a literal
    number: Number | None = None  # None for a literal and an optional text

    @property
    def pattern(self) -> str:
        """A regular expression of the token that accepts blanks which copying has added or removed."""
        if self.number is not None:
            return self.number.pattern
        if self.text.isspace():
            return r"[ \t]+"  # required between two numbers
        pieces = re.findall(r"\w+|[ ]+|[^\w ]", self.text)
        return "".join(_literal_piece(piece, pieces[i - 1] if i else "") for i, piece in enumerate(pieces))


def _literal_piece(piece: str, before: str) -> str:
    if piece.isspace():
        return r"[ \t]+" if before in ("gc", "scav") else r"[ \t]*"
    if piece in "∆Δ":
        return r"\S{1,12}?"  # log shippers and consoles encode the delta in many ways
    return r"[ \t]*" + re.escape(piece) if piece == "," else re.escape(piece)


@dataclass(frozen=True, eq=False)  # one object per template: equality is identity, which is fast to hash
class Template:
    """One spelling of one line. ``table`` is its table in ``Trace``; gc lines have ``cycles``."""

    table: str
    text: str
    generation: str = ""  # key of CYCLE_LINES
    tokens: tuple[Token, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", tuple(_split(self.text)))

    @cached_property
    def regex(self) -> re.Pattern[bytes]:
        """A regular expression of the whole line, with one named group per field."""
        pattern = ""
        for token in self.tokens:
            if token.number is not None:
                pattern += f"(?P<{token.name}>{token.pattern})"
            elif token.name:
                pattern += f"(?P<{token.name}>{token.pattern})?"
            else:
                pattern += token.pattern
        if self.table == "cycles" and self.generation >= "1.5":
            pattern = pattern.replace("gc[ \\t]+", "gc[ \\t]+#?", 1)  # Go 1.5 betas wrote "gc #1"
        return re.compile(pattern.encode())

    @cached_property
    def fields(self) -> tuple[Token, ...]:
        """The tokens with a value."""
        return tuple(token for token in self.tokens if token.name)


def _split(text: str) -> list[Token]:
    """The tokens of a template's text."""
    tokens, position = [], 0
    for match in _PIECE.finditer(text):
        if match.start() > position:
            tokens.append(Token(text=text[position : match.start()]))
        if match[1]:
            tokens.append(Token(name=match[1], number=NUMBERS[match[2]]))
        else:
            tokens.append(Token(name=match[3], text=match[4]))
        position = match.end()
    if position < len(text):
        tokens.append(Token(text=text[position:]))
    return tokens


CYCLES = {generation: Template("cycles", text, generation) for generation, text in CYCLE_LINES.items()}
OTHERS = {table: tuple(Template(table, text) for text in texts) for table, texts in OTHER_LINES.items()}
ALL = (*reversed(CYCLES.values()), *(template for spellings in OTHERS.values() for template in spellings))


def cycle_generation(minor: int) -> str:
    """The key in CYCLE_LINES of the gc line of Go 1.``minor``."""
    known = [int(name[2:]) for name in CYCLES if name != "1.5beta" and int(name[2:]) <= minor]
    return f"1.{max(known, default=2)}"
