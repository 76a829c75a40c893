package main

import (
	"bytes"
	"compress/zlib"
	"container/list"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"sync"
)

type hash [sha1.Size]byte

func (h hash) String() string { return hex.EncodeToString(h[:]) }

// object is a file, a directory or a commit, compressed.
type object struct {
	kind   string
	size   int
	packed []byte
}

// repository has the objects of its newest commits.
type repository struct {
	pushing sync.Mutex // one at a time
	mu      sync.RWMutex
	name    string
	objects map[hash]*object
	commits []*commit // newest last
}

// commit is what is remembered of one beside its object.
type commit struct {
	id, tree hash
	paths    []string // that it changed
	replaced []hash   // what nobody needs once its parent is forgotten
}

// packer and unpacker are expensive to make, so there are pools of them.
var (
	packers   = sync.Pool{New: func() interface{} { return zlib.NewWriter(nil) }}
	unpackers sync.Pool // of zlib readers
)

func pack(kind string, data []byte) (hash, *object, error) {
	var out bytes.Buffer
	w := packers.Get().(*zlib.Writer)
	defer packers.Put(w)
	w.Reset(&out)
	sum := sha1.New()
	to := io.MultiWriter(w, sum)
	fmt.Fprintf(to, "%s %d\x00", kind, len(data))
	if _, err := to.Write(data); err != nil {
		return hash{}, nil, err
	}
	if err := w.Close(); err != nil {
		return hash{}, nil, err
	}
	var id hash
	sum.Sum(id[:0])
	return id, &object{kind, len(data), append([]byte(nil), out.Bytes()...)}, nil
}

// read gives an object's content.
func (o *object) read() ([]byte, error) {
	from := bytes.NewReader(o.packed)
	r, ok := unpackers.Get().(io.ReadCloser)
	if ok {
		if err := r.(zlib.Resetter).Reset(from, nil); err != nil {
			return nil, err
		}
	} else {
		var err error
		if r, err = zlib.NewReader(from); err != nil {
			return nil, err
		}
	}
	defer unpackers.Put(r)
	plain := bytes.NewBuffer(make([]byte, 0, o.size+32))
	if _, err := plain.ReadFrom(r); err != nil {
		return nil, err
	}
	data := plain.Bytes()
	return data[bytes.IndexByte(data, 0)+1:], nil
}

func (p *repository) read(id hash) ([]byte, error) {
	p.mu.RLock()
	o := p.objects[id]
	p.mu.RUnlock()
	if o == nil {
		return nil, errGone
	}
	return o.read()
}

// leaf is a line of a directory.
type leaf struct {
	name string
	dir  bool
	id   hash
}

func (p *repository) directory(id hash) ([]*leaf, error) {
	data, err := p.read(id)
	if err != nil {
		return nil, err
	}
	var leaves []*leaf
	for len(data) > 0 {
		end := bytes.IndexByte(data, 0)
		if end < 0 || len(data) < end+1+sha1.Size {
			return nil, fmt.Errorf("bad directory %v", id)
		}
		fields := strings.SplitN(string(data[:end]), " ", 2)
		l := &leaf{name: fields[1], dir: fields[0] == "40000"}
		copy(l.id[:], data[end+1:])
		leaves, data = append(leaves, l), data[end+1+sha1.Size:]
	}
	return leaves, nil
}

func encodeDirectory(leaves []*leaf) []byte {
	var out bytes.Buffer
	for _, l := range leaves {
		mode := "100644"
		if l.dir {
			mode = "40000"
		}
		fmt.Fprintf(&out, "%s %s\x00", mode, l.name)
		out.Write(l.id[:])
	}
	return out.Bytes()
}

// find follows a path from a commit's directory.
func (p *repository) find(tree hash, path string) (hash, error) {
	id := tree
	for _, part := range strings.Split(path, "/") {
		leaves, err := p.directory(id)
		if err != nil {
			return id, err
		}
		found := false
		for _, l := range leaves {
			if l.name == part {
				id, found = l.id, true
			}
		}
		if !found {
			return id, errGone
		}
	}
	return id, nil
}

// cache keeps coloured files up to a number of bytes; those not asked for go first.
type cache struct {
	mu     sync.Mutex
	pages  map[string]*list.Element
	recent *list.List
	bytes  int
	most   int
}

type page struct {
	key   string
	lines []string
	bytes int
}

func (c *cache) get(key string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.pages[key]; e != nil {
		c.recent.MoveToFront(e)
		return e.Value.(*page).lines
	}
	return nil
}

func (c *cache) put(key string, lines []string) {
	const line = 30 // its string's header, and what the size class adds
	size := len(lines) * line
	for _, text := range lines {
		size += len(text)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pages[key] != nil { // somebody was faster
		return
	}
	c.pages[key] = c.recent.PushFront(&page{key, lines, size})
	for c.bytes += size; c.bytes > c.most; {
		old := c.recent.Remove(c.recent.Back()).(*page)
		delete(c.pages, old.key)
		c.bytes -= old.bytes
	}
}
