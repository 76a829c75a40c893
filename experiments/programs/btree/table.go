package main

import (
	"encoding/binary"
	"sync"
)

type kind byte

const (
	integer kind = iota
	text
)

// value is a field of a row: a number or a text, as its column's kind says.
type value struct {
	number int64
	text   string
}

func number(n int64) value { return value{number: n} }

type row []value

// version is what a row was from one commit to the next; without data it was deleted.
type version struct {
	at    uint64
	data  []byte
	older *version
}

// record is all versions of a row that somebody may still see.
type record struct{ newest *version }

func (r *record) visible(at uint64) *version {
	if r == nil {
		return nil
	}
	v := r.newest
	for v != nil && v.at > at {
		v = v.older
	}
	return v
}

// index is a second order of a table. Its keys end with the row's own, so that they differ; a key stays until
// no version of the row has it any more.
type index struct {
	columns []int
	entries tree
}

type table struct {
	kinds   []kind // of the columns
	primary []int
	mu      sync.RWMutex // guards the trees and what they lead to
	rows    tree
	indexes []*index
}

// appendKey encodes a value so that the encodings are in the order of the values.
func appendKey(to []byte, k kind, v value) []byte {
	if k == integer {
		var big [8]byte
		binary.BigEndian.PutUint64(big[:], uint64(v.number)^1<<63)
		return append(to, big[:]...)
	}
	for i := 0; i < len(v.text); i++ {
		to = append(to, v.text[i])
		if v.text[i] == 0 {
			to = append(to, 0xff)
		}
	}
	return append(to, 0, 1)
}

// keyOf encodes values of the first of some columns.
func (t *table) keyOf(columns []int, values ...value) string {
	key := make([]byte, 0, 64)
	for i, v := range values {
		key = appendKey(key, t.kinds[columns[i]], v)
	}
	return string(key)
}

func (t *table) rowKey(to []byte, columns []int, r row) []byte {
	for _, c := range columns {
		to = appendKey(to, t.kinds[c], r[c])
	}
	return to
}

func (t *table) indexKey(to []byte, x *index, r row) []byte {
	return t.rowKey(t.rowKey(to, x.columns, r), t.primary, r)
}

func (t *table) encode(r row) []byte {
	data := make([]byte, 0, 256)
	for i, k := range t.kinds {
		var n [binary.MaxVarintLen64]byte
		if k == integer {
			data = append(data, n[:binary.PutVarint(n[:], r[i].number)]...)
			continue
		}
		data = append(data, n[:binary.PutUvarint(n[:], uint64(len(r[i].text)))]...)
		data = append(data, r[i].text...)
	}
	return append([]byte(nil), data...)
}

// decode copies a row out.
func (t *table) decode(data []byte) row {
	r := make(row, len(t.kinds))
	for i, k := range t.kinds {
		if k == integer {
			v, n := binary.Varint(data)
			r[i].number, data = v, data[n:]
			continue
		}
		size, n := binary.Uvarint(data)
		r[i].text, data = string(data[n:n+int(size)]), data[n+int(size):]
	}
	return r
}

func (t *table) look(key string, at uint64) *version {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.rows.get(key).visible(at)
}

// install puts a version on top, and reports whether there will be something for the vacuum.
func (t *table) install(w *write, at uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.rows.get(w.key)
	if r == nil {
		r = &record{}
		t.rows.set(w.key, r)
	}
	r.newest = &version{at, w.data, r.newest}
	if w.row == nil {
		return true
	}
	var buffer [128]byte
	for _, x := range t.indexes {
		x.entries.set(string(t.indexKey(buffer[:0], x, w.row)), r)
	}
	return r.newest.older != nil
}

// vacuum drops the versions of a row that nobody sees who looks at the horizon or later, with the
// keys that only those had.
func (t *table) vacuum(key string, horizon uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.rows.get(key)
	seen := r.visible(horizon)
	if seen == nil {
		return
	}
	dropped := seen.older
	seen.older = nil
	if seen == r.newest && seen.data == nil {
		t.rows.remove(key)
	}
	for _, x := range t.indexes {
		needed := map[string]bool{}
		t.eachKey(x, r.newest, func(key []byte) { needed[string(key)] = true })
		t.eachKey(x, dropped, func(key []byte) {
			if !needed[string(key)] {
				x.entries.remove(string(key))
			}
		})
	}
}

// eachKey gives an index's keys of a version and of all older ones.
func (t *table) eachKey(x *index, v *version, do func(key []byte)) {
	var buffer [128]byte
	for ; v != nil; v = v.older {
		if v.data != nil {
			do(t.indexKey(buffer[:0], x, t.decode(v.data)))
		}
	}
}
