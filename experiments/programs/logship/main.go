// Logship ships logs: lines are formatted into a buffer, a full buffer is compressed, and both the
// lines and the compressed frame stay in a ring until newer ones push them out, for a receiver that
// asks for them again. Most bytes are large and hold no pointers; the compressors come from a pool.
package main

import (
	"bufio"
	"bytes"
	"compress/flate"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"sync"
	"time"

	"gcsim.local/programs/internal/load"
)

// batch is what one frame was made of.
type batch struct {
	lines []byte
	frame []byte
	count int
}

func (b *batch) bytes() int64 { return int64(cap(b.lines) + cap(b.frame)) }

// ring keeps the newest batches, up to a number of bytes.
type ring struct {
	mu           sync.Mutex
	batches      []*batch
	bytes, limit int64
}

func (r *ring) push(b *batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches = append(r.batches, b)
	for r.bytes += b.bytes(); r.bytes > r.limit && len(r.batches) > 1; {
		r.bytes -= r.batches[0].bytes()
		r.batches[0] = nil
		r.batches = r.batches[1:]
	}
}

func (r *ring) full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes > r.limit*15/16
}

// compressor is reused: a flate.Writer alone is some hundred KiB.
type compressor struct {
	writer *flate.Writer
	out    bytes.Buffer
}

// shipper collects the lines of one source.
type shipper struct {
	to          *ring
	compressors *sync.Pool
	size        int // bytes of lines that fill a batch
	buffer      *bytes.Buffer
	lines       *bufio.Writer
	line        []byte // scratch
	count       int
	clock       time.Time
}

func newShipper(to *ring, compressors *sync.Pool, size int) *shipper {
	s := &shipper{to: to, compressors: compressors, size: size, buffer: &bytes.Buffer{}}
	s.lines = bufio.NewWriterSize(s.buffer, 4096)
	s.clock = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	return s
}

var levels = [...]string{"debug", "info", "info", "info", "warn", "error"}
var verbs = [...]string{"GET", "GET", "GET", "POST", "PUT", "DELETE"}

// write formats one line.
func (s *shipper) write(r *rand.Rand) {
	s.clock = s.clock.Add(time.Duration(r.Intn(1e6)))
	line := s.clock.AppendFormat(s.line[:0], time.RFC3339Nano)
	line = append(append(append(line, " level="...), levels[r.Intn(len(levels))]...), " method="...)
	line = append(append(line, verbs[r.Intn(len(verbs))]...), " path=/api/v2/accounts/"...)
	line = strconv.AppendInt(line, int64(r.Intn(20000)), 10)
	line = append(append(line, "/items/"...), strconv.Itoa(r.Intn(900))...)
	line = strconv.AppendInt(append(line, " status="...), int64(200+100*r.Intn(4)), 10)
	line = strconv.AppendFloat(append(line, " seconds="...), r.ExpFloat64()/50, 'f', 6, 64)
	line = strconv.AppendUint(append(line, " trace="...), r.Uint64(), 16)
	s.line = append(line, " msg=\"request served by the backend\"\n"...)
	s.lines.Write(s.line)
	s.count++
}

// ship compresses and hands over a batch that is full.
func (s *shipper) ship() {
	if s.buffer.Len() < s.size {
		return
	}
	s.lines.Flush()
	full := &batch{lines: s.buffer.Bytes(), count: s.count}
	c := s.compressors.Get().(*compressor)
	c.out.Reset()
	c.writer.Reset(&c.out)
	c.writer.Write(full.lines) // a bytes.Buffer refuses nothing
	c.writer.Close()
	full.frame = append(make([]byte, 0, c.out.Len()), c.out.Bytes()...)
	s.compressors.Put(c)
	s.to.push(full)
	s.buffer, s.count = &bytes.Buffer{}, 0 // the ring has the old one
	s.lines.Reset(s.buffer)
}

func main() {
	options := load.Options{Name: "logship", LiveBytes: 60 << 20}
	level := flag.Int("level", 6, "compression, from 1 (fast) to 9 (small)")
	lines := flag.Int("lines", 100, "lines in a request")
	size := int64(128 << 10)
	flag.Var((*load.ByteSize)(&size), "batch", "bytes of lines in a batch, about")
	options.Parse()
	if _, err := flate.NewWriter(nil, *level); err != nil {
		fmt.Fprintf(os.Stderr, "logship: %v\n", err)
		os.Exit(2)
	}
	compressors := &sync.Pool{New: func() interface{} {
		c := &compressor{}
		c.writer, _ = flate.NewWriter(&c.out, *level)
		return c
	}}
	kept := &ring{limit: options.LiveBytes}
	setup := load.NewRand(options.Seed, -1)
	for first := newShipper(kept, compressors, int(size)); !kept.full(); first.ship() {
		first.write(setup)
	}
	shippers := make([]*shipper, options.Workers)
	for i := range shippers { // sources differ in how much they send at once
		shippers[i] = newShipper(kept, compressors, int(size)*(2+i%4)/4)
	}
	options.Run(func(w *load.Worker) {
		s := shippers[w.ID]
		for i := 0; i < *lines; i++ {
			s.write(w.Rand)
		}
		load.Use(s.buffer.Len())
		s.ship()
	})
}
