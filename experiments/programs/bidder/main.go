// Bidder answers an ad exchange: a bid request comes as JSON over a kept-alive connection, the campaigns that
// target its user are found by segments, filtered, priced by a model and paced, and the best are offered with
// their markup; a notice tells which offers won, is booked and counts against how often somebody may see a
// campaign. Requests, candidates and responses die at once; bids wait a second or two for their notice; profiles
// of users stay, change with each visit and expire when nobody sees them again; campaigns are replaced by edits,
// and the index over them with it. A day of the real service is a minute here.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gcsim.local/programs/internal/load"
)

// profileBytes is about what one profile keeps reachable, baseBytes what campaigns, the model, connections and
// the exchange's templates do.
const (
	profileBytes = 2600
	baseBytes    = 10 << 20
	visitsEach   = 5 // of a profile, before the load
)

// bidRequest is what of OpenRTB 2.5 we look at; the names of fields match in any case.
type bidRequest struct {
	ID         string
	BCat, BAdv []string
	Imp        []*struct {
		ID, TagID string
		BidFloor  float64
		Banner    struct{ Format []size }
	}
	Site struct {
		ID, Name, Domain, Page, Ref string
		Cat                         []string
		Content                     struct{ Title, Keywords, Language string }
	}
	Device struct {
		UA, IP, Make, Model, OS, OSV, Language string
		Geo                                    struct{ Country, Region, City string }
	}
	User struct {
		ID   string
		Data []*struct {
			ID, Name string
			Segment  []struct{ ID string }
		}
	}
	Ext json.RawMessage
}

type size struct{ W, H int }

type bidResponse struct {
	ID      string     `json:"id"`
	Cur     string     `json:"cur"`
	SeatBid []*seatBid `json:"seatbid"`
}

type seatBid struct {
	Seat string `json:"seat"`
	Bid  []*bid `json:"bid"`
}

type bid struct {
	ID      string   `json:"id"`
	ImpID   string   `json:"impid"`
	Price   float64  `json:"price"`
	NURL    string   `json:"nurl"`
	AdM     string   `json:"adm"`
	ADomain []string `json:"adomain"`
	CID     string   `json:"cid"`
	CRID    string   `json:"crid"`
	Cat     []string `json:"cat"`
	W       int      `json:"w"`
	H       int      `json:"h"`
}

// bidder is the service.
type bidder struct {
	profiles *profiles
	book     book
	model    model
	bids     reservations
	sales    ledger
	buffers  sync.Pool // of *bytes.Buffer
	sequence uint64
}

func newBidder(r *rand.Rand, most int, ttl time.Duration) *bidder {
	b := &bidder{profiles: newProfiles(most, ttl), model: make(model, 1<<18)}
	b.book.byID, b.bids.byID, b.sales.rows = make(map[int]*campaign), make(map[string]*reservation), make(map[saleKey]*sale)
	b.buffers.New = func() interface{} { return new(bytes.Buffer) }
	for i := range b.model {
		b.model[i] = float32(r.NormFloat64() * 0.15)
	}
	return b
}

// answer finds what to offer: to each place at most one of an advertiser.
func (b *bidder) answer(in *bidRequest, now time.Time) *bidResponse {
	p := b.profiles.see(in.User.ID, now)
	p.mu.Lock()
	p.observe(in, now)
	all := b.book.current.Load().(*index).candidates(in, p, b.model, rand.Float64, now)
	p.mu.Unlock()
	out := &bidResponse{ID: in.ID, Cur: "USD"}
	used := make(map[string]bool)
	for _, place := range in.Imp {
		for _, one := range all {
			if one.worth < place.BidFloor {
				break // the others offer less still
			}
			shown := one.campaign.fits(place.Banner.Format)
			if shown == nil || used[one.campaign.Domain] {
				continue
			}
			// who wins pays what was bid, so we bid less than it is worth; in whole cents
			price := math.Ceil((place.BidFloor+(one.worth-place.BidFloor)*0.7)*100) / 100
			if !one.campaign.account.reserve(price / 1000) {
				continue
			}
			used[one.campaign.Domain] = true
			offer := b.offer(in, p, one.campaign, shown, price, now)
			offer.ImpID = place.ID
			out.SeatBid = append(out.SeatBid, &seatBid{one.campaign.Domain, []*bid{offer}})
			break
		}
	}
	return out
}

func (b *bidder) offer(in *bidRequest, p *profile, c *campaign, shown *creative, price float64, now time.Time) *bid {
	id := strconv.FormatInt(now.Unix(), 36) + "-" + strconv.FormatUint(atomic.AddUint64(&b.sequence, 1), 36)
	b.bids.add(&reservation{id, in.Site.Domain, p, c, shown, price / 1000, now})
	number := strconv.Itoa(c.ID)
	macros := strings.NewReplacer("${WIDTH}", strconv.Itoa(shown.Width), "${HEIGHT}", strconv.Itoa(shown.Height),
		"${CLICK}", "https://click.bidder.example/c?b="+id+"&to="+shown.Landing,
		"${BID}", id, "${CAMPAIGN}", number, "${TIME}", strconv.FormatInt(now.Unix(), 10))
	return &bid{
		ID: id, Price: price, NURL: "https://bidder.example/win?b=" + id + "&p=${AUCTION_PRICE}",
		AdM: macros.Replace(shown.Markup), ADomain: []string{c.Domain},
		CID: number, CRID: shown.ID, Cat: c.Categories, W: shown.Width, H: shown.Height,
	}
}

func (b *bidder) serveBid(out http.ResponseWriter, in *http.Request) {
	var request bidRequest
	if err := json.NewDecoder(in.Body).Decode(&request); err != nil || len(request.Imp) == 0 || request.User.ID == "" {
		http.Error(out, fmt.Sprintf("not a request with user and impressions: %v", err), http.StatusBadRequest)
		return
	}
	response := b.answer(&request, time.Now())
	if len(response.SeatBid) == 0 {
		out.WriteHeader(http.StatusNoContent)
		return
	}
	buffer := b.buffers.Get().(*bytes.Buffer)
	defer b.buffers.Put(buffer)
	buffer.Reset()
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(response); err != nil {
		http.Error(out, err.Error(), http.StatusInternalServerError)
		return
	}
	out.Header().Set("Content-Type", "application/json")
	out.Header().Set("Content-Length", strconv.Itoa(buffer.Len()))
	out.Write(buffer.Bytes())
}

// serveWin books a bid that won; one of which we know nothing any more is late.
func (b *bidder) serveWin(out http.ResponseWriter, in *http.Request) {
	query := in.URL.Query()
	price, err := strconv.ParseFloat(query.Get("p"), 64)
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	if won := b.bids.take(query.Get("b")); won != nil {
		won.campaign.account.settle(won.price, price/1000)
		won.user.shown(won.campaign.ID, won.creative.ID, time.Now())
		b.sales.book(won, price/1000)
	}
	out.WriteHeader(http.StatusNoContent)
}

func (b *bidder) serveCampaign(out http.ResponseWriter, in *http.Request) {
	c := &campaign{}
	err := json.NewDecoder(in.Body).Decode(c)
	if err == nil {
		err = b.book.put(c, time.Now())
	}
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	out.WriteHeader(http.StatusNoContent)
}

// tend does what is to be done from time to time.
func (b *bidder) tend() {
	for tick := 1; ; tick++ {
		time.Sleep(200 * time.Millisecond)
		now := time.Now()
		for _, lost := range b.bids.lapse(now.Add(-2 * time.Second)) {
			lost.campaign.account.settle(lost.price, 0)
		}
		b.profiles.expire(now)
		b.book.tend(now)
		if tick%5 == 0 {
			must(b.sales.report())
		}
	}
}

// fill lets people have been there, over the time after which they would be forgotten.
func (b *bidder) fill(r *rand.Rand, e *exchange, most int) {
	now := time.Now()
	for i := 0; i < campaigns; i++ {
		must(b.book.put(anyCampaign(r, firstCampaign+i), now))
	}
	b.book.tend(now)
	var body []byte
	for i, visits := 0, most*visitsEach; i < visits; i++ {
		body = e.request(r, body)
		in := &bidRequest{}
		must(json.Unmarshal(body, in))
		at := now.Add(-b.profiles.ttl * time.Duration(visits-i) / time.Duration(visits))
		p := b.profiles.see(in.User.ID, at)
		p.observe(in, at)
		if r.Intn(4) == 0 {
			p.shown(firstCampaign+r.Intn(campaigns), "seen before", at)
		}
	}
}

// serve listens on loopback and connects one client for each worker.
func (b *bidder) serve(workers int) []*client {
	mux := http.NewServeMux()
	mux.HandleFunc("/openrtb/bid", b.serveBid)
	mux.HandleFunc("/win", b.serveWin)
	mux.HandleFunc("/campaigns", b.serveCampaign)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go http.Serve(listener, mux)
	clients := make([]*client, workers)
	for i := range clients {
		conn, err := net.Dial("tcp", listener.Addr().String())
		must(err)
		clients[i] = &client{conn: conn, replies: bufio.NewReaderSize(conn, 16<<10)}
	}
	return clients
}

func main() {
	options := load.Options{Name: "bidder", LiveBytes: 64 << 20, Rate: 2500}
	ttl := flag.Duration("ttl", 30*time.Second, "time after which a user that was not seen again is forgotten")
	newcomers := flag.Float64("newcomers", 0.2, "share of requests that are of new users")
	wins := flag.Float64("wins", 0.3, "share of bids that win")
	edits := flag.Int("edits", 200, "requests until a campaign is edited, on average")
	options.Parse()
	if *ttl <= 0 || !(*newcomers > 0 && *newcomers <= 1) || !(*wins >= 0 && *wins <= 1) || *edits < 1 {
		must(errors.New("-ttl must be more than zero, -newcomers and -wins 0 to 1, -edits 1 or more"))
	}
	setup, most := load.NewRand(options.Seed, -1), 500
	if more := int((options.LiveBytes - baseBytes) / profileBytes); more > most {
		most = more
	}
	b, e := newBidder(setup, most, *ttl), newExchange(setup, *newcomers, float64(most)/4)
	b.fill(setup, e, most)
	go b.tend()
	clients := b.serve(options.Workers)
	options.Run(func(w *load.Worker) {
		c := clients[w.ID]
		switch {
		case len(c.notice) > 0:
			c.tell()
		case w.Rand.Intn(*edits) == 0:
			c.body = e.edit(w.Rand, c.body)
			c.post("/campaigns")
		default:
			c.body = e.request(w.Rand, c.body)
			c.post("/openrtb/bid")
			c.auction(w.Rand, *wins)
		}
		load.Use(len(c.reply))
	})
}

func must(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "bidder: %v\n", err)
		os.Exit(1)
	}
}
