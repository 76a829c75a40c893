package main

import (
	"encoding/binary"
	"sort"
)

// history is how many states of a player's surroundings are kept for what it may still confirm.
const history = 24

const (
	confirmedAgo = 4  // ticks, that is 200 ms
	mostSeen     = 60 // entities
	bagOf        = 40 // different things
)

// state is what a player knows of an entity.
type state struct {
	id     uint32
	x, y   uint16
	health int16
	kind   kind
}

type snapshot struct {
	tick   uint64
	states []state // by id
}

type player struct {
	name   string
	body   *entity
	states [history]*snapshot
	bag    map[string]int
	chat   []string
	packet []byte // on its way
}

// take empties loot into the bag; what has been there longest need not go first.
func (p *player) take(from *entity) {
	for _, thing := range from.contents {
		p.bag[thing]++
	}
	for thing := range p.bag {
		if len(p.bag) <= bagOf {
			break
		}
		delete(p.bag, thing)
	}
	from.contents = nil
}

func (p *player) hear(line string) {
	p.chat = append(p.chat, line)
	if len(p.chat) > chatKept {
		p.chat = append([]string(nil), p.chat[len(p.chat)-chatKept/2:]...)
	}
}

// update looks around and makes the packet of what changed since the state that was confirmed.
func (p *player) update(g *game) {
	now := &snapshot{tick: g.tick}
	scale := 65535 / g.width()
	g.around(p.body, func(e *entity) {
		if len(now.states) < mostSeen {
			now.states = append(now.states, state{e.id, uint16(e.x * scale), uint16(e.y * scale), e.health, e.kind})
		}
	})
	sort.Slice(now.states, func(i, j int) bool { return now.states[i].id < now.states[j].id })
	var before []state
	if old := p.states[(g.tick-confirmedAgo)%history]; old != nil {
		before = old.states
	}
	p.packet = difference(now, before)
	p.states[g.tick%history] = now
}

// difference encodes a snapshot against an earlier one, both by id.
func difference(now *snapshot, before []state) []byte {
	packet := binary.AppendUvarint(make([]byte, 0, 64), now.tick)
	for _, s := range now.states {
		for len(before) > 0 && before[0].id < s.id { // out of sight
			packet = binary.AppendUvarint(append(packet, 'g'), uint64(before[0].id))
			before = before[1:]
		}
		if len(before) > 0 && before[0].id == s.id {
			old := before[0]
			before = before[1:]
			if old == s {
				continue
			}
			packet = binary.AppendUvarint(append(packet, 'm'), uint64(s.id))
			packet = binary.AppendVarint(packet, int64(s.x)-int64(old.x))
			packet = binary.AppendVarint(packet, int64(s.y)-int64(old.y))
			packet = binary.AppendVarint(packet, int64(s.health))
			continue
		}
		packet = binary.AppendUvarint(append(packet, 'n', byte(s.kind)), uint64(s.id))
		packet = binary.BigEndian.AppendUint16(packet, s.x)
		packet = binary.BigEndian.AppendUint16(packet, s.y)
		packet = binary.AppendVarint(packet, int64(s.health))
	}
	for _, old := range before {
		packet = binary.AppendUvarint(append(packet, 'g'), uint64(old.id))
	}
	return packet
}
