package main

import (
	"fmt"
	"strconv"
	"strings"
)

// value is what a script computes with: nil, bool, float64, string, *list, *record or *function.
type value interface{}

// list is a cell of a singly linked list; nil is the empty one.
type list struct {
	first value
	rest  *list
}

// record has few fields, so that they are searched one by one.
type record struct {
	names  []string
	values []value
}

func (r *record) get(name string) value {
	for i, n := range r.names {
		if n == name {
			return r.values[i]
		}
	}
	return nil
}

func (r *record) put(name string, v value) {
	for i, n := range r.names {
		if n == name {
			r.values[i] = v
			return
		}
	}
	r.names, r.values = append(r.names, name), append(r.values, v)
}

type function struct {
	names []string
	body  code
	scope *scope
}

// scope binds names while a let or a function runs.
type scope struct {
	names  []string
	values []value
	outer  *scope
}

// run is one execution: what the host gives a script.
type run struct {
	host  *tenant
	event *record
	out   []string
}

// code is a compiled expression.
type code func(*run, *scope) value

// parse reads one expression: a list of expressions in parentheses, a number, a "text" or a name.
func parse(text string) (expression interface{}, rest string, err error) {
	text = strings.TrimLeft(text, " \n\t")
	switch {
	case text == "":
		return nil, "", fmt.Errorf("unexpected end")
	case text[0] == '(':
		items := []interface{}{}
		for text = text[1:]; ; {
			text = strings.TrimLeft(text, " \n\t")
			if strings.HasPrefix(text, ")") {
				return items, text[1:], nil
			}
			var one interface{}
			if one, text, err = parse(text); err != nil {
				return nil, "", err
			}
			items = append(items, one)
		}
	case text[0] == '"':
		end := strings.IndexByte(text[1:], '"')
		if end < 0 {
			return nil, "", fmt.Errorf("text without end")
		}
		return quoted(text[1 : end+1]), text[end+2:], nil
	}
	end := strings.IndexAny(text, " \n\t()")
	if end < 0 {
		end = len(text)
	}
	if number, err := strconv.ParseFloat(text[:end], 64); err == nil {
		return number, text[end:], nil
	}
	return text[:end], text[end:], nil
}

type quoted string

// compile makes code of what parse read.
func compile(expression interface{}) (code, error) {
	switch e := expression.(type) {
	case float64:
		var constant value = e
		return func(*run, *scope) value { return constant }, nil
	case quoted:
		var constant value = string(e)
		return func(*run, *scope) value { return constant }, nil
	case string:
		name := e
		return func(r *run, s *scope) value { return s.find(name, r) }, nil
	}
	items := expression.([]interface{})
	if len(items) == 0 {
		return nil, fmt.Errorf("empty call")
	}
	head, _ := items[0].(string)
	if form := forms[head]; form != nil {
		return form(items[1:])
	}
	args, err := compileAll(items[1:])
	if err != nil {
		return nil, err
	}
	if native := natives[head]; native != nil {
		return func(r *run, s *scope) value {
			values := make([]value, len(args))
			for i, arg := range args {
				values[i] = arg(r, s)
			}
			return native(r, values)
		}, nil
	}
	callee, err := compile(items[0])
	if err != nil {
		return nil, err
	}
	return func(r *run, s *scope) value {
		values := make([]value, len(args))
		for i, arg := range args {
			values[i] = arg(r, s)
		}
		return apply(r, callee(r, s), values...)
	}, nil
}

func compileAll(expressions []interface{}) ([]code, error) {
	all := make([]code, len(expressions))
	for i, e := range expressions {
		var err error
		if all[i], err = compile(e); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (s *scope) find(name string, r *run) value {
	for ; s != nil; s = s.outer {
		for i, n := range s.names {
			if n == name {
				return s.values[i]
			}
		}
	}
	switch name {
	case "event":
		return r.event
	case "tenant":
		return r.host.name
	}
	return nil
}

func apply(r *run, callee value, values ...value) value {
	f, ok := callee.(*function)
	if !ok || len(f.names) != len(values) {
		return nil
	}
	return f.body(r, &scope{f.names, values, f.scope})
}

func truth(v value) bool {
	is, known := v.(bool)
	return v != nil && (is || !known)
}

// forms are what does not compute all its arguments first.
var forms map[string]func([]interface{}) (code, error)

func init() {
	forms = map[string]func([]interface{}) (code, error){
		"if": func(e []interface{}) (code, error) {
			c, err := compileAll(e)
			if err != nil || len(c) != 3 {
				return nil, fmt.Errorf("bad if: %v", err)
			}
			return func(r *run, s *scope) value {
				if truth(c[0](r, s)) {
					return c[1](r, s)
				}
				return c[2](r, s)
			}, nil
		},
		"do": func(e []interface{}) (code, error) {
			c, err := compileAll(e)
			return func(r *run, s *scope) (last value) {
				for _, one := range c {
					last = one(r, s)
				}
				return last
			}, err
		},
		"or": func(e []interface{}) (code, error) {
			c, err := compileAll(e)
			return func(r *run, s *scope) (last value) {
				for _, one := range c {
					if last = one(r, s); truth(last) {
						break
					}
				}
				return last
			}, err
		},
		"let": func(e []interface{}) (code, error) { // (let name value body)
			c, err := compileAll(e)
			if err != nil || len(c) != 3 {
				return nil, fmt.Errorf("bad let: %v", err)
			}
			names := []string{e[0].(string)}
			return func(r *run, s *scope) value {
				return c[2](r, &scope{names, []value{c[1](r, s)}, s})
			}, nil
		},
		"fn": func(e []interface{}) (code, error) { // (fn (names) body)
			if len(e) != 2 {
				return nil, fmt.Errorf("bad fn")
			}
			var names []string
			for _, name := range e[0].([]interface{}) {
				names = append(names, name.(string))
			}
			body, err := compile(e[1])
			return func(r *run, s *scope) value { return &function{names, body, s} }, err
		},
	}
}
