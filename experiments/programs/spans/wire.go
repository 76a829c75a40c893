package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand"
)

// traceID is the same in all spans of one request through a system.
type traceID [16]byte

// span is one service's part of a trace; the names of its fields are those of the JSON that queries get.
type span struct {
	trace      traceID
	ID         uint64      `json:"id"`
	Parent     uint64      `json:"parent,omitempty"`
	Service    string      `json:"service"`
	Name       string      `json:"name"`
	Start      uint64      `json:"start"`
	End        uint64      `json:"end"`
	Failed     bool        `json:"failed,omitempty"`
	Attributes []attribute `json:"attributes,omitempty"`
	Events     []*event    `json:"events,omitempty"`
}

type attribute struct {
	Key   string      `json:"key"`
	Value interface{} `json:"value"` // string, int64, float64 or bool
}

type event struct {
	At         uint64      `json:"at"`
	Name       string      `json:"name"`
	Attributes []attribute `json:"attributes,omitempty"`
}

// The wire types of protocol buffers that we use.
const (
	varint = 0
	fixed  = 1
	body   = 2
)

var errMalformed = errors.New("malformed message")

// fields visits a message's fields in the order that they came in.
func fields(in []byte, visit func(field int, number uint64, text []byte) error) error {
	for len(in) > 0 {
		key, n := binary.Uvarint(in)
		if n <= 0 {
			return errMalformed
		}
		in = in[n:]
		var number uint64
		var text []byte
		if key&7 == fixed {
			if len(in) < 8 {
				return errMalformed
			}
			number, in = binary.LittleEndian.Uint64(in), in[8:]
		} else {
			if number, n = binary.Uvarint(in); n <= 0 {
				return errMalformed
			}
			in = in[n:]
		}
		if key&7 == body {
			if uint64(len(in)) < number {
				return errMalformed
			}
			text, in = in[:number], in[number:]
		}
		if err := visit(int(key>>3), number, text); err != nil {
			return err
		}
	}
	return nil
}

// decodeBatch reads what an agent sends: the name of its service, then spans.
func decodeBatch(in []byte) (spans []*span, err error) {
	service := ""
	err = fields(in, func(field int, number uint64, text []byte) error {
		if field == 1 {
			service = string(text)
			return nil
		}
		s := &span{Service: service}
		spans = append(spans, s)
		return s.decode(text)
	})
	return spans, err
}

func (s *span) decode(in []byte) error {
	return fields(in, func(field int, number uint64, text []byte) (err error) {
		switch field {
		case 1:
			copy(s.trace[:], text)
		case 2:
			s.ID = number
		case 3:
			s.Parent = number
		case 4:
			s.Name = string(text)
		case 5:
			s.Start = number
		case 6:
			s.End = number
		case 7:
			s.Failed = number != 0
		case 8:
			s.Attributes, err = addAttribute(s.Attributes, text)
		case 9:
			e := &event{}
			s.Events = append(s.Events, e)
			return e.decode(text)
		case 10:
			s.Service = string(text)
		}
		return err
	})
}

func (e *event) decode(in []byte) error {
	return fields(in, func(field int, number uint64, text []byte) (err error) {
		switch field {
		case 1:
			e.At = number
		case 2:
			e.Name = string(text)
		case 3:
			e.Attributes, err = addAttribute(e.Attributes, text)
		}
		return err
	})
}

func addAttribute(to []attribute, in []byte) ([]attribute, error) {
	var a attribute
	err := fields(in, func(field int, number uint64, text []byte) error {
		switch field {
		case 1:
			a.Key = string(text)
		case 2:
			a.Value = string(text)
		case 3:
			a.Value = int64(number)
		case 4:
			a.Value = math.Float64frombits(number)
		case 5:
			a.Value = number != 0
		}
		return nil
	})
	return append(to, a), err
}

// encoder appends fields to a message.
type encoder []byte

func (e *encoder) number(field int, value uint64) {
	*e = binary.AppendUvarint(binary.AppendUvarint(*e, uint64(field)<<3|varint), value)
}

func (e *encoder) fixed(field int, value uint64) {
	*e = binary.LittleEndian.AppendUint64(binary.AppendUvarint(*e, uint64(field)<<3|fixed), value)
}

func (e *encoder) text(field int, value string) {
	*e = binary.AppendUvarint(binary.AppendUvarint(*e, uint64(field)<<3|body), uint64(len(value)))
	*e = append(*e, value...)
}

func (e *encoder) attributes(field int, all []attribute) {
	for _, a := range all {
		var one encoder
		one.text(1, a.Key)
		switch value := a.Value.(type) {
		case string:
			one.text(2, value)
		case int64:
			one.number(3, uint64(value))
		case float64:
			one.fixed(4, math.Float64bits(value))
		case bool:
			one.number(5, 1)
		}
		e.text(field, string(one))
	}
}

// span writes the trace's identity first, so that the load finds and changes it.
func (e *encoder) span(s *span) {
	e.text(1, string(s.trace[:]))
	e.fixed(2, s.ID)
	e.fixed(3, s.Parent)
	e.text(4, s.Name)
	e.fixed(5, s.Start)
	e.fixed(6, s.End)
	if s.Failed {
		e.number(7, 1)
	}
	e.attributes(8, s.Attributes)
	for _, v := range s.Events {
		var one encoder
		one.fixed(1, v.At)
		one.text(2, v.Name)
		one.attributes(3, v.Attributes)
		e.text(9, string(one))
	}
	e.text(10, s.Service)
}

// template is a batch of an agent and where in it the identities of traces are.
type template struct {
	body []byte
	ids  []int
}

func newTemplate(r *rand.Rand, service string, spans int) template {
	var out encoder
	out.text(1, service)
	var ids []int
	for ; spans > 0; spans-- {
		var one encoder
		one.span(drawSpan(r, service))
		out.text(2, string(one))
		ids = append(ids, len(out)-len(one)+2)
	}
	return template{out, ids}
}

// drawSpan makes a span as the libraries for HTTP and SQL report them.
func drawSpan(r *rand.Rand, service string) *span {
	s := &span{ID: r.Uint64(), Parent: r.Uint64(), Service: service, Name: operation(r), Failed: r.Intn(400) == 0}
	s.Start = 1700000000e9 + uint64(r.Int63n(1e9))
	s.End = s.Start + uint64(r.ExpFloat64()*20e6)
	s.Attributes = []attribute{
		{"http.request.method", [2]string{"GET", "POST"}[r.Intn(2)]}, {"http.response.status_code", int64(200 + r.Intn(5))},
		{"network.peer.address", fmt.Sprintf("10.%d.%d.%d", r.Intn(4), r.Intn(256), r.Intn(256))},
	}
	if r.Intn(2) == 0 {
		text := fmt.Sprintf("SELECT id, name, price FROM items_%d WHERE shop = $1 AND id IN ($2, $3) ORDER BY %d", r.Intn(9), r.Intn(5))
		s.Attributes = append(s.Attributes, attribute{"db.query.text", text}, attribute{"db.rows", int64(r.Intn(1000))})
	}
	if r.Intn(3) == 0 {
		s.Attributes = append(s.Attributes, attribute{"cache.hit", true}, attribute{"load", r.Float64()})
	}
	for n := r.Intn(3); n > 0; n-- {
		s.Events = append(s.Events, &event{s.Start + 1000, "message", []attribute{{"size", r.Int63n(1 << 20)}}})
	}
	return s
}

func operation(r *rand.Rand) string {
	return fmt.Sprintf("/api/v%d/resource-%d/{id}", 1+r.Intn(2), r.Intn(40))
}
