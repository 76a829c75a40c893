"""sync.Pool: which Get finds an object, and which objects a collection drops.

A pool has one private object and a shared chain for each P. The P itself pushes and pops the head of its chain, other
Ps take the tail. The first pause of every collection (``clearpools``) drops the victim of the previous collection
and makes all other objects the new victim. An unused object therefore survives one collection, not two.

Objects are interchangeable, and the chain of rings acts as one deque. Counts therefore determine exactly which Get
hits. ``PoolState`` is small and immutable; ``put``, ``get`` and ``collect`` return the next state. Objects that
goroutines hold do not belong to the pool. Source: src/sync/pool.go and poolqueue.go, the same in Go 1.19 to 1.27,
without the race detector, which drops a quarter of all Puts. The rings (16 B per slot) do not count as memory.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from gcsim.goruntime.versions import GoRules

LOCAL_BYTES = 128  # unsafe.Sizeof(poolLocal{}), one for each P

PoolSource = Literal["private", "shared", "stolen", "victim", "miss"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLocals:
    """One array of poolLocal: for each P, whether its private slot is used and the length of its shared chain."""

    private: tuple[bool, ...] = ()
    shared: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.private) != len(self.shared):
            raise ValueError("a pool's private and shared parts cover the same Ps")

    @property
    def objects(self) -> int:
        """Number of objects."""
        return sum(self.private) + sum(self.shared)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """The objects of one pool. Empty ``PoolLocals`` are an array that does not exist (nil, size 0)."""

    local: PoolLocals = field(default_factory=PoolLocals)
    victim: PoolLocals = field(default_factory=PoolLocals)
    local_bytes_allocated: int = 0  # poolLocal arrays since the start; every collection makes them garbage

    @property
    def objects(self) -> int:
        """Number of objects, the victim's included."""
        return self.local.objects + self.victim.objects


def put(state: PoolState, processor: int, *, gomaxprocs: int) -> PoolState:
    """The state after a Put on ``processor`` (0 to gomaxprocs - 1).

    The object goes to the private slot if it is free, else to the chain.

    Source: ``(*Pool).Put``.
    """
    state = _pin(state, processor, gomaxprocs)
    local = state.local
    if local.private[processor]:
        return replace(state, local=_with_shared(local, processor, +1))
    return replace(state, local=_with_private(local, processor, taken=True))


def get(state: PoolState, processor: int, *, gomaxprocs: int) -> tuple[PoolState, PoolSource]:
    """(state after a Get on ``processor``, source of the object); "miss" means that the pool calls New.

    The search order is the P's private slot, the head of its chain, the tails of the chains of the following Ps (its
    own chain last), then the victim: the P's private slot and the tails from its own P on. A Get cannot take private
    objects of other Ps. A Get that finds nothing in the victim closes the victim for all Ps until the next
    collection. Source: ``(*Pool).Get``, ``getSlow``.
    """
    state = _pin(state, processor, gomaxprocs)
    local, victim = state.local, state.victim
    if local.private[processor]:
        return replace(state, local=_with_private(local, processor, taken=False)), "private"
    owner = _chain_with_objects(local, processor)
    if owner is not None:
        source: PoolSource = "shared" if owner == processor else "stolen"
        return replace(state, local=_with_shared(local, owner, -1)), source
    if processor >= len(victim.private):  # no victim, or one of a smaller GOMAXPROCS, which stays open
        return state, "miss"
    if victim.private[processor]:
        return replace(state, victim=_with_private(victim, processor, taken=False)), "victim"
    owner = _chain_with_objects(victim, processor)
    if owner is not None:
        return replace(state, victim=_with_shared(victim, owner, -1)), "victim"
    return replace(state, victim=PoolLocals()), "miss"


def collect(state: PoolState, *, rules: GoRules) -> PoolState:
    """The state after a collection has begun: the victim is dropped, all other objects become the victim.

    Before Go 1.13 there is no victim and all objects are dropped. Source: ``poolCleanup``.
    """
    victim = state.local if rules.pool_victim_cache else PoolLocals()
    return replace(state, local=PoolLocals(), victim=victim)


def _pin(state: PoolState, processor: int, gomaxprocs: int) -> PoolState:
    """The state in which ``processor`` has a poolLocal: the first use after a collection allocates the array.

    If GOMAXPROCS has grown, the first use by a new P allocates a larger array, and the objects of the old one are lost.
    If GOMAXPROCS has shrunk, the array stays, and Ps can still steal from the chains of removed Ps (``pinSlow``).
    """
    if not 0 <= processor < gomaxprocs:
        raise ValueError(f"no P {processor} with GOMAXPROCS={gomaxprocs}")
    if processor < len(state.local.private):
        return state
    fresh = PoolLocals(private=(False,) * gomaxprocs, shared=(0,) * gomaxprocs)
    allocated = state.local_bytes_allocated + LOCAL_BYTES * gomaxprocs
    return replace(state, local=fresh, local_bytes_allocated=allocated)


def _chain_with_objects(locals_: PoolLocals, processor: int) -> int | None:
    """The P whose chain has an object: ``processor`` or the next one after it; None if all are empty."""
    shared = locals_.shared
    if not any(shared):
        return None
    while not shared[processor]:
        processor = (processor + 1) % len(shared)
    return processor


def _with_private(locals_: PoolLocals, processor: int, *, taken: bool) -> PoolLocals:
    slots = locals_.private
    return replace(locals_, private=(*slots[:processor], taken, *slots[processor + 1 :]))


def _with_shared(locals_: PoolLocals, processor: int, change: int) -> PoolLocals:
    chains = locals_.shared
    return replace(
        locals_, shared=(*chains[:processor], chains[processor] + change, *chains[processor + 1 :])
    )
