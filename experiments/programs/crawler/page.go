package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"html"
	"math/rand"
	"strings"
)

// node is an element, or text where there is no name, in a page's tree.
type node struct {
	parent, first, last, next *node
	name, text                string
	attributes                []attribute
}

type attribute struct{ key, value string }

func (n *node) add(child *node) {
	child.parent = n
	if n.last == nil {
		n.first = child
	} else {
		n.last.next = child
	}
	n.last = child
}

func (n *node) attribute(key string) string {
	for _, a := range n.attributes {
		if a.key == key {
			return a.value
		}
	}
	return ""
}

// walk calls for a node and all beneath it.
func (n *node) walk(each func(*node)) {
	each(n)
	for child := n.first; child != nil; child = child.next {
		child.walk(each)
	}
}

// single elements have no end.
var single = map[string]bool{"br": true, "img": true, "meta": true, "link": true, "input": true, "hr": true}

// parse makes a tree of a page; what is not closed ends with what it is in.
func parse(source []byte) *node {
	root := &node{name: "#document"}
	at := root
	for len(source) > 0 {
		begin := bytes.IndexByte(source, '<')
		if begin < 0 {
			begin = len(source)
		}
		if text := bytes.TrimSpace(source[:begin]); len(text) > 0 {
			at.add(&node{text: html.UnescapeString(string(text))})
		}
		if source = source[begin:]; len(source) == 0 {
			break
		}
		end := bytes.IndexByte(source, '>')
		if end < 0 {
			break
		}
		tag := source[1:end]
		source = source[end+1:]
		switch {
		case len(tag) == 0 || tag[0] == '!':
		case tag[0] == '/':
			at = closing(at, strings.ToLower(string(tag[1:])))
		default:
			element := parseTag(tag)
			at.add(element)
			if !single[element.name] {
				at = element
			}
		}
	}
	return root
}

func closing(at *node, name string) *node {
	for n := at; n.parent != nil; n = n.parent {
		if n.name == name {
			return n.parent
		}
	}
	return at
}

func parseTag(tag []byte) *node {
	n := &node{}
	end := bytes.IndexByte(tag, ' ')
	if end < 0 {
		end = len(tag)
	}
	n.name = strings.ToLower(string(tag[:end]))
	for rest := tag[end:]; ; {
		rest = bytes.TrimLeft(rest, " /")
		equals := bytes.IndexByte(rest, '=')
		if equals < 0 || equals+2 > len(rest) || rest[equals+1] != '"' {
			return n
		}
		stop := bytes.IndexByte(rest[equals+2:], '"')
		if stop < 0 {
			return n
		}
		value := string(rest[equals+2 : equals+2+stop])
		n.attributes = append(n.attributes, attribute{strings.ToLower(string(rest[:equals])), html.UnescapeString(value)})
		rest = rest[equals+3+stop:]
	}
}

// words are made once; pages choose some often.
func vocabulary(r *rand.Rand) (words []string) {
	for i := 0; i < 8000; i++ {
		var word strings.Builder
		for n := 2 + r.Intn(3); n > 0; n-- {
			word.WriteByte("bcdfghklmnprstvw"[r.Intn(16)])
			word.WriteByte("aeiou"[r.Intn(5)])
		}
		words = append(words, word.String())
	}
	return words
}

func sentence(r *rand.Rand, words []string, count int) string {
	var out strings.Builder
	for ; count > 0; count-- {
		x := r.Float64()
		out.WriteString(words[int(x*x*x*float64(len(words)))])
		out.WriteByte(' ')
	}
	return out.String()
}

// compressed is a page as a server sends it.
func compressed(r *rand.Rand, words []string, links int) ([]byte, error) {
	var out bytes.Buffer
	packer := gzip.NewWriter(&out)
	fmt.Fprintf(packer, "<!doctype html><html lang=\"en\"><head><title>%s</title>\n", sentence(r, words, 6))
	fmt.Fprintf(packer, "<meta charset=\"utf-8\"><meta name=\"description\" content=\"%s\"></head><body class=\"page\">\n", sentence(r, words, 18))
	for n := 2 + r.Intn(2*links); n > 0; n-- {
		fmt.Fprintf(packer, "<div class=\"teaser n%d\"><h2 id=\"h%d\">%s</h2>\n", n, n, sentence(r, words, 4))
		fmt.Fprintf(packer, "<p>%s<a class=\"more\" href=\"%s\">more &amp; more</a> %s</p>\n", sentence(r, words, 10+r.Intn(30)), link(r), sentence(r, words, r.Intn(20)))
		fmt.Fprintf(packer, "<img src=\"/pictures/%d.jpg\" alt=\"%s\"><br><em>%s</em></div>\n", r.Intn(9000), sentence(r, words, 2), sentence(r, words, 3))
	}
	fmt.Fprint(packer, "</body></html>\n")
	err := packer.Close()
	return out.Bytes(), err
}

func link(r *rand.Rand) string {
	switch r.Intn(8) {
	case 0:
		return fmt.Sprintf("//host%d.example/", r.Intn(hosts))
	case 1:
		return fmt.Sprintf("https://host%d.example/news/%d?ref=home&amp;utm_source=x", r.Intn(hosts), r.Intn(3000))
	case 2:
		return fmt.Sprintf("../archive/%d/./index.html#top", r.Intn(900))
	}
	return fmt.Sprintf("/articles/%d/%d.html", r.Intn(60), r.Intn(4000))
}
