package load

import "sync/atomic"

var used uint64

// Use makes a result matter, so that the compiler cannot drop the work behind it.
func Use(value int) { atomic.AddUint64(&used, uint64(value)) }
