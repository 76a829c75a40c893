"""The layout by which the runtime's own counts are read, against the toolchain's; programs without symbols too."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from go_toolchain import GoToolchain

from gcsim.capture import runtime_counters as heap_accounts
from gcsim.capture.runtime_counters import AccountReader

OFFSETS = """package main

import (
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"os"
)

func main() {
	file, err := elf.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	info, err := file.DWARF()
	if err != nil {
		panic(err)
	}
	for reader := info.Reader(); ; {
		entry, err := reader.Next()
		if entry == nil || err != nil {
			return
		}
		if entry.Tag != dwarf.TagStructType || entry.Val(dwarf.AttrName) != "runtime.gcControllerState" {
			continue
		}
		found, err := info.Type(entry.Offset)
		if err != nil {
			panic(err)
		}
		for _, field := range found.(*dwarf.StructType).Field {
			fmt.Println(field.Name, field.ByteOffset)
		}
		return
	}
}
"""

# keeps 8 MiB, allocates for a second and prints what of its memory is neither heap nor given back
LIVELY = """package main

import (
	"fmt"
	"runtime/metrics"
	"time"
)

var kept [8][]byte

func outsideSpans() int64 {
	outside := int64(0)
	for name, sign := range map[string]int64{
		"total": 1, "heap/objects": -1, "heap/unused": -1, "heap/free": -1, "heap/released": -1,
	} {
		sample := []metrics.Sample{{Name: "/memory/classes/" + name + ":bytes"}}
		metrics.Read(sample)
		outside += sign * int64(sample[0].Value.Uint64())
	}
	return outside
}

func main() {
	for begun := time.Now(); time.Since(begun) < time.Second; {
		for i := range kept {
			kept[i] = make([]byte, 1<<20)
			time.Sleep(3 * time.Millisecond) // so that a mark phase, however late, finds little allocated meanwhile
		}
	}
	fmt.Println(outsideSpans())
}
"""


def test_the_counts_lie_where_the_toolchain_puts_them(go_toolchain: GoToolchain) -> None:
    """Each field of gcControllerState that is read has the offset that its DWARF gives; the head is at the front."""
    binary = go_toolchain.build(LIVELY)
    printed = go_toolchain.run(OFFSETS, [str(binary)]).stdout
    real = {name: int(offset) for name, offset in (line.split() for line in printed.splitlines())}
    minor = int(go_toolchain.minor.split(".")[1])
    layout = heap_accounts._LAYOUTS[heap_accounts._LAYOUT_OF[minor]]
    assert {name: real[name] for name in layout} == dict(layout)
    assert [real[name] for name in ("gcPercent", "memoryLimit", "heapMinimum")] == [0, 8, 16]


@pytest.mark.parametrize("gogc", [100, 37])
def test_a_program_without_symbols_is_read_too(go_toolchain: GoToolchain, tmp_path: Path, gogc: int) -> None:
    """Without its table of sections, symbols among them: the variable is found by what it begins with.

    Metadata and stacks are what ``runtime/metrics`` says they are.
    """
    image = bytearray(go_toolchain.build(LIVELY).read_bytes())
    image[0x28:0x30], image[0x3C:0x40] = bytes(8), bytes(4)  # ELF64: e_shoff; e_shnum and e_shstrndx
    binary = tmp_path / "stripped"
    binary.write_bytes(image)
    binary.chmod(0o755)
    reader = AccountReader(gogc=gogc, gomemlimit_bytes=1 << 30, minor=int(go_toolchain.minor.split(".")[1]))
    started = time.monotonic()
    settings = {"GOGC": str(gogc), "GOMEMLIMIT": "1GiB"}
    with subprocess.Popen([str(binary)], env={**os.environ, **settings}, stdout=subprocess.PIPE) as child:
        while child.poll() is None:
            reader.look(child.pid, time.monotonic() - started)
            time.sleep(0.02)
        printed, _ = child.communicate()
    accounts = reader.accounts
    assert accounts is not None
    assert 6 << 20 <= max(accounts.heap_marked_bytes) <= 12 << 20
    assert max(accounts.heap_in_use_bytes) >= 8 << 20
    assert accounts.outside_spans_bytes[-1] == pytest.approx(int(printed), rel=0.05)
