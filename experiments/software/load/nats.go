package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// A natsClient publishes to a stream that the server keeps in memory, and waits for the acknowledgement.
type natsClient struct {
	wire     net.Conn
	reader   *bufio.Reader
	inbox    string
	payload  []byte
	subjects int
	size     int
}

func natsClients(o options) ([]client, error) {
	clients := make([]client, o.conns)
	for k := range clients {
		c, err := dialNats(o, k)
		if err != nil {
			return nil, err
		}
		if k == 0 {
			if err := c.createStream(o.stream); err != nil {
				return nil, err
			}
		}
		clients[k] = c
	}
	return clients, watch(o)
}

func dialNats(o options, k int) (*natsClient, error) {
	wire, err := net.Dial("tcp", o.address)
	if err != nil {
		return nil, err
	}
	payload := make([]byte, 4*o.size)
	for n := range payload {
		payload[n] = "the quick brown fox jumps over the lazy dog "[n*7%44]
	}
	c := &natsClient{wire, bufio.NewReader(wire), fmt.Sprintf("inbox.%d", k), payload, o.subjects, o.size}
	if _, err := c.reader.ReadString('\n'); err != nil { // INFO
		return nil, err
	}
	_, err = fmt.Fprintf(wire, "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true}\r\nSUB %s 1\r\n", c.inbox)
	return c, err
}

func (c *natsClient) createStream(most int64) error {
	config, _ := json.Marshal(map[string]any{
		"name": "EVENTS", "subjects": []string{"events.>"}, "storage": "memory", "retention": "limits",
		"discard": "old", "max_bytes": most, "num_replicas": 1,
	})
	answer, err := c.call("$JS.API.STREAM.CREATE.EVENTS", config)
	if err == nil && strings.Contains(string(answer), `"error"`) {
		err = fmt.Errorf("stream: %s", answer)
	}
	return err
}

// watch subscribes to a tenth of the subjects, and drops what arrives.
func watch(o options) error {
	wire, err := net.Dial("tcp", o.address)
	if err != nil {
		return err
	}
	fmt.Fprint(wire, "CONNECT {\"verbose\":false}\r\n")
	for n := 0; n < o.subjects; n += 10 {
		fmt.Fprintf(wire, "SUB events.%d %d\r\n", n, n+1)
	}
	go io.Copy(io.Discard, wire)
	go func() {
		for {
			time.Sleep(20 * time.Second)
			fmt.Fprint(wire, "PONG\r\n")
		}
	}()
	return nil
}

func (c *natsClient) request(n int) error {
	size := c.size/4 + int(uint32(n)*2654435761>>9)%(c.size*3/2)
	_, err := c.call("events."+strconv.Itoa(n%c.subjects), c.payload[:size])
	return err
}

func (c *natsClient) call(subject string, payload []byte) ([]byte, error) {
	message := fmt.Appendf(nil, "PUB %s %s %d\r\n", subject, c.inbox, len(payload))
	message = append(append(message, payload...), '\r', '\n')
	if _, err := c.wire.Write(message); err != nil {
		return nil, err
	}
	for {
		line, err := c.reader.ReadString('\n')
		if err != nil {
			return nil, err
		}
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case fields[0] == "PING":
			fmt.Fprint(c.wire, "PONG\r\n")
		case fields[0] == "-ERR":
			return nil, fmt.Errorf("server: %s", line)
		case fields[0] == "MSG", fields[0] == "HMSG":
			length, err := strconv.Atoi(fields[len(fields)-1])
			if err != nil {
				return nil, err
			}
			body := make([]byte, length+2)
			if _, err := io.ReadFull(c.reader, body); err != nil {
				return nil, err
			}
			return body[:length], nil
		}
	}
}
