package main

import (
	"encoding/binary"
	"errors"
	"net"
	"strings"
)

// Types of records.
const (
	typeA     = 1
	typeCNAME = 5
	typeSOA   = 6
	typeMX    = 15
	typeTXT   = 16
	typeAAAA  = 28
)

const (
	response   = 1 << 15
	recursion  = 1<<8 | 1<<7
	noSuchName = 3
	internet   = 1
)

type question struct {
	name string
	kind uint16
}

// record is a resource record; as in most libraries each type has its own struct behind the interface.
type record interface {
	head() *header
	pack(p *packer)
	copied() record
}

type header struct {
	name string
	kind uint16
	ttl  uint32
}

func (h *header) head() *header { return h }

type address struct {
	header
	ip net.IP
}

func (a *address) pack(p *packer) { p.data = append(p.data, a.ip...) }
func (a *address) copied() record {
	return &address{a.header, append(net.IP(nil), a.ip...)}
}

// pointer is a CNAME, or an MX with its preference.
type pointer struct {
	header
	preference uint16
	target     string
}

func (t *pointer) pack(p *packer) {
	if t.kind == typeMX {
		p.number(t.preference)
	}
	p.name(t.target)
}
func (t *pointer) copied() record { c := *t; return &c }

type text struct {
	header
	lines []string
}

func (t *text) pack(p *packer) {
	for _, line := range t.lines {
		p.data = append(append(p.data, byte(len(line))), line...)
	}
}
func (t *text) copied() record { return &text{t.header, append([]string(nil), t.lines...)} }

type authority struct {
	header
	server, mailbox string
	times           [5]uint32
}

func (a *authority) pack(p *packer) {
	p.name(a.server)
	p.name(a.mailbox)
	for _, t := range a.times {
		p.long(t)
	}
}
func (a *authority) copied() record { c := *a; return &c }

// message is a query or what is said to it.
type message struct {
	id, flags uint16
	questions []question
	answers   []record
	servers   []record
}

// packer writes a message; names that were there already are pointed at.
type packer struct {
	data  []byte
	begin int
	seen  map[string]int
}

func (p *packer) number(n uint16) { p.data = append(p.data, byte(n>>8), byte(n)) }
func (p *packer) long(n uint32)   { p.number(uint16(n >> 16)); p.number(uint16(n)) }

func (p *packer) name(name string) {
	for name != "" {
		if at, ok := p.seen[name]; ok {
			p.number(uint16(0xc000 | at))
			return
		}
		if at := len(p.data) - p.begin; at < 1<<14 {
			p.seen[name] = at
		}
		label := name
		if dot := strings.IndexByte(name, '.'); dot >= 0 {
			label, name = name[:dot], name[dot+1:]
		} else {
			name = ""
		}
		p.data = append(append(p.data, byte(len(label))), label...)
	}
	p.data = append(p.data, 0)
}

func (p *packer) record(r record) {
	head := r.head()
	p.name(head.name)
	p.number(head.kind)
	p.number(internet)
	p.long(head.ttl)
	p.number(0)
	begin := len(p.data)
	r.pack(p)
	binary.BigEndian.PutUint16(p.data[begin-2:], uint16(len(p.data)-begin))
}

// pack appends the message to a buffer.
func (m *message) pack(into []byte) []byte {
	p := &packer{data: into, begin: len(into), seen: map[string]int{}}
	for _, n := range []int{int(m.id), int(m.flags), len(m.questions), len(m.answers), len(m.servers), 0} {
		p.number(uint16(n))
	}
	for _, q := range m.questions {
		p.name(q.name)
		p.number(q.kind)
		p.number(internet)
	}
	for _, section := range [][]record{m.answers, m.servers} {
		for _, r := range section {
			p.record(r)
		}
	}
	return p.data
}

var errShort = errors.New("message too short")

// reader takes a message apart; the first error stays.
type reader struct {
	data []byte
	at   int
	err  error
}

func (r *reader) bytes(n int) []byte {
	if r.at+n > len(r.data) {
		r.err = errShort
		return make([]byte, n)
	}
	r.at += n
	return r.data[r.at-n : r.at]
}

func (r *reader) number() uint16 { return binary.BigEndian.Uint16(r.bytes(2)) }
func (r *reader) long() uint32   { return binary.BigEndian.Uint32(r.bytes(4)) }

// name follows pointers, of which there may be a few only: others would go in circles.
func (r *reader) name() string {
	var out []byte
	back := -1
	for hops := 0; r.err == nil && hops < 16; {
		size := int(r.bytes(1)[0])
		if size >= 0xc0 {
			to := (size&0x3f)<<8 | int(r.bytes(1)[0])
			if back < 0 {
				back = r.at
			}
			r.at = to
			hops++
			continue
		}
		if size == 0 {
			break
		}
		if len(out) > 0 {
			out = append(out, '.')
		}
		out = append(out, r.bytes(size)...)
	}
	if back >= 0 {
		r.at = back
	}
	return string(out)
}

func (r *reader) record() record {
	h := header{name: r.name(), kind: r.number()}
	r.number()
	h.ttl = r.long()
	size := int(r.number())
	end := r.at + size
	switch h.kind {
	case typeA, typeAAAA:
		return &address{h, append(net.IP(nil), r.bytes(size)...)}
	case typeMX:
		return &pointer{h, r.number(), r.name()}
	case typeCNAME:
		return &pointer{h, 0, r.name()}
	case typeSOA:
		a := &authority{header: h, server: r.name(), mailbox: r.name()}
		for i := range a.times {
			a.times[i] = r.long()
		}
		return a
	}
	t := &text{header: h}
	for r.err == nil && r.at < end {
		t.lines = append(t.lines, string(r.bytes(int(r.bytes(1)[0]))))
	}
	return t
}

func unpack(data []byte) (*message, error) {
	r := &reader{data: data}
	m := &message{id: r.number(), flags: r.number()}
	questions, answers, servers := int(r.number()), int(r.number()), int(r.number())
	r.number()
	for ; questions > 0 && r.err == nil; questions-- {
		m.questions = append(m.questions, question{r.name(), r.number()})
		r.number()
	}
	for ; answers > 0 && r.err == nil; answers-- {
		m.answers = append(m.answers, r.record())
	}
	for ; servers > 0 && r.err == nil; servers-- {
		m.servers = append(m.servers, r.record())
	}
	return m, r.err
}
