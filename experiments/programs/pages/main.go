// Pages is a web shop that renders HTML on the server: net/http with a chain of middleware, html/template
// with a layout, loops and functions, buffers from a sync.Pool. The clients are kept-alive connections
// over loopback. A small catalogue stays live; reflection and escaping make the garbage.
package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"html/template"
	"io"
	"log"
	"math/rand"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"gcsim.local/programs/internal/load"
)

// articleBytes is about what one article keeps reachable, and baseBytes what everything else does: the
// templates, the connections and the load's own workers.
const (
	reviews      = 5 // of an article
	articleBytes = 540
	baseBytes    = 1 << 20
)

type article struct {
	ID             int
	Name, Summary  string
	Cents          int
	Tags           []string
	Related        []*article
	reviewsByStars map[int]int
}

func (a *article) Stars() string {
	sum := 0
	for stars, n := range a.reviewsByStars {
		sum += stars * n
	}
	return strings.Repeat("*", sum/reviews)
}

type page struct {
	Title    string
	User     string
	Trail    []string
	Articles []*article
	Detail   *article
	Next     int
}

const layout = `<!DOCTYPE html><html><head><title>{{.Title}}</title></head><body>
<nav>{{range $i, $t := .Trail}}{{if $i}} &gt; {{end}}<a href="/c/{{$t}}">{{$t | upper}}</a>{{end}}</nav>
<p>Hello {{.User}}</p>{{template "main" .}}<footer><a href="?page={{.Next}}">more</a></footer></body></html>
{{define "card"}}<li id="a{{.ID}}"><a href="/article/{{.ID}}" title="{{.Summary}}">{{.Name}}</a> <b>{{price .Cents}}</b> {{.Stars}}
{{range .Tags}}<span class="{{.}}">{{.}}</span>{{end}}</li>{{end}}`

const list = `{{define "main"}}<ul>{{range .Articles}}{{template "card" .}}{{else}}<li>none</li>{{end}}</ul>{{end}}`

const detail = `{{define "main"}}{{with .Detail}}<h1>{{.Name}}</h1><p>{{.Summary}}</p><p>{{price .Cents}}</p>
<script>var article = {{.Name}};</script><ul>{{range .Related}}{{template "card" .}}{{end}}</ul>{{end}}{{end}}`

var functions = template.FuncMap{
	"upper": strings.ToUpper,
	"price": func(cents int) string { return fmt.Sprintf("%d.%02d €", cents/100, cents%100) },
}

type shop struct {
	articles     []*article
	list, detail *template.Template
	buffers      sync.Pool
	perPage      int
}

type userKey struct{}

func newShop(liveBytes int64, perPage int, r *rand.Rand) *shop {
	parse := func(main string) *template.Template {
		return template.Must(template.Must(template.New("layout").Funcs(functions).Parse(layout)).Parse(main))
	}
	s := &shop{list: parse(list), detail: parse(detail), perPage: perPage}
	s.buffers.New = func() interface{} { return new(bytes.Buffer) }
	for i := 0; i < 1 || int64(i)*articleBytes < liveBytes-baseBytes; i++ {
		a := &article{ID: i, Name: fmt.Sprintf("Article <%d> & Co", i), Cents: 99 + r.Intn(99900), reviewsByStars: map[int]int{}}
		a.Summary = strings.Repeat(fmt.Sprintf("what they say about %d; ", r.Intn(1000)), 3+r.Intn(6))
		for t, tags := 0, 1+r.Intn(4); t < tags; t++ {
			a.Tags = append(a.Tags, fmt.Sprintf("tag-%d", r.Intn(300)))
		}
		for n := 0; n < reviews; n++ {
			a.reviewsByStars[1+r.Intn(5)]++
			if i > 0 {
				a.Related = append(a.Related, s.articles[r.Intn(i)])
			}
		}
		s.articles = append(s.articles, a)
	}
	return s
}

// render executes a template into a pooled buffer, so that a failure can still become an error page and
// the length is known.
func (s *shop) render(out http.ResponseWriter, t *template.Template, p *page) {
	buffer := s.buffers.Get().(*bytes.Buffer)
	defer s.buffers.Put(buffer)
	buffer.Reset()
	if err := t.Execute(buffer, p); err != nil {
		http.Error(out, err.Error(), http.StatusInternalServerError)
		return
	}
	out.Header().Set("Content-Type", "text/html; charset=utf-8")
	out.Header().Set("Content-Length", strconv.Itoa(buffer.Len()))
	out.Write(buffer.Bytes())
}

func (s *shop) serveList(out http.ResponseWriter, in *http.Request) {
	number, _ := strconv.Atoi(in.URL.Query().Get("page"))
	p := &page{Title: fmt.Sprintf("Page %d", number), User: in.Context().Value(userKey{}).(string), Next: number + 1}
	p.Trail = strings.Split(strings.Trim(in.URL.Path, "/"), "/")
	for i := 0; i < s.perPage; i++ {
		p.Articles = append(p.Articles, s.articles[(number*s.perPage+i)%len(s.articles)])
	}
	s.render(out, s.list, p)
}

func (s *shop) serveDetail(out http.ResponseWriter, in *http.Request) {
	id, err := strconv.Atoi(strings.TrimPrefix(in.URL.Path, "/article/"))
	if err != nil || id >= len(s.articles) {
		http.NotFound(out, in)
		return
	}
	a := s.articles[id]
	s.render(out, s.detail, &page{Title: a.Name, User: in.Context().Value(userKey{}).(string), Trail: a.Tags, Detail: a})
}

// observed puts the cookie's user into the request's context and logs the request.
func observed(to *log.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		began, user := time.Now(), "guest"
		if cookie, err := in.Cookie("session"); err == nil {
			user = "user " + cookie.Value
		}
		next.ServeHTTP(out, in.WithContext(context.WithValue(in.Context(), userKey{}, user)))
		to.Printf("%s %s %s %v %q", in.RemoteAddr, in.Method, in.URL, time.Since(began), in.UserAgent())
	})
}

// client is a browser's connection; it allocates nothing once it is set up, as it would be elsewhere.
type client struct {
	conn    net.Conn
	replies *bufio.Reader
	request []byte
}

var contentLength = []byte("Content-Length: ")

// get asks for a page and reads the whole of it.
func (c *client) get() int {
	_, err := c.conn.Write(c.request)
	must(err)
	n, line := 0, c.request
	for len(line) > 2 { // the empty line ends the header
		line, err = c.replies.ReadSlice('\n')
		must(err)
		if bytes.HasPrefix(line, contentLength) {
			for _, digit := range line[len(contentLength) : len(line)-2] {
				n = 10*n + int(digit-'0')
			}
		}
	}
	_, err = c.replies.Discard(n)
	must(err)
	return n
}

func main() {
	options := load.Options{Name: "pages", LiveBytes: 8 << 20}
	perPage := flag.Int("articles", 20, "articles on a page of the list")
	details := flag.Float64("details", 0.4, "share of requests for one article")
	options.Parse()
	s := newShop(options.LiveBytes, *perPage, load.NewRand(options.Seed, -1))
	mux := http.NewServeMux()
	mux.HandleFunc("/c/", s.serveList)
	mux.HandleFunc("/article/", s.serveDetail)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go http.Serve(listener, observed(log.New(io.Discard, "", log.LstdFlags), mux))
	clients := make([]*client, options.Workers)
	for i := range clients {
		conn, err := net.Dial("tcp", listener.Addr().String())
		must(err)
		clients[i] = &client{conn: conn, replies: bufio.NewReader(conn)}
	}
	options.Run(func(w *load.Worker) {
		c := clients[w.ID]
		if w.Rand.Float64() < *details {
			c.request = strconv.AppendInt(append(c.request[:0], "GET /article/"...), w.Rand.Int63n(int64(len(s.articles))), 10)
		} else {
			c.request = strconv.AppendInt(append(c.request[:0], "GET /c/garden/tools?page="...), w.Rand.Int63n(1000), 10)
		}
		c.request = append(c.request, " HTTP/1.1\r\nHost: shop.local\r\nUser-Agent: browser/5.0 (any)\r\nAccept: text/html\r\n"+
			"Accept-Language: en\r\nCookie: theme=dark; session="...)
		c.request = append(strconv.AppendInt(c.request, w.Rand.Int63n(10000), 10), "\r\n\r\n"...)
		load.Use(c.get())
	})
}

func must(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "pages: %v\n", err)
		os.Exit(1)
	}
}
