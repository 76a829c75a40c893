// Kvstore is a key-value server with a protocol in the manner of Redis, over TCP on the loopback: strings
// that expire, hashes, lists and sorted sets. Each of some hundred connections has a goroutine with its
// buffers, clients send several commands at once, and a sweep of random keys drops what has expired.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"gcsim.local/programs/internal/load"
)

// objectBytes is about what one hash, list and sorted set together keep reachable, and baseBytes what
// connections and the strings that have not expired do.
const (
	objectBytes = 2800
	baseBytes   = 13 << 20
	shards      = 16
	cached      = 8000 // strings
	fields      = 8
	longest     = 16 // list
	members     = 12
)

type entry struct {
	value   interface{} // []byte, map[string]string, []string or []member
	expires time.Time   // zero is never
}

// member of a sorted set, which is kept in order of score.
type member struct {
	name  string
	score float64
}

type shard struct {
	mu   sync.Mutex
	keys map[string]*entry
}

type store [shards]*shard

func (s *store) shard(key []byte) *shard {
	hash := uint32(2166136261)
	for _, c := range key {
		hash = (hash ^ uint32(c)) * 16777619
	}
	return s[hash%shards]
}

// find gives a key's entry, made by fresh where there is none; nil where fresh is nil too.
func (s *shard) find(key []byte, fresh func() interface{}) *entry {
	found := s.keys[string(key)]
	if found != nil && !found.expires.IsZero() && time.Now().After(found.expires) {
		delete(s.keys, string(key))
		found = nil
	}
	if found == nil && fresh != nil {
		found = &entry{value: fresh()}
		s.keys[string(key)] = found
	}
	return found
}

// sweep drops expired keys: twenty at random from each shard, again where a quarter of them had expired.
func (s *store) sweep() {
	for _, s := range s {
		for again := true; again; {
			seen, dropped, now := 0, 0, time.Now()
			s.mu.Lock()
			for key, e := range s.keys {
				if e.expires.IsZero() {
					continue
				}
				if now.After(e.expires) {
					delete(s.keys, key)
					dropped++
				}
				if seen++; seen == 20 {
					break
				}
			}
			s.mu.Unlock()
			again = dropped >= 5
		}
	}
}

var errProtocol = errors.New("bad request")

// do runs one command and writes its reply.
func (s *store) do(args [][]byte, out *bufio.Writer) error {
	if len(args) < 2 {
		return errProtocol
	}
	in, key := s.shard(args[1]), args[1]
	in.mu.Lock()
	defer in.mu.Unlock()
	switch name := strings.ToUpper(string(args[0])); {
	case name == "GET":
		if found := in.find(key, nil); found != nil {
			bulk(out, string(found.value.([]byte)))
		} else {
			out.WriteString("$-1\r\n")
		}
	case name == "SET" && len(args) == 4:
		ms, err := strconv.Atoi(string(args[3]))
		if err != nil {
			return errProtocol
		}
		in.keys[string(key)] = &entry{value: args[2], expires: time.Now().Add(time.Duration(ms) * time.Millisecond)}
		out.WriteString("+OK\r\n")
	case name == "HSET" && len(args) == 4:
		found := in.find(key, func() interface{} { return map[string]string{} })
		found.value.(map[string]string)[string(args[2])] = string(args[3])
		out.WriteString(":1\r\n")
	case name == "HGETALL":
		var reply []string
		if found := in.find(key, nil); found != nil {
			for field, value := range found.value.(map[string]string) {
				reply = append(reply, field, value)
			}
		}
		array(out, reply)
	case name == "LPUSH" && len(args) == 3: // and trims to the newest few, as its users would
		found := in.find(key, func() interface{} { return []string(nil) })
		list := append([]string{string(args[2])}, found.value.([]string)...)
		if len(list) > longest {
			list = append([]string(nil), list[:longest]...)
		}
		found.value = list
		out.WriteString(":" + strconv.Itoa(len(list)) + "\r\n")
	case name == "ZADD" && len(args) == 4:
		score, err := strconv.ParseFloat(string(args[2]), 64)
		if err != nil {
			return errProtocol
		}
		found := in.find(key, func() interface{} { return []member(nil) })
		found.value = place(found.value.([]member), member{string(args[3]), score})
		out.WriteString(":1\r\n")
	case name == "ZTOP":
		var reply []string
		if found := in.find(key, nil); found != nil {
			for set := found.value.([]member); len(set) > 0 && len(reply) < 20; set = set[:len(set)-1] {
				last := set[len(set)-1]
				reply = append(reply, last.name, strconv.FormatFloat(last.score, 'g', -1, 64))
			}
		}
		array(out, reply)
	default:
		return errProtocol
	}
	return nil
}

// place puts a member where its score belongs; it may have been elsewhere.
func place(set []member, m member) []member {
	for i := range set {
		if set[i].name == m.name {
			set = append(set[:i], set[i+1:]...)
			break
		}
	}
	at := sort.Search(len(set), func(i int) bool { return set[i].score >= m.score })
	set = append(set, member{})
	copy(set[at+1:], set[at:])
	set[at] = m
	return set
}

// fill makes what does not expire as large as it gets.
func (s *store) fill(objects int, text string) {
	out := bufio.NewWriter(io.Discard)
	do := func(command, key string, object int, rest ...string) {
		args := [][]byte{[]byte(command), []byte(key + strconv.Itoa(object))}
		for _, arg := range rest {
			args = append(args, []byte(arg))
		}
		if err := s.do(args, out); err != nil {
			fail(err)
		}
	}
	for i := 0; i < objects; i++ {
		for j := 0; j < fields; j++ {
			do("HSET", "profile:", i, "field-"+strconv.Itoa(j), text)
		}
		for j := 0; j < longest; j++ {
			do("LPUSH", "feed:", i, "event-"+strconv.Itoa(1000*i+j))
		}
		for j := 0; j < members; j++ {
			do("ZADD", "board:", i, strconv.Itoa(i*j%10000), "player-"+strconv.Itoa(j))
		}
	}
}

func bulk(out *bufio.Writer, text string) {
	out.WriteString("$" + strconv.Itoa(len(text)) + "\r\n")
	out.WriteString(text)
	out.WriteString("\r\n")
}

func array(out *bufio.Writer, texts []string) {
	out.WriteString("*" + strconv.Itoa(len(texts)) + "\r\n")
	for _, text := range texts {
		bulk(out, text)
	}
}

// number reads a line such as *3 or $12.
func number(in *bufio.Reader, kind byte) (int, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 4 || line[0] != kind {
		return 0, errProtocol
	}
	return strconv.Atoi(string(line[1 : len(line)-2]))
}

// serve answers one connection until it is closed. Replies go out when no command waits.
func (s *store) serve(conn net.Conn) {
	defer conn.Close()
	in, out := bufio.NewReader(conn), bufio.NewWriter(conn)
	for {
		count, err := number(in, '*')
		if err != nil {
			return
		}
		args := make([][]byte, 0, count)
		for len(args) < count {
			size, err := number(in, '$')
			if err != nil {
				return
			}
			arg := make([]byte, size+2)
			if _, err := io.ReadFull(in, arg); err != nil {
				return
			}
			args = append(args, arg[:size])
		}
		if err := s.do(args, out); err != nil {
			out.WriteString("-ERR " + err.Error() + "\r\n")
		}
		if in.Buffered() == 0 && out.Flush() != nil {
			return
		}
	}
}

// client is the other end; once it is set up it allocates nothing.
type client struct {
	conn    net.Conn
	in      *bufio.Reader
	request []byte
	spare   []byte
}

func (c *client) arg(prefix string, n int, text []byte) {
	c.spare = append(c.spare[:0], prefix...)
	if n >= 0 {
		c.spare = strconv.AppendInt(c.spare, int64(n), 10)
	}
	c.spare = append(c.spare, text...)
	c.request = strconv.AppendInt(append(c.request, '$'), int64(len(c.spare)), 10)
	c.request = append(append(append(c.request, "\r\n"...), c.spare...), "\r\n"...)
}

func (c *client) command(name string, args byte) {
	c.request = append(c.request, '*', '0'+args, '\r', '\n')
	c.arg(name, -1, nil)
}

// draw adds a command as the service's users make them.
func (c *client) draw(objects int, text []byte, r *rand.Rand) {
	value := text[:40+r.Intn(160)]
	switch kind := r.Intn(100); {
	case kind < 35:
		c.command("GET", 2)
		c.arg("cache:", r.Intn(cached), nil)
	case kind < 60:
		c.command("SET", 4)
		c.arg("cache:", r.Intn(cached), nil)
		c.arg("", -1, text[:200+int(800*r.ExpFloat64())%(len(text)-200)])
		c.arg("", 1000+r.Intn(4000), nil)
	case kind < 68:
		c.command("HSET", 4)
		c.arg("profile:", r.Intn(objects), nil)
		c.arg("field-", r.Intn(fields), nil)
		c.arg("", -1, value)
	case kind < 80:
		c.command("HGETALL", 2)
		c.arg("profile:", r.Intn(objects), nil)
	case kind < 87:
		c.command("LPUSH", 3)
		c.arg("feed:", r.Intn(objects), nil)
		c.arg("event-", r.Intn(1000000), nil)
	case kind < 94:
		c.command("ZADD", 4)
		c.arg("board:", r.Intn(objects), nil)
		c.arg("", r.Intn(10000), nil)
		c.arg("player-", r.Intn(members), nil)
	default:
		c.command("ZTOP", 2)
		c.arg("board:", r.Intn(objects), nil)
	}
}

// call sends what was drawn and reads so many replies.
func (c *client) call(replies int) int {
	size := 0
	if _, err := c.conn.Write(c.request); err != nil {
		fail(err)
	}
	c.request = c.request[:0]
	for waiting := replies; waiting > 0; waiting-- {
		line, err := c.in.ReadSlice('\n')
		if err != nil || len(line) < 3 || line[0] == '-' {
			fail(fmt.Errorf("bad reply %q: %v", line, err))
		}
		count := 0
		if line[0] == '*' || (line[0] == '$' && line[1] != '-') {
			for _, digit := range line[1 : len(line)-2] {
				count = 10*count + int(digit-'0')
			}
		}
		switch line[0] {
		case '*':
			waiting += count
		case '$':
			if line[1] == '-' {
				break
			}
			if _, err := c.in.Discard(count + 2); err != nil {
				fail(err)
			}
			size += count
		}
	}
	return size
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "kvstore: %v\n", err)
	os.Exit(1)
}

func main() {
	options := load.Options{Name: "kvstore", LiveBytes: 19 << 20, Rate: 5000}
	connections := flag.Int("connections", 200, "of clients, each with a goroutine that serves it")
	pipeline := flag.Int("pipeline", 12, "commands that a client sends at once")
	options.Parse()
	if *connections < 1 || *pipeline < 1 {
		fail(errors.New("-connections and -pipeline must be 1 or more"))
	}
	s := &store{}
	for i := range s {
		s[i] = &shard{keys: map[string]*entry{}}
	}
	objects := 100
	if more := int(options.LiveBytes-baseBytes) / objectBytes; more > objects {
		objects = more
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	idle := make(chan *client, *connections) // the one that rested longest is next
	for i := 0; i < *connections; i++ {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			fail(err)
		}
		idle <- &client{conn: conn, in: bufio.NewReader(conn)}
	}
	setup, text := load.NewRand(options.Seed, -1), []byte(strings.Repeat("all that is gold does not glitter ", 80))
	calls := func(r *rand.Rand) int {
		c := <-idle
		for i := 0; i < *pipeline; i++ {
			c.draw(objects, text, r)
		}
		size := c.call(*pipeline)
		idle <- c
		return size
	}
	s.fill(objects, string(text[:120]))
	for i := 0; i < 4*cached / *pipeline; i++ {
		calls(setup)
	}
	go func() {
		for range time.Tick(100 * time.Millisecond) {
			s.sweep()
		}
	}()
	options.Run(func(w *load.Worker) { load.Use(calls(w.Rand)) })
}
