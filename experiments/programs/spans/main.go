// Spans is a collector of distributed traces with tail sampling: agents post batches of spans over HTTP, spans
// of one trace come from several services and are gathered until newer traces push the trace out; then failed,
// slow and some other traces are kept, compressed in blocks, and the rest is dropped. Now and then somebody
// looks for traces. What a request brings lives for a second, not for the request.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"

	"gcsim.local/programs/internal/load"
)

// traceBytes is about what one gathered trace keeps reachable, and baseBytes what connections, templates,
// counts and the packer do.
const (
	traceBytes = 10400
	baseBytes  = 3 << 20
	blockParts = 4 // one in so many of -live is blocks
)

const (
	services   = 24
	templates  = 256
	perBatch   = 8   // traces that an agent's batch has spans of
	perRequest = 2   // new traces with each batch: each is in four, on average
	spread     = 256 // how far apart batches of one trace come, in traces
)

// collector is the HTTP side.
type collector struct {
	store *store
}

func (c *collector) serveBatch(out http.ResponseWriter, in *http.Request) {
	body, err := io.ReadAll(in.Body)
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	spans, err := decodeBatch(body)
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	c.store.add(spans)
	out.Header().Set("Content-Type", "application/x-protobuf")
	var reply encoder
	reply.number(1, uint64(len(spans)))
	out.Header().Set("Content-Length", strconv.Itoa(len(reply)))
	out.Write(reply)
}

func (c *collector) serveQuery(out http.ResponseWriter, in *http.Request) {
	query := in.URL.Query()
	age, err := strconv.Atoi(query.Get("age"))
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	all, err := c.store.query(age, query.Get("service"), 5)
	if err != nil {
		http.Error(out, err.Error(), http.StatusInternalServerError)
		return
	}
	body, err := json.Marshal(all)
	if err != nil {
		http.Error(out, err.Error(), http.StatusInternalServerError)
		return
	}
	out.Header().Set("Content-Type", "application/json")
	out.Header().Set("Content-Length", strconv.Itoa(len(body)))
	out.Write(body)
}

// agents make batches that have the traces of their time.
type agents struct {
	templates []template
	sequence  uint64
}

func newAgents(r *rand.Rand, perBatch int) *agents {
	a := &agents{}
	for i := 0; i < templates; i++ {
		a.templates = append(a.templates, newTemplate(r, serviceName(i%services), 1+perBatch/2+r.Intn(perBatch)))
	}
	return a
}

func serviceName(n int) string { return fmt.Sprintf("shop-service-%02d", n) }

// batch writes a template with other traces' identities into a buffer.
func (a *agents) batch(r *rand.Rand, buffer []byte) []byte {
	t := &a.templates[r.Intn(len(a.templates))]
	at := len(buffer)
	buffer = append(buffer, t.body...)
	newest := atomic.AddUint64(&a.sequence, perRequest)
	var numbers [perBatch]uint64
	for i := range numbers {
		numbers[i] = newest + uint64(r.Intn(spread))
	}
	for i, id := range t.ids {
		number := numbers[i*perBatch/len(t.ids)]
		binary.BigEndian.PutUint64(buffer[at+id:], number*0x9e3779b97f4a7c15)
		binary.BigEndian.PutUint64(buffer[at+id+8:], (number+77)*0xd1342543de82ef95)
	}
	return buffer
}

// client is a kept-alive connection; it allocates nothing once it is set up, as it would be elsewhere.
type client struct {
	conn          net.Conn
	replies       *bufio.Reader
	request, body []byte
}

var contentLength = []byte("Content-Length: ")

// send sends the request and reads the whole of the reply.
func (c *client) send() int {
	_, err := c.conn.Write(c.request)
	must(err)
	n, first, line := 0, true, c.request
	for len(line) > 2 { // the empty line ends the header
		line, err = c.replies.ReadSlice('\n')
		must(err)
		if first && !bytes.Contains(line, []byte(" 200 ")) {
			must(fmt.Errorf("a reply of %q", line))
		}
		first = false
		if bytes.HasPrefix(line, contentLength) {
			for _, digit := range line[len(contentLength) : len(line)-2] {
				n = 10*n + int(digit-'0')
			}
		}
	}
	_, err = c.replies.Discard(n)
	must(err)
	return n
}

func (c *client) post(r *rand.Rand, a *agents) int {
	c.body = a.batch(r, c.body[:0])
	c.request = append(c.request[:0], "POST /v1/traces HTTP/1.1\r\nHost: collector.local:4318\r\nUser-Agent: agent/1.31\r\n"+
		"Content-Type: application/x-protobuf\r\nContent-Length: "...)
	c.request = append(strconv.AppendInt(c.request, int64(len(c.body)), 10), "\r\n\r\n"...)
	c.request = append(c.request, c.body...)
	return c.send()
}

func (c *client) query(r *rand.Rand) int {
	c.request = append(c.request[:0], "GET /api/search?age="...)
	c.request = strconv.AppendInt(c.request, int64(r.ExpFloat64()*20), 10)
	c.request = append(c.request, "&service=shop-service-"...)
	service := r.Intn(services)
	c.request = append(c.request, byte('0'+service/10), byte('0'+service%10))
	c.request = append(c.request, " HTTP/1.1\r\nHost: collector.local:3200\r\nAccept: application/json\r\n\r\n"...)
	return c.send()
}

// serve listens on loopback and connects one client for each worker.
func (c *collector) serve(workers int) []*client {
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/traces", c.serveBatch)
	mux.HandleFunc("/api/search", c.serveQuery)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go http.Serve(listener, mux)
	clients := make([]*client, workers)
	for i := range clients {
		conn, err := net.Dial("tcp", listener.Addr().String())
		must(err)
		clients[i] = &client{conn: conn, replies: bufio.NewReader(conn)}
	}
	return clients
}

// fill gathers traces until blocks and shards have what they will have; it keeps all, to be done soon.
func (s *store) fill(r *rand.Rand, a *agents, pending int) {
	share := s.share
	s.share = 1
	var body []byte
	for sent := 0; sent < pending*5/4/perRequest || !s.full(); sent++ {
		body = a.batch(r, body[:0])
		spans, err := decodeBatch(body)
		must(err)
		s.add(spans)
	}
	s.share = share
}

func main() {
	options := load.Options{Name: "spans", LiveBytes: 40 << 20, Rate: 3000}
	share := flag.Float64("share", 0.08, "share of traces that is kept though all went well")
	perBatch := flag.Int("spans", 24, "spans in a batch, on average")
	queries := flag.Int("queries", 100, "requests until somebody looks for traces, on average")
	options.Parse()
	if *share < 0 || *share > 1 || *perBatch < 1 || *queries < 1 {
		must(errors.New("-share must be 0 to 1, -spans and -queries 1 or more"))
	}
	setup, pending := load.NewRand(options.Seed, -1), 200
	inBlocks := options.LiveBytes / blockParts
	if more := int((options.LiveBytes - inBlocks - baseBytes) / traceBytes); more > pending {
		pending = more
	}
	c := &collector{newStore(pending, int(inBlocks), *share)}
	go c.store.pack(must)
	a := newAgents(setup, *perBatch)
	c.store.fill(setup, a, pending)
	clients := c.serve(options.Workers)
	options.Run(func(w *load.Worker) {
		if w.Rand.Intn(*queries) == 0 {
			load.Use(clients[w.ID].query(w.Rand))
			return
		}
		load.Use(clients[w.ID].post(w.Rand, a))
	})
}

func must(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "spans: %v\n", err)
		os.Exit(1)
	}
}
