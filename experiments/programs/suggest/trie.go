package main

import (
	"sort"
	"sync/atomic"
)

const listed = 10 // phrases that a node lists as the best beneath it

// phrase is what people have searched for.
type phrase struct {
	text     string
	category string
	results  int   // that a search for it finds
	weight   int64 // how often it was picked
	gone     int32 // 1 when it leaves: a pick that comes too late must not list it again
}

// node of a trie whose paths without forks are one node.
type node struct {
	letters  string
	children []*node // by first letter
	ends     []*phrase
	best     []*phrase // by weight
}

// child is where a letter goes, or would go.
func (n *node) child(letter byte) (at int, found bool) {
	at = sort.Search(len(n.children), func(i int) bool { return n.children[i].letters[0] >= letter })
	return at, at < len(n.children) && n.children[at].letters[0] == letter
}

func (n *node) insert(key string, p *phrase) {
	n.offer(p)
	if key == "" {
		n.ends = append(n.ends, p)
		return
	}
	at, found := n.child(key[0])
	if !found {
		n.children = append(n.children, nil)
		copy(n.children[at+1:], n.children[at:])
		n.children[at] = &node{letters: key}
		n.children[at].insert("", p)
		return
	}
	child := n.children[at]
	same := common(child.letters, key)
	if same < len(child.letters) { // the path forks here now
		fork := &node{letters: child.letters[:same], children: []*node{child}}
		fork.best = append(fork.best, child.best...)
		child.letters = child.letters[same:]
		n.children[at], child = fork, fork
	}
	child.insert(key[same:], p)
}

func (n *node) remove(key string, p *phrase) {
	if key == "" {
		n.ends = without(n.ends, p)
	} else if at, found := n.child(key[0]); found {
		child := n.children[at]
		if common(child.letters, key) < len(child.letters) {
			return
		}
		child.remove(key[len(child.letters):], p)
		if len(child.children) == 0 && len(child.ends) == 0 {
			n.children = append(n.children[:at], n.children[at+1:]...)
		}
	}
	for _, listed := range n.best {
		if listed == p {
			n.rank()
			return
		}
	}
}

// rank makes the list of the best anew.
func (n *node) rank() {
	all := append([]*phrase(nil), n.ends...)
	for _, child := range n.children {
		all = append(all, child.best...)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].popularity() > all[j].popularity() })
	if len(all) > listed {
		all = all[:listed]
	}
	n.best = append([]*phrase(nil), all...)
}

// offer lists a phrase if it is among the best, and moves it up to where it belongs.
func (n *node) offer(p *phrase) {
	if atomic.LoadInt32(&p.gone) != 0 {
		return
	}
	at := len(n.best)
	for i, other := range n.best {
		if other == p {
			at = i
		}
	}
	switch weight := p.popularity(); {
	case at < len(n.best): // is listed
	case at < listed:
		n.best = append(n.best, p)
	case n.best[at-1].popularity() < weight:
		at--
		n.best[at] = p
	default:
		return
	}
	for ; at > 0 && n.best[at-1].popularity() < p.popularity(); at-- {
		n.best[at-1], n.best[at] = n.best[at], n.best[at-1]
	}
}

// raise offers a phrase that has become more popular to the nodes on its way.
func (n *node) raise(key string, p *phrase) {
	n.offer(p)
	if key == "" {
		return
	}
	if at, found := n.child(key[0]); found && common(n.children[at].letters, key) == len(n.children[at].letters) {
		n.children[at].raise(key[len(n.children[at].letters):], p)
	}
}

// find is the node beneath which everything begins so; nil where nothing does.
func (n *node) find(prefix string) *node {
	for prefix != "" {
		at, found := n.child(prefix[0])
		if !found {
			return nil
		}
		n = n.children[at]
		same := common(n.letters, prefix)
		if same < len(n.letters) && same < len(prefix) {
			return nil
		}
		prefix = prefix[same:]
	}
	return n
}

func (p *phrase) popularity() int64 { return atomic.LoadInt64(&p.weight) }

func common(a, b string) (n int) {
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func without(list []*phrase, p *phrase) []*phrase {
	for i := range list {
		if list[i] == p {
			last := len(list) - 1
			list[i], list[last] = list[last], nil
			return list[:last]
		}
	}
	return list
}
