package load

import (
	"fmt"
	"os"
	"runtime/trace"
	"time"
)

// startTrace records an execution trace from the third second of the load on, if one is asked for.
func (o *Options) startTrace() {
	if o.Trace == "" {
		return
	}
	go func() {
		time.Sleep(2 * time.Second)
		file, err := os.Create(o.Trace)
		if err == nil {
			err = trace.Start(file)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: no trace: %v\n", o.Name, err)
			return
		}
		time.Sleep(o.TraceFor)
		trace.Stop()
		file.Close()
	}()
}
