package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand"
)

// part is what one backend says about a product.
type part struct {
	Source string  `json:"source"`
	Key    int     `json:"key"`
	Items  []*item `json:"items"`
}

type item struct {
	ID         uint64            `json:"id"`
	Title      string            `json:"title"`
	Price      int64             `json:"price"`
	Tags       []string          `json:"tags,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Variants   []*variant        `json:"variants,omitempty"`
}

type variant struct {
	Name  string `json:"name"`
	Stock int64  `json:"stock"`
}

var errTruncated = errors.New("truncated message")

// fields visits what a message consists of: numbers and length-delimited bodies.
func fields(in []byte, visit func(field int, number uint64, body []byte) error) error {
	for len(in) > 0 {
		key, n := binary.Uvarint(in)
		if n <= 0 {
			return errTruncated
		}
		in = in[n:]
		number, n := binary.Uvarint(in)
		if n <= 0 {
			return errTruncated
		}
		in = in[n:]
		var body []byte
		if key&1 == 1 {
			if uint64(len(in)) < number {
				return errTruncated
			}
			body, in = in[:number], in[number:]
		}
		if err := visit(int(key>>1), number, body); err != nil {
			return err
		}
	}
	return nil
}

func (p *part) decode(in []byte) error {
	return fields(in, func(field int, number uint64, body []byte) error {
		one := &item{}
		p.Items = append(p.Items, one)
		return one.decode(body)
	})
}

func (i *item) decode(in []byte) error {
	return fields(in, func(field int, number uint64, body []byte) error {
		switch field {
		case 1:
			i.ID = number
		case 2:
			i.Title = string(body)
		case 3:
			i.Price = int64(number)
		case 4:
			i.Tags = append(i.Tags, string(body))
		case 5:
			var name, value string
			err := fields(body, func(field int, number uint64, body []byte) error {
				if field == 1 {
					name = string(body)
				} else {
					value = string(body)
				}
				return nil
			})
			if err != nil {
				return err
			}
			if i.Attributes == nil {
				i.Attributes = map[string]string{}
			}
			i.Attributes[name] = value
		case 6:
			v := &variant{}
			i.Variants = append(i.Variants, v)
			return fields(body, func(field int, number uint64, body []byte) error {
				if field == 1 {
					v.Name = string(body)
				} else {
					v.Stock = int64(number)
				}
				return nil
			})
		}
		return nil
	})
}

// encoder appends fields; only the making of the backends' bodies uses it.
type encoder []byte

func (e *encoder) number(field int, value uint64) {
	*e = binary.AppendUvarint(binary.AppendUvarint(*e, uint64(field)<<1), value)
}

func (e *encoder) body(field int, value []byte) {
	*e = binary.AppendUvarint(binary.AppendUvarint(*e, uint64(field)<<1|1), uint64(len(value)))
	*e = append(*e, value...)
}

func encodePart(r *rand.Rand, items int) []byte {
	var all encoder
	for ; items > 0; items-- {
		var one encoder
		one.number(1, r.Uint64()>>20)
		one.body(2, []byte(fmt.Sprintf("Article %d of the winter collection, number %d", r.Intn(1000), items)))
		one.number(3, uint64(r.Intn(100000)))
		for n := r.Intn(5); n > 0; n-- {
			one.body(4, []byte(fmt.Sprintf("tag-%d", r.Intn(500))))
		}
		for n := r.Intn(6); n > 0; n-- {
			var pair encoder
			pair.body(1, []byte(fmt.Sprintf("attribute-%d", r.Intn(30))))
			pair.body(2, []byte(fmt.Sprintf("value %d", r.Uint32())))
			one.body(5, pair)
		}
		for n := r.Intn(4); n > 0; n-- {
			var v encoder
			v.body(1, []byte(fmt.Sprintf("size %d", 30+r.Intn(30))))
			v.number(2, uint64(r.Intn(200)))
			one.body(6, v)
		}
		all.body(1, one)
	}
	return all
}
