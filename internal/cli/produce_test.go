package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/internal/record"
)

// endless is a source that is always faster than the command, and calls then in the middle of a read.
type endless struct {
	left int
	then func()
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left--; e.left == 0 {
		e.then()
	}
	return copy(p, strings.Repeat("some line of text\n", len(p)/18+1)), nil
}

// TestAnInterruptOfProduce comes while the source is faster than the command, at another place each time.
func TestAnInterruptOfProduce(t *testing.T) {
	c := newCluster(t)
	c.create("t")
	for i := range 40 {
		ctx, cancel := context.WithCancel(within(t))
		var errs guarded
		code := Main(ctx, Process{Args: []string{"-b", c.addr, "produce", "t"}, In: &endless{1 + i%5, cancel}, Out: io.Discard, Err: &errs}, Seams{})
		if code != exitInterrupted || !strings.HasPrefix(errs.String(), "interrupted after ") || strings.Count(errs.String(), "\n") != 1 {
			t.Fatalf("exit %d, stderr %q", code, errs.String())
		}
		cancel()
	}
}

// stopping is a source that gives a record for ever, and calls then before one.
type stopping struct {
	left int
	then func()
}

func (s *stopping) close() {}

func (s *stopping) next() (*kgo.Record, error) {
	if s.left--; s.left == 0 {
		s.then()
	}
	return &kgo.Record{Value: []byte("v")}, nil
}

// TestReadingStops ends the reading as a refused record does: the source's goroutine ends, too, and what it leaves behind
// is no record.
func TestReadingStops(t *testing.T) {
	client, err := kgo.NewClient(kgo.SeedBrokers(unused(t)), kgo.DefaultProduceTopic("t"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i := range 100 {
		ctx, cancel := context.WithCancel(within(t))
		p := &producing{client: client, limit: batchLimit{bytes: 1000}, stop: cancel}
		if err := p.readAll(ctx, produceFlags{partition: -1}, &stopping{1 + i%7, cancel}); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		cancel()
	}
}

// TestManySmallRecords are more than fit into one batch of the topic.
func TestManySmallRecords(t *testing.T) {
	c := newCluster(t)
	c.create("small", "-c", "max.message.bytes=2000")
	c.create("usual")
	lines := strings.Repeat("a line of text that is far below any limit\n", 40_000)
	c.produce("small", lines[:43*2000])
	if got := c.ok("consume", "small"); got != lines[:43*2000] {
		t.Errorf("%d bytes came back, want %d", len(got), 43*2000)
	}
	c.produce("usual", lines)
	if got := c.ok("consume", "usual"); got != lines {
		t.Errorf("%d bytes came back, want %d", len(got), len(lines))
	}
}

// TestAPartitionThatIsNotThere: the refusal speaks of the topic and not of the client's partitioner.
func TestAPartitionThatIsNotThere(t *testing.T) {
	c := newCluster(t)
	c.create("t", "-p", "3")
	r := c.input("v\n", "produce", "t", "-p", "9")
	if r.exit != exitFailed || r.out != "" {
		t.Fatalf("%+v", r)
	}
	contains(t, "the error", r.err, `record 1 was not accepted: topic "t" has no such partition (0 records acknowledged before it)`, "milena topic describe t")
}

// TestATooLargeRecord follows the hint of each refusal, and the record is taken.
func TestATooLargeRecord(t *testing.T) {
	c := newCluster(t)
	command := regexp.MustCompile(`milena (topic alter \S+ -c max\.message\.bytes=\w+)`)
	flag := regexp.MustCompile(`(--max-bytes) (\d+[KM]iB)`)
	for i, n := range []int{1990, 5000, 20_000, 1_100_000} {
		topic := fmt.Sprint("t", i)
		c.create(topic, "-c", "max.message.bytes=2000")
		value := strings.Repeat("x", n)
		r := c.input("fits\n"+value+"\nafter\n", "produce", topic)
		if r.exit != exitFailed || r.out != "" {
			t.Fatalf("%d bytes: %+v", n, r)
		}
		contains(t, "the error", r.err, "record 2 was not accepted: MESSAGE_TOO_LARGE", "max.message.bytes of "+topic+" is 2000", "1 record acknowledged before it")
		if got := c.ok("consume", topic); got != "fits\n" {
			t.Errorf("%d bytes: the log has %.40q", n, got)
		}
		hint := command.FindStringSubmatch(r.err)
		if hint == nil {
			t.Fatalf("%d bytes: no command in %q", n, r.err)
		}
		r = c.input(value, "produce", topic, "--max-bytes", "1024", "-o", "json")
		contains(t, "the error", r.err, `"MESSAGE_TOO_LARGE"`, "--max-bytes is 1024", hint[1])
		larger := flag.FindStringSubmatch(r.err)
		if larger == nil {
			t.Fatalf("%d bytes: no flag in %q", n, r.err)
		}
		r = c.input(value, "produce", topic, larger[1], larger[2])
		contains(t, "the broker's refusal", r.err, "MESSAGE_TOO_LARGE", "0 records acknowledged before it", "leave --max-bytes out")
		c.ok(strings.Fields(hint[1])...)
		c.produce(topic, value, larger[1], larger[2])
		c.produce(topic, value)
		c.ok("topic", "delete", topic, "-y")
	}
	r := c.input("", "bench", "produce", "b", "-n", "1", "-s", "3MiB")
	if r.exit != exitUsage || !strings.Contains(r.err, "--batch 4MiB") {
		t.Errorf("%+v", r)
	}
	r = c.input("", "bench", "produce", "b", "-n", "1", "-s", "3MiB", "--batch", "4MiB")
	if r.exit != exitFailed || !strings.Contains(r.err, "milena topic alter b -c max.message.bytes=4MiB") {
		t.Errorf("%+v", r)
	}
}

// TestBatchOf holds the size of a batch of one record against one that is built.
func TestBatchOf(t *testing.T) {
	for _, n := range []int{0, 1, 30, 63, 64, 100, 127, 128, 8000, 8192, 1 << 20} {
		for _, headers := range []int{0, 1, 70} {
			r := &kgo.Record{Value: make([]byte, n)}
			var built []record.Header
			for range headers {
				r.Headers = append(r.Headers, kgo.RecordHeader{Key: "header", Value: []byte("v")})
				built = append(built, record.Header{Key: []byte("header"), Value: []byte("v")})
			}
			b := record.NewBuilder(record.Plain())
			b.Append(1700000000000, nil, r.Value, built...)
			if got := batchOf(r); got != int64(b.Size()) {
				t.Errorf("%d bytes, %d headers: %d, want %d", n, headers, got, b.Size())
			}
		}
	}
}
