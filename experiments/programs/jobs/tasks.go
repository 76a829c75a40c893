package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand"
	"sort"
	"strings"
	"time"
)

const ms = time.Millisecond

var (
	often  = retry{6, 20 * ms, time.Second}
	seldom = retry{3, 50 * ms, 200 * ms}
)

// definitions are the kinds of workflows that there are.
func definitions() []*definition {
	return []*definition{
		{name: "order", share: 3, deadline: 10 * time.Second, sample: sampleOrder, steps: []*step{
			{name: "validate", task: validate, queue: "shop", takes: 2 * ms, timeout: 200 * ms, retry: seldom},
			{name: "charge", needs: []string{"validate"}, task: charge, queue: "bank", takes: 60 * ms, timeout: 250 * ms, fails: 0.06, retry: often},
			{name: "pack", needs: []string{"charge"}, takes: 200 * ms},
			{name: "notify", needs: []string{"charge", "pack"}, task: write, queue: "mail", takes: 10 * ms, timeout: 100 * ms, fails: 0.08, retry: seldom, optional: true},
			{name: "arrival", needs: []string{"pack"}, takes: 800 * ms},
			{name: "review", needs: []string{"charge", "arrival"}, task: write, queue: "mail", takes: 10 * ms, timeout: 100 * ms, fails: 0.08, retry: seldom, optional: true},
		}},
		{name: "video", share: 2, deadline: 10 * time.Second, sample: sampleVideo, steps: []*step{
			{name: "probe", task: probe, queue: "media", takes: 30 * ms, timeout: 300 * ms, fails: 0.02, retry: seldom},
			{name: "480p", needs: []string{"probe"}, task: transcode, queue: "media", takes: 100 * ms, timeout: time.Second, fails: 0.02, retry: often},
			{name: "720p", needs: []string{"probe"}, task: transcode, queue: "media", takes: 200 * ms, timeout: time.Second, fails: 0.02, retry: often},
			{name: "1080p", needs: []string{"probe"}, task: transcode, queue: "media", takes: 350 * ms, timeout: 2 * time.Second, fails: 0.02, retry: often},
			{name: "publish", needs: []string{"480p", "720p", "1080p"}, task: write, queue: "mail", takes: 15 * ms, timeout: 100 * ms, fails: 0.05, retry: often},
		}},
	}
}

// taskInput is what the worker that does a step gets, as JSON.
type taskInput struct {
	Workflow string                     `json:"workflow"`
	Step     string                     `json:"step"`
	Attempt  int                        `json:"attempt"`
	Input    json.RawMessage            `json:"input"`
	Results  map[string]json.RawMessage `json:"results,omitempty"`
}

// result reads what an earlier step gave.
func (in *taskInput) result(of string, into interface{}) error {
	if err := json.Unmarshal(in.Results[of], into); err != nil {
		return fmt.Errorf("result of %s: %w", of, err)
	}
	return nil
}

// chance is a number from 0 to 1 that is the same whenever the same attempt asks for it.
func (in *taskInput) chance(about string) float64 {
	h := fnv.New64a()
	fmt.Fprint(h, in.Workflow, in.Step, about, in.Attempt)
	return float64(h.Sum64()*0x9e3779b97f4a7c15>>11) / (1 << 53)
}

var (
	errUnavailable = errors.New("503 service unavailable")
	errDeclined    = errors.New("declined by the issuer")
)

// perform is the worker's side of an attempt: bytes in, bytes out.
func (s *step) perform(ctx context.Context, payload []byte) (json.RawMessage, error) {
	var in taskInput
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil, err
	}
	if in.chance("fails") < s.fails {
		return nil, fmt.Errorf("%s: attempt %d: %w", s.queue, in.Attempt, errUnavailable)
	}
	result, err := s.task(ctx, &in)
	if err != nil {
		return nil, err
	}
	return json.Marshal(result)
}

// An order of a shop.

type line struct {
	SKU      string `json:"sku"`
	Title    string `json:"title"`
	Quantity int    `json:"quantity"`
	Cents    int    `json:"cents"`
}

type order struct {
	Customer string            `json:"customer"`
	Email    string            `json:"email"`
	Address  map[string]string `json:"address"`
	Lines    []line            `json:"lines"`
	Tax      int               `json:"tax,omitempty"`
	Total    int               `json:"total,omitempty"`
}

func sampleOrder(r *rand.Rand) interface{} {
	o := &order{Customer: fmt.Sprintf("customer %d", r.Intn(1e5)), Email: fmt.Sprintf("c%d@mail.example", r.Intn(1e5))}
	o.Address = map[string]string{"street": fmt.Sprintf("%d Long Road", r.Intn(300)), "city": "Harbour Town", "zip": fmt.Sprint(1e4 + r.Intn(8e4))}
	for n := 1 + r.Intn(6); n > 0; n-- {
		sku := r.Intn(5000)
		o.Lines = append(o.Lines, line{fmt.Sprintf("sku-%05d", sku), fmt.Sprintf("Article %d, large, blue", sku), 1 + r.Intn(3), 100 + r.Intn(9000)})
	}
	return o
}

func validate(_ context.Context, in *taskInput) (interface{}, error) {
	var o order
	if err := json.Unmarshal(in.Input, &o); err != nil {
		return nil, err
	}
	sort.Slice(o.Lines, func(i, j int) bool { return o.Lines[i].SKU < o.Lines[j].SKU })
	for _, l := range o.Lines {
		o.Total += l.Quantity * l.Cents
	}
	o.Tax = o.Total * 19 / 119
	return &o, nil
}

func charge(_ context.Context, in *taskInput) (interface{}, error) {
	var o order
	if err := in.result("validate", &o); err != nil {
		return nil, err
	}
	if in.chance("declined") < 0.02 {
		return nil, fmt.Errorf("%d cents: %w", o.Total, errDeclined)
	}
	return map[string]interface{}{"receipt": "r-" + in.Workflow, "cents": o.Total, "card": "**** 4242", "at": time.Now()}, nil
}

// write makes a letter of all that is known.
func write(_ context.Context, in *taskInput) (interface{}, error) {
	var about map[string]interface{}
	if err := json.Unmarshal(in.Input, &about); err != nil {
		return nil, err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "Dear %v,\n\nthis is what became of %s:\n\n", about["customer"], in.Workflow)
	for name, result := range in.Results {
		var fields map[string]interface{}
		if err := json.Unmarshal(result, &fields); err != nil {
			return nil, fmt.Errorf("result of %s: %w", name, err)
		}
		for field, value := range fields {
			fmt.Fprintf(&text, "  * %s, %s: %.60s\n", name, field, fmt.Sprint(value))
		}
	}
	text.WriteString("\nYours sincerely,\nthe team\n")
	return map[string]interface{}{"to": about["email"], "subject": "News of " + in.Workflow, "text": text.String()}, nil
}

// A video that is to be seen in several sizes.

type part struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	Bytes   int     `json:"bytes"`
}

func sampleVideo(r *rand.Rand) interface{} {
	return map[string]interface{}{
		"customer": fmt.Sprintf("studio %d", r.Intn(300)), "email": fmt.Sprintf("s%d@film.example", r.Intn(300)),
		"title": fmt.Sprintf("scene %d", r.Intn(90)), "seconds": 20 + r.Intn(70), "source": fmt.Sprintf("store://raw/%08x.mov", r.Uint32()),
	}
}

func probe(_ context.Context, in *taskInput) (interface{}, error) {
	var video struct{ Seconds float64 }
	if err := json.Unmarshal(in.Input, &video); err != nil {
		return nil, err
	}
	var keyframes []float64
	for at := 0.0; at < video.Seconds; at += math.Round(4000+2000*in.chance(fmt.Sprint(at))) / 1000 {
		keyframes = append(keyframes, at)
	}
	return map[string]interface{}{"codec": "prores", "rate": 25, "keyframes": append(keyframes, video.Seconds)}, nil
}

func transcode(ctx context.Context, in *taskInput) (interface{}, error) {
	var probed struct{ Keyframes []float64 }
	if err := in.result("probe", &probed); err != nil {
		return nil, err
	}
	var parts []part
	for i, end := range probed.Keyframes[1:] {
		seconds := end - probed.Keyframes[i]
		parts = append(parts, part{fmt.Sprintf("%s-%s-%04d.m4s", in.Workflow, in.Step, i), seconds, int(seconds * 2e5 * (1 + in.chance(fmt.Sprint(i))))})
	}
	return map[string]interface{}{"name": in.Workflow + "-" + in.Step, "parts": parts}, ctx.Err()
}
