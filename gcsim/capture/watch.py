"""Polls a captured program while it runs: its memory, its CPU time, and the Go programs that it starts."""

import time
from collections.abc import Callable, Collection
from pathlib import Path

from gcsim.capture.cgroup import CgroupWatch
from gcsim.capture.cpu_quota import CpuQuotaWatch
from gcsim.capture.disk import read_ahead_kib
from gcsim.capture.elf import sizes_of_process
from gcsim.capture.memory_map import MemoryMap, heap_mapped, memory_map
from gcsim.capture.process_tree import age_seconds, descendants_of, go_program_of, program_of, stat_of
from gcsim.capture.resident import ResidentMemory, resident_memory
from gcsim.capture.run_settings import GoProgram
from gcsim.capture.runtime_counters import AccountReader

POLL_SECONDS = 0.05
QUOTA_SECONDS = 0.5  # between looks at the CPU quota, 1 ms each
ACCOUNT_SECONDS = 0.02  # between reads of the runtime's own counts, some 20 us each
# between reads of the memory map: at least MAP_SECONDS, or MAP_COST times the time of a read; the cost alone decides
# after resident memory has risen by the share MAP_RISE
MAP_SECONDS, MAP_COST = 0.5, 200.0
MAP_RISE, MAP_RISE_COST = 0.1, 50.0
# between searches for other Go programs: the first pair while none is known, the second pair afterwards
SEARCH_SECONDS, SEARCH_COST = 0.02, 20.0
MORE_SECONDS, MORE_COST = 0.5, 1000.0
START_SECONDS = 1.0  # a process that a wrapper left behind has this time to become the Go program
MOST_WATCHED = 8  # processes at a time, because a build starts hundreds


class ProcessWatch:
    """One process; each of its values is polled at its own interval."""

    def __init__(
        self,
        pid: int,
        started: float,
        go: GoProgram | None,
        program: str,
        relatives: Callable[[], Collection[int]],
    ) -> None:
        """``started`` is on the monotonic clock, ``go`` describes a Go program, ``program`` is its path in /proc.

        ``relatives`` gives the pids of the started process and of all that it has started.
        """
        self.pid = pid
        self.started = started
        self.go = go
        self.program = program
        self.resident = ResidentMemory()  # the highest of each
        self.binary = None if go is None else sizes_of_process(pid)
        self.read_ahead_kib = None if go is None else read_ahead_kib(Path(f"/proc/{pid}/exe"))
        self.cgroup = CgroupWatch(pid, relatives)
        self.cpu_quota = CpuQuotaWatch(pid)
        self.cpu_seconds = 0.0
        self.memory: MemoryMap | None = None
        self.accounts: AccountReader | None = None
        self.last_seen = started
        self.has_ended = False
        self.next_look = 0.0
        if go is not None:
            self.accounts = AccountReader(gogc=go.gogc, gomemlimit_bytes=go.gomemlimit_bytes, minor=go.minor)
        stat = stat_of(pid)
        self._start_ticks = None if stat is None else stat.start_ticks
        self._next_poll = 0.0
        self._next_quota = 0.0
        self._next_map = started + MAP_SECONDS
        self._next_map_of_rise = started + POLL_SECONDS
        self._mapped_at = 0  # the peak of RSS at the last read of the memory map, bytes

    def look(self, now: float) -> None:
        """Polls the values that are due; to be called at ``next_look``."""
        if now >= self._next_poll:
            self._poll(now)
            self._next_poll = now + POLL_SECONDS
        self.next_look = self._next_poll
        if self.has_ended:
            return
        if self.accounts is not None and self.accounts.wanted:
            self.accounts.look(self.pid, now - self.started)
            self.next_look = min(self.next_look, now + ACCOUNT_SECONDS)
        if self.go is not None and now >= self.cgroup.next_look:
            self.cgroup.look(now)
        if self.go is not None and now >= self._next_quota:
            self.cpu_quota.look()
            self._next_quota = now + QUOTA_SECONDS
        risen = (self.resident.rss_peak_bytes or 0) > (1.0 + MAP_RISE) * self._mapped_at
        if now >= (self._next_map_of_rise if risen else self._next_map):
            self._read_map(now)

    def _read_map(self, now: float) -> None:
        current = memory_map(self.pid)
        if current is not None:
            self.memory = current.highest(self.memory)
        seconds = time.monotonic() - now
        self._next_map = now + max(MAP_SECONDS, MAP_COST * seconds)
        self._next_map_of_rise = now + MAP_RISE_COST * seconds
        self._mapped_at = self.resident.rss_peak_bytes or 0

    def _poll(self, now: float) -> None:
        """Reads CPU time and peak RSS, and notices the process's end."""
        stat = stat_of(self.pid)
        if stat is None or stat.is_zombie or stat.start_ticks != self._start_ticks:
            self.has_ended = self._start_ticks is not None
            return
        program = program_of(self.pid)
        self.program = self.program or program  # not always readable while the kernel starts it
        if program and program != self.program:  # the process runs another program, as after "exec ./app"
            self.has_ended = True
            return
        self.cpu_seconds = stat.cpu_seconds
        self.resident = self.resident.highest(resident_memory(self.pid))
        mapped = None if self.memory is None else heap_mapped(self.pid)
        if self.memory is not None and mapped is not None:
            self.memory = self.memory.highest(MemoryMap(mapped, 0))
        self.last_seen = now


class Family:
    """The started process, and the Go programs that it has become or started."""

    def __init__(self, root: int, started: float, *, go: GoProgram | None, own_group: bool) -> None:
        """``root`` is the pid of a process just started as ``go``; ``own_group`` if it has its own process group."""
        self._own_group = own_group
        self.root = ProcessWatch(root, started, go, program_of(root), lambda: self._members(root))
        self.others: list[ProcessWatch] = []
        self.next_look = 0.0
        self._may_start_until = started
        self._last_search = started
        self._next_search = started + (MORE_SECONDS if self.root.go else SEARCH_SECONDS)

    @property
    def go_programs(self) -> list[ProcessWatch]:
        """All Go programs found, by CPU time, the busiest first."""
        found = [watch for watch in (self.root, *self.others) if watch.go is not None]
        return sorted(found, key=lambda watch: (-watch.cpu_seconds, watch.started - watch.last_seen))

    @property
    def is_followed(self) -> bool:
        """Whether the started program is a wrapper and not a Go program."""
        return self.root.go is None

    @property
    def main_program(self) -> ProcessWatch | None:
        """The busiest running Go program below a wrapper; None if there is none."""
        running = [watch for watch in self.go_programs if not watch.has_ended]
        return running[0] if self.is_followed and running else None

    @property
    def became_another(self) -> bool:
        """Whether the started process now runs another Go program ("exec ./app")."""
        return any(watch.pid == self.root.pid for watch in self.others)

    def reaped(self, now: float) -> None:
        """Records that the started process is reaped; a wrapper may have left a Go program behind."""
        for watch in (self.root, *self.others):
            watch.has_ended |= watch.pid == self.root.pid
        if self.is_followed and not self.go_programs:
            self._search(now)
            self._may_start_until = now + START_SECONDS

    def may_start(self, now: float) -> bool:
        """Whether an ended wrapper has left a process that may still become a Go program."""
        if now >= self._may_start_until or self.go_programs:
            return False
        return bool(descendants_of(self.root.pid, own_group=self._own_group))

    def look(self, now: float) -> None:
        """Polls the processes that are due, and searches for new ones; to be called at ``next_look``."""
        for watch in self._running():
            if now >= watch.next_look:
                watch.look(now)
                if watch.has_ended:  # it may run another program now, or a successor may start
                    self._next_search = min(self._next_search, now + SEARCH_SECONDS)
        if now >= self._next_search:
            self._search(now)
        self.next_look = min([self._next_search, *(watch.next_look for watch in self._running())])

    def _running(self) -> list[ProcessWatch]:
        return [watch for watch in (self.root, *self.others) if not watch.has_ended]

    def _members(self, root: int) -> list[int]:
        """The started process, and all that it has started."""
        return [root, *descendants_of(root, own_group=self._own_group)]

    def _search(self, now: float) -> None:
        """Finds Go programs that have started since the last search."""
        root = self.root
        found = descendants_of(root.pid, own_group=self._own_group)
        running = self._running()
        # a root that is not known as Go's is looked at again: a shell may have become the program before its first look
        known = {(watch.pid, watch.program) for watch in running if watch.go is not None}
        for pid in [root.pid, *found]:
            program = program_of(pid)
            if not program or (pid, program) in known or len(running) >= MOST_WATCHED:
                continue
            go = go_program_of(pid)
            if go is not None:
                # the last search did not find it: it started later, or has become a Go program later
                started = max(now - age_seconds(pid), self._last_search)
                program = str(go.path)  # the process may have become the Go program since the first look
                running.append(ProcessWatch(pid, started, go, program, lambda: self._members(root.pid)))
                self.others.append(running[-1])
        self._last_search = now
        few, cost = (MORE_SECONDS, MORE_COST) if self.go_programs else (SEARCH_SECONDS, SEARCH_COST)
        self._next_search = now + max(few, cost * (time.monotonic() - now))
