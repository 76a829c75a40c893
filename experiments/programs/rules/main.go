// Rules runs its tenants' scripts: an event comes in, the tenant's rules look at it and at what they noted of
// the customer before, note more and say what is to be done. Scripts are a small language compiled to
// closures; its values are boxed, its lists linked, its functions carry their scopes. What the rules noted
// stays, and events stay for as long as a rule remembers them. Tenants change their scripts now and then.
package main

import (
	"flag"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"sync"

	"gcsim.local/programs/internal/load"
)

// customerBytes is about what the rules noted of one customer, with the events they remember.
const customerBytes = 5600

const (
	tenants    = 48
	remembered = 12 // events of a customer
)

// scripts are the rules that tenants choose from; %d is a number of theirs.
var scripts = []string{
	`(let c (customer (get event "customer"))
	   (do (put c "count" (+ 1 (get c "count")))
	       (put c "recent" (take 12 (cons event (get c "recent"))))))`,
	`(let c (customer (get event "customer"))
	   (let sum (fold (fn (a e) (+ a (get e "amount"))) 0 (get c "recent"))
	     (do (put c "sum" sum)
	         (if (< %d sum) (emit (text "review " (get event "customer") " who spent " sum)) nil))))`,
	`(let c (customer (get event "customer"))
	   (let near (filter (fn (e) (= (get e "country") (get event "country"))) (get c "recent"))
	     (if (< (count near) 3)
	         (do (put c "flag" (text "unusual:" (get event "country")))
	             (emit (text "confirm " (get event "customer") " " (get event "device"))))
	         nil)))`,
	`(let c (customer (get event "customer"))
	   (let average (/ (get c "sum") (+ 1 (count (get c "recent"))))
	     (put c "trend" (map (fn (e) (- (get e "amount") average)) (get c "recent")))))`,
	`(let c (customer (get event "customer"))
	   (put c "score" (+ (* 0.9 (get c "score"))
	     (* 0.1 (fold (fn (a x) (+ a (if (< x 0) (- 0 x) x))) %d (get c "trend"))))))`,
	`(if (< %d (get event "amount"))
	     (let label (text tenant "/" (get event "kind") "/" (get event "country"))
	       (do (put (customer (get event "customer")) "last" label) (emit label)))
	     nil)`,
}

type tenant struct {
	mu        sync.Mutex
	name      string
	sources   []string
	rules     []code
	customers map[string]*record
}

func (t *tenant) customer(name string) *record {
	found := t.customers[name]
	if found == nil {
		found = &record{}
		t.customers[name] = found
	}
	return found
}

// deploy compiles scripts with numbers of the tenant's choice.
func (t *tenant) deploy(r *rand.Rand) error {
	var sources []string
	var rules []code
	for _, script := range scripts {
		source := script
		if strings.Contains(source, "%d") {
			source = fmt.Sprintf(script, 100+r.Intn(4000))
		}
		expression, _, err := parse(source)
		if err != nil {
			return err
		}
		rule, err := compile(expression)
		if err != nil {
			return err
		}
		sources, rules = append(sources, source), append(rules, rule)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sources, t.rules = sources, rules
	return nil
}

// receive decodes an event, which is a line of name=value pairs.
func receive(line []byte) *record {
	pairs := strings.Fields(string(line))
	event := &record{make([]string, 0, len(pairs)), make([]value, 0, len(pairs))}
	for _, pair := range pairs {
		at := strings.IndexByte(pair, '=')
		name, content := known(pair[:at]), pair[at+1:]
		if amount, err := strconv.ParseFloat(content, 64); err == nil {
			event.put(name, amount)
		} else {
			event.put(name, strings.Clone(content)) // else it would keep the line
		}
	}
	return event
}

// known makes the usual fields' names share one string.
func known(name string) string {
	switch name {
	case "customer":
		return "customer"
	case "amount":
		return "amount"
	case "country":
		return "country"
	case "device":
		return "device"
	case "kind":
		return "kind"
	case "at":
		return "at"
	}
	return strings.Clone(name)
}

// handle runs all rules of a tenant on one event and gives the length of what they want done.
func (t *tenant) handle(line []byte) int {
	event := receive(line)
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &run{host: t, event: event}
	for _, rule := range t.rules {
		rule(r, nil)
	}
	return len(strings.Join(r.out, "\n"))
}

// line makes an event as the tenant's systems send it. The buffer is the worker's.
func line(buffer []byte, r *rand.Rand, customer int) []byte {
	buffer = append(strconv.AppendInt(append(buffer[:0], "customer=c"...), int64(customer), 10), " amount="...)
	buffer = strconv.AppendFloat(buffer, float64(r.Intn(50000))/100, 'f', 2, 64)
	buffer = append(strconv.AppendInt(append(buffer, " country=x"...), int64(r.Intn(1+r.Intn(20))), 10), " device=d"...)
	buffer = strconv.AppendInt(buffer, int64(customer*3+r.Intn(3)), 10)
	buffer = append(buffer, [3]string{" kind=purchase", " kind=refund", " kind=login"}[r.Intn(3)]...)
	return strconv.AppendInt(append(buffer, " at="...), 1700000000+r.Int63n(1000000), 10)
}

func main() {
	options := load.Options{Name: "rules", LiveBytes: 48 << 20}
	deploys := flag.Int("deploys", 2000, "requests until somebody deploys scripts, on average")
	options.Parse()
	if *deploys < 1 {
		fmt.Fprintln(os.Stderr, "rules: -deploys must be 1 or more")
		os.Exit(2)
	}
	setup := load.NewRand(options.Seed, -1)
	customers := int(options.LiveBytes / customerBytes / tenants)
	if customers < 2 {
		customers = 2
	}
	all := make([]*tenant, tenants)
	for i := range all {
		t := &tenant{name: fmt.Sprintf("tenant-%d", i), customers: map[string]*record{}}
		deploy(t, setup)
		for c := 0; c < customers; c++ {
			known := t.customer("c" + strconv.Itoa(c))
			var recent *list
			for e := 1; e < remembered; e++ {
				recent = &list{receive(line(nil, setup, c)), recent}
			}
			known.put("recent", recent)
			t.handle(line(nil, setup, c))
		}
		all[i] = t
	}
	buffers := make([][]byte, options.Workers)
	options.Run(func(w *load.Worker) {
		t := all[w.Rand.Intn(len(all))]
		if w.Rand.Intn(*deploys) == 0 {
			deploy(t, w.Rand)
			return
		}
		buffers[w.ID] = line(buffers[w.ID], w.Rand, w.Rand.Intn(customers))
		load.Use(t.handle(buffers[w.ID]))
	})
}

func deploy(t *tenant, r *rand.Rand) {
	if err := t.deploy(r); err != nil {
		fmt.Fprintf(os.Stderr, "rules: %v\n", err)
		os.Exit(1)
	}
}
