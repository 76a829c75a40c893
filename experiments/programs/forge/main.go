// Forge is the web side of a host of source code. Repositories are compressed objects in memory: files,
// directories and commits, found by their hash. People look at files, which are coloured and kept as
// such, at what a commit changed, at the log, and search; some push, and the oldest commits
// are forgotten. What is dropped soon is mostly buffers; half of what stays
// is compressed, the other half many short strings.
package main

import (
	"bytes"
	"container/list"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"

	"gcsim.local/programs/internal/load"
)

// repositoryBytes is about what one repository keeps reachable; baseBytes is what compressors and buffers do.
// Half of what is to stay is coloured files.
const (
	repositoryBytes = 640 << 10
	baseBytes       = 5 << 20
	directories     = 6
	filesIn         = 8 // of each
	remembered      = 60
)

var errGone = errors.New("not there any more")

type forge struct {
	repositories []*repository
	pages        cache
	words        []string
}

// file makes up some source code.
func (f *forge) file(r *rand.Rand, lines int) []byte {
	var out bytes.Buffer
	for ; lines > 0; lines-- {
		out.WriteString(f.line(r))
		out.WriteByte('\n')
	}
	return out.Bytes()
}

func (f *forge) line(r *rand.Rand) string {
	word := func() string { return f.words[r.Intn(len(f.words))] }
	switch r.Intn(7) {
	case 0:
		return "// " + strings.Join([]string{word(), word(), word(), word(), "the", word(), word()}, " ")
	case 1:
		return "func " + word() + "(" + word() + " int, " + word() + " string) (" + word() + " error) {"
	case 2:
		return "\tif " + word() + " != nil && " + word() + " < " + strconv.Itoa(r.Intn(1000)) + " {"
	case 3:
		return "\t\treturn fmt.Errorf(\"" + word() + " %d: " + word() + "\", " + word() + ")"
	case 4:
		return "}"
	}
	return "\t" + word() + "." + word() + "(" + word() + ", &" + word() + "{" + word() + ": " + word() + "})"
}

// view shows a file of one of the newest commits.
func (f *forge) view(r *rand.Rand, p *repository) ([]byte, error) {
	path := anyPath(r)
	c := p.newest(r.Intn(8) * r.Intn(2))
	key := p.name + "/" + c.tree.String() + "/" + path
	lines := f.pages.get(key)
	if lines == nil {
		id, err := p.find(c.tree, path)
		if err != nil {
			return nil, err
		}
		data, err := p.read(id)
		if err != nil {
			return nil, err
		}
		lines = colourFile(data)
		f.pages.put(key, lines)
	}
	return filePage(path, lines, r.Intn(2)*r.Intn(len(lines))), nil
}

func anyPath(r *rand.Rand) string {
	return "dir" + strconv.Itoa(r.Intn(directories)) + "/file" + strconv.Itoa(r.Intn(filesIn)) + ".go"
}

// changes shows what a commit did.
func (f *forge) changes(r *rand.Rand, p *repository) ([]byte, error) {
	before := r.Intn(remembered / 2)
	c, parent := p.newest(before), p.newest(before+1)
	var out bytes.Buffer
	for _, path := range c.paths {
		var sides [2][]byte
		for i, tree := range []hash{parent.tree, c.tree} {
			id, err := p.find(tree, path)
			if err != nil {
				return nil, err
			}
			if sides[i], err = p.read(id); err != nil {
				return nil, err
			}
		}
		diffPage(&out, path, sides[0], sides[1])
	}
	return out.Bytes(), nil
}

// history lists the last commits.
func (f *forge) history(p *repository) ([]byte, error) {
	var out bytes.Buffer
	id := p.newest(0).id
	for n := 0; n < 25; n++ {
		data, err := p.read(id)
		if err != nil {
			return nil, err
		}
		lines := strings.Split(string(data), "\n")
		fields := strings.Fields(lines[1])
		fmt.Fprintf(&out, "<li><a href=\"/%s/commit/%v\">%s</a> %s</li>\n", p.name, id, lines[4], strings.TrimPrefix(lines[2], "author "))
		if _, err := hex.Decode(id[:], []byte(fields[1])); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// search looks for a word in the files of one directory.
func (f *forge) search(r *rand.Rand, p *repository) ([]byte, error) {
	word := []byte(f.words[r.Intn(len(f.words))])
	dir := "dir" + strconv.Itoa(r.Intn(directories))
	id, err := p.find(p.newest(0).tree, dir)
	if err != nil {
		return nil, err
	}
	leaves, err := p.directory(id)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, l := range leaves {
		data, err := p.read(l.id)
		if err != nil {
			return nil, err
		}
		for i, line := range bytes.Split(data, []byte("\n")) {
			if bytes.Contains(line, word) {
				fmt.Fprintf(&out, "<p>%s/%s:%d</p><pre>", dir, l.name, i+1)
				colour(&out, string(line))
				out.WriteString("</pre>\n")
			}
		}
	}
	return out.Bytes(), nil
}

// serve is one request; a few repositories are looked at more than the others.
func (f *forge) serve(r *rand.Rand, pushes int) ([]byte, error) {
	p := f.repositories[int(r.Float64()*r.Float64()*float64(len(f.repositories)))]
	if r.Intn(pushes) == 0 {
		return nil, f.push(r, p)
	}
	switch n := r.Intn(20); {
	case n < 11:
		return f.view(r, p)
	case n < 16:
		return f.changes(r, p)
	case n < 18:
		return f.history(p)
	}
	return f.search(r, p)
}

func newForge(r *rand.Rand, liveBytes int64) (*forge, error) {
	f := &forge{pages: cache{pages: map[string]*list.Element{}, recent: list.New(), most: 1 << 20}}
	for i := 0; i < 3000; i++ {
		f.words = append(f.words, strings.Repeat(string(rune('a'+i%26)), 1+i%3)+strconv.FormatInt(r.Int63n(1<<30), 36))
	}
	count := 4
	if more := int(liveBytes-baseBytes) / 2 / repositoryBytes; more > count {
		count = more
		f.pages.most = int(liveBytes-baseBytes) / 2
	}
	var templates []*repository
	for i := 0; i < 3; i++ {
		p, err := f.seeded(r)
		if err != nil {
			return nil, err
		}
		templates = append(templates, p)
	}
	for i := 0; i < count; i++ {
		f.repositories = append(f.repositories, templates[i%len(templates)].fork("repository"+strconv.Itoa(i)))
	}
	for f.pages.bytes+64<<10 < f.pages.most { // people have looked before
		if _, err := f.view(r, f.repositories[r.Intn(count)]); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func main() {
	options := load.Options{Name: "forge", LiveBytes: 110 << 20, Rate: 1600}
	pushes := flag.Int("pushes", 25, "requests until one is a push, on average")
	options.Parse()
	if *pushes < 1 {
		fail(errors.New("-pushes must be 1 or more"))
	}
	f, err := newForge(load.NewRand(options.Seed, -1), options.LiveBytes)
	if err != nil {
		fail(err)
	}
	options.Run(func(w *load.Worker) {
		html, err := f.serve(w.Rand, *pushes)
		if err != nil && err != errGone { // forgotten while it was looked at
			fail(err)
		}
		load.Use(len(html))
	})
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "forge: %v\n", err)
	os.Exit(1)
}
