// Smallapi is a small HTTP service with many kept-alive connections, as a sidecar is: each has a
// goroutine that mostly waits, requests are short, and little stays live, so that the smallest heap
// of 4 MiB, the stacks and the globals decide when it collects.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"

	"gcsim.local/programs/internal/load"
)

// routeBytes and connectionBytes are about what one of each keeps reachable on the heap, and
// driverBytes what the load's own workers do.
const (
	routeBytes      = 440
	connectionBytes = 6 << 10
	driverBytes     = 700 << 10
)

// route is where requests of one path go: the service's table.
type route struct {
	Path    string            `json:"path"`
	Cluster string            `json:"cluster"`
	Weights map[string]int    `json:"weights"`
	Timeout time.Duration     `json:"timeout"`
	labels  map[string]string // shared by the routes of a cluster
}

type service struct {
	mu     sync.RWMutex
	routes map[string]*route
	hits   map[string]int // by cluster
}

func newRoute(number int, labels map[string]string) *route {
	r := &route{
		Path: fmt.Sprintf("/service/%d/method", number), Cluster: fmt.Sprintf("cluster-%d", number%16),
		Timeout: time.Duration(number%30) * time.Second, Weights: map[string]int{}, labels: labels,
	}
	for i := 0; i < 3; i++ {
		r.Weights[fmt.Sprintf("10.%d.%d.%d", number%16, number%200, i)] = 10 * (i + 1)
	}
	return r
}

// answer is the body for a request: the route and the endpoints to try, in order.
func (s *service) answer(path string, query url.Values) (status int, body []byte) {
	s.mu.Lock()
	found := s.routes[path]
	if found != nil {
		s.hits[found.Cluster]++
	}
	s.mu.Unlock()
	if found == nil {
		return http.StatusNotFound, []byte(fmt.Sprintf("{\"error\":\"no route for %s\"}", path))
	}
	endpoints := make([]string, 0, len(found.Weights))
	for address := range found.Weights {
		endpoints = append(endpoints, address+":"+query.Get("port"))
	}
	sort.Slice(endpoints, func(i, j int) bool { return endpoints[i] < endpoints[j] })
	body, err := json.Marshal(struct {
		*route
		Endpoints []string `json:"endpoints"`
		Zone      string   `json:"zone"`
	}{found, endpoints, found.labels["zone"]})
	if err != nil {
		return http.StatusInternalServerError, nil
	}
	return http.StatusOK, body
}

// serve answers the requests of one connection until it is closed.
func (s *service) serve(conn net.Conn) {
	defer conn.Close()
	in, out := bufio.NewReaderSize(conn, 2048), bufio.NewWriterSize(conn, 2048)
	for {
		request, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		status, body := s.answer(request.URL.Path, request.URL.Query())
		header := http.Header{}
		header.Set("Content-Type", "application/json")
		header.Set("Content-Length", fmt.Sprint(len(body)))
		header.Set("X-Request-Id", request.Header.Get("X-Request-Id"))
		fmt.Fprintf(out, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
		header.Write(out)
		out.WriteString("\r\n")
		out.Write(body)
		if out.Flush() != nil {
			return
		}
	}
}

// client is the other end of a connection; it allocates nothing once it is set up.
type client struct {
	conn           net.Conn
	request, reply []byte
}

var statusLine = []byte("HTTP/1.1 ")

func (c *client) call(path int, id uint64) int {
	c.request = strconv.AppendInt(append(c.request[:0], "GET /service/"...), int64(path), 10)
	c.request = append(c.request, "/method?port=8080&try=1 HTTP/1.1\r\nHost: sidecar.local\r\n"+
		"User-Agent: client/1.0\r\nAccept: application/json\r\nX-Request-Id: "...)
	c.request = append(strconv.AppendUint(c.request, id, 16), "\r\n\r\n"...)
	if _, err := c.conn.Write(c.request); err != nil {
		fail(err)
	}
	n, err := c.conn.Read(c.reply) // a reply is one write, and shorter than the buffer
	if err != nil || !bytes.HasPrefix(c.reply[:n], statusLine) {
		fail(fmt.Errorf("bad reply %q: %v", c.reply[:n], err))
	}
	return n
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "smallapi: %v\n", err)
	os.Exit(1)
}

func main() {
	options := load.Options{Name: "smallapi", LiveBytes: 2560 << 10, Rate: 8000, Calls: 4}
	connections := flag.Int("connections", 250, "kept-alive connections, each with a goroutine that serves it")
	options.Parse()
	if *connections < 1 {
		fmt.Fprintln(os.Stderr, "smallapi: -connections must be 1 or more")
		os.Exit(2)
	}
	s := &service{routes: map[string]*route{}, hits: map[string]int{}}
	labels := map[string]string{"zone": "zone-a", "tier": "backend"}
	count := (int(options.LiveBytes)-driverBytes-*connections*connectionBytes)/routeBytes + 1
	if count < 1 {
		count = 1
	}
	for i := 0; i < count; i++ {
		r := newRoute(i, labels)
		s.routes[r.Path] = r
	}
	// The connection that rested longest is next, so that all of them are used.
	idle := make(chan *client, *connections)
	for i := 0; i < *connections; i++ {
		near, far := net.Pipe()
		go s.serve(far)
		idle <- &client{conn: near, reply: make([]byte, 2048)}
	}
	options.Run(func(w *load.Worker) {
		c := <-idle
		load.Use(c.call(w.Rand.Intn(count+count/50), w.Rand.Uint64()))
		idle <- c
	})
}
