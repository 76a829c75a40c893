package main

import (
	"encoding/binary"
	"errors"
	"math"
)

// The wire form is that of protocol buffers: a tag of number and kind, then a varint, eight bytes or a length
// with so many bytes. Messages are taken apart into structs that point to each other, as generated code does it.
const (
	kindVarint = 0
	kindEight  = 1
	kindBytes  = 2
)

// encoder appends fields.
type encoder struct{ data []byte }

func (e *encoder) varint(n uint64) {
	var b [binary.MaxVarintLen64]byte
	e.data = append(e.data, b[:binary.PutUvarint(b[:], n)]...)
}

func (e *encoder) number(field int, n uint64) {
	e.varint(uint64(field<<3 | kindVarint))
	e.varint(n)
}

func (e *encoder) eight(field int, n uint64) {
	var b [8]byte
	e.varint(uint64(field<<3 | kindEight))
	binary.LittleEndian.PutUint64(b[:], n)
	e.data = append(e.data, b[:]...)
}

func (e *encoder) bytes(field int, b []byte) {
	e.varint(uint64(field<<3 | kindBytes))
	e.varint(uint64(len(b)))
	e.data = append(e.data, b...)
}

func (e *encoder) text(field int, s string) {
	e.varint(uint64(field<<3 | kindBytes))
	e.varint(uint64(len(s)))
	e.data = append(e.data, s...)
}

// message writes a nested message: its length is known only when it is there, and moves it by that many bytes.
func (e *encoder) message(field int, write func()) {
	e.varint(uint64(field<<3 | kindBytes))
	begin := len(e.data)
	write()
	var b [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(b[:], uint64(len(e.data)-begin))
	e.data = append(e.data, b[:n]...)
	copy(e.data[begin+n:], e.data[begin:])
	copy(e.data[begin:], b[:n])
}

var errWire = errors.New("bad encoding")

// field is one field of a message.
type field struct {
	number int
	value  uint64
	bytes  []byte
}

// fields calls back for each field of a message.
func fields(data []byte, each func(f field) error) error {
	for len(data) > 0 {
		tag, n := binary.Uvarint(data)
		if n <= 0 {
			return errWire
		}
		data = data[n:]
		f := field{number: int(tag >> 3)}
		switch tag & 7 {
		case kindVarint:
			f.value, n = binary.Uvarint(data)
		case kindEight:
			if n = 8; len(data) >= n {
				f.value = binary.LittleEndian.Uint64(data)
			}
		case kindBytes:
			size, m := binary.Uvarint(data)
			if n = m + int(size); m > 0 && n <= len(data) {
				f.bytes = data[m:n]
			}
		}
		if n <= 0 || n > len(data) {
			return errWire
		}
		data = data[n:]
		if err := each(f); err != nil {
			return err
		}
	}
	return nil
}

type traceID [16]byte
type spanID [8]byte

// span is one piece of work in one service.
type span struct {
	trace      traceID
	id, parent spanID
	name       string
	kind       int32
	start, end uint64 // ns
	attributes []*attribute
	events     []*event
	status     *status
	resource   *resource
}

type attribute struct {
	key   string
	value value
}

// value is one of several, each in a struct of its own.
type value interface{ encode(e *encoder) }

type (
	textValue   struct{ text string }
	numberValue struct{ number int64 }
	floatValue  struct{ float float64 }
	boolValue   struct{ is bool }
)

func (v *textValue) encode(e *encoder)   { e.text(1, v.text) }
func (v *numberValue) encode(e *encoder) { e.number(3, uint64(v.number)) }
func (v *floatValue) encode(e *encoder)  { e.eight(4, math.Float64bits(v.float)) }
func (v *boolValue) encode(e *encoder) {
	n := uint64(0)
	if v.is {
		n = 1
	}
	e.number(2, n)
}

type event struct {
	at         uint64
	name       string
	attributes []*attribute
}

type status struct {
	code    int32
	message string
}

// resource is who sent a batch.
type resource struct{ attributes []*attribute }

func (r *resource) service() string {
	for _, a := range r.attributes {
		if v, ok := a.value.(*textValue); ok && a.key == "service.name" {
			return v.text
		}
	}
	return ""
}

func (e *encoder) attribute(field int, a *attribute) {
	e.message(field, func() {
		e.text(1, a.key)
		e.message(2, func() { a.value.encode(e) })
	})
}

func (e *encoder) span(field int, s *span) {
	e.message(field, func() {
		e.bytes(1, s.trace[:])
		e.bytes(2, s.id[:])
		e.bytes(4, s.parent[:])
		e.text(5, s.name)
		e.number(6, uint64(s.kind))
		e.eight(7, s.start)
		e.eight(8, s.end)
		for _, a := range s.attributes {
			e.attribute(9, a)
		}
		for _, v := range s.events {
			e.message(11, func() {
				e.eight(1, v.at)
				e.text(2, v.name)
				for _, a := range v.attributes {
					e.attribute(3, a)
				}
			})
		}
		if s.status != nil {
			e.message(15, func() { e.text(2, s.status.message); e.number(3, uint64(s.status.code)) })
		}
	})
}

// decodeBatch gives the spans of a body; all of them point to who sent them.
func decodeBatch(body []byte) (spans []*span, err error) {
	from := &resource{}
	err = fields(body, func(f field) error {
		switch f.number {
		case 1:
			return decodeAttributes(f.bytes, &from.attributes)
		case 2:
			s, err := decodeSpan(f.bytes)
			if err != nil {
				return err
			}
			s.resource = from
			spans = append(spans, s)
		}
		return nil
	})
	return spans, err
}

func decodeSpan(data []byte) (*span, error) {
	s := &span{}
	return s, fields(data, func(f field) error {
		switch f.number {
		case 1:
			copy(s.trace[:], f.bytes)
		case 2:
			copy(s.id[:], f.bytes)
		case 4:
			copy(s.parent[:], f.bytes)
		case 5:
			s.name = string(f.bytes)
		case 6:
			s.kind = int32(f.value)
		case 7:
			s.start = f.value
		case 8:
			s.end = f.value
		case 9:
			return decodeAttributes(f.bytes, &s.attributes)
		case 11:
			return decodeEvent(f.bytes, s)
		case 15:
			s.status = &status{}
			return fields(f.bytes, func(f field) error {
				if f.number == 2 {
					s.status.message = string(f.bytes)
				} else {
					s.status.code = int32(f.value)
				}
				return nil
			})
		}
		return nil
	})
}

func decodeEvent(data []byte, s *span) error {
	v := &event{}
	s.events = append(s.events, v)
	return fields(data, func(f field) error {
		switch f.number {
		case 1:
			v.at = f.value
		case 2:
			v.name = string(f.bytes)
		case 3:
			return decodeAttributes(f.bytes, &v.attributes)
		}
		return nil
	})
}

// decodeAttributes adds one attribute to a list.
func decodeAttributes(data []byte, to *[]*attribute) error {
	a := &attribute{}
	*to = append(*to, a)
	return fields(data, func(f field) error {
		if f.number == 1 {
			a.key = string(f.bytes)
			return nil
		}
		return fields(f.bytes, func(f field) error {
			switch f.number {
			case 1:
				a.value = &textValue{string(f.bytes)}
			case 2:
				a.value = &boolValue{f.value == 1}
			case 3:
				a.value = &numberValue{int64(f.value)}
			case 4:
				a.value = &floatValue{math.Float64frombits(f.value)}
			}
			return nil
		})
	})
}
