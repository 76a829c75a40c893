"""Size classes: the slot size of an object, and the number of slots in a span.

The table of classes and of pages per span is the same in sizeclasses.go of Go 1.19.8, 1.21.13, 1.22.10, 1.23.9,
1.24.11, 1.25.5, 1.26.6 and 1.27.3. Two versions changed the metadata that shares a slot or a span with objects:

- Go 1.22 (``heapBitsInSpan``): pointerful objects over 512 B carry an 8-byte type header, and spans of
  smaller pointerful objects end in 128 B of pointer bitmap.
- Go 1.26 (``gcUsesSpanInlineMarkBits``, Green Tea): spans of 16 to 512 B objects hold 128 B of mark bits.

All rules are for 64-bit platforms. An object of size 0 takes no memory: the runtime returns ``zerobase``.
"""

from typing import overload

import numpy as np

from gcsim.arrays import BoolArray, BoolOrArray, FloatArray, Int64Array, IntOrArray
from gcsim.goruntime.versions import GoRules

PAGE_BYTES = 8192  # pageSize
MAX_SMALL_BYTES = 32768  # maxSmallSize: the largest slot
TINY_BLOCK_BYTES = 16  # maxTinySize: pointer-free requests below this share a block
MALLOC_HEADER_BYTES = 8  # mallocHeaderSize
HEADERLESS_BYTES = 512  # minSizeForMallocHeader: the largest pointerful size without a header
SPAN_BITS_BYTES = 128  # a one-page span's pointer bitmap; Green Tea's spanInlineMarkBits is as large
LARGE_CLASS = 0  # the class of objects that have a span of their own

SIZE_CLASS_BYTES: Int64Array = np.array(
    [0, 8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352,
     384, 416, 448, 480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304,
     2688, 3072, 3200, 3456, 4096, 4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728, 10240, 10880,
     12288, 13568, 14336, 16384, 18432, 19072, 20480, 21760, 24576, 27264, 28672, 32768],
    dtype=np.int64,
)  # fmt: skip
SIZE_CLASS_PAGES: Int64Array = np.array(
    [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
     1, 1, 2, 1, 2, 1, 2, 1, 3, 2, 3, 1, 3, 2, 3, 4, 5, 6, 1, 7, 6, 5, 4, 3, 5, 7, 2, 9, 7, 5, 8, 3, 10,
     7, 4],
    dtype=np.int64,
)  # fmt: skip
NUM_SIZE_CLASSES = len(SIZE_CLASS_BYTES)  # 68, class 0 included

# Indexed by ceil(size / 8): the smallest class that holds the size, as in the runtime's two lookup tables.
_CLASS_OF_WORDS: Int64Array = np.searchsorted(
    SIZE_CLASS_BYTES, np.arange(MAX_SMALL_BYTES // 8 + 1) * 8
).astype(np.int64)


def same_kind(result: Int64Array, *inputs: object) -> IntOrArray:
    """``result`` as an int if every input is a scalar, else unchanged."""
    return result if any(isinstance(value, np.ndarray) for value in inputs) else int(result)


@overload
def size_class(size_bytes: int, scan: bool, *, rules: GoRules) -> int: ...
@overload
def size_class(size_bytes: Int64Array, scan: BoolOrArray, *, rules: GoRules) -> Int64Array: ...
def size_class(size_bytes: IntOrArray, scan: BoolOrArray, *, rules: GoRules) -> IntOrArray:
    """The size class, 1 to 67, of a request of ``size_bytes`` (0 or more); 0 for a large object, or size 0.

    ``scan`` says that the object holds pointers. Tiny requests have class 2 and share one of its slots (see
    ``tiny_place``). Source: ``mallocgc``, ``mallocgcSmallScanHeader`` (1.22+).
    """
    size = np.asarray(size_bytes, dtype=np.int64)
    pointers = np.asarray(scan, dtype=np.bool_)
    need = size + _header_bytes(size, pointers, rules)
    tiny = ~pointers & (size > 0) & (size < TINY_BLOCK_BYTES)
    words = np.clip(np.where(tiny, TINY_BLOCK_BYTES, need) + 7, 0, MAX_SMALL_BYTES) // 8
    small = size <= max_small_request_bytes(rules)
    return same_kind(np.where(small, _CLASS_OF_WORDS[words], LARGE_CLASS), size_bytes, scan)


@overload
def round_up_size(size_bytes: int, scan: bool, *, rules: GoRules) -> int: ...
@overload
def round_up_size(size_bytes: Int64Array, scan: BoolOrArray, *, rules: GoRules) -> Int64Array: ...
def round_up_size(size_bytes: IntOrArray, scan: BoolOrArray, *, rules: GoRules) -> IntOrArray:
    """Heap bytes of an object of ``size_bytes``: its slot with the header, or whole pages for a large object.

    This is the span's ``elemsize``, which the runtime adds to TotalAlloc. ``runtime.roundupsize`` returns it less the
    malloc header and does not treat tiny objects, which share 16 B. Sizes are at most 2^62.
    """
    size = np.asarray(size_bytes, dtype=np.int64)
    small_class = np.asarray(size_class(size, np.asarray(scan), rules=rules))
    whole_pages = -(-size // PAGE_BYTES) * PAGE_BYTES
    return same_kind(
        np.where(small_class == LARGE_CLASS, whole_pages, SIZE_CLASS_BYTES[small_class]), size_bytes, scan
    )


def max_small_request_bytes(rules: GoRules) -> int:
    """The largest request that is not a large object: 32768, or 32760 since Go 1.22, with or without pointers."""
    return MAX_SMALL_BYTES - (MALLOC_HEADER_BYTES if rules.alloc_headers else 0)


@overload
def slots_per_span(size_class: int, scan: bool, *, rules: GoRules) -> int: ...
@overload
def slots_per_span(size_class: Int64Array, scan: BoolOrArray, *, rules: GoRules) -> Int64Array: ...
def slots_per_span(size_class: IntOrArray, scan: BoolOrArray, *, rules: GoRules) -> IntOrArray:
    """Number of slots in a span of a class (``nelems`` in ``mheap.initSpan``); 1 for class 0, one large object."""
    number = np.asarray(size_class, dtype=np.int64)
    slot = SIZE_CLASS_BYTES[number]
    in_span = slot <= HEADERLESS_BYTES
    bitmap = in_span & np.asarray(scan, dtype=np.bool_) & rules.alloc_headers
    marks = in_span & (slot >= 16) & rules.inline_mark_bits
    usable = SIZE_CLASS_PAGES[number] * PAGE_BYTES - SPAN_BITS_BYTES * (bitmap.astype(np.int64) + marks)
    return same_kind(np.where(number == LARGE_CLASS, 1, usable // np.maximum(slot, 1)), size_class, scan)


@overload
def tiny_place(block_offset: int, size_bytes: int) -> tuple[int, bool]: ...
@overload
def tiny_place(block_offset: Int64Array, size_bytes: Int64Array) -> tuple[Int64Array, BoolArray]: ...
def tiny_place(block_offset: IntOrArray, size_bytes: IntOrArray) -> tuple[IntOrArray, BoolOrArray]:
    """(offset after one tiny object on a P, whether it took a new block); tiny is 1 to 15 B without pointers.

    ``block_offset`` is mcache.tinyoffset, 1 to 16; 0 means that the P has no block, as after every flush. The object is
    aligned to 8, 4 or 2 by its size. The P keeps the block, old or new, with more free space.
    Source: ``mallocgcTiny`` (``mallocgc`` up to 1.23), 64-bit, without the race detector.
    """
    offset, size = np.asarray(block_offset, dtype=np.int64), np.asarray(size_bytes, dtype=np.int64)
    align = np.where(size % 8 == 0, 8, np.where(size % 4 == 0, 4, np.where(size % 2 == 0, 2, 1)))
    end = -(-offset // align) * align + size
    new_block = (end > TINY_BLOCK_BYTES) | (offset == 0)
    switched = np.where((size < offset) | (offset == 0), size, offset)
    after = same_kind(np.where(new_block, switched, end), block_offset, size_bytes)
    return after, (new_block if isinstance(after, np.ndarray) else bool(new_block))


def tiny_blocks_per_object(size_bytes: Int64Array, probability: FloatArray) -> float:
    """Long-run 16-byte blocks per tiny object, 1/16 to 1, for independent sizes on one P.

    ``size_bytes`` (1 to 15) occur with ``probability`` (sum 1). The result is exact: it follows from the stationary
    state of the block's offset under ``tiny_place``. Flushes start a new block and are too rare to matter.
    """
    offsets = np.arange(1, TINY_BLOCK_BYTES + 1, dtype=np.int64)
    grid, sizes = np.meshgrid(offsets, size_bytes, indexing="ij")
    after, new_block = tiny_place(grid, sizes)
    step = np.zeros((TINY_BLOCK_BYTES, TINY_BLOCK_BYTES))
    np.add.at(step, (grid - 1, after - 1), np.broadcast_to(probability, grid.shape))
    # the chain has one recurrent class and may be periodic: solve for the stationary row vector, do not iterate
    balance = np.vstack([step.T - np.eye(TINY_BLOCK_BYTES), np.ones(TINY_BLOCK_BYTES)])
    stationary = np.linalg.lstsq(balance, np.append(np.zeros(TINY_BLOCK_BYTES), 1.0), rcond=None)[0]
    return float(stationary @ new_block @ probability)


def _header_bytes(size: Int64Array, pointers: BoolArray, rules: GoRules) -> Int64Array:
    """Bytes of the malloc header of each object: 8 for a pointerful object over 512 B since Go 1.22, else 0."""
    return np.where(pointers & (size > HEADERLESS_BYTES) & rules.alloc_headers, MALLOC_HEADER_BYTES, 0)
