"""One reading of a process's memory, of any kind."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gcsim.service.parameters import Parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class GoMemory:
    """The Go runtime's own account at one moment, bytes; the names are those of ``runtime.MemStats``."""

    sys_bytes: int
    heap_sys_bytes: int
    heap_idle_bytes: int
    heap_inuse_bytes: int
    heap_released_bytes: int
    heap_alloc_bytes: int  # objects, with dead ones that are not swept yet
    next_gc_bytes: int  # the heap goal

    @property
    def counted_bytes(self) -> int:
        """The memory that GOMEMLIMIT counts."""
        return self.sys_bytes - self.heap_released_bytes

    @property
    def outside_spans_bytes(self) -> int:
        """Metadata and stacks: the counted memory outside spans in use and free pages."""
        return self.sys_bytes - self.heap_sys_bytes

    @property
    def free_slot_bytes(self) -> int:
        """Free slots in spans in use."""
        return self.heap_inuse_bytes - self.heap_alloc_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One reading, bytes; None for each quantity that it does not have.

    ``origin`` names the option or file. All sizes but ``rss_peak_bytes`` and ``usage_peak_bytes`` are momentary.
    """

    origin: str
    rss_bytes: int | None = None
    rss_peak_bytes: int | None = None  # the kernel's high-water mark
    anonymous_bytes: int | None = None
    file_bytes: int | None = None
    shared_bytes: int | None = None
    heap_mapped_bytes: int | None = None  # as in a capture's memory map
    rss_outside_heap_bytes: int | None = None
    usage_bytes: int | None = None  # of the cgroup, with inactive file pages
    usage_peak_bytes: int | None = None
    inactive_file_bytes: int | None = None  # of the cgroup
    working_set_bytes: int | None = None  # of the cgroup
    container_anonymous_bytes: int | None = None
    go: GoMemory | None = None
    direct: Mapping[str, Parameter] = field(default_factory=dict)  # as in ``MemoryEvidence``

    @property
    def highest_rss_bytes(self) -> int | None:
        """The high-water mark, else the momentary resident memory."""
        return self.rss_bytes if self.rss_peak_bytes is None else self.rss_peak_bytes
