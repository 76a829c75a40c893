package main

import (
	"fmt"
	"math/rand"
	"time"
)

// The objects are as an API server's are: nested, with maps and optional pointers. Once in the store they do
// not change; who wants another state puts a changed copy in.

type meta struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace"`
	UID         string            `json:"uid"`
	Version     uint64            `json:"resourceVersion"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Owners      []owner           `json:"ownerReferences,omitempty"`
	Created     time.Time         `json:"creationTimestamp"`
}

type owner struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
	Controller *bool  `json:"controller,omitempty"`
}

type pod struct {
	Meta   meta      `json:"metadata"`
	Spec   podSpec   `json:"spec"`
	Status podStatus `json:"status"`
}

type podSpec struct {
	Node        string            `json:"nodeName,omitempty"`
	Containers  []container       `json:"containers"`
	Tolerations []toleration      `json:"tolerations,omitempty"`
	Selector    map[string]string `json:"nodeSelector,omitempty"`
	Priority    *int32            `json:"priority,omitempty"`
}

type container struct {
	Name     string           `json:"name"`
	Image    string           `json:"image"`
	Args     []string         `json:"args,omitempty"`
	Env      []variable       `json:"env,omitempty"`
	Ports    []int32          `json:"ports,omitempty"`
	Requests map[string]int64 `json:"requests,omitempty"`
	Probe    *probe           `json:"livenessProbe,omitempty"`
}

type variable struct {
	Name  string  `json:"name"`
	Value string  `json:"value,omitempty"`
	From  *string `json:"valueFrom,omitempty"`
}

type probe struct {
	Path   string `json:"path"`
	Port   int32  `json:"port"`
	Period int32  `json:"periodSeconds"`
}

type toleration struct {
	Key     string `json:"key"`
	Effect  string `json:"effect"`
	Seconds *int64 `json:"tolerationSeconds,omitempty"`
}

type podStatus struct {
	Phase      string            `json:"phase"`
	IP         string            `json:"podIP,omitempty"`
	Conditions []condition       `json:"conditions,omitempty"`
	Containers []containerStatus `json:"containerStatuses,omitempty"`
}

type condition struct {
	Type   string    `json:"type"`
	Status string    `json:"status"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"lastTransitionTime"`
}

type containerStatus struct {
	Name     string     `json:"name"`
	Ready    bool       `json:"ready"`
	Restarts int32      `json:"restartCount"`
	Image    string     `json:"imageID"`
	Started  *time.Time `json:"startedAt,omitempty"`
}

func copyText(in map[string]string) map[string]string {
	if in == nil {
		return nil
	}
	out := make(map[string]string, len(in))
	for key, value := range in {
		out[key] = value
	}
	return out
}

// deepCopy shares nothing that could be written to, as generated code has it.
func (p *pod) deepCopy() *pod {
	out := *p
	out.Meta = p.Meta.deepCopy()
	out.Spec = p.Spec.deepCopy()
	out.Status = p.Status.deepCopy()
	return &out
}

func (m *meta) deepCopy() meta {
	out := *m
	out.Labels, out.Annotations = copyText(m.Labels), copyText(m.Annotations)
	out.Owners = make([]owner, len(m.Owners))
	for i, o := range m.Owners {
		if o.Controller != nil {
			value := *o.Controller
			o.Controller = &value
		}
		out.Owners[i] = o
	}
	return out
}

func (s *podSpec) deepCopy() podSpec {
	out := *s
	out.Selector = copyText(s.Selector)
	out.Containers = make([]container, len(s.Containers))
	for i := range s.Containers {
		out.Containers[i] = s.Containers[i].deepCopy()
	}
	out.Tolerations = make([]toleration, len(s.Tolerations))
	for i, t := range s.Tolerations {
		if t.Seconds != nil {
			value := *t.Seconds
			t.Seconds = &value
		}
		out.Tolerations[i] = t
	}
	if s.Priority != nil {
		value := *s.Priority
		out.Priority = &value
	}
	return out
}

func (c *container) deepCopy() container {
	out := *c
	out.Args, out.Ports = append([]string(nil), c.Args...), append([]int32(nil), c.Ports...)
	out.Env = make([]variable, len(c.Env))
	for i, v := range c.Env {
		if v.From != nil {
			value := *v.From
			v.From = &value
		}
		out.Env[i] = v
	}
	out.Requests = make(map[string]int64, len(c.Requests))
	for key, value := range c.Requests {
		out.Requests[key] = value
	}
	if c.Probe != nil {
		value := *c.Probe
		out.Probe = &value
	}
	return out
}

func (s *podStatus) deepCopy() podStatus {
	out := *s
	out.Conditions = append([]condition(nil), s.Conditions...)
	out.Containers = make([]containerStatus, len(s.Containers))
	for i, c := range s.Containers {
		if c.Started != nil {
			value := *c.Started
			c.Started = &value
		}
		out.Containers[i] = c
	}
	return out
}

// drawPod makes the template of an app's pods.
func drawPod(r *rand.Rand, app string) *pod {
	p := &pod{Meta: meta{Labels: map[string]string{
		"app": app, "tier": [3]string{"web", "worker", "store"}[r.Intn(3)], "release": fmt.Sprintf("r%d", r.Intn(90))}}}
	yes, seconds := true, int64(300)
	p.Meta.Owners = []owner{{"ReplicaSet", app, uid(r), &yes}}
	p.Meta.Annotations = map[string]string{"checksum/config": uid(r) + uid(r), "contact": fmt.Sprintf("owner-%d@example.org", r.Intn(40))}
	p.Spec.Tolerations = []toleration{{"not-ready", "NoExecute", &seconds}, {"unreachable", "NoExecute", &seconds}}
	for i, n := 0, 1+r.Intn(3); i < n; i++ {
		c := container{Name: fmt.Sprintf("%s-%d", app, i), Ports: []int32{8080, 9090},
			Image:    fmt.Sprintf("registry.example.org/%s/part-%d:v1.%d.%d", app, i, r.Intn(30), r.Intn(9)),
			Args:     []string{"--listen=:8080", fmt.Sprintf("--workers=%d", 1+r.Intn(16)), "--config=/etc/app/config.yaml"},
			Requests: map[string]int64{"cpu": int64(50 + 50*r.Intn(10)), "memory": int64(64+64*r.Intn(16)) << 20},
			Probe:    &probe{"/healthz", 8080, 10}}
		for e := 2 + r.Intn(6); e > 0; e-- {
			v := variable{Name: fmt.Sprintf("SETTING_%d", e), Value: fmt.Sprintf("value-%d", r.Uint32())}
			if r.Intn(4) == 0 {
				from := fmt.Sprintf("secret/%s/key-%d", app, e)
				v.Value, v.From = "", &from
			}
			c.Env = append(c.Env, v)
		}
		p.Spec.Containers = append(p.Spec.Containers, c)
	}
	return p
}

func uid(r *rand.Rand) string {
	return fmt.Sprintf("%08x-%04x-%012x", r.Uint32(), r.Intn(1<<16), r.Int63n(1<<48))
}
