package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
)

// exchange makes what an exchange would send: requests of browsers that come, stay for a while and are not
// seen again; and edits of campaigns, which reach us by the same way.
type exchange struct {
	kinds     [kinds][][]byte // of people, each with the pages that they look at
	edits     [96][]byte
	users     uint64  // that there have been
	newcomers float64 // share of requests
	around    float64 // people at a time, about
}

const (
	kinds, perKind = 64, 8
	domains        = 900
	brands         = 300
	topics         = 80
	segments       = 600 // of data providers
	campaigns      = 1500
	firstCampaign  = 40000
	requestMark    = "RRRRRRRRRRRRRRRR" // in templates, for identities
	userMark       = "UUUUUUUUUUUUUUUU"
	campaignMark   = 98765
)

var (
	countries = []string{"DEU", "FRA", "GBR", "ESP", "ITA", "POL", "NLD", "SWE"}
	sizes     = []size{{300, 250}, {728, 90}, {160, 600}, {320, 50}, {970, 250}, {300, 600}}
	systems   = []string{"Android", "iOS", "Windows", "macOS", "Linux"}
	makers    = []string{"Samsung", "Apple", "Lenovo", "Apple", "HP"}
)

func category(n int) string { return fmt.Sprintf("IAB%d-%d", 1+n/8, 1+n%8) }

// anySegment is a data provider's, or of those who read much about a topic.
func anySegment(r *rand.Rand) string {
	if r.Intn(6) == 0 {
		return category(often(r, topics))
	}
	return "dmp-" + strconv.Itoa(often(r, segments))
}

func newExchange(r *rand.Rand, newcomers, around float64) *exchange {
	e := &exchange{newcomers: newcomers, around: around, users: 1 << 20}
	for i := range e.kinds {
		who := anyone(r)
		for n := 0; n < perKind; n++ {
			e.kinds[i] = append(e.kinds[i], []byte(anyPage(r)+who))
		}
	}
	for i := range e.edits {
		body, err := json.Marshal(anyCampaign(r, campaignMark))
		must(err)
		e.edits[i] = body
	}
	return e
}

// request writes what somebody's browser caused.
func (e *exchange) request(r *rand.Rand, buffer []byte) []byte {
	newest := atomic.LoadUint64(&e.users)
	if r.Float64() < e.newcomers {
		newest = atomic.AddUint64(&e.users, 1)
	}
	number := newest - uint64(r.ExpFloat64()*e.around)
	buffer = append(buffer[:0], e.kinds[(number*0x9e3779b97f4a7c15>>32)%kinds][r.Intn(perKind)]...)
	hexadecimal(buffer, requestMark, r.Uint64())
	hexadecimal(buffer, userMark, number*0xd1342543de82ef95)
	return buffer
}

// edit writes a campaign that replaces another.
func (e *exchange) edit(r *rand.Rand, buffer []byte) []byte {
	buffer = append(buffer[:0], e.edits[r.Intn(len(e.edits))]...)
	at := len(`{"id":`) // comes first
	strconv.AppendInt(buffer[:at], int64(firstCampaign+r.Intn(campaigns)), 10)
	return buffer
}

// hexadecimal puts a number where a mark of 16 letters is.
func hexadecimal(buffer []byte, mark string, number uint64) {
	out := buffer[bytes.Index(buffer, []byte(mark)):]
	for i := range mark {
		out[i] = "0123456789abcdef"[number>>60]
		number <<= 4
	}
}

// often draws a number below n, small ones more often.
func often(r *rand.Rand, n int) int { return int(r.Float64() * r.Float64() * float64(n)) }

// anyPage is the half of a request that tells where somebody is.
func anyPage(r *rand.Rand) string {
	n, topic := often(r, domains), category(often(r, topics))
	var places []string
	for i := 0; i <= often(r, 4); i++ {
		s, other := sizes[often(r, len(sizes))], sizes[r.Intn(len(sizes))]
		places = append(places, fmt.Sprintf(`{"id":"%d","tagid":"slot-%d-%d","bidfloor":%.2f,"bidfloorcur":"USD","secure":1,"banner":{"w":%d,"h":%d,`+
			`"format":[{"w":%d,"h":%d},{"w":%d,"h":%d}],"pos":%d,"battr":[1,3,8],"mimes":["image/jpeg","image/webp","text/html"]}}`,
			i+1, n, i, 0.1+r.Float64()*1.5, s.W, s.H, s.W, s.H, other.W, other.H, i))
	}
	return fmt.Sprintf(`{"id":"%s","at":1,"tmax":120,"cur":["USD"],"imp":[%s],"bcat":["%s","%s","%s"],"badv":["brand-%d.example.org"],`+
		`"site":{"id":"%d","name":"The Daily %d","domain":"news-%d.example.com","cat":["%s","%s"],"page":"https://news-%d.example.com/%s/%d/a-story-that-many-read-%x.html",`+
		`"ref":"https://search.example.net/?q=%d","publisher":{"id":"%d","name":"Publisher %d"},`+
		`"content":{"title":"A story that many read, part %d","keywords":"story,news,today,%s","language":"en"}},`,
		requestMark, strings.Join(places, ","), category(r.Intn(topics)), category(r.Intn(topics)), category(r.Intn(topics)), r.Intn(brands),
		7000+n, n, n, topic, category(often(r, topics)), n, topic, 2000+r.Intn(25), r.Uint32(), r.Intn(1e6), n/4, n/4, r.Intn(1000), topic)
}

// anyone is the other half, of who it is.
func anyone(r *rand.Rand) string {
	var providers []string
	for i := 0; i < 1+r.Intn(3); i++ {
		var in []string
		for n := 2 + r.Intn(5); n > 0; n-- {
			in = append(in, fmt.Sprintf(`{"id":"dmp-%d"}`, often(r, segments)))
		}
		providers = append(providers, fmt.Sprintf(`{"id":"provider-%d","name":"Audience data %d","segment":[%s]}`, i, i, strings.Join(in, ",")))
	}
	at, version := r.Intn(len(systems)), 8+r.Intn(8)
	return fmt.Sprintf(`"device":{"ua":"Mozilla/5.0 (%s %d; rv:%d) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36","ip":"10.%d.%d.%d",`+
		`"geo":{"lat":%.4f,"lon":%.4f,"country":"%s","region":"region-%d","city":"city-%d"},"make":"%s","model":"%s-%d","os":"%s","osv":"%d","devicetype":%d,"language":"en"},`+
		`"user":{"id":"%s","yob":%d,"data":[%s]},"ext":{"schain":{"complete":1,"ver":"1.0","nodes":[{"asi":"exchange.example.net","sid":"1442","hp":1}]}}}`,
		systems[at], version, 90+r.Intn(40), r.Intn(256), r.Intn(256), r.Intn(256),
		48+r.Float64()*6, 7+r.Float64()*8, countries[often(r, len(countries))], r.Intn(16), often(r, 400), makers[at], makers[at], r.Intn(40), systems[at], version, 1+at/2,
		userMark, 1950+r.Intn(55), strings.Join(providers, ","))
}

const markup = `<div class="ad" style="width:${WIDTH}px;height:${HEIGHT}px"><a href="${CLICK}" target="_blank" rel="noopener">` +
	`<img src="https://cdn.bidder.example/%s.webp" width="${WIDTH}" height="${HEIGHT}" alt="%s"></a>` +
	`<script async src="https://cdn.bidder.example/visible.js" data-bid="${BID}" data-campaign="${CAMPAIGN}"></script>` +
	`<img src="https://pixel.bidder.example/i?b=${BID}&c=${CAMPAIGN}&t=${TIME}" width="1" height="1" alt=""></div>`

func anyCampaign(r *rand.Rand, id int) *campaign {
	brand := r.Intn(brands)
	c := &campaign{
		ID: id, Name: fmt.Sprintf("Brand %d, campaign of week %d", brand, r.Intn(52)), Domain: fmt.Sprintf("brand-%d.example.org", brand),
		Categories: []string{category(r.Intn(topics)), category(r.Intn(topics))},
		PerClick:   0.2 + r.ExpFloat64()*0.5, PerMinute: 0.1 + r.ExpFloat64()*0.6,
	}
	c.Cap.Most, c.Cap.Seconds = 1+r.Intn(5), 10+r.Intn(50)
	if r.Intn(20) > 0 { // the others want everybody
		for n := 2 + r.Intn(5); n > 0; n-- {
			c.Segments = append(c.Segments, anySegment(r))
		}
	}
	for n := r.Intn(3); n > 0; n-- {
		c.Without = append(c.Without, anySegment(r))
	}
	for n := 1 + r.Intn(4); n > 0; n-- {
		c.Countries = append(c.Countries, countries[often(r, len(countries))])
	}
	for n := r.Intn(3) * r.Intn(20); n > 0; n-- {
		c.NotSites = append(c.NotSites, fmt.Sprintf("news-%d.example.com", r.Intn(domains)))
	}
	for i, n := 0, 1+r.Intn(3); i < n; i++ {
		s, name := sizes[often(r, len(sizes))], fmt.Sprintf("%d-%d-%x", brand, i, r.Uint32())
		c.Creatives = append(c.Creatives, &creative{name, s.W, s.H, "https://" + c.Domain + "/landing/" + name, fmt.Sprintf(markup, name, c.Name)})
	}
	return c
}

// client is one of the exchange's kept-alive connections; it allocates nothing once it is set up.
type client struct {
	conn                 net.Conn
	replies              *bufio.Reader
	request, body, reply []byte
	notice               []byte // path and query of a win that is still to be told
}

var contentLength = []byte("Content-Length: ")

// send sends the request and reads the whole of the reply.
func (c *client) send() {
	_, err := c.conn.Write(c.request)
	must(err)
	n, first, line := 0, true, c.request
	for len(line) > 2 { // the empty line ends the header
		line, err = c.replies.ReadSlice('\n')
		must(err)
		if first && !bytes.Contains(line, []byte(" 200 ")) && !bytes.Contains(line, []byte(" 204 ")) {
			must(fmt.Errorf("a reply of %q", line))
		}
		first = false
		if bytes.HasPrefix(line, contentLength) {
			for _, digit := range line[len(contentLength) : len(line)-2] {
				n = 10*n + int(digit-'0')
			}
		}
	}
	c.reply, err = c.replies.Peek(n)
	must(err)
	_, err = c.replies.Discard(n) // what was peeked at lasts until the next reply
	must(err)
}

const header = " HTTP/1.1\r\nHost: bidder.example:8080\r\nUser-Agent: exchange/4.2\r\n"

func (c *client) post(path string) {
	c.request = append(append(append(c.request[:0], "POST "...), path...), header+"Content-Type: application/json\r\nContent-Length: "...)
	c.request = append(strconv.AppendInt(c.request, int64(len(c.body)), 10), "\r\n\r\n"...)
	c.request = append(c.request, c.body...)
	c.send()
}

// tell sends the notice that is to be sent.
func (c *client) tell() {
	c.request = append(append(append(c.request[:0], "GET "...), c.notice...), header+"\r\n"...)
	c.notice = c.notice[:0]
	c.send()
}

// between is what of the text comes between two others, and what follows.
func between(text []byte, from, to string) (part, rest []byte) {
	at := bytes.Index(text, []byte(from))
	if at < 0 {
		return nil, nil
	}
	text = text[at+len(from):]
	at = bytes.Index(text, []byte(to))
	return text[:at], text[at:]
}

// auction lets one of the bids win, with some probability each; who wins pays what was bid.
func (c *client) auction(r *rand.Rand, wins float64) {
	price, rest := between(c.reply, `"price":`, ",")
	for ; price != nil; price, rest = between(rest, `"price":`, ",") {
		if r.Float64() < wins {
			path, _ := between(rest, `"nurl":"https://bidder.example`, "${AUCTION_PRICE}")
			c.notice = append(append(c.notice[:0], path...), price...)
			return
		}
	}
}
