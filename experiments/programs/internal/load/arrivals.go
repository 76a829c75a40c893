package load

import (
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// queueLength bounds the requests that wait. When it is full the arrivals wait too, each with its due
// time, so that no wait goes uncounted: there is no coordinated omission.
const queueLength = 4096

// arrive puts the due time of every request into the queue when it is due, and closes it at the end.
//
// Arrivals are Poisson at Rate; where Shape is set they are drawn at the highest level it takes (1)
// and thinned. The process waits on a timer file descriptor, so that an arrival reaches a P through
// the network poller as a real request does: time.Sleep wakes an idle process up to 1 ms late
// (runtime.netpoll rounds up to whole milliseconds), and a blocking sleep would hold a P.
func (o *Options) arrive(begin time.Time, queue chan<- time.Duration) error {
	defer close(queue)
	timer, err := newTimer()
	if err != nil {
		return err
	}
	defer timer.Close()
	draws := NewRand(o.Seed, -2)
	gap := float64(time.Second) / o.Rate
	for due := 0.0; ; {
		due += draws.ExpFloat64() * gap
		at := time.Duration(due)
		last := at >= o.Duration
		if last {
			at = o.Duration // the load lasts as long as was asked, whenever its last request came
		} else if draws.Float64() >= o.level(at) {
			continue
		}
		if wait := at - time.Since(begin); wait > 0 {
			if err := timer.sleep(wait); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
		queue <- at
	}
}

// timer is a Linux timerfd that the network poller watches.
type timer struct {
	*os.File
	fd     uintptr
	buffer [8]byte
}

func newTimer() (*timer, error) {
	const clockMonotonic = 1
	fd, _, errno := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, clockMonotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return nil, fmt.Errorf("timerfd_create: %w", errno)
	}
	return &timer{File: os.NewFile(fd, "timerfd"), fd: fd}, nil
}

func (t *timer) sleep(wait time.Duration) error {
	spec := struct{ interval, value syscall.Timespec }{value: syscall.NsecToTimespec(int64(wait))}
	_, _, errno := syscall.Syscall6(syscall.SYS_TIMERFD_SETTIME, t.fd, 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("timerfd_settime: %w", errno)
	}
	_, err := t.Read(t.buffer[:])
	return err
}
