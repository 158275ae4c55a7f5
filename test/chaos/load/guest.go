package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/test/compat/driver"
)

// Guest is a client of another library, in processes of its own: an idempotent producer to all partitions, and a member of a group that
// guests have among themselves, which reads all that is written. What it does is recorded as what the others do.
type Guest struct {
	*Clock
	Name     string
	Settings []string // of its configuration, KEY=VALUE
	Drive    *driver.Driver
	Patience time.Duration // with one attempt of a request, which is made again then
	Lives    time.Duration // of a member, before another takes its place; 0 for the whole load

	l *Load

	Saw
}

// Saw is what a guest did in all loads that it was in.
type Saw struct {
	Acked   atomic.Int64 // records
	Read    atomic.Int64
	Commits atomic.Int64 // that were taken
	Refused atomic.Int64 // commits of which it was told that they failed, or that nobody knows
}

// guestRate is how many records a second one sends.
const guestRate = 150

// Guests is the name of the group that guests read the topic in.
func (l *Load) Guests() string { return l.o.Topic + "-guests" }

func (g *Guest) join(l *Load, sending context.Context) {
	g.l, g.Clock = l, newClock(l.o.Partitions)
	l.writers.Go(func() { g.write(sending) })
	l.readers.Go(g.member)
}

func (g *Guest) servers() string { return strings.Join(g.l.o.Addrs, ",") }

// write is its producer, as write of the load is one.
func (g *Guest) write(sending context.Context) {
	l, number := g.l, g.l.number()
	p, err := g.Drive.With(g.Settings...).Produce(g.servers(), l.o.Topic, "none")
	if err != nil {
		l.broken(number, "%s: %v", g.Name, err)
		return
	}
	defer p.Kill9() // it has ended, unless it is of no use any more
	dice := rand.New(rand.NewPCG(uint64(number), 7))
	const pause = time.Second * (most + 1) / 2 / guestRate
	for seq := uint64(0); l.writing.Err() == nil; {
		n := 1 + dice.IntN(most)
		next := time.Now().Add(pause)
		if err := g.send(sending, p, number, seq, n); err != nil {
			if sending.Err() == nil {
				l.broken(number, "the producer of %s gave up: %v", g.Name, err)
			}
			return
		}
		seq += uint64(n)
		rest(l.writing, time.Until(next))
	}
	if _, err := p.Finish(sending, 0); err != nil && sending.Err() == nil {
		l.broken(number, "the producer of %s: %v", g.Name, err)
	}
}

// send is one operation; with an error the producer can't go on.
func (g *Guest) send(ctx context.Context, p *driver.Producer, number int, seq uint64, n int) error {
	op := history.Op{Process: number, F: history.DoSend}
	records := make([]driver.Record, n)
	now := time.Now().UnixMilli()
	for i := range n {
		s := seq + uint64(i)
		partition, v := int32(s%uint64(g.l.o.Partitions)), history.Value(uint64(number), s)
		records[i] = driver.Record{Partition: partition, Timestamp: now, Value: history.Payload(nil, v, g.l.o.Size)}
		op.Mops = append(op.Mops, history.Mop{Send: &history.Send{
			Key: g.l.key(partition), V: v, Off: -1, Time: now, CRC: history.Sum(now, nil, records[i].Value, nil),
		}})
	}
	op = g.l.rec.Begin(op)
	g.sends(n)
	failed := p.Send(records...)
	sends := make([]history.Mop, n) // what Begin was given is its own
	for i, m := range op.Mops {
		s := *m.Send
		sends[i].Send = &s
		if failed != nil {
			continue
		}
		var a driver.Ack
		if a, failed = p.Ack(ctx); failed == nil && a.Error != "" {
			failed = fmt.Errorf("record %d of partition %d: %s", i, s.Key.Partition, a.Error)
		}
		if failed == nil {
			s.Off = offsetOf(a.Offset)
			g.acked(int(a.Partition), time.Now())
			g.Acked.Add(1)
		}
	}
	op.Mops, op.Kind = sends, history.Ok
	if failed != nil {
		op.Kind, op.Note = history.Info, failed.Error()
	}
	g.l.rec.End(op)
	return failed
}
