package main

import (
	"bytes"
	"fmt"
	"html"
	"strings"
	"unicode"
)

var keywords = map[string]bool{
	"break": true, "case": true, "const": true, "defer": true, "else": true, "for": true, "func": true, "go": true, "if": true,
	"import": true, "map": true, "package": true, "range": true, "return": true, "struct": true, "switch": true, "type": true, "var": true,
}

// token is a piece of a line with what it is.
type token struct{ class, text string }

// tokens takes a line apart, well enough for colours.
func tokens(line string) []token {
	var out []token
	for at := 0; at < len(line); {
		begin, class := at, ""
		switch c := rune(line[at]); {
		case strings.HasPrefix(line[at:], "//"):
			at, class = len(line), "c"
		case c == '"':
			for at++; at < len(line) && line[at] != '"'; at++ {
			}
			at, class = at+1, "s"
		case unicode.IsLetter(c):
			for at < len(line) && (unicode.IsLetter(rune(line[at])) || unicode.IsDigit(rune(line[at]))) {
				at++
			}
			if keywords[line[begin:at]] {
				class = "k"
			}
		default:
			for at < len(line) && !unicode.IsLetter(rune(line[at])) && line[at] != '"' && (at == begin || line[at] != '/') {
				at++
			}
		}
		if at > len(line) {
			at = len(line)
		}
		out = append(out, token{class, line[begin:at]})
	}
	return out
}

func colour(out *bytes.Buffer, line string) {
	for _, t := range tokens(line) {
		if t.class == "" {
			out.WriteString(html.EscapeString(t.text))
			continue
		}
		fmt.Fprintf(out, `<span class="%s">%s</span>`, t.class, html.EscapeString(t.text))
	}
}

// colourFile gives each line on its own, since most want some of them only.
func colourFile(data []byte) []string {
	var lines []string
	var out bytes.Buffer
	for _, line := range strings.Split(string(data), "\n") {
		out.Reset()
		colour(&out, line)
		lines = append(lines, out.String())
	}
	return lines
}

// filePage shows a file, or from a line on, how many there are room for.
func filePage(path string, lines []string, from int) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "<h1>%s</h1><table class=\"file\">\n", html.EscapeString(path))
	for i := from; i < len(lines) && i < from+400; i++ {
		fmt.Fprintf(&out, `<tr><td id="L%d">%d</td><td>%s</td></tr>`, i+1, i+1, lines[i])
	}
	out.WriteString("</table>")
	return out.Bytes()
}

// edit is a line of a comparison: kept ' ', removed '-' or added '+'.
type edit struct {
	kind byte
	line string
}

// compare is the shortest way from one file to the other, by Myers, with the ends that they share cut off.
func compare(from, to []string) []edit {
	var head, tail []edit
	for len(from) > 0 && len(to) > 0 && from[0] == to[0] {
		head, from, to = append(head, edit{' ', from[0]}), from[1:], to[1:]
	}
	for len(from) > 0 && len(to) > 0 && from[len(from)-1] == to[len(to)-1] {
		tail = append(tail, edit{' ', from[len(from)-1]})
		from, to = from[:len(from)-1], to[:len(to)-1]
	}
	middle := myers(from, to)
	for i := len(middle) - 1; i >= 0; i-- {
		head = append(head, middle[i])
	}
	for i := len(tail) - 1; i >= 0; i-- {
		head = append(head, tail[i])
	}
	return head
}

// myers gives the edits last first; how far each diagonal got is kept for each number of edits.
func myers(from, to []string) []edit {
	most := len(from) + len(to)
	reach := make([]int, 2*most+2)
	var past [][]int
	for d := 0; d <= most; d++ {
		past = append(past, append([]int(nil), reach...))
		for k := -d; k <= d; k += 2 {
			x := 0
			if k == -d || k != d && reach[most+k-1] < reach[most+k+1] {
				x = reach[most+k+1]
			} else {
				x = reach[most+k-1] + 1
			}
			for x < len(from) && x-k < len(to) && from[x] == to[x-k] {
				x++
			}
			reach[most+k] = x
			if x >= len(from) && x-k >= len(to) {
				return backwards(from, to, past, d)
			}
		}
	}
	return nil
}

func backwards(from, to []string, past [][]int, d int) (out []edit) {
	x, y, most := len(from), len(to), len(from)+len(to)
	for ; d > 0; d-- {
		reach, k := past[d], x-y
		before := k - 1
		if k == -d || k != d && reach[most+k-1] < reach[most+k+1] {
			before = k + 1
		}
		endX := reach[most+before]
		for endY := endX - before; x > endX && y > endY; x, y = x-1, y-1 {
			out = append(out, edit{' ', from[x-1]})
		}
		if before == k+1 {
			y--
			out = append(out, edit{'+', to[y]})
		} else {
			x--
			out = append(out, edit{'-', from[x]})
		}
	}
	for ; x > 0; x-- {
		out = append(out, edit{' ', from[x-1]})
	}
	return out
}

// diffPage shows changes with three lines around them.
func diffPage(out *bytes.Buffer, path string, before, after []byte) {
	edits := compare(strings.Split(string(before), "\n"), strings.Split(string(after), "\n"))
	fmt.Fprintf(out, "<h2>%s</h2><table class=\"diff\">\n", html.EscapeString(path))
	near := 0
	for i, e := range edits {
		for ahead := i; ahead < len(edits) && ahead <= i+3; ahead++ {
			if edits[ahead].kind != ' ' {
				near = 4
			}
		}
		if near--; near < 0 {
			continue
		}
		fmt.Fprintf(out, `<tr class="%c"><td>%d</td><td>%c`, e.kind, i, e.kind)
		colour(out, e.line)
		out.WriteString("</td></tr>\n")
	}
	out.WriteString("</table>\n")
}
