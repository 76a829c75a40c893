// Package changes has the switches of the programs whose allocation sites can be changed, and keeps their
// profiles of allocation.
package changes

import (
	"flag"
	"fmt"
	"os"
	"runtime/pprof"
	"time"
)

// Switches are the three changes of a program; without one it allocates everything anew.
type Switches struct {
	Pool     bool
	Prealloc bool
	Stack    bool

	profile string
}

// Flags adds the switches to the command line.
func Flags() *Switches {
	s := &Switches{}
	flag.BoolVar(&s.Pool, "pool", false, "take the buffer from a sync.Pool")
	flag.BoolVar(&s.Prealloc, "prealloc", false, "size the slice up front")
	flag.BoolVar(&s.Stack, "stack", false, "keep the scratch record on the stack")
	flag.StringVar(&s.profile, "profiles", "", "write allocation profiles to this prefix, at the begin and the end of the load")
	return s
}

// Profile writes PREFIX-before.pb.gz one second after the begin of the load, and PREFIX-after.pb.gz one second
// before its end. It is called when the live set is built.
func (s *Switches) Profile(load time.Duration) {
	if s.profile == "" {
		return
	}
	go func() {
		time.Sleep(time.Second)
		s.write("before")
		time.Sleep(load - 2*time.Second)
		s.write("after")
	}()
}

func (s *Switches) write(when string) {
	file, err := os.Create(s.profile + "-" + when + ".pb.gz")
	if err == nil {
		err = pprof.Lookup("allocs").WriteTo(file, 0)
		file.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
