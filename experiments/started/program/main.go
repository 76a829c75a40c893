// Started runs tasks that each build a list, write output and end. At most -tasks of them are started at a time. With
// as many tasks as Ps, each runs to its end. With more, a collection preempts the running ones and others start.
package main

import (
	"flag"
	"fmt"
	"math/rand"
	"sync"
)

const (
	elementBytes = 128
	outputBytes  = 512
)

type element struct {
	next *element
	data [elementBytes - 16]byte
}

// task keeps a list of the given size until it ends, and makes as much garbage.
func task(size int) int {
	var list *element
	for i := 0; i < size/elementBytes; i++ {
		list = &element{next: list}
	}
	sum := 0
	for i := 0; i < size/outputBytes; i++ {
		out := make([]byte, outputBytes)
		out[0] = byte(i)
		sum += int(out[0])
	}
	for e := list; e != nil; e = e.next {
		sum++
	}
	return sum
}

func main() {
	tasks := flag.Int("tasks", 200, "tasks that are started at a time, at most")
	total := flag.Int("total", 4000, "tasks of the whole run")
	flag.Parse()
	random := rand.New(rand.NewSource(1))
	free := make(chan struct{}, *tasks)
	var running sync.WaitGroup
	var lock sync.Mutex
	sum := 0
	for i := 0; i < *total; i++ {
		size := 20000 + int(200000*random.ExpFloat64()*random.ExpFloat64())
		free <- struct{}{}
		running.Add(1)
		go func() {
			defer running.Done()
			one := task(size)
			lock.Lock()
			sum += one
			lock.Unlock()
			<-free
		}()
	}
	running.Wait()
	fmt.Println(sum)
}
