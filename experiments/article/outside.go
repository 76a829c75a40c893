package load

// Memory that Go does not count: -outside maps it at the start and touches each page. A build overlay adds
// this file to the package, so that the programs of other studies do not have the switch.

import (
	"flag"
	"syscall"
)

var outside []byte

func init() {
	flag.Func("outside", "size of a mapping outside Go's memory", func(text string) error {
		var size ByteSize
		if err := size.Set(text); err != nil || size == 0 {
			return err
		}
		var err error
		outside, err = syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		for at := 0; at < len(outside); at += 4096 {
			outside[at] = 1
		}
		return err
	})
}
