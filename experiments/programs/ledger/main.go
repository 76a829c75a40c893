// Ledger keeps accounts by event sourcing: every transfer is an event in a log that hashes chain together,
// and the accounts are an immutable tree, of which a transfer copies a path. Some old versions stay for
// questions about the past. After so many events a snapshot is written beside the load and the log
// before it goes: the live heap climbs and falls with it.
package main

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"sync"

	"gcsim.local/programs/internal/load"
)

// accountBytes is about what one account keeps reachable, its node and its last entries included, and
// otherBytes what half a log and the old versions do.
const (
	accountBytes = 310
	otherBytes   = 18 << 20
)

const (
	keptVersions   = 20
	versionEvents  = 500 // between two of them
	statementLines = 6
)

// account does not change: a booking makes another one.
type account struct {
	Number  uint32
	Owner   string
	Balance int64
	Entries []entry // the newest last
}

// entry is what an account knows of an event; the rest is in the log, and later in the archive.
type entry struct {
	Sequence uint64
	Amount   int64
	Other    uint32
}

type event struct {
	Sequence uint64
	From, To uint32
	Amount   int64
	Memo     string
	Hash     [sha256.Size]byte
}

// node of a treap in order of account numbers, the highest priority on top.
type node struct {
	left, right *node
	account     *account
	priority    uint32
}

func mix(number uint32) uint32 {
	number = (number ^ number>>16) * 0x7feb352d
	number = (number ^ number>>15) * 0x846ca68b
	return number ^ number>>16
}

func (n *node) find(number uint32) *account {
	for n != nil && n.account.Number != number {
		if number < n.account.Number {
			n = n.left
		} else {
			n = n.right
		}
	}
	if n == nil {
		return nil
	}
	return n.account
}

// with gives the tree with an account put in or replaced; what is not on its path is shared.
func (n *node) with(a *account) *node {
	if n == nil {
		return &node{account: a, priority: mix(a.Number)}
	}
	fresh := *n
	switch {
	case a.Number == n.account.Number:
		fresh.account = a
	case a.Number < n.account.Number:
		fresh.left = n.left.with(a)
		if top := fresh.left; top.priority > fresh.priority { // made above, so it is ours to change
			fresh.left, top.right = top.right, &fresh
			return top
		}
	default:
		fresh.right = n.right.with(a)
		if top := fresh.right; top.priority > fresh.priority {
			fresh.right, top.left = top.left, &fresh
			return top
		}
	}
	return &fresh
}

func (n *node) walk(visit func(*account)) {
	if n != nil {
		n.left.walk(visit)
		visit(n.account)
		n.right.walk(visit)
	}
}

// booked is the account after an event.
func (a *account) booked(e entry) *account {
	kept := a.Entries
	if len(kept) >= statementLines {
		kept = kept[len(kept)-statementLines+1:]
	}
	entries := make([]entry, len(kept)+1)
	copy(entries, kept)
	entries[len(kept)] = e
	return &account{Number: a.Number, Owner: a.Owner, Balance: a.Balance + e.Amount, Entries: entries}
}

type ledger struct {
	mu       sync.RWMutex
	root     *node
	versions []*node // ring
	log      []*event
	sequence uint64
	last     [sha256.Size]byte
	every    int
	busy     bool // a snapshot is being written
	snapshot []byte
	digest   string
}

var purposes = []string{"invoice", "rent", "salary", "refund", "subscription", "transfer"}

// transfer books an amount; the events since the last snapshot say when another one is due.
func (l *ledger) transfer(from, to uint32, amount int64, r *rand.Rand) {
	memo := fmt.Sprintf("%s %d of customer %d, ref %08x", purposes[r.Intn(len(purposes))], r.Intn(10000), to, r.Uint32())
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &event{Sequence: l.sequence, From: from, To: to, Amount: amount, Memo: memo}
	e.Hash = sha256.Sum256([]byte(fmt.Sprintf("%x|%d|%d|%d|%d|%s", l.last, e.Sequence, from, to, amount, memo)))
	l.last = e.Hash
	l.root = l.root.with(l.root.find(from).booked(entry{e.Sequence, -amount, to}))
	l.root = l.root.with(l.root.find(to).booked(entry{e.Sequence, amount, from}))
	l.log = append(l.log, e)
	if l.sequence%versionEvents == 0 {
		l.versions[l.sequence/versionEvents%keptVersions] = l.root
	}
	l.sequence++
	if len(l.log) >= l.every && !l.busy {
		l.busy = true
		go l.write(l.root, len(l.log))
	}
}

// write makes a snapshot of a version, packed, and drops the events that it stands for.
func (l *ledger) write(root *node, events int) {
	var packed bytes.Buffer
	squeeze, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		fail(err)
	}
	encoder, page := gob.NewEncoder(squeeze), make([]account, 0, 256)
	flush := func() {
		if err := encoder.Encode(page); err != nil {
			fail(err)
		}
		page = page[:0]
	}
	root.walk(func(a *account) {
		// without entries: the log's archive has them
		page = append(page, account{Number: a.Number, Owner: a.Owner, Balance: a.Balance})
		if len(page) == cap(page) {
			flush()
		}
	})
	flush()
	if err := squeeze.Close(); err != nil {
		fail(err)
	}
	digest := sha256.Sum256(packed.Bytes())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.snapshot, l.digest = packed.Bytes(), hex.EncodeToString(digest[:])
	l.log = append(make([]*event, 0, l.every), l.log[events:]...)
	l.busy = false
}

// version is the tree of now, or of some time ago, and the log.
func (l *ledger) version(past bool, r *rand.Rand) (*node, []*event) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if past {
		if old := l.versions[r.Intn(keptVersions)]; old != nil {
			return old, l.log
		}
	}
	return l.root, l.log
}

// statement is what the account's owner gets to see.
func statement(a *account, log []*event) string {
	var out strings.Builder
	fmt.Fprintf(&out, "Account %08d of %s\n", a.Number, a.Owner)
	balance := a.Balance
	for i := len(a.Entries) - 1; i >= 0; i-- {
		e, memo := a.Entries[i], "(archived)"
		if len(log) > 0 && e.Sequence >= log[0].Sequence && e.Sequence-log[0].Sequence < uint64(len(log)) {
			memo = log[e.Sequence-log[0].Sequence].Memo
		}
		fmt.Fprintf(&out, "%10d  %08d %-52s %10.2f %12.2f\n", e.Sequence, e.Other, memo, float64(e.Amount)/100, float64(balance)/100)
		balance -= e.Amount
	}
	return out.String()
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "ledger: %v\n", err)
	os.Exit(1)
}

func main() {
	options := load.Options{Name: "ledger", LiveBytes: 48 << 20, Calls: 8}
	transfers := flag.Float64("transfers", 0.5, "share of requests that book; the others read")
	past := flag.Float64("past", 0.2, "share of reading that is about the past")
	every := flag.Int("snapshot", 100000, "events after which a snapshot is written")
	options.Parse()
	setup := load.NewRand(options.Seed, -1)
	l := &ledger{versions: make([]*node, keptVersions), every: *every}
	accounts := 16000
	if more := int(options.LiveBytes-otherBytes) / accountBytes; more > accounts {
		accounts = more
	}
	for i := 0; i < accounts; i++ {
		a := &account{Number: uint32(i), Owner: fmt.Sprintf("Customer No. %d", i), Balance: setup.Int63n(1e6)}
		a.Entries = make([]entry, statementLines) // from before the log: an old account has all its lines
		l.root = l.root.with(a)
	}
	options.Run(func(w *load.Worker) {
		if w.Rand.Float64() < *transfers {
			from := w.Rand.Intn(accounts)
			to := (from + 1 + w.Rand.Intn(accounts-1)) % accounts
			l.transfer(uint32(from), uint32(to), 1+w.Rand.Int63n(50000), w.Rand)
			return
		}
		tree, log := l.version(w.Rand.Float64() < *past, w.Rand)
		load.Use(len(statement(tree.find(uint32(w.Rand.Intn(accounts))), log)))
	})
}
