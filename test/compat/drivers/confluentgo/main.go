// Confluentgo drives confluent-kafka-go (librdkafka, linked in) for the package test/compat/driver, which describes the
// protocol. A module of its own, because it needs cgo.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

// The lines of the protocol; see test/compat/driver.
type (
	header struct {
		Key   string `json:"key"`
		Value []byte `json:"value"`
	}
	record struct {
		Partition int32    `json:"partition"`
		Offset    int64    `json:"offset"`
		Timestamp int64    `json:"timestamp"`
		Key       []byte   `json:"key"`
		Value     []byte   `json:"value"`
		Headers   []header `json:"headers"`
	}
	ack struct {
		Partition int32  `json:"partition"`
		Offset    int64  `json:"offset"`
		Error     string `json:"error"`
	}
	event struct {
		Event      string  `json:"event"`
		Partitions []int32 `json:"partitions"`
		Error      string  `json:"error"`
		record
	}
)

func main() {
	if len(os.Args) != 5 {
		fail(fmt.Errorf("confluentgo produce|consume BOOTSTRAP TOPIC CODEC|GROUP"))
	}
	run := produce
	if os.Args[1] == "consume" {
		run = consume
	}
	if err := run(os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "confluentgo:", err)
	os.Exit(1)
}

func say(e any) {
	line, err := json.Marshal(e)
	if err != nil {
		fail(err)
	}
	_, _ = os.Stdout.Write(append(line, '\n'))
}

func input() *bufio.Scanner {
	scan := bufio.NewScanner(os.Stdin)
	scan.Buffer(nil, 16<<20)
	return scan
}
