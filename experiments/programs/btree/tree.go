package main

import "sort"

const mostItems = 64 // in a node; a full one is split before anything goes into it

// node of a B-tree. A leaf has keys with the records that they lead to; an inner node has children, and of each
// but the first the key where it begins.
type node struct {
	keys     []string
	records  []*record
	children []*node
}

// tree keeps records in order of keys; in a secondary index several keys lead to one. Its table's lock guards it.
type tree struct{ root node }

// search gives the first key that is not less.
func (n *node) search(key string) (int, bool) {
	i := sort.SearchStrings(n.keys, key)
	return i, i < len(n.keys) && n.keys[i] == key
}

// childOf is where in an inner node a key belongs.
func (n *node) childOf(key string) int {
	i, found := n.search(key)
	if found {
		i++
	}
	return i
}

func (t *tree) get(key string) *record {
	n := &t.root
	for len(n.children) > 0 {
		n = n.children[n.childOf(key)]
	}
	if i, found := n.search(key); found {
		return n.records[i]
	}
	return nil
}

// set makes the key lead to the record.
func (t *tree) set(key string, r *record) {
	if len(t.root.keys) >= mostItems {
		old := t.root
		t.root = node{children: []*node{&old}}
		t.root.split(0)
	}
	n := &t.root
	for len(n.children) > 0 {
		i := n.childOf(key)
		if len(n.children[i].keys) >= mostItems {
			n.split(i)
			i = n.childOf(key)
		}
		n = n.children[i]
	}
	i, found := n.search(key)
	if !found {
		n.keys, n.records = append(n.keys, ""), append(n.records, nil)
		copy(n.keys[i+1:], n.keys[i:])
		copy(n.records[i+1:], n.records[i:])
	}
	n.keys[i], n.records[i] = key, r
}

// split halves the i-th child.
func (n *node) split(i int) {
	left, right := n.children[i], &node{}
	half := len(left.keys) / 2
	middle := left.keys[half]
	if len(left.children) > 0 {
		right.keys = append(right.keys, left.keys[half+1:]...)
		right.children = append(right.children, left.children[half+1:]...)
		left.children = append([]*node(nil), left.children[:half+1]...)
	} else {
		right.keys = append(right.keys, left.keys[half:]...)
		right.records = append(right.records, left.records[half:]...)
		left.records = append([]*record(nil), left.records[:half]...)
	}
	left.keys = append([]string(nil), left.keys[:half]...)
	n.keys, n.children = append(n.keys, ""), append(n.children, nil)
	copy(n.keys[i+1:], n.keys[i:])
	copy(n.children[i+2:], n.children[i+1:])
	n.keys[i], n.children[i+1] = middle, right
}

// remove takes the key out, if it is there. A node goes when it is empty: few are for long.
func (t *tree) remove(key string) {
	t.root.remove(key)
	for len(t.root.children) == 1 {
		t.root = *t.root.children[0]
	}
}

// remove reports whether nothing is left.
func (n *node) remove(key string) bool {
	if len(n.children) == 0 {
		if i, found := n.search(key); found {
			n.removeKey(i)
			copy(n.records[i:], n.records[i+1:])
			n.records[len(n.records)-1] = nil
			n.records = n.records[:len(n.records)-1]
		}
		return len(n.records) == 0
	}
	i := n.childOf(key)
	if !n.children[i].remove(key) {
		return false
	}
	copy(n.children[i:], n.children[i+1:])
	n.children[len(n.children)-1] = nil
	n.children = n.children[:len(n.children)-1]
	if len(n.children) == 0 {
		return true
	}
	if i > 0 {
		i--
	}
	n.removeKey(i)
	return false
}

func (n *node) removeKey(i int) {
	copy(n.keys[i:], n.keys[i+1:])
	n.keys[len(n.keys)-1] = ""
	n.keys = n.keys[:len(n.keys)-1]
}

// ascend visits the keys from one to before another until visit has had enough.
func (n *node) ascend(from, to string, visit func(key string, r *record) bool) bool {
	if len(n.children) > 0 {
		for i := n.childOf(from); i < len(n.children); i++ {
			if !n.children[i].ascend(from, to, visit) {
				return false
			}
		}
		return true
	}
	for i, _ := n.search(from); i < len(n.keys); i++ {
		if n.keys[i] >= to || !visit(n.keys[i], n.records[i]) {
			return false
		}
	}
	return true
}
