"""Ask a real Go allocator how large its slots and spans are, and how it packs tiny objects."""

import json
from typing import Any

import numpy as np
import pytest
from go_toolchain import GoToolchain

from gcsim.goruntime.size_classes import (
    HEADERLESS_BYTES,
    SIZE_CLASS_BYTES,
    round_up_size,
    size_class,
    slots_per_span,
    tiny_place,
)
from gcsim.goruntime.versions import rules_for

PROGRAM = """\
package main

import (
	"encoding/json"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
)

type answer struct {
	Classes     []uint32     // MemStats.BySize
	Slots       [][3]uint64  // size, 1 if it has pointers, heap bytes of one object
	SpanSlots   [][3]int     // size, 1 if it has pointers, most objects seen in one page
	TinySizes   []int
	TinyBlocks  uint64
	TinyObjects uint64
}

var keep []any
var sink *byte

func arrayOf(size int, pointers bool) reflect.Type {
	if pointers {
		return reflect.ArrayOf(size/8, reflect.TypeOf(sink))
	}
	return reflect.ArrayOf(size, reflect.TypeOf(byte(0)))
}

func bytesOfOne(size int, pointers bool) uint64 {
	const objects = 32
	array := arrayOf(size, pointers)
	reflect.New(array)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := 0; i < objects; i++ {
		reflect.New(array)
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / objects
}

func slotsOfPage(size int, pointers bool) int {
	array := arrayOf(size, pointers)
	pages, most := map[uintptr]int{}, 0
	for i := 0; i < 4*8192/size; i++ {
		object := reflect.New(array)
		keep = append(keep, object.Interface())
		page := object.Pointer() >> 13
		pages[page]++
		most = max2(most, pages[page])
	}
	return most
}

func max2(a, b int) int {
	if a > b {
		return a
	}
	return b
}

//go:noinline
func allocate(size int) *byte {
	switch size {
	case 1:
		return &new([1]byte)[0]
	case 2:
		return &new([2]byte)[0]
	case 3:
		return &new([3]byte)[0]
	case 4:
		return &new([4]byte)[0]
	case 5:
		return &new([5]byte)[0]
	case 7:
		return &new([7]byte)[0]
	case 8:
		return &new([8]byte)[0]
	case 12:
		return &new([12]byte)[0]
	default:
		return &new([13]byte)[0]
	}
}

func main() {
	debug.SetGCPercent(-1)
	runtime.GOMAXPROCS(1)
	result := answer{}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	for _, class := range stats.BySize {
		result.Classes = append(result.Classes, class.Size)
	}
	for size := 8; size <= 40960; size += 8 {
		for pointers := 0; pointers < 2; pointers++ {
			if size > 2048 && size%128 != 0 && (size+8)%128 != 0 && (size-8)%128 != 0 {
				continue
			}
			bytes := uint64(0)
			if size >= 16 || pointers == 1 {
				bytes = bytesOfOne(size, pointers == 1)
				result.Slots = append(result.Slots, [3]uint64{uint64(size), uint64(pointers), bytes})
			}
		}
	}
	for _, class := range result.Classes {
		if size := int(class); size >= 8 && size <= 512 {
			for pointers := 0; pointers < 2; pointers++ {
				if size >= 16 || pointers == 1 {
					slots := slotsOfPage(size, pointers == 1)
					result.SpanSlots = append(result.SpanSlots, [3]int{size, pointers, slots})
				}
			}
		}
	}
	sizes := []int{1, 2, 3, 4, 5, 7, 8, 12, 13}
	state := uint32(1)
	for i := 0; i < 4000; i++ {
		state = state*1664525 + 1013904223
		result.TinySizes = append(result.TinySizes, sizes[int(state>>16)%len(sizes)])
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, size := range result.TinySizes {
		sink = allocate(size)
	}
	runtime.ReadMemStats(&after)
	result.TinyBlocks = (after.TotalAlloc - before.TotalAlloc) / 16
	result.TinyObjects = after.Mallocs - before.Mallocs
	json.NewEncoder(os.Stdout).Encode(result)
}
"""


@pytest.fixture(scope="module")
def allocator(go_toolchain: GoToolchain) -> dict[str, Any]:
    """What the program above found out about the toolchain's allocator."""
    found: dict[str, Any] = json.loads(go_toolchain.run(PROGRAM).stdout)
    return found


def test_sizes_slots_and_spans_equal_a_real_allocators(
    go_toolchain: GoToolchain, allocator: dict[str, Any]
) -> None:
    """Classes equal MemStats.BySize, bytes per object TotalAlloc's growth, slots what pages were seen to
    hold."""
    rules = rules_for(go_toolchain.minor)
    assert allocator["Classes"] == SIZE_CLASS_BYTES[: len(allocator["Classes"])].tolist()
    sizes, pointers, heap_bytes = np.array(allocator["Slots"]).T
    np.testing.assert_array_equal(round_up_size(sizes, pointers == 1, rules=rules), heap_bytes)
    sizes, pointers, slots = np.array(allocator["SpanSlots"]).T
    assert sizes.max() == HEADERLESS_BYTES
    classes = size_class(sizes, pointers == 1, rules=rules)
    np.testing.assert_array_equal(slots_per_span(classes, pointers == 1, rules=rules), slots)


def test_tiny_objects_share_blocks_as_in_a_real_allocator(allocator: dict[str, Any]) -> None:
    """Four thousand tiny objects of nine sizes take exactly as many 16-byte blocks as Go gave them."""
    offset, blocks = 0, 0
    for size in allocator["TinySizes"]:
        offset, new_block = tiny_place(offset, size)
        blocks += new_block
    assert allocator["TinyObjects"] == len(allocator["TinySizes"])
    assert blocks == allocator["TinyBlocks"]
