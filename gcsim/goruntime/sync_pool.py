"""sync.Pool: which Get finds an object, what a collection takes away, and the hit rate that follows.

A pool holds, for each P, one private object and a shared chain. Its own P pushes and pops the chain's
head, others take the tail. The first stop-the-world pause of every collection (``clearpools``) drops what
the *previous* one had set aside, the victim, and sets aside everything else: an object survives one
collection unused, not two.

Objects are interchangeable, and the chain of rings is in effect one deque, so counts say exactly which
Get hits: ``PoolState`` is small and immutable, ``put``, ``get`` and ``collect`` return the next one.
Items held by goroutines are not the pool's. Source: src/sync/pool.go and poolqueue.go, the same in Go
1.19 to 1.27; without the race detector, which drops a quarter of all Puts. The rings (16 B a slot) are
not counted as memory.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from gcsim.goruntime.versions import GoRules

LOCAL_BYTES = 128  # unsafe.Sizeof(poolLocal{}), one for each P

PoolSource = Literal["private", "shared", "stolen", "victim", "miss"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLocals:
    """One array of poolLocal: by P, whether the private slot is taken and how long the shared chain is."""

    private: tuple[bool, ...] = ()
    shared: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.private) != len(self.shared):
            raise ValueError("a pool's private and shared parts cover the same Ps")

    @property
    def objects(self) -> int:
        return sum(self.private) + sum(self.shared)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """What one pool holds. Empty ``PoolLocals`` stand for an array that does not exist (nil, size 0)."""

    local: PoolLocals = field(default_factory=PoolLocals)
    victim: PoolLocals = field(default_factory=PoolLocals)
    local_bytes_allocated: int = 0  # poolLocal arrays so far: garbage that every collection causes

    @property
    def objects(self) -> int:
        return self.local.objects + self.victim.objects


def put(state: PoolState, processor: int, *, gomaxprocs: int) -> PoolState:
    """One object returned on ``processor`` (0 to gomaxprocs - 1): to its private slot if free, else to
    the chain.

    Source: ``(*Pool).Put``.
    """
    state = _pin(state, processor, gomaxprocs)
    local = state.local
    if local.private[processor]:
        return replace(state, local=_with_shared(local, processor, +1))
    return replace(state, local=_with_private(local, processor, taken=True))


def get(state: PoolState, processor: int, *, gomaxprocs: int) -> tuple[PoolState, PoolSource]:
    """One Get on ``processor``: the next state and where the object came from; "miss" means that New is
    called.

    In order: own private slot, head of the own chain, tails of the chains of the following Ps (the own
    chain last), then the victim: own private slot, tails from the own P on. Private slots of other Ps are
    out of reach. A Get that finds nothing in the victim either closes it for everyone until the next
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
    if processor >= len(victim.private):  # no victim, or one from before GOMAXPROCS grew: left open
        return state, "miss"
    if victim.private[processor]:
        return replace(state, victim=_with_private(victim, processor, taken=False)), "victim"
    owner = _chain_with_objects(victim, processor)
    if owner is not None:
        return replace(state, victim=_with_shared(victim, owner, -1)), "victim"
    return replace(state, victim=PoolLocals()), "miss"


def collect(state: PoolState, *, rules: GoRules) -> PoolState:
    """A collection begins: the victim is dropped, the rest becomes the victim (``poolCleanup``).

    Before Go 1.13 there was no victim: everything is dropped.
    """
    victim = state.local if rules.pool_victim_cache else PoolLocals()
    return replace(state, local=PoolLocals(), victim=victim)


def _pin(state: PoolState, processor: int, gomaxprocs: int) -> PoolState:
    """Make sure ``processor`` has its poolLocal: the first use after a collection allocates the array.

    So does the first use by a P beyond the array, after GOMAXPROCS grew; what the old array held is lost.
    After GOMAXPROCS shrank the array stays, and the chains of Ps that are gone can still be stolen from
    (``pinSlow``).
    """
    if not 0 <= processor < gomaxprocs:
        raise ValueError(f"no P {processor} with GOMAXPROCS={gomaxprocs}")
    if processor < len(state.local.private):
        return state
    fresh = PoolLocals(private=(False,) * gomaxprocs, shared=(0,) * gomaxprocs)
    allocated = state.local_bytes_allocated + LOCAL_BYTES * gomaxprocs
    return replace(state, local=fresh, local_bytes_allocated=allocated)


def _chain_with_objects(locals_: PoolLocals, processor: int) -> int | None:
    """The P whose chain is taken from: the own one, else the next after it that has something."""
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
