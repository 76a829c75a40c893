package main

import (
	"fmt"
	"math/rand"
	"net"
	"strconv"
	"time"

	"gcsim.local/programs/internal/load"
)

// universe is all the names that clients ask for. A name follows from its number.
type universe struct {
	names  int
	lowest time.Duration // time to live
}

var zones = []string{"example.com", "shop.example.net", "cdn.example.org", "internal.example", "static.pictures.example"}

func (u universe) name(n int) string {
	return fmt.Sprintf("%s%d.%s", [4]string{"www", "api", "edge-node-", "mail"}[n&3], n, zones[n%len(zones)])
}

// choose prefers few names by far, as clients do.
func (u universe) choose(r *rand.Rand) question {
	x := r.Float64()
	n := int(x * x * x * x * x * float64(u.names))
	return question{u.name(n), kindOf(n)}
}

func kindOf(n int) uint16 {
	return [10]uint16{typeA, typeAAAA, typeA, typeMX, typeA, typeTXT, typeAAAA, typeA, typeA, typeAAAA}[n%10]
}

// answer is what the servers of a name's zone say. One name in twelve is not there.
func (u universe) answer(q question) *message {
	seed := int64(0)
	for i := 0; i < len(q.name); i++ {
		seed = 31*seed + int64(q.name[i])
	}
	r := load.NewRand(seed, int(q.kind))
	m := &message{flags: response | recursion, questions: []question{q}}
	ttl := uint32(u.lowest/time.Second) * uint32(1+r.Intn(12))
	zone := zones[r.Intn(len(zones))]
	if r.Intn(12) == 0 {
		m.flags |= noSuchName
		head := header{zone, typeSOA, ttl}
		m.servers = []record{&authority{head, "ns1." + zone, "hostmaster." + zone, [5]uint32{uint32(seed), 7200, 3600, 86400, 300}}}
		return m
	}
	name := q.name
	for hops := r.Intn(3); hops > 0 && q.kind != typeMX; hops-- {
		target := "lb" + strconv.Itoa(r.Intn(500)) + ".eu-central." + zone
		m.answers = append(m.answers, &pointer{header{name, typeCNAME, ttl}, 0, target})
		name = target
	}
	for n := 1 + r.Intn(4); n > 0; n-- {
		m.answers = append(m.answers, data(r, header{name, q.kind, ttl}, zone))
	}
	for n := 1; n <= 2; n++ {
		m.servers = append(m.servers, &pointer{header{zone, typeCNAME, 3600}, 0, "ns" + strconv.Itoa(n) + "." + zone})
	}
	return m
}

func data(r *rand.Rand, h header, zone string) record {
	switch h.kind {
	case typeMX:
		return &pointer{h, uint16(10 * r.Intn(5)), "mx" + strconv.Itoa(r.Intn(9)) + "." + zone}
	case typeTXT:
		return &text{h, []string{"v=spf1 include:_spf." + zone + " ip4:192.0.2.0/24 -all", fmt.Sprintf("verification=%016x", r.Uint64())}}
	}
	ip := make(net.IP, 4)
	if h.kind == typeAAAA {
		ip = make(net.IP, 16)
	}
	r.Read(ip)
	return &address{h, ip}
}
