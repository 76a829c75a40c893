package main

import (
	"fmt"
	"strings"
)

// natives are functions that the host provides; wrong types count as zero, as users of such scripts expect.
var natives = map[string]func(*run, []value) value{
	"+": func(_ *run, v []value) value {
		sum := 0.0
		for _, one := range v {
			sum += number(one)
		}
		return sum
	},
	"-":    func(_ *run, v []value) value { return number(v[0]) - number(v[1]) },
	"*":    func(_ *run, v []value) value { return number(v[0]) * number(v[1]) },
	"/":    func(_ *run, v []value) value { return number(v[0]) / (number(v[1]) + 1e-9) },
	"<":    func(_ *run, v []value) value { return number(v[0]) < number(v[1]) },
	"=":    func(_ *run, v []value) value { return v[0] == v[1] },
	"get":  func(_ *run, v []value) value { return fieldsOf(v[0]).get(text(v[1])) },
	"cons": func(_ *run, v []value) value { rest, _ := v[1].(*list); return &list{v[0], rest} },
	"customer": func(r *run, v []value) value {
		return r.host.customer(text(v[0]))
	},
	"put": func(_ *run, v []value) value {
		fieldsOf(v[0]).put(text(v[1]), v[2])
		return v[2]
	},
	"take": func(_ *run, v []value) value { // the first so many of a list, in a list of their own
		from, _ := v[1].(*list)
		var taken *list
		for end := &taken; from != nil && number(v[0]) > 0; from = from.rest {
			*end = &list{first: from.first}
			end, v[0] = &(*end).rest, number(v[0])-1
		}
		return taken
	},
	"map": func(r *run, v []value) value {
		var made *list
		end := &made
		for from, _ := v[1].(*list); from != nil; from = from.rest {
			*end = &list{first: apply(r, v[0], from.first)}
			end = &(*end).rest
		}
		return made
	},
	"filter": func(r *run, v []value) value {
		var made *list
		end := &made
		for from, _ := v[1].(*list); from != nil; from = from.rest {
			if truth(apply(r, v[0], from.first)) {
				*end = &list{first: from.first}
				end = &(*end).rest
			}
		}
		return made
	},
	"fold": func(r *run, v []value) value {
		result := v[1]
		for from, _ := v[2].(*list); from != nil; from = from.rest {
			result = apply(r, v[0], result, from.first)
		}
		return result
	},
	"count": func(_ *run, v []value) value {
		n := 0
		for from, _ := v[0].(*list); from != nil; from = from.rest {
			n++
		}
		return float64(n)
	},
	"text": func(_ *run, v []value) value {
		var b strings.Builder
		for _, one := range v {
			switch one := one.(type) {
			case string:
				b.WriteString(one)
			default:
				fmt.Fprint(&b, one)
			}
		}
		return b.String()
	},
	"emit": func(r *run, v []value) value {
		r.out = append(r.out, text(v[0]))
		return true
	},
}

func number(v value) float64 {
	n, _ := v.(float64)
	return n
}

func text(v value) string {
	s, _ := v.(string)
	return s
}

func fieldsOf(v value) *record {
	if r, ok := v.(*record); ok && r != nil {
		return r
	}
	return &record{}
}
