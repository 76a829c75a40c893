// Mailer sends a shop's letters: for each, a template is filled with what is known of the recipient, as text and
// as HTML, put together as MIME, signed, and given to the queue of its domain, from where it goes out as the
// remote side takes it. What was sent is remembered, so that bounces and unsubscriptions, which come as
// mail too, find the recipient they are about.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"gcsim.local/programs/internal/load"
)

// recipientBytes is about what one recipient keeps reachable, with what was last sent; baseBytes is what
// templates, queues and buffers do.
const (
	recipientBytes = 1850
	baseBytes      = 4 << 20
)

const (
	domains   = 240
	waiting   = 24 // letters in a domain's queue before senders wait
	atOnce    = 10 // letters in one connection to a domain
	history   = 6  // letters that a recipient is known to have got
	shards    = 16
	signature = "shop.example"
)

type recipient struct {
	id      int
	name    string
	address string
	domain  int
	locale  string
	details map[string]string

	mu      sync.Mutex
	letters []*sent // newest last
	bounces int
	gone    bool // unsubscribed
}

// sent is what is remembered of a letter.
type sent struct {
	id       string
	to       *recipient
	campaign string
	subject  string
	at       time.Time
	size     int
	state    string
}

// register finds letters by their message ID; the oldest go.
type register [shards]struct {
	mu   sync.Mutex
	byID map[string]*sent
	ring []*sent
	next int
}

func shardOf(id string) int {
	hash := 0
	for i := 0; i < len(id); i++ {
		hash = 31*hash + int(id[i])
	}
	return hash & (shards - 1)
}

func (g *register) add(letter *sent) {
	s := &g[shardOf(letter.id)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.ring[s.next]; old != nil {
		delete(s.byID, old.id)
	}
	s.ring[s.next], s.byID[letter.id] = letter, letter
	s.next = (s.next + 1) % len(s.ring)
}

func (g *register) find(id string) *sent {
	s := &g[shardOf(id)]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id]
}

// outgoing is a letter on its way.
type outgoing struct {
	letter *sent
	from   string
	data   []byte
}

// domain is a remote side with the connection to it.
type domain struct {
	name  string
	queue chan *outgoing
}

// deliver takes letters as they come, several in one connection, and waits as long as the remote side takes.
func (d *domain) deliver(r *rand.Rand, wire *sync.Pool) {
	batch := make([]*outgoing, 0, atOnce)
	for first := range d.queue {
		batch = append(batch[:0], first)
		for more := true; more && len(batch) < atOnce; {
			select {
			case next := <-d.queue:
				batch = append(batch, next)
			default:
				more = false
			}
		}
		time.Sleep(time.Duration(20+r.Intn(60)) * time.Millisecond)
		buffer := wire.Get().(*bytes.Buffer)
		for i, out := range batch {
			buffer.Reset()
			converse(buffer, out)
			load.Use(buffer.Len())
			state := "250 accepted"
			if r.Intn(40) == 0 {
				state = "451 try again later: " + strconv.Itoa(r.Intn(1000))
			}
			out.letter.to.mu.Lock()
			out.letter.state = state
			out.letter.to.mu.Unlock()
			batch[i] = nil
		}
		wire.Put(buffer)
	}
}

// converse writes what goes over the connection for a letter: lines that begin with a dot get another.
func converse(wire *bytes.Buffer, out *outgoing) {
	fmt.Fprintf(wire, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", out.from, out.letter.to.address)
	for rest := out.data; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			end = len(rest)
		}
		if rest[0] == '.' {
			wire.WriteByte('.')
		}
		wire.Write(rest[:end])
		rest = rest[end:]
	}
	wire.WriteString("\r\n.\r\n")
}

type mailer struct {
	recipients []*recipient
	campaigns  []*campaign
	domains    []*domain
	register   register
	key        ed25519.PrivateKey
	secret     []byte
	wire       sync.Pool // of *bytes.Buffer
}

// token lets a recipient unsubscribe without a password.
func (m *mailer) token(to *recipient, campaign string) string {
	mac := hmac.New(sha256.New, m.secret)
	fmt.Fprintf(mac, "%d/%s", to.id, campaign)
	return strconv.Itoa(to.id) + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:18])
}

var errToken = errors.New("bad token")

func (m *mailer) verify(token, campaign string) (*recipient, error) {
	id, err := strconv.Atoi(strings.SplitN(token, ".", 2)[0])
	if err != nil || id < 0 || id >= len(m.recipients) {
		return nil, errToken
	}
	if to := m.recipients[id]; hmac.Equal([]byte(m.token(to, campaign)), []byte(token)) {
		return to, nil
	}
	return nil, errToken
}

// send writes a letter and queues it.
func (m *mailer) send(r *rand.Rand, c *campaign, to *recipient) (int, error) {
	to.mu.Lock()
	if to.bounces > 3 || to.gone { // somebody subscribes again, so that there is always somebody to write to
		to.bounces, to.gone = 0, false
		to.mu.Unlock()
		return 0, nil
	}
	to.mu.Unlock()
	letter := &sent{
		id: fmt.Sprintf("%016x.%d@%s", r.Uint64(), to.id, signature), to: to, campaign: c.name,
		at: time.Now(), state: "queued",
	}
	data, err := m.compose(r, c, letter)
	if err != nil {
		return 0, err
	}
	letter.size = len(data)
	m.register.add(letter)
	to.mu.Lock()
	if len(to.letters) >= history {
		to.letters = append([]*sent(nil), to.letters[1:]...)
	}
	to.letters = append(to.letters, letter)
	to.mu.Unlock()
	m.domains[to.domain].queue <- &outgoing{letter, "bounce+" + strconv.Itoa(to.id) + "@" + signature, data}
	return len(data), nil
}

func newMailer(r *rand.Rand, people int) (*mailer, error) {
	m := &mailer{key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)), secret: []byte("not so secret")}
	m.wire.New = func() interface{} { return new(bytes.Buffer) }
	var err error
	if m.campaigns, err = newCampaigns(r); err != nil {
		return nil, err
	}
	for i := 0; i < domains; i++ {
		d := &domain{fmt.Sprintf("mail%d.example", i), make(chan *outgoing, waiting)}
		m.domains = append(m.domains, d)
		go d.deliver(rand.New(rand.NewSource(r.Int63())), &m.wire)
	}
	for i := range m.register {
		m.register[i].byID = map[string]*sent{}
		m.register[i].ring = make([]*sent, people/shards+1)
	}
	for i := 0; i < people; i++ {
		to := &recipient{
			id: i, name: pick(r, firstNames) + " " + pick(r, lastNames), domain: r.Intn(domains), locale: pick(r, locales),
			details: map[string]string{
				"city": pick(r, cities), "size": strconv.Itoa(34 + r.Intn(14)), "points": strconv.Itoa(r.Intn(5000)),
				"since": strconv.Itoa(2005 + r.Intn(20)), "shop": pick(r, cities),
			},
		}
		to.address = strings.ToLower(strings.ReplaceAll(to.name, " ", ".")) + strconv.Itoa(i) + "@" + m.domains[to.domain].name
		for len(to.letters) < history { // what it got in the weeks before
			c := m.campaigns[r.Intn(len(m.campaigns))]
			letter := &sent{
				id: fmt.Sprintf("%016x.%d@%s", r.Uint64(), i, signature), to: to, campaign: c.name,
				subject: to.name + ", 5 offers in " + pick(r, cities) + " — " + c.name, at: time.Now(), state: "250 accepted",
			}
			to.letters = append(to.letters, letter)
			if len(to.letters) == history {
				m.register.add(letter)
			}
		}
		m.recipients = append(m.recipients, to)
	}
	return m, nil
}

func main() {
	options := load.Options{Name: "mailer", LiveBytes: 30 << 20, Rate: 3000, Workers: 64}
	returns := flag.Int("returns", 12, "letters until something comes back, on average")
	options.Parse()
	if *returns < 1 {
		fail(errors.New("-returns must be 1 or more"))
	}
	people := 500
	if more := int(options.LiveBytes-baseBytes) / recipientBytes; more > people {
		people = more
	}
	m, err := newMailer(load.NewRand(options.Seed, -1), people)
	if err != nil {
		fail(err)
	}
	options.Run(func(w *load.Worker) {
		to := m.recipients[w.Rand.Intn(len(m.recipients))]
		var n int
		var err error
		if w.Rand.Intn(*returns) == 0 {
			n, err = m.receive(m.returned(w.Rand, to))
		} else {
			n, err = m.send(w.Rand, m.campaigns[w.Rand.Intn(len(m.campaigns))], to)
		}
		if err != nil {
			fail(err)
		}
		load.Use(n)
	})
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "mailer: %v\n", err)
	os.Exit(1)
}
