package main

import (
	"fmt"
	"math/rand"
	"strconv"
	"strings"
	"time"
)

// seeded is a repository with its first commits.
func (f *forge) seeded(r *rand.Rand) (*repository, error) {
	p := &repository{objects: map[hash]*object{}}
	root := &leaf{}
	var dirs []*leaf
	for d := 0; d < directories; d++ {
		var leaves []*leaf
		for n := 0; n < filesIn; n++ {
			l := &leaf{name: "file" + strconv.Itoa(n) + ".go"}
			if err := p.write(l, "blob", f.file(r, 30+r.Intn(30)*r.Intn(30))); err != nil {
				return nil, err
			}
			leaves = append(leaves, l)
		}
		l := &leaf{name: "dir" + strconv.Itoa(d), dir: true}
		if err := p.write(l, "tree", encodeDirectory(leaves)); err != nil {
			return nil, err
		}
		dirs = append(dirs, l)
	}
	if err := p.write(root, "tree", encodeDirectory(dirs)); err != nil {
		return nil, err
	}
	if err := p.commit(r, root.id, nil, nil); err != nil {
		return nil, err
	}
	for n := 0; n < remembered; n++ {
		if err := f.push(r, p); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// fork is a repository of the same content in memory of its own.
func (p *repository) fork(name string) *repository {
	out := &repository{name: name, objects: make(map[hash]*object, len(p.objects)), commits: append([]*commit(nil), p.commits...)}
	for id, o := range p.objects {
		out.objects[id] = &object{o.kind, o.size, append([]byte(nil), o.packed...)}
	}
	for i, c := range out.commits {
		own := *c
		own.replaced = append([]hash(nil), c.replaced...)
		out.commits[i] = &own
	}
	return out
}

// commit writes a commit's object; whoever pushes holds the lock.
func (p *repository) commit(r *rand.Rand, tree hash, paths []string, replaced []hash) error {
	parent := hash{}
	if n := len(p.commits); n > 0 {
		parent = p.commits[n-1].id
	}
	text := fmt.Sprintf("tree %v\nparent %v\nauthor Person %d <p%d@example.com> %d +0200\n\nChange %s\n\nBecause of issue %d.\n",
		tree, parent, r.Intn(90), r.Intn(90), time.Now().UnixNano(), strings.Join(paths, ", "), r.Intn(5000))
	id, o, err := pack("commit", []byte(text))
	if err != nil {
		return err
	}
	p.objects[id] = o
	p.commits = append(p.commits, &commit{id, tree, paths, replaced})
	if len(p.commits) > remembered {
		delete(p.objects, p.commits[0].id)
		for _, old := range p.commits[1].replaced {
			delete(p.objects, old)
		}
		p.commits = append([]*commit(nil), p.commits[1:]...)
	}
	return nil
}

// push changes some lines of a file.
func (f *forge) push(r *rand.Rand, p *repository) error {
	p.pushing.Lock()
	defer p.pushing.Unlock()
	dir, path := "dir"+strconv.Itoa(r.Intn(directories)), "file"+strconv.Itoa(r.Intn(filesIn))+".go"
	tree := p.newest(0).tree
	root, err := p.directory(tree)
	if err != nil {
		return err
	}
	replaced := []hash{tree}
	for _, d := range root {
		if d.name != dir {
			continue
		}
		leaves, err := p.directory(d.id)
		if err != nil {
			return err
		}
		replaced = append(replaced, d.id)
		for _, l := range leaves {
			if l.name == path {
				replaced = append(replaced, l.id)
				if err := f.rewrite(r, p, l); err != nil {
					return err
				}
			}
		}
		if err := p.write(d, "tree", encodeDirectory(leaves)); err != nil {
			return err
		}
	}
	top := &leaf{}
	if err := p.write(top, "tree", encodeDirectory(root)); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.commit(r, top.id, []string{dir + "/" + path}, replaced)
}

// newest is the commit of so many before the last, or the oldest.
func (p *repository) newest(before int) *commit {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if at := len(p.commits) - 1 - before; at > 0 {
		return p.commits[at]
	}
	return p.commits[0]
}

func (p *repository) write(l *leaf, kind string, data []byte) error {
	id, o, err := pack(kind, data)
	if err != nil {
		return err
	}
	l.id = id
	p.mu.Lock()
	p.objects[id] = o
	p.mu.Unlock()
	return nil
}

// rewrite replaces lines here and there.
func (f *forge) rewrite(r *rand.Rand, p *repository, l *leaf) error {
	data, err := p.read(l.id)
	if err != nil {
		return err
	}
	lines := strings.Split(string(data), "\n")
	for n := 1 + r.Intn(12); n > 0; n-- {
		lines[r.Intn(len(lines))] = f.line(r)
	}
	return p.write(l, "blob", []byte(strings.Join(lines, "\n")))
}
