package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// statusDoc is what `reassign status -o json` prints.
type statusDoc struct {
	doc
	Moving     []movingPartition `json:"moving"`
	DoneBytes  int64             `json:"done_bytes"`
	TotalBytes int64             `json:"total_bytes"`
	Rate       int64             `json:"bytes_per_second"` // of the last moment, -1 unknown
	LeftMs     int64             `json:"left_ms"`          // at that rate, -1 unknown
	Throttles  []throttled       `json:"throttles"`
}

// movingPartition is one partition on its way.
type movingPartition struct {
	Topic      string  `json:"topic"`
	Partition  int32   `json:"partition"`
	Replicas   []int32 `json:"replicas"`
	Adding     []int32 `json:"adding"`
	Removing   []int32 `json:"removing"`
	DoneBytes  int64   `json:"done_bytes"` // that the new replicas have
	TotalBytes int64   `json:"total_bytes"`
}

// throttled is a broker with a limit on what it copies.
type throttled struct {
	Broker   int32 `json:"broker"`
	Leader   int64 `json:"leader_bytes_per_second"` // -1 for none
	Follower int64 `json:"follower_bytes_per_second"`
}

// sample is how far everything is at a moment.
type sample struct {
	at     time.Time
	moving []movingPartition
	done   int64
	total  int64
}

// lookAtMoves asks what moves and how far it is.
func lookAtMoves(ctx context.Context, c *kgo.Client, adm *kadm.Client) (sample, error) {
	out := sample{at: time.Now()}
	s, err := lookAround(ctx, c, adm)
	if err != nil {
		return out, err
	}
	asked := map[int32]map[string][]int32{}
	for i := range s.partitions {
		p := &s.partitions[i]
		if len(p.adding)+len(p.removing) == 0 {
			continue
		}
		for _, id := range slices.Concat(p.adding, []int32{p.Leader}) {
			if asked[id] == nil {
				asked[id] = map[string][]int32{}
			}
			asked[id][p.Topic] = append(asked[id][p.Topic], p.Partition)
		}
	}
	have := &sizes{on: map[int32]map[string]int64{}, leader: map[string]int32{}}
	for id, partitions := range asked {
		if s.isUp(id) {
			have.ask(ctx, c, id, partitions)
		}
	}
	for i := range s.partitions {
		p := &s.partitions[i]
		if len(p.adding)+len(p.removing) == 0 {
			continue
		}
		m := movingPartition{Topic: p.Topic, Partition: p.Partition, Replicas: p.Replicas, Adding: orEmpty(p.adding), Removing: orEmpty(p.removing)}
		whole := max(0, have.at(p.Leader, p.name()))
		for _, id := range p.adding {
			m.TotalBytes += whole
			m.DoneBytes += min(whole, max(0, have.at(id, p.name())))
		}
		out.moving = append(out.moving, m)
		out.done, out.total = out.done+m.DoneBytes, out.total+m.TotalBytes
	}
	return out, nil
}

// await follows moves until none of some partitions is under way any more, drawing how far they are; nil follows all.
func (a *app) await(ctx context.Context, only []assignment) error {
	progress := a.newProgress("moving", size)
	defer progress.done()
	finished := int64(0) // bytes of partitions that have arrived since the beginning
	var last sample
	for {
		var now sample
		err := a.admin(ctx, func(ctx context.Context, c *kgo.Client, adm *kadm.Client) (err error) {
			now, err = lookAtMoves(ctx, c, adm)
			return err
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			left := 0
			for _, m := range now.moving {
				if only == nil || slices.ContainsFunc(only, func(o assignment) bool { return o.Topic == m.Topic && o.Partition == m.Partition }) {
					left++
				}
			}
			if left == 0 {
				return nil
			}
			for _, was := range last.moving {
				if !slices.ContainsFunc(now.moving, func(m movingPartition) bool { return m.Topic == was.Topic && m.Partition == was.Partition }) {
					finished += was.TotalBytes
				}
			}
			last = now
			progress.set(finished+now.done, finished+now.total, plural(int64(left), "partition")+" on the way")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(movePause):
		}
	}
}

// movePause is how long a progress waits between two looks.
const movePause = 200 * time.Millisecond

// statusOf makes the document of two samples.
func statusOf(before, now sample) statusDoc {
	d := statusDoc{doc: newDoc("reassign.status"), Moving: []movingPartition{}, DoneBytes: now.done, TotalBytes: now.total, Rate: -1, LeftMs: -1, Throttles: []throttled{}}
	d.Moving = append(d.Moving, now.moving...)
	if took := now.at.Sub(before.at).Seconds(); took > 0 && len(now.moving) > 0 && len(before.moving) == len(now.moving) {
		d.Rate = int64(float64(max(0, now.done-before.done)) / took)
	}
	if d.Rate > 0 {
		d.LeftMs = int64(float64(now.total-now.done) / float64(d.Rate) * 1000)
	}
	return d
}

func (a *app) printStatus(d statusDoc) error {
	if len(d.Moving) == 0 {
		if err := a.line("nothing is moving"); err != nil {
			return err
		}
	} else if err := a.printMoving(d); err != nil {
		return err
	}
	for _, t := range d.Throttles {
		if err := a.line("broker %d is throttled: as leader %s, as follower %s", t.Broker, rate(t.Leader), rate(t.Follower)); err != nil {
			return err
		}
	}
	if len(d.Throttles) > 0 && len(d.Moving) == 0 {
		a.note("nothing moves and throttles are set: milena reassign cancel takes them away")
	}
	return nil
}

func (a *app) printMoving(d statusDoc) error {
	rows := [][]string{}
	for _, m := range d.Moving {
		part := 1.0
		if m.TotalBytes > 0 {
			part = float64(m.DoneBytes) / float64(m.TotalBytes)
		}
		rows = append(rows, []string{
			partitionName(m.Topic, m.Partition), orNone(m.Removing) + "→" + orNone(m.Adding), bar(part), fmt.Sprintf("%.0f %%", part*100),
			size(m.DoneBytes) + "/" + size(m.TotalBytes),
		})
	}
	slices.SortStableFunc(rows, func(a, b []string) int { return cmp.Compare(a[0], b[0]) })
	if err := a.table([]string{"PARTITION", "FROM→TO", "PROGRESS", " DONE", " COPIED"}, rows); err != nil {
		return err
	}
	total := fmt.Sprintf("%s on the way, %s of %s", plural(int64(len(d.Moving)), "partition"), size(d.DoneBytes), size(d.TotalBytes))
	if d.Rate >= 0 {
		total += ", " + rate(d.Rate)
	}
	if d.LeftMs >= 0 {
		total += ", " + duration(time.Duration(d.LeftMs)*time.Millisecond) + " left"
	}
	return a.line("%s", total)
}

// rate prints bytes a second, or that there is no limit.
func rate(n int64) string {
	if n < 0 {
		return "unlimited"
	}
	return size(n) + "/s"
}
