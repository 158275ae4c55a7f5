package raw

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Load says what is produced: Produce v7 with acks=all, one partition and one batch a request.
type Load struct {
	Addr        string
	Leaders     []string // of each partition, when several nodes lead: connections go round them, each with the partitions of its node
	Topic       string
	Partitions  int // requests go round them
	Records     int // of a batch
	Size        int // of a record's value, bytes
	Connections int
	InFlight    int // requests a connection has under way
}

// Bytes is what a request carries of values.
func (l Load) Bytes() int64 { return int64(l.Records) * int64(l.Size) }

// frames encodes one request for every partition.
func (l Load) frames() [][]byte {
	b := Batch(l.Records, l.Size)
	out := make([][]byte, l.Partitions)
	for i := range out {
		part := kmsg.NewProduceRequestTopicPartition()
		part.Partition, part.Records = int32(i), b
		topic := kmsg.NewProduceRequestTopic()
		topic.Topic, topic.Partitions = l.Topic, []kmsg.ProduceRequestTopicPartition{part}
		req := kmsg.NewPtrProduceRequest()
		req.Version, req.Acks, req.TimeoutMillis = 7, -1, 30_000
		req.Topics = []kmsg.ProduceRequestTopic{topic}
		out[i] = frame(req.Key(), req.Version, req.AppendTo(nil))
	}
	return out
}

// produced reads the answer to one request.
func (c *conn) produced(topic string) error {
	body, err := c.answer()
	if err != nil {
		return err
	}
	f := fields{b: body}
	f.take(4 + 4 + 2 + len(topic) + 4 + 4) // correlation id, one topic by name, one partition by number
	code := f.int16()
	if f.short {
		return errors.New("a short answer to Produce")
	}
	return kerr.ErrorForCode(code)
}

// Saturate produces as fast as answers come, until it took so long or so many requests, and returns how many were
// acknowledged and how long it took.
func (l Load) Saturate(ctx context.Context, how time.Duration, most int64) (requests int64, took time.Duration, err error) {
	frames := l.frames()
	var sent, acked atomic.Int64
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begin := time.Now()
	mine := l.share(frames)
	more := func() (int64, bool) {
		n := sent.Add(1) - 1
		return n, n < most && time.Since(begin) < how && ctx.Err() == nil
	}
	err = l.each(func(c *conn, i int) error {
		defer cancel()
		frames := mine[i]
		flying := 0
		for open := true; open || flying > 0; {
			for open && flying < l.InFlight {
				var n int64
				if n, open = more(); !open {
					break
				}
				if _, err := c.Write(frames[l.turn(n)%int64(len(frames))]); err != nil {
					return err
				}
				flying++
			}
			if flying == 0 {
				break
			}
			if err := c.produced(l.Topic); err != nil {
				return fmt.Errorf("produce to %s: %w", l.Topic, err)
			}
			flying--
			acked.Add(1)
		}
		return nil
	})
	return acked.Load(), time.Since(begin), err
}

// nodes are the addresses of those that lead, sorted.
func (l Load) nodes() []string {
	if len(l.Leaders) == 0 {
		return []string{l.Addr}
	}
	return slices.Compact(slices.Sorted(slices.Values(l.Leaders)))
}

// addr is where a connection goes.
func (l Load) addr(connection int) string {
	nodes := l.nodes()
	return nodes[connection%len(nodes)]
}

// share gives every connection the frames of the partitions that its node leads.
func (l Load) share(frames [][]byte) [][][]byte {
	out := make([][][]byte, l.Connections)
	for i := range out {
		for p, one := range frames {
			if len(l.Leaders) == 0 || l.Leaders[p] == l.addr(i) {
				out[i] = append(out[i], one)
			}
		}
	}
	return out
}

// turn is which of its frames a connection sends as the n-th request of all.
func (l Load) turn(n int64) int64 {
	if len(l.Leaders) == 0 {
		return n
	}
	return n / int64(l.Connections)
}

// each runs f for every connection and returns the first error.
func (l Load) each(f func(c *conn, i int) error) error {
	conns := make([]*conn, l.Connections)
	for i := range conns {
		c, err := dial(l.addr(i))
		if err != nil {
			return err
		}
		defer c.Close()
		conns[i] = c
	}
	errs := make([]error, len(conns))
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Go(func() { errs[i] = f(c, i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Pace sends perSecond requests a second and times each from when it was due until its answer, so that a stall counts for
// every request it delays. The times come back sorted.
func (l Load) Pace(ctx context.Context, perSecond float64, how time.Duration) ([]time.Duration, error) {
	return l.pace(ctx, perSecond, time.Now().Add(10*time.Millisecond), int(how.Seconds()*perSecond))
}

// pace sends n requests, the first when it begins.
func (l Load) pace(ctx context.Context, perSecond float64, begin time.Time, n int) ([]time.Duration, error) {
	mine := l.share(l.frames())
	took := make([][]time.Duration, l.Connections)
	due := func(i int) time.Time { return begin.Add(time.Duration(float64(i) / perSecond * 1e9)) }
	err := l.each(func(c *conn, first int) error {
		frames := mine[first]
		sent := make(chan int, n)
		var failed error
		go func() {
			defer close(sent)
			for i := first; i < n && ctx.Err() == nil; i += l.Connections {
				if wait := time.Until(due(i)); wait > 0 {
					time.Sleep(wait) // the pace of the load itself
				}
				if _, failed = c.Write(frames[l.turn(int64(i))%int64(len(frames))]); failed != nil {
					return
				}
				sent <- i
			}
		}()
		for i := range sent {
			if err := c.produced(l.Topic); err != nil {
				return err
			}
			took[first] = append(took[first], time.Since(due(i)))
		}
		return errors.Join(failed, ctx.Err())
	})
	all := slices.Concat(took...)
	slices.Sort(all)
	return all, err
}
