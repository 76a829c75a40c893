package main

import (
	"bufio"
	"io"
	"math"
	"sort"
	"sync"
)

// target is a row, whatever its version.
type target struct {
	table *table
	key   string
}

// write is a change that a transaction makes when it commits; without a row it deletes.
type write struct {
	target
	row  row
	data []byte
}

// change is what the log knows of a write, and the vacuum but for its data.
type change struct {
	target
	at   uint64
	data []byte
}

// after gives the place of the first change that is newer than a commit.
func after(changes []change, at uint64) int {
	return sort.Search(len(changes), func(i int) bool { return changes[i].at > at })
}

// store is some tables, whose versions are numbered by the commits that made them.
type store struct {
	tables     []*table
	committing sync.Mutex // one at a time

	mu                     sync.Mutex
	published              uint64         // the last commit that is there in full
	open                   map[uint64]int // transactions that look at each snapshot
	stale                  []change       // rows for the vacuum once everybody looks at the commit or later
	log                    []change       // since the last checkpoint, for followers who copy the tables
	staleStep, untilVacuum int            // rows
	logMost                int            // before it is cut
	cutting                bool
	disk                   io.Writer
}

// transaction sees the store as it was when it began, without what it writes itself.
type transaction struct {
	store    *store
	snapshot uint64
	writes   []*write
}

// run runs a transaction, and again from the start while others are in the way.
func (s *store) run(do func(t *transaction)) {
	for done := false; !done; {
		s.mu.Lock()
		t := &transaction{store: s, snapshot: s.published}
		s.open[t.snapshot]++
		s.mu.Unlock()
		do(t)
		done = len(t.writes) == 0 || t.commit()
		s.mu.Lock()
		if s.open[t.snapshot]--; s.open[t.snapshot] == 0 {
			delete(s.open, t.snapshot)
		}
		s.mu.Unlock()
	}
}

// get copies a row out; there is none where it gives nil.
func (t *transaction) get(tb *table, key ...value) row {
	encoded := tb.keyOf(tb.primary, key...)
	if v := tb.look(encoded, t.snapshot); v != nil && v.data != nil {
		return tb.decode(v.data)
	}
	return nil
}

func (t *transaction) put(tb *table, r row) {
	t.write(&write{target{tb, string(tb.rowKey(nil, tb.primary, r))}, r, tb.encode(r)})
}

func (t *transaction) remove(tb *table, r row) {
	t.write(&write{target: target{tb, string(tb.rowKey(nil, tb.primary, r))}})
}

func (t *transaction) write(w *write) {
	for i, before := range t.writes {
		if before.target == w.target {
			t.writes[i] = w
			return
		}
	}
	t.writes = append(t.writes, w)
}

// scanRange is part of a table in the order of an index, or in its own where that is nil.
type scanRange struct {
	table    *table
	index    *index
	from, to string // encoded; to is not in it
	most     int
}

// withPrefix is the rows whose first columns in the order are so.
func withPrefix(tb *table, x *index, most int, values ...value) scanRange {
	columns := tb.primary
	if x != nil {
		columns = x.columns
	}
	prefix := tb.keyOf(columns, values...)
	return scanRange{tb, x, prefix, prefix + "\xff", most} // neither numbers nor texts get as high
}

// each visits what the snapshot has in a range, and gives where to go on from, or nothing at the end.
func (t *transaction) each(in scanRange, do func(key string, data []byte)) (next string) {
	entries, seen := &in.table.rows, 0
	if in.index != nil {
		entries = &in.index.entries
	}
	in.table.mu.RLock()
	defer in.table.mu.RUnlock()
	entries.root.ascend(in.from, in.to, func(key string, r *record) bool {
		if seen == in.most {
			next = key
			return false
		}
		if v := r.visible(t.snapshot); v != nil && v.data != nil {
			seen++
			do(key, v.data)
		}
		return true
	})
	return next
}

// scan copies rows out.
func (t *transaction) scan(in scanRange) (rows []row) {
	var buffer [128]byte
	t.each(in, func(key string, data []byte) {
		r := in.table.decode(data)
		if in.index == nil || string(in.table.indexKey(buffer[:0], in.index, r)) == key {
			rows = append(rows, r) // else it is the key of another version
		}
	})
	return rows
}

// commit makes the changes visible to all that begin later, unless somebody changed the same rows since this one began.
func (t *transaction) commit() bool {
	s := t.store
	s.committing.Lock()
	defer s.committing.Unlock()
	for _, w := range t.writes {
		if v := w.table.look(w.key, math.MaxUint64); v != nil && v.at > t.snapshot {
			return false
		}
	}
	at := s.published + 1 // only who commits changes it
	var stale []change
	for _, w := range t.writes {
		if w.table.install(w, at) {
			stale = append(stale, change{target: w.target, at: at})
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.published = at
	s.stale = append(s.stale, stale...)
	for _, w := range t.writes {
		s.log = append(s.log, change{w.target, at, w.data})
	}
	if s.untilVacuum -= len(stale); s.untilVacuum <= 0 {
		s.untilVacuum = s.staleStep
		go s.vacuum()
	}
	if len(s.log) > s.logMost && !s.cutting {
		s.cutting = true
		go s.checkpoint()
	}
	return true
}

// since gives the changes after a commit, of whole commits and about as many as asked for. A follower who is
// too late misses what was cut, and would have to read the checkpoint.
func (s *store) since(at uint64, most int) []change {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.log[after(s.log, at):]
	if len(found) > most {
		found = found[:after(found, found[most-1].at)]
	}
	return append([]change(nil), found...)
}

// vacuum drops old versions, a row at a time so that nobody waits for long.
func (s *store) vacuum() {
	s.mu.Lock()
	horizon := s.published
	for at := range s.open {
		if at < horizon {
			horizon = at
		}
	}
	n := after(s.stale, horizon)
	stale := s.stale[:n]
	s.stale = append([]change(nil), s.stale[n:]...)
	s.mu.Unlock()
	for _, c := range stale {
		c.table.vacuum(c.key, horizon)
	}
}

// checkpoint writes all rows of a snapshot and cuts the log before it, which stays if that fails.
func (s *store) checkpoint() {
	out := bufio.NewWriterSize(s.disk, 64<<10)
	var head []byte
	s.run(func(t *transaction) {
		for i, tb := range s.tables {
			for part, more := withPrefix(tb, nil, 256), true; more; more = part.from != "" {
				part.from = t.each(part, func(key string, data []byte) {
					head = append(head[:0], byte(i), byte(len(key)), byte(len(data)>>8), byte(len(data)))
					out.Write(append(head, key...))
					out.Write(data)
				})
			}
		}
		err := out.Flush() // tells what went wrong before, too
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.cutting = false; err == nil {
			s.log = append([]change(nil), s.log[after(s.log, t.snapshot):]...)
		}
	})
}
