// Feeds turns CSV files of sensor readings into JSON documents. Switches change three allocation sites: the output
// buffer, the slice of records, and the scratch array for a note.
package main

import (
	"bytes"
	"fmt"
	"math"
	"math/rand"
	"strconv"
	"strings"
	"sync"

	"gcsim.local/programs/internal/changes"
	"gcsim.local/programs/internal/load"
)

const (
	outputBytes   = 48 << 10 // capacity of the output buffer
	scratchBytes  = 128      // longest note after cleaning
	columns       = 8        // device, time, kind, value, low, high, unit, note
	readingLength = 16       // readings that a device keeps
	deviceBytes   = 1800     // about what a device keeps alive
	feedBytes     = 42 << 10 // about what a feed keeps alive
	shortest      = 40.0     // rows of the shortest file
	longest       = 800.0    // rows of the longest file
)

// record is one row: its fields as offsets into the body, and the parsed numbers.
type record struct {
	begin, at        uint32
	ends             [columns]uint32
	device           *device
	value, low, high float64
}

type device struct {
	mu       sync.Mutex
	name     string
	cursor   int
	readings [readingLength]*reading
}

// reading is a value out of its range.
type reading struct {
	at            uint32
	value, excess float64
	note, unit    string
}

// document is the result for one feed. It stays until the next file of the same feed.
type document struct {
	feed   string
	rows   int
	chunks [][]byte
	kinds  map[string]*summary
}

type summary struct {
	rows               int
	sum, least, square float64
}

// cleaner writes a note without characters that JSON does not allow.
type cleaner interface {
	clean(to, note []byte) []byte
}

type escaper struct{}

func (escaper) clean(to, note []byte) []byte { return escape(to, note) }

type service struct {
	*changes.Switches
	files   [][]byte
	devices []*device
	names   []string
	cleaner cleaner
	outputs sync.Pool

	mu        sync.Mutex
	documents []*document
}

func main() {
	options := load.Options{Name: "feeds", LiveBytes: 90 << 20, Rate: 2500}
	switches := changes.Flags()
	options.Parse()
	rng := load.NewRand(options.Seed, -1)
	s := &service{Switches: switches, cleaner: escaper{}}
	s.devices = make([]*device, 1+int(options.LiveBytes/2/deviceBytes))
	for i := range s.devices {
		s.devices[i] = &device{name: fmt.Sprintf("sensor-%06d", i)}
		for k := 0; k < readingLength; k++ {
			s.devices[i].keep(&record{at: uint32(k), value: 9, low: 1, high: 5}, []byte(note(rng)), []byte("kPa"))
		}
	}
	for i := 0; i < 128; i++ {
		s.files = append(s.files, newFile(rng, int(shortest*math.Pow(longest/shortest, rng.Float64()))))
	}
	s.documents = make([]*document, 1+int(options.LiveBytes/2/feedBytes))
	for i := range s.documents {
		s.names = append(s.names, fmt.Sprintf("plant-%02d/feed-%04d", i%37, i))
		s.convert(i, s.files[rng.Intn(len(s.files))], rng.Intn(len(s.devices)))
	}
	s.Profile(options.Duration)
	options.Run(func(w *load.Worker) { s.serve(w.Rand) })
}

var phrases = []string{"ok", "drift above \"limit\"", "recalibrated", "valve\topen", "restart", "supply low", "C:\\log\\7"}
var kinds = [][2]string{{"pressure", "kPa"}, {"temperature", "C"}, {"flow", "l/min"}, {"vibration", "mm/s"}}

func note(rng *rand.Rand) string {
	words := make([]string, rng.Intn(4))
	for i := range words {
		words[i] = phrases[rng.Intn(len(phrases))]
	}
	return strings.Join(words, "; ")
}

func newFile(rng *rand.Rand, rows int) []byte {
	var out []byte
	at := 1700000000 + rng.Int63n(1e7)
	for i := 0; i < rows; i++ {
		kind, low := rng.Intn(len(kinds)), rng.Float64()*40
		at += rng.Int63n(30)
		out = append(out, fmt.Sprintf("%d,%d,%s,%.3f,%.1f,%.1f,%s,%s\n", rng.Intn(100000), at, kinds[kind][0],
			low+rng.Float64()*56, low, low+50, kinds[kind][1], note(rng))...)
	}
	return out
}

func (s *service) serve(rng *rand.Rand) {
	file, feed := s.files[rng.Intn(len(s.files))], rng.Intn(len(s.documents))
	load.Use(s.convert(feed, readBody(file), rng.Intn(len(s.devices))))
}

// readBody copies a file, as a read from a connection does.
//
//go:noinline
func readBody(file []byte) []byte { return append(make([]byte, 0, len(file)), file...) }

// convert makes a new document from the body. The numbers of devices in a file count from the feed's first one.
func (s *service) convert(feed int, body []byte, first int) int {
	var records []record
	if s.Prealloc {
		records = make([]record, 0, bytes.Count(body, []byte{'\n'}))
	}
	records = s.addRecords(records, body, first)
	d := &document{feed: s.names[feed], rows: len(records), kinds: summarize(body, records)}
	s.write(d, body, records)
	keep(body, records)
	s.mu.Lock()
	s.documents[feed] = d
	s.mu.Unlock()
	return len(d.chunks) + len(d.chunks[0])&0xff
}

//go:noinline
func (s *service) addRecords(rows []record, body []byte, first int) []record {
	for at := 0; at < len(body); {
		var row record
		row.begin = uint32(at)
		for column := 0; column < columns; column++ {
			at += bytes.IndexByte(body[at:], ",,,,,,,\n"[column])
			row.ends[column] = uint32(at)
			at++
		}
		row.device = s.devices[(first+int(row.whole(body, 0)))%len(s.devices)]
		row.at = uint32(row.whole(body, 1))
		row.value, row.low, row.high = row.decimal(body, 3), row.decimal(body, 4), row.decimal(body, 5)
		rows = append(rows, row)
	}
	return rows
}

func (r *record) field(body []byte, column int) []byte {
	begin := r.begin
	if column > 0 {
		begin = r.ends[column-1] + 1
	}
	return body[begin:r.ends[column]]
}

func (r *record) whole(body []byte, column int) (n int64) {
	for _, c := range r.field(body, column) {
		n = 10*n + int64(c-'0')
	}
	return n
}

func (r *record) decimal(body []byte, column int) float64 {
	f, _ := strconv.ParseFloat(string(r.field(body, column)), 64)
	return f
}

func summarize(body []byte, records []record) map[string]*summary {
	kinds := map[string]*summary{}
	for i := range records {
		r := &records[i]
		k := kinds[string(r.field(body, 2))]
		if k == nil {
			k = &summary{least: r.value}
			kinds[string(r.field(body, 2))] = k
		}
		k.rows++
		k.sum += r.value
		k.square += r.value * r.value
		k.least = math.Min(k.least, r.value)
	}
	return kinds
}

// write encodes the records. A full buffer is copied to the document as a chunk.
func (s *service) write(d *document, body []byte, records []record) {
	var buffer *[outputBytes]byte
	if s.Pool {
		buffer, _ = s.outputs.Get().(*[outputBytes]byte)
	}
	if buffer == nil {
		buffer = newOutput()
	}
	out := append(buffer[:0], '[')
	for i := range records {
		if len(out)+300+scratchBytes > cap(out) {
			d.chunks = append(d.chunks, copyChunk(out))
			out = buffer[:0]
		}
		r := &records[i]
		out = append(append(out, `{"device":"`...), r.device.name...)
		out = strconv.AppendInt(append(out, `","at":`...), int64(r.at), 10)
		out = append(append(out, `,"kind":"`...), r.field(body, 2)...)
		out = strconv.AppendFloat(append(out, `","value":`...), r.value, 'f', -1, 64)
		out = strconv.AppendFloat(append(out, `,"share":`...), (r.value-r.low)/(r.high-r.low), 'f', 4, 64)
		out = append(append(out, `,"unit":"`...), r.field(body, 6)...)
		out = append(out, `","note":"`...)
		if s.Stack {
			out = noteOnStack(out, r.field(body, 7))
		} else {
			out = noteOnHeap(out, r.field(body, 7), s.cleaner)
		}
		out = append(out, "\"},\n"...)
	}
	d.chunks = append(d.chunks, copyChunk(append(out, ']')))
	if s.Pool {
		s.outputs.Put(buffer)
	}
}

//go:noinline
func newOutput() *[outputBytes]byte { return new([outputBytes]byte) }

//go:noinline
func copyChunk(out []byte) []byte { return append([]byte(nil), out...) }

// noteOnHeap passes its scratch array to an interface, so that it escapes.
//
//go:noinline
func noteOnHeap(out, note []byte, c cleaner) []byte {
	var scratch [scratchBytes]byte
	return append(out, c.clean(scratch[:0], note)...)
}

//go:noinline
func noteOnStack(out, note []byte) []byte {
	var scratch [scratchBytes]byte
	return append(out, escape(scratch[:0], note)...)
}

func escape(to, note []byte) []byte {
	for _, c := range bytes.TrimSpace(note) {
		if len(to)+2 > cap(to) {
			break
		} else if c == '"' || c == '\\' {
			to = append(to, '\\')
		} else if c < ' ' {
			c = ' '
		}
		to = append(to, c)
	}
	return to
}

// keep adds the readings out of range to their devices.
func keep(body []byte, records []record) {
	for i := range records {
		r := &records[i]
		if r.value < r.low || r.value > r.high {
			r.device.keep(r, r.field(body, 7), r.field(body, 6))
		}
	}
}

func (d *device) keep(r *record, note, unit []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cursor = (d.cursor + 1) % readingLength
	d.readings[d.cursor] = &reading{r.at, r.value, r.value - r.high, string(note), string(unit)}
}
