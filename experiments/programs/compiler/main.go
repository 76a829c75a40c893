// Compiler reads Go packages over and over, as a build server does: a round parses many packages,
// then type-checks them, then walks the syntax trees of all that it still keeps. Trees are small
// linked objects; the newest stay live. Parsing and checking allocate much, walking little, so that
// the rate of allocation moves within each round.
package main

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"math/rand"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"gcsim.local/programs/internal/load"
)

// treeBytes is about what the tree of one byte of source keeps reachable.
const treeBytes = 22

// parsed is a package whose trees are kept.
type parsed struct {
	name  string
	files *token.FileSet
	trees []*ast.File
}

// writeType writes a struct with methods into a file.
func writeType(to *strings.Builder, name string, r *rand.Rand) {
	fmt.Fprintf(to, "// %s is one of the records.\ntype %s struct {\n\tid int\n\tname string\n", name, name)
	fields := 2 + r.Intn(6)
	for i := 0; i < fields; i++ {
		fmt.Fprintf(to, "\tfield%d %s\n", i, [...]string{"int", "[]string", "map[string]int", "float64", "func(int) int"}[i%5])
	}
	fmt.Fprintf(to, "\tnext *%s\n}\n\n", name)
	fmt.Fprintf(to, "func (x *%s) Name() string {\n\tif x == nil {\n\t\treturn \"nothing\"\n\t}\n\treturn x.name\n}\n\n", name)
	fmt.Fprintf(to, "// Sum follows the list.\nfunc (x *%s) Sum(limit int) (total int) {\n", name)
	to.WriteString("\tfor at := x; at != nil && total < limit; at = at.next {\n\t\tswitch {\n")
	for i := 0; i < 2+r.Intn(5); i++ {
		fmt.Fprintf(to, "\t\tcase at.id%%%d == %d:\n\t\t\ttotal += at.id*%d + len(at.name)<<%d\n", i+3, i, r.Intn(100), i)
	}
	to.WriteString("\t\tdefault:\n\t\t\ttotal++\n\t\t}\n\t}\n\treturn total\n}\n\n")
}

// writeFunction writes a function that uses a type of the file.
func writeFunction(to *strings.Builder, name, of string, r *rand.Rand) {
	fmt.Fprintf(to, "func %s(items []*%s, by func(*%s) string) map[string][]int {\n\tresult := map[string][]int{}\n", name, of, of)
	to.WriteString("\tfor i, item := range items {\n\t\tkey := by(item)\n\t\tif key == \"\" || item.Sum(i) > 1000 {\n\t\t\tcontinue\n\t\t}\n")
	for i := 0; i < 2+r.Intn(8); i++ {
		fmt.Fprintf(to, "\t\tif value%d := (i+%d)*item.id - len(key)/%d; value%d > %d {\n", i, r.Intn(50), i+1, i, r.Intn(900))
		fmt.Fprintf(to, "\t\t\tresult[key] = append(result[key], value%d, item.id^%d)\n\t\t}\n", i, r.Intn(1<<16))
	}
	to.WriteString("\t}\n\tclosure := func(a, b int) bool { return a < b && len(result) > a }\n")
	to.WriteString("\tif closure(len(items), len(result)) {\n\t\treturn nil\n\t}\n\treturn result\n}\n\n")
}

// writePackage gives the source of a package's files.
func writePackage(name string, r *rand.Rand) []string {
	sources := make([]string, 1+r.Intn(4))
	for f := range sources {
		var source strings.Builder
		fmt.Fprintf(&source, "// Package %s was generated.\npackage %s\n\n", name, name)
		for i, count := 0, 2+r.Intn(8); i < count; i++ {
			record := fmt.Sprintf("Record%dx%d", f, i)
			writeType(&source, record, r)
			for j := 0; j < 1+r.Intn(3); j++ {
				writeFunction(&source, fmt.Sprintf("Group%dx%dx%d", f, i, j), record, r)
			}
		}
		sources[f] = source.String()
	}
	return sources
}

func parse(name string, sources []string) *parsed {
	p := &parsed{name: name, files: token.NewFileSet()}
	for i, source := range sources {
		tree, err := parser.ParseFile(p.files, fmt.Sprintf("%s/file%d.go", name, i), source, parser.ParseComments)
		must(err)
		p.trees = append(p.trees, tree)
	}
	return p
}

// check finds the types of a package's expressions and counts them; they are garbage then.
func (p *parsed) check() int {
	info := &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{},
		Defs:  map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
	}
	_, err := (&types.Config{}).Check(p.name, p.files, p.trees, info)
	must(err)
	return len(info.Types) + len(info.Defs) + len(info.Uses)
}

// walk looks for what a linter would.
func (p *parsed) walk() (findings int) {
	for _, tree := range p.trees {
		ast.Inspect(tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Doc == nil && n.Name.IsExported() {
					findings++
				}
			case *ast.BinaryExpr:
				if n.Op == token.QUO || n.Op == token.REM {
					findings++
				}
			}
			return true
		})
	}
	return findings
}

// must ends the program where source of its own making is refused.
func must(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "compiler: %v\n", err)
		os.Exit(1)
	}
}

// cache keeps the packages parsed last.
type cache struct {
	mu   sync.Mutex
	kept []*parsed
	next int
}

func (c *cache) put(p *parsed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept[c.next%len(c.kept)] = p
	c.next++
}

// back is the package that was parsed n packages ago.
func (c *cache) back(n int) *parsed {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept[(c.next+len(c.kept)-1-n%len(c.kept))%len(c.kept)]
}

func main() {
	options := load.Options{Name: "compiler", LiveBytes: 40 << 20}
	round := flag.Int("round", 120, "packages parsed in a round; as many are checked, and eight times as many walked")
	options.Parse()
	if *round < 1 {
		fmt.Fprintln(os.Stderr, "compiler: -round must be 1 or more")
		os.Exit(2)
	}
	const packages = 64
	setup := load.NewRand(options.Seed, -1)
	var names [packages]string
	var sources [packages][]string
	total := 0
	for i := range sources {
		names[i] = fmt.Sprintf("package%d", i)
		sources[i] = writePackage(names[i], setup)
		total += len(strings.Join(sources[i], ""))
	}
	c := &cache{kept: make([]*parsed, int(options.LiveBytes)/(total/packages*treeBytes)+1)}
	for i := range c.kept {
		c.put(parse(names[i%packages], sources[i%packages]))
	}
	job := int64(-1)
	options.Run(func(w *load.Worker) {
		switch at := int(atomic.AddInt64(&job, 1)) % (10 * *round); {
		case at < *round:
			i := w.Rand.Intn(packages)
			c.put(parse(names[i], sources[i]))
		case at < 2**round:
			load.Use(c.back(at - *round).check())
		default:
			load.Use(c.back(at).walk())
		}
	})
}
