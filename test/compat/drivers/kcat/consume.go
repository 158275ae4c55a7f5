package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/milena-io/milena/test/compat/driver"
)

// format is kcat's output for a record: a line of numbers and headers, then key and value by length.
const format = `%p %o %T %K %S %h\n%k%s\n`

// consume runs kcat -G. kcat commits on a timer of its own and when it ends, so "commit" has nothing to do.
func consume(bootstrap, topic, group string) error {
	cmd := tied("-b", bootstrap, "-G", group, "-u", "-E", "-f", format, "-X", "auto.offset.reset=earliest",
		"-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=500", "-X", "auto.commit.interval.ms=200", topic)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	notes, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	noted := make(chan struct{})
	go func() {
		assignments(notes)
		close(noted)
	}()
	go func() {
		for scan := bufio.NewScanner(os.Stdin); scan.Scan(); {
			if scan.Text() == "stop" {
				break
			}
			say(driver.Event{Event: "committed"})
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}()
	if err := records(bufio.NewReader(out)); err != nil {
		return err
	}
	<-noted
	return cmd.Wait()
}

var (
	rebalanced = regexp.MustCompile(`% Group .* rebalanced .*: (assigned|revoked): ?(.*)$`)
	partition  = regexp.MustCompile(`\[(\d+)\]`)
)

func assignments(notes io.Reader) {
	for scan := bufio.NewScanner(notes); scan.Scan(); {
		line := scan.Text()
		fmt.Fprintln(os.Stderr, line)
		m := rebalanced.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		e := driver.Event{Event: "assigned", Partitions: []int32{}}
		if m[1] == "assigned" {
			for _, p := range partition.FindAllStringSubmatch(m[2], -1) {
				n, _ := strconv.Atoi(p[1])
				e.Partitions = append(e.Partitions, int32(n))
			}
		}
		say(e)
	}
}

func records(out *bufio.Reader) error {
	for {
		line, err := out.ReadString('\n')
		if err == io.EOF && line == "" {
			return nil
		}
		if err != nil {
			return err
		}
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 6)
		if len(fields) != 6 {
			return fmt.Errorf("kcat wrote %q", line)
		}
		var n [5]int64
		for i := range n {
			if n[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil {
				return fmt.Errorf("kcat wrote %q: %w", line, err)
			}
		}
		e := driver.Event{Event: "record", Record: driver.Record{Partition: int32(n[0]), Offset: n[1], Timestamp: n[2],
			Headers: headers(fields[5])}}
		if e.Key, err = take(out, n[3]); err != nil {
			return err
		}
		if e.Value, err = take(out, n[4]); err != nil {
			return err
		}
		if _, err := out.Discard(1); err != nil {
			return err
		}
		say(e)
	}
}

func take(out io.Reader, n int64) ([]byte, error) {
	if n < 0 {
		return nil, nil
	}
	b := make([]byte, n)
	_, err := io.ReadFull(out, b)
	return b, err
}

func headers(text string) []driver.Header {
	if text == "" {
		return nil
	}
	var all []driver.Header
	for _, one := range strings.Split(text, ",") {
		key, value, _ := strings.Cut(one, "=")
		h := driver.Header{Key: key}
		if value != "NULL" {
			h.Value = []byte(value)
		}
		all = append(all, h)
	}
	return all
}
