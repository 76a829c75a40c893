"""Capacities of slices that append grows, against the real runtime."""

from go_toolchain import GoToolchain

from gcsim.goruntime.slice_growth import grown_capacity
from gcsim.goruntime.versions import rules_for

PROGRAM = """\
package main

import "fmt"

func grow[T any](name string, most int) {
	fmt.Print(name)
	var s []T
	var zero T
	last := 0
	for len(s) < most {
		s = append(s, zero)
		if cap(s) != last {
			last = cap(s)
			fmt.Print(" ", last)
		}
	}
	fmt.Println()
	sink = s
}

var sink any

func main() {
	grow[byte]("1 false", 200000)
	grow[int32]("4 false", 50000)
	grow[*int]("8 true", 50000)
	grow[[3]uint64]("24 false", 20000)
	grow[struct{ a, b *int; c [5]int64 }]("56 true", 20000)
	grow[[200]byte]("200 false", 3000)
	grow[[5000]byte]("5000 false", 300)
}
"""


def test_append_grows_as_the_runtime_does(go_toolchain: GoToolchain) -> None:
    """Every capacity from the first element on, for seven elements, of which two hold pointers."""
    rules = rules_for(go_toolchain.minor)
    for line in go_toolchain.run(PROGRAM).stdout.splitlines():
        size, scan, *capacities = line.split()
        capacity, found = 0, []
        for _ in capacities:
            capacity, _bytes = grown_capacity(
                capacity + 1, capacity, element_bytes=int(size), scan=scan == "true", rules=rules
            )
            found.append(str(capacity))
        assert found == capacities, line
