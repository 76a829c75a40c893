"""append: the capacity of a slice that grows, and the heap bytes of each of its arrays."""

from gcsim.goruntime.size_classes import (
    HEADERLESS_BYTES,
    MALLOC_HEADER_BYTES,
    TINY_BLOCK_BYTES,
    max_small_request_bytes,
    round_up_size,
)
from gcsim.goruntime.versions import GoRules


def next_slice_cap(new_len: int, old_cap: int, *, rules: GoRules) -> int:
    """The capacity in elements that append asks for, before it is rounded up to a size class.

    ``new_len`` is the length that is needed, more than ``old_cap``. Source: ``nextslicecap`` (1.21+), ``growslice``.
    """
    if new_len > 2 * old_cap:
        return new_len
    if old_cap < rules.append_doubles_below:
        return 2 * old_cap
    smooth = 3 * rules.append_doubles_below if rules.append_grows_smoothly else 0
    capacity = old_cap
    while capacity < new_len:
        capacity += (capacity + smooth) // 4
    return capacity


def grown_capacity(
    new_len: int, old_cap: int, *, element_bytes: int, scan: bool, rules: GoRules
) -> tuple[int, int]:
    """(capacity in elements, bytes of its array on the heap) after append has grown a slice.

    ``scan`` says that elements hold pointers. Source: ``growslice``, which fills the size class up.
    """
    asked = next_slice_cap(new_len, old_cap, rules=rules) * element_bytes
    slot = round_up_size(
        asked, scan or asked < TINY_BLOCK_BYTES, rules=rules
    )  # roundupsize has no tiny blocks
    header = scan and rules.alloc_headers and HEADERLESS_BYTES < asked <= max_small_request_bytes(rules)
    return (slot - (MALLOC_HEADER_BYTES if header else 0)) // element_bytes, slot
