package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

type httpClient struct {
	client *http.Client
	base   string
	calls  []call
	body   []byte
}

type call struct{ method, path string }

func httpClients(o options) ([]client, error) {
	calls, err := readCalls(o.paths)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: o.conns, MaxConnsPerHost: o.conns, DisableCompression: true}
	timeout := 20 * time.Second
	if o.giveUp > 0 {
		timeout = o.giveUp
	}
	shared := &http.Client{Transport: transport, Timeout: timeout}
	body := bytes.Repeat([]byte("field=value&"), o.bodies/12)
	clients := make([]client, o.conns)
	for k := range clients {
		clients[k] = &httpClient{shared, "http://" + o.address, calls, body}
	}
	return clients, nil
}

func readCalls(path string) ([]call, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var calls []call
	for lines := bufio.NewScanner(file); lines.Scan(); {
		method, rest, ok := strings.Cut(lines.Text(), " ")
		if !ok {
			return nil, fmt.Errorf("%s: no METHOD PATH: %q", path, lines.Text())
		}
		calls = append(calls, call{method, rest})
	}
	if len(calls) == 0 {
		return nil, errors.New("no paths in " + path)
	}
	return calls, nil
}

// request asks for the paths in an order that looks random and is the same in every run.
func (c *httpClient) request(n int) error {
	one := c.calls[int(uint32(n)*2654435761>>7)%len(c.calls)]
	var body io.Reader
	if one.method == "PUT" || one.method == "POST" {
		body = bytes.NewReader(c.body)
	}
	request, err := http.NewRequest(one.method, c.base+one.path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Accept-Encoding", "zstd, gzip")
	answer, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode >= 400 {
		return fmt.Errorf("%s: %s", one.path, answer.Status)
	}
	return nil
}
