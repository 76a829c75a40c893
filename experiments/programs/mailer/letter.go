package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strconv"
	"strings"
	"text/template"
	"time"
)

var (
	firstNames = []string{"Anna", "Béla", "Carla", "Dániel", "Émile", "Frieda", "Georg", "Håkon", "Ines", "Jörg", "Kateřina", "Liam"}
	lastNames  = []string{"Andersen", "Baumgärtner", "Castro", "Dvořák", "Eriksson", "Ferrari", "González", "Horváth", "Ivanova", "Jansen"}
	cities     = []string{"Aarhus", "Bologna", "Coimbra", "Dijon", "Eindhoven", "Freiburg", "Göteborg", "Hradec Králové"}
	locales    = []string{"cs", "de", "en", "es", "fr"}
)

func pick(r *rand.Rand, from []string) string { return from[r.Intn(len(from))] }

// article is what a letter praises.
type article struct {
	ID          int
	Title, Text string
	Cents       int
	Tags        []string
}

// campaign is a letter to many.
type campaign struct {
	name     string
	subject  *template.Template
	text     *template.Template
	html     *template.Template
	articles []article
}

// filling is what the templates see.
type filling struct {
	Name, Locale, Unsubscribe, Campaign string
	Details                             map[string]string
	Articles                            []article
	Earlier                             []string
	Sent                                time.Time
}

const subjectTemplate = `{{.Name}}, {{len .Articles}} offers in {{index .Details "city"}} — {{.Campaign}}`

const textTemplate = `Dear {{.Name}},

you have been with us since {{index .Details "since"}}, and have {{index .Details "points"}} points.
{{range .Articles}}
* {{.Title}} for {{price .Cents}}
  {{.Text}}
  https://shop.example/articles/{{.ID}}?from={{urlquery $.Campaign}}
{{end}}{{if .Earlier}}
Last time we wrote about {{join .Earlier ", "}}.
{{end}}
Your shop in {{index .Details "shop"}}, {{.Sent.Format "2 January 2006"}}
Unsubscribe: {{.Unsubscribe}}
`

const htmlTemplate = `<!doctype html><html lang="{{.Locale}}"><head><title>{{html .Campaign}}</title></head><body style="margin:0">
<table width="600"><tr><td><h1>Dear {{html .Name}},</h1><p>you have <b>{{index .Details "points"}}</b> points.</p></td></tr>
{{range $i, $a := .Articles}}<tr class="{{if odd $i}}odd{{else}}even{{end}}"><td><h2>{{html $a.Title}}</h2>
<p>{{html $a.Text}}</p><p>{{range $a.Tags}}<i>{{html .}}</i> {{end}}</p>
<a href="https://shop.example/articles/{{$a.ID}}?from={{urlquery $.Campaign}}">{{price $a.Cents}}</a></td></tr>
{{end}}</table>{{with .Earlier}}<ul>{{range .}}<li>{{html .}}</li>{{end}}</ul>{{end}}
<p>Your shop in {{html (index .Details "shop")}} &middot; <a href="{{.Unsubscribe}}">unsubscribe</a></p></body></html>
`

func newCampaigns(r *rand.Rand) (all []*campaign, err error) {
	functions := template.FuncMap{
		"price": func(cents int) string { return fmt.Sprintf("€ %d.%02d", cents/100, cents%100) },
		"join":  strings.Join,
		"odd":   func(i int) bool { return i%2 == 1 },
	}
	for i := 0; i < 24; i++ {
		c := &campaign{name: "week " + strconv.Itoa(i+1)}
		for _, one := range []struct {
			into *(*template.Template)
			text string
		}{{&c.subject, subjectTemplate}, {&c.text, textTemplate}, {&c.html, htmlTemplate}} {
			if *one.into, err = template.New(c.name).Funcs(functions).Parse(one.text); err != nil {
				return nil, err
			}
		}
		for n := 0; n < 40; n++ {
			c.articles = append(c.articles, article{
				ID: 100*i + n, Title: "Jacket of wool & linen no. " + strconv.Itoa(r.Intn(1000)), Cents: 990 + r.Intn(20000),
				Text: strings.Repeat("Warm, light and made to last — even in rain. ", 1+r.Intn(4)), Tags: []string{pick(r, cities), "new"},
			})
		}
		all = append(all, c)
	}
	return all, nil
}

// compose gives the letter as it goes out, headers, parts and signature.
func (m *mailer) compose(r *rand.Rand, c *campaign, letter *sent) ([]byte, error) {
	to := letter.to
	unsubscribe := "https://shop.example/unsubscribe?c=" + strings.ReplaceAll(c.name, " ", "+") + "&t=" + m.token(to, c.name)
	fill := &filling{
		Name: to.name, Locale: to.locale, Unsubscribe: unsubscribe, Campaign: c.name, Details: to.details, Sent: letter.at,
	}
	first := r.Intn(len(c.articles) - 8)
	fill.Articles = c.articles[first : first+2+r.Intn(6)]
	to.mu.Lock()
	for _, earlier := range to.letters {
		if len(fill.Earlier) < 3 {
			fill.Earlier = append(fill.Earlier, earlier.subject)
		}
	}
	to.mu.Unlock()
	var subject strings.Builder
	if err := c.subject.Execute(&subject, fill); err != nil {
		return nil, err
	}
	letter.subject = subject.String()
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	if err := parts.SetBoundary(fmt.Sprintf("part-%016x", r.Uint64())); err != nil {
		return nil, err
	}
	for _, part := range []struct {
		kind string
		text *template.Template
	}{{"text/plain", c.text}, {"text/html", c.html}} {
		if err := addPart(parts, part.kind, part.text, fill); err != nil {
			return nil, err
		}
	}
	if err := parts.Close(); err != nil {
		return nil, err
	}
	headers := [][2]string{
		{"From", "Shop <letters@" + signature + ">"},
		{"To", (&mail.Address{Name: to.name, Address: to.address}).String()},
		{"Subject", mime.QEncoding.Encode("utf-8", letter.subject)},
		{"Date", letter.at.Format(time.RFC1123Z)},
		{"Message-ID", "<" + letter.id + ">"},
		{"List-Unsubscribe", "<" + unsubscribe + ">"},
		{"MIME-Version", "1.0"},
		{"Content-Type", "multipart/alternative; boundary=" + parts.Boundary()},
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "DKIM-Signature: %s\r\n", m.sign(headers, body.Bytes(), letter.at))
	for _, header := range headers {
		fmt.Fprintf(&out, "%s: %s\r\n", header[0], header[1])
	}
	out.WriteString("\r\n")
	out.Write(body.Bytes())
	return out.Bytes(), nil
}

func addPart(parts *multipart.Writer, kind string, text *template.Template, fill *filling) error {
	header := textproto.MIMEHeader{}
	header.Set("Content-Type", kind+"; charset=utf-8")
	header.Set("Content-Transfer-Encoding", "quoted-printable")
	part, err := parts.CreatePart(header)
	if err != nil {
		return err
	}
	quoted := quotedprintable.NewWriter(part)
	if err := text.Execute(quoted, fill); err != nil {
		return err
	}
	return quoted.Close()
}

// sign makes the value of a DKIM header: a hash of the body, and a signature of it and the headers.
func (m *mailer) sign(headers [][2]string, body []byte, at time.Time) string {
	hash := sha256.Sum256(body)
	var names []string
	var plain bytes.Buffer
	for _, header := range headers {
		name := strings.ToLower(header[0])
		names = append(names, name)
		plain.WriteString(name + ":" + strings.Join(strings.Fields(header[1]), " ") + "\r\n")
	}
	value := fmt.Sprintf("v=1; a=ed25519-sha256; c=relaxed/simple; d=%s; s=mail; t=%d; h=%s; bh=%s; b=",
		signature, at.Unix(), strings.Join(names, ":"), base64.StdEncoding.EncodeToString(hash[:]))
	plain.WriteString("dkim-signature:" + value)
	digest := sha256.Sum256(plain.Bytes())
	return value + base64.StdEncoding.EncodeToString(ed25519.Sign(m.key, digest[:]))
}

// returned is a mail that comes back from a recipient: one in five wants no more, the others are bounces.
func (m *mailer) returned(r *rand.Rand, to *recipient) []byte {
	to.mu.Lock()
	about := to.letters[r.Intn(len(to.letters))]
	to.mu.Unlock()
	var text bytes.Buffer
	fmt.Fprintf(&text, "From: <%s>\r\nTo: bounce+%d@%s\r\nIn-Reply-To: <%s>\r\nReceived: from relay%d by mx; %s\r\n",
		to.address, to.id, signature, about.id, r.Intn(9), time.Now().Format(time.RFC1123Z))
	if r.Intn(5) == 0 {
		fmt.Fprintf(&text, "Subject: unsubscribe\r\n\r\n%s\r\n%s\r\n", about.campaign, m.token(to, about.campaign))
	} else {
		fmt.Fprintf(&text, "Subject: failure notice\r\n\r\n%s\r\nStatus: 4.2.%d\r\n%s", to.address, r.Intn(5),
			strings.Repeat("The mailbox is full and cannot take the letter now.\r\n", 6))
	}
	return text.Bytes()
}

// receive reads what came back and notes it.
func (m *mailer) receive(text []byte) (int, error) {
	message, err := mail.ReadMessage(bytes.NewReader(text))
	if err != nil {
		return 0, err
	}
	body, err := io.ReadAll(message.Body)
	if err != nil {
		return 0, err
	}
	lines := strings.Split(strings.ReplaceAll(string(body), "\r\n", "\n"), "\n")
	if message.Header.Get("Subject") == "unsubscribe" && len(lines) > 1 {
		to, err := m.verify(lines[1], lines[0])
		if err != nil {
			return 0, err
		}
		to.mu.Lock()
		defer to.mu.Unlock()
		to.gone = true
		return len(body), nil
	}
	letter := m.register.find(strings.Trim(message.Header.Get("In-Reply-To"), "<>"))
	if letter == nil { // too long ago
		return len(body), nil
	}
	letter.to.mu.Lock()
	defer letter.to.mu.Unlock()
	letter.to.bounces++
	letter.state = "bounced: " + lines[1]
	return len(body), nil
}
