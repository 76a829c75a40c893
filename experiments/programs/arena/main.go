// Arena is the server of an online game: twenty times a second the world moves on, creatures think, and every
// player is sent what changed around it since the last state that it confirmed, for which the last states
// are kept. Between ticks the players' commands arrive: to walk, to shoot, to take, to say something. A
// command is answered when it is in the world's inbox; what it does, the next tick shows.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"sync"
	"time"

	"gcsim.local/programs/internal/load"
)

// creatureBytes is about what one creature keeps reachable, with its part of the cells, and playerBytes
// what one player does.
const (
	creatureBytes = 330
	playerBytes   = 13500
)

const (
	ticksPerSecond = 20
	mostWaiting    = 20000 // commands, then players are told to wait
	chatKept       = 24    // lines of a player's window
)

// command is what a player sends, as JSON.
type command struct {
	Player int     `json:"player"`
	Do     string  `json:"do"`
	X      float32 `json:"x"`
	Y      float32 `json:"y"`
	Text   string  `json:"text,omitempty"`
}

type game struct {
	*world
	mu    sync.Mutex
	inbox []*command
}

// receive decodes a command for the next tick.
func (g *game) receive(body []byte) error {
	c := &command{}
	if err := json.Unmarshal(body, c); err != nil {
		return err
	}
	if c.Player < 0 || c.Player >= len(g.players) {
		return fmt.Errorf("no player %d", c.Player)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.inbox) < mostWaiting {
		g.inbox = append(g.inbox, c)
	}
	return nil
}

// step moves the world on by one tick.
func (g *game) step() {
	g.mu.Lock()
	waiting := g.inbox
	g.inbox = make([]*command, 0, len(waiting))
	g.mu.Unlock()
	g.tick++
	for _, c := range waiting {
		g.obey(c)
	}
	for i, e := range g.creatures {
		switch {
		case e.health <= 0: // its loot stays for a while, and another one comes
			e.cell.remove(e)
			g.drop(e)
			g.creatures[i] = g.spawn()
		case (uint64(i)+g.tick)%ticksPerSecond == 0:
			if len(e.mind.path) == 0 {
				g.think(e)
			}
			g.walk(e)
		}
		g.move(e)
	}
	g.movePassing()
	for _, p := range g.players {
		g.move(p.body)
	}
	g.send()
}

// obey does what a player wants.
func (g *game) obey(c *command) {
	p := g.players[c.Player]
	switch c.Do {
	case "walk":
		p.body.dx, p.body.dy = c.X, c.Y
	case "shoot":
		e := g.put(&entity{kind: shot, x: p.body.x, y: p.body.y, dx: 3 * c.X, dy: 3 * c.Y, owner: p, until: g.tick + projectileOf})
		g.passing = append(g.passing, e)
	case "take":
		for _, e := range p.body.cell.entities {
			if e.kind == loot {
				p.take(e)
				e.until = g.tick
			}
		}
	case "say":
		line := p.name + ": " + c.Text
		g.around(p.body, func(e *entity) {
			if e.owner != nil && e.kind == avatar {
				e.owner.hear(line)
			}
		})
	}
}

// drop leaves what a creature had.
func (g *game) drop(e *entity) {
	left := &entity{kind: loot, x: e.x, y: e.y, until: g.tick + lootOf}
	for n := g.rng.Intn(3); n >= 0; n-- {
		left.contents = append(left.contents, fmt.Sprintf("%s of tick %d", goods[g.rng.Intn(len(goods))], g.tick))
	}
	g.passing = append(g.passing, g.put(left))
}

var goods = []string{"sword", "shield", "potion", "ring", "scroll", "herb", "gem", "coin"}

// movePassing flies shots, lets them hit and ends what has had its time.
func (g *game) movePassing() {
	stay := g.passing[:0]
	for _, e := range g.passing {
		if e.kind == shot {
			g.move(e)
			for _, other := range e.cell.entities {
				if other.kind == creature && other.health > 0 {
					other.health -= 20
					e.until = g.tick
					break
				}
			}
		}
		if e.until <= g.tick {
			e.cell.remove(e)
			continue
		}
		stay = append(stay, e)
	}
	for i := len(stay); i < len(g.passing); i++ {
		g.passing[i] = nil
	}
	g.passing = stay
}

// around visits what is near.
func (g *game) around(e *entity, visit func(*entity)) {
	cx, cy := int(e.x/cellSize), int(e.y/cellSize)
	for y := cy - 1; y <= cy+1; y++ {
		for x := cx - 1; x <= cx+1; x++ {
			for _, other := range g.cellAt(x, y).entities {
				visit(other)
			}
		}
	}
}

// send makes all players' packets, on all Ps.
func (g *game) send() {
	var group sync.WaitGroup
	parts := runtime.GOMAXPROCS(0)
	for part := 0; part < parts; part++ {
		group.Add(1)
		go func(part int) {
			defer group.Done()
			for i := part; i < len(g.players); i += parts {
				g.players[i].update(g)
			}
		}(part)
	}
	group.Wait()
}

// run ticks by the clock; a late tick is not made up for.
func (g *game) run() {
	for range time.Tick(time.Second / ticksPerSecond) {
		g.step()
	}
}

// commands are what players' programs send.
func commands(r *rand.Rand, players, count int) (bodies [][]byte) {
	for len(bodies) < count {
		c := command{Player: r.Intn(players), X: 4*r.Float32() - 2, Y: 4*r.Float32() - 2}
		switch kind := r.Intn(20); {
		case kind < 9:
			c.Do = "walk"
		case kind < 16:
			c.Do = "shoot"
		case kind < 19:
			c.Do = "take"
		default:
			c.Do, c.Text = "say", fmt.Sprintf("meet me at the %s %d", goods[r.Intn(len(goods))], r.Intn(100))
		}
		body, err := json.Marshal(c)
		if err != nil {
			fail(err)
		}
		bodies = append(bodies, body)
	}
	return bodies
}

func main() {
	options := load.Options{Name: "arena", LiveBytes: 32 << 20, Rate: 5000}
	players := flag.Int("players", 800, "players")
	options.Parse()
	if *players < 1 {
		fail(fmt.Errorf("-players must be 1 or more"))
	}
	count := 2000
	if more := (int(options.LiveBytes) - *players*playerBytes) / creatureBytes; more > count {
		count = more
	}
	setup := load.NewRand(options.Seed, -1)
	g := &game{world: &world{rng: load.NewRand(options.Seed, -3), side: 8}}
	for float64(g.side*g.side)*perCell < float64(count) {
		g.side++
	}
	g.cells = make([]cell, g.side*g.side)
	for i := 0; i < count; i++ {
		e := g.spawn()
		e.mind.path = e.mind.path[setup.Intn(len(e.mind.path)+1):] // as if it had been under way
		g.creatures = append(g.creatures, e)
	}
	for i := 0; i < *players; i++ {
		p := &player{name: fmt.Sprintf("player-%d", i), bag: map[string]int{}}
		p.body = g.put(&entity{kind: avatar, x: setup.Float32() * g.width(), y: setup.Float32() * g.width(), owner: p})
		for len(p.bag) < bagOf {
			p.bag[fmt.Sprintf("%s of old, %d", goods[setup.Intn(len(goods))], setup.Intn(1000000))] = 1
		}
		for len(p.chat) < chatKept/2 {
			p.hear(fmt.Sprintf("player-%d: nobody at the %s", setup.Intn(*players), goods[setup.Intn(len(goods))]))
		}
		g.players = append(g.players, p)
	}
	bodies := commands(setup, *players, 5000)
	for i := 0; i < history; i++ {
		g.step()
	}
	go g.run()
	options.Run(func(w *load.Worker) {
		if err := g.receive(bodies[w.Rand.Intn(len(bodies))]); err != nil {
			fail(err)
		}
	})
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "arena: %v\n", err)
	os.Exit(1)
}
