package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/milena-io/milena/test/compat/driver"
)

// The delimiters of records and keys: bytes no text record contains.
const (
	keyEnd    = "\x01"
	recordEnd = "\x02"
)

// sender is one kcat -P.
type sender struct {
	partition int32
	headers   []driver.Header
	cmd       *exec.Cmd
	in        io.WriteCloser
	done      chan struct{} // closed when the output has ended
}

func produce(bootstrap, topic, codec string) error {
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	var s *sender
	for in.More() {
		var r driver.Record
		if err := in.Decode(&r); err != nil {
			return err
		}
		if s == nil || s.partition != r.Partition || !reflect.DeepEqual(s.headers, r.Headers) {
			if err := s.end(); err != nil {
				return err
			}
			var err error
			if s, err = begin(bootstrap, topic, codec, r); err != nil {
				return err
			}
		}
		// With -Z an empty key or value is null.
		if _, err := io.WriteString(s.in, string(r.Key)+keyEnd+string(r.Value)+recordEnd); err != nil {
			return err
		}
	}
	return s.end()
}

func begin(bootstrap, topic, codec string, r driver.Record) (*sender, error) {
	args := []string{"-P", "-b", bootstrap, "-t", topic, "-p", strconv.Itoa(int(r.Partition)), "-z", codec, "-Z",
		"-K", keyEnd, "-D", recordEnd, "-v", "-v", "-E", "-X", "enable.idempotence=true", "-X", "topic.produce.offset.report=true",
		"-X", "linger.ms=5"}
	for _, h := range r.Headers {
		args = append(args, "-H", argument(h))
	}
	s := &sender{partition: r.Partition, headers: r.Headers, cmd: tied(args...), done: make(chan struct{})}
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		report(out)
		close(s.done)
	}()
	return s, nil
}

var delivered = regexp.MustCompile(`Message delivered to partition (\d+) \(offset (\d+)\)`)

// report turns kcat's delivery lines into acks; a partition's messages are delivered in order.
func report(out io.Reader) {
	for scan := bufio.NewScanner(out); scan.Scan(); {
		line := scan.Text()
		fmt.Fprintln(os.Stderr, line)
		if m := delivered.FindStringSubmatch(line); m != nil {
			partition, _ := strconv.Atoi(m[1])
			offset, _ := strconv.ParseInt(m[2], 10, 64)
			say(driver.Ack{Partition: int32(partition), Offset: offset})
		} else if strings.Contains(line, "Delivery failed") {
			say(driver.Ack{Error: line})
		}
	}
}

// end closes the input and waits: kcat then delivers what is left.
func (s *sender) end() error {
	if s == nil {
		return nil
	}
	if err := s.in.Close(); err != nil {
		return err
	}
	<-s.done
	return s.cmd.Wait()
}
