package load

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// member is a place in the group: one client after the other, each for some while, so that the group also changes without any fault.
func (l *Load) member(place int) {
	dice := rand.New(rand.NewPCG(uint64(place), 9))
	for l.reading.Err() == nil {
		m := &member{l: l, process: l.number(), owned: map[int32]bool{}, id: "", moved: map[int32]bool{}}
		if err := m.open(); err != nil {
			l.broken(m.process, "%v", err)
			return
		}
		for end := time.Now().Add(time.Duration(10+dice.IntN(40)) * time.Second); l.reading.Err() == nil && time.Now().Before(end); {
			m.turn()
		}
		m.close()
	}
}

// member is one client in the group.
type member struct {
	l       *Load
	process int
	client  *kgo.Client
	commits uint64
	written atomic.Int64 // OffsetCommit requests

	mu    sync.Mutex
	id    string // its latest name and generation
	of    int32
	owned map[int32]bool
	moved map[int32]bool // given or taken since the last operation ended
}

func (m *member) open() (err error) {
	opts := []kgo.Opt{
		kgo.ConsumerGroup(m.l.Group()), kgo.ConsumeTopics(m.l.o.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		// Between a poll and its commit nothing is taken away, so that nobody commits what is another's.
		kgo.BlockRebalanceOnPoll(), kgo.Balancers(kgo.RangeBalancer()), kgo.SessionTimeout(10 * time.Second), kgo.HeartbeatInterval(500 * time.Millisecond),
		kgo.RebalanceTimeout(10 * time.Second), kgo.FetchMaxWait(200 * time.Millisecond), kgo.WithHooks(m),
		kgo.OnPartitionsAssigned(func(_ context.Context, c *kgo.Client, keys map[string][]int32) { m.assigned(c, keys) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, keys map[string][]int32) { m.revoked(keys) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, keys map[string][]int32) { m.revoked(keys) }),
	}
	if m.client, err = m.l.client(opts...); err != nil {
		return err
	}
	m.l.done(history.Op{Process: m.process, F: history.DoSubscribe, Keys: m.l.keys()})
	return nil
}

// close leaves the group.
func (m *member) close() {
	m.mu.Lock()
	leave := m.event(history.GroupLeave)
	m.mu.Unlock()
	if leave.Member != "" {
		leave = m.l.rec.BeginGroup(leave)
	}
	m.client.CloseAllowingRebalance()
	if leave.Member != "" {
		leave.Kind = history.Ok
		m.l.rec.EndGroup(leave)
	}
}

func (m *member) event(f history.GroupFunction) history.GroupOp {
	return history.GroupOp{
		Group: m.l.Group(), Member: m.id, F: f, Generation: m.of, Coordinator: -1, Epoch: kafka.NoLeaderEpoch,
	}
}

func (m *member) assigned(c *kgo.Client, keys map[string][]int32) {
	id, generation := c.GroupMetadata()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.id, m.of = id, generation
	for _, p := range keys[m.l.o.Topic] {
		m.owned[p], m.moved[p] = true, true
	}
	m.told(history.GroupAssign, m.owned)
}

func (m *member) revoked(keys map[string][]int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	gone := map[int32]bool{}
	for _, p := range keys[m.l.o.Topic] {
		delete(m.owned, p)
		m.moved[p], gone[p] = true, true
	}
	if m.id != "" && len(gone) > 0 {
		m.told(history.GroupRevoke, gone)
	}
}

func (m *member) told(f history.GroupFunction, partitions map[int32]bool) {
	e := m.event(f)
	e.Keys = m.list(partitions)
	e = m.l.rec.BeginGroup(e)
	e.Kind = history.Ok
	m.l.rec.EndGroup(e)
}

func (m *member) list(partitions map[int32]bool) []history.Key {
	var out []history.Key
	for p := range m.l.o.Partitions {
		if partitions[int32(p)] {
			out = append(out, m.l.key(int32(p)))
		}
	}
	return out
}

// turn is one poll, and the commit of what it returned.
func (m *member) turn() {
	some, cancel := context.WithTimeout(m.l.reading, pollFor)
	defer cancel()
	op := m.l.rec.Begin(history.Op{Process: m.process, F: history.DoPoll})
	fetches := m.client.PollFetches(some)
	op.Kind, op.Mops = history.Ok, []history.Mop{{Poll: m.l.polled(m.client, fetches)}}
	m.mu.Lock()
	op.Rebalanced = m.list(m.moved)
	clear(m.moved)
	m.mu.Unlock()
	m.l.rec.End(op)
	m.l.complain(m.process, fetches)
	next := map[int32]kgo.EpochOffset{}
	fetches.EachRecord(func(r *kgo.Record) { next[r.Partition] = kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: r.Offset + 1} })
	if len(next) > 0 {
		m.commit(next)
	}
	m.client.AllowRebalance()
}

// OnBrokerWrite counts the commits that were written: one that was refused after another was cut off proves nothing.
func (m *member) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, _ error) {
	if key == int16(kmsg.OffsetCommit) {
		m.written.Add(1)
	}
}

func (m *member) commit(next map[int32]kgo.EpochOffset) {
	ctx, cancel := context.WithTimeout(m.l.reading, 5*time.Second)
	defer cancel()
	var op history.GroupOp
	before := m.written.Load()
	ctx = kgo.PreCommitFnContext(ctx, func(r *kmsg.OffsetCommitRequest) error {
		m.commits++
		id := history.Value(uint64(m.process), m.commits)
		text := strconv.FormatUint(id, 10)
		op = history.GroupOp{Group: m.l.Group(), Member: r.MemberID, F: history.GroupCommit, Generation: r.Generation, Coordinator: -1, Epoch: kafka.NoLeaderEpoch}
		for t := range r.Topics {
			for p := range r.Topics[t].Partitions {
				one := &r.Topics[t].Partitions[p]
				one.Metadata = &text
				op.Offsets = append(op.Offsets, history.Mark{Key: m.l.key(one.Partition), Off: offsetOf(one.Offset), ID: id})
			}
		}
		op = m.l.rec.BeginGroup(op)
		return nil
	})
	var answer *kmsg.OffsetCommitResponse
	var failed error
	m.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{m.l.o.Topic: next}, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, r *kmsg.OffsetCommitResponse, err error) {
		answer, failed = r, err
	})
	if op.Member == "" {
		return // nothing was sent: the client was in no group
	}
	op.Kind, op.Code = judged(answer, failed)
	several := m.written.Load() != before+1
	if op.Kind == history.Fail && several {
		op.Kind = history.Info
	}
	m.l.rec.EndGroup(op)
	if op.Kind == history.Ok && several {
		m.l.attempted(op)
	}
}

// attempted notes that a commit was attempted before the attempt that was accepted. What became of that nobody knows: its client has closed
// the connection, and TCP goes on sending what stood in it until the node is reached again.
func (l *Load) attempted(op history.GroupOp) {
	op = l.rec.BeginGroup(op)
	op.Kind = history.Info
	l.rec.EndGroup(op)
}

// judged is what became of a commit: every partition of one is accepted, or none.
func judged(r *kmsg.OffsetCommitResponse, err error) (history.Kind, kafka.ErrorCode) {
	if err != nil || r == nil {
		return history.Info, kafka.ErrNone
	}
	var codes []kafka.ErrorCode
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			if code := kafka.ErrorCode(p.ErrorCode); !slices.Contains(codes, code) {
				codes = append(codes, code)
			}
		}
	}
	if len(codes) != 1 {
		return history.Info, kafka.ErrNone
	}
	return history.OffsetsCommitted(codes[0]), codes[0]
}
