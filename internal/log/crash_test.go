package log

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/epoch"
	"github.com/milena-io/milena/internal/log/producer"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// model is what a log has promised, kept beside it: every batch ever appended and not truncated, and how much of that is
// durable.
type model struct {
	batches  []record.Batch
	durable  kafka.Offset
	start    kafka.Offset
	startMax kafka.Offset // an advance of the start that a crash interrupted may have happened
}

func (m *model) end() kafka.Offset {
	if len(m.batches) == 0 {
		return 0
	}
	return m.batches[len(m.batches)-1].NextOffset()
}

// cut forgets the batch that holds an offset and all after it.
func (m *model) cut(o kafka.Offset) {
	m.batches = slices.DeleteFunc(m.batches, func(b record.Batch) bool { return b.LastOffset() >= o })
}

// boundary is where a cut would end the log.
func (m *model) boundary(o kafka.Offset) kafka.Offset {
	c := model{batches: slices.Clone(m.batches)}
	c.cut(o)
	return c.end()
}

// from is the bytes of the batches that hold offset o or come after it.
func (m *model) from(o kafka.Offset) (out []byte) {
	for _, b := range m.batches {
		if b.LastOffset() >= o {
			out = append(out, b...)
		}
	}
	return out
}

// known is a producer as the model knows it.
type known struct {
	epoch       kafka.ProducerEpoch
	coordinator int32
	open        kafka.Offset
	batches     []producer.Batch
}

// replay works producers, aborted transactions and epochs out of the batches.
func (m *model) replay() (map[kafka.ProducerID]*known, []AbortedTxn, []epoch.Entry) {
	producers := map[kafka.ProducerID]*known{}
	var aborted []AbortedTxn
	var epochs []epoch.Entry
	for _, b := range m.batches {
		if n := len(epochs); n == 0 || epochs[n-1].Epoch < b.LeaderEpoch() {
			epochs = append(epochs, epoch.Entry{Epoch: b.LeaderEpoch(), Start: b.BaseOffset()})
		}
		id := b.ProducerID()
		if id < 0 {
			continue
		}
		p := producers[id]
		if p == nil {
			p = &known{epoch: -1, coordinator: -1, open: -1}
			producers[id] = p
		}
		if p.epoch != b.ProducerEpoch() {
			p.epoch, p.batches = b.ProducerEpoch(), nil
		}
		if b.IsControl() {
			kind, _, err := b.Control()
			must.OK(err)
			if kind == record.ControlAbort && p.open >= 0 {
				stable := b.NextOffset()
				for other, q := range producers {
					if other != id && q.open >= 0 {
						stable = min(stable, q.open)
					}
				}
				aborted = append(aborted, AbortedTxn{Producer: id, First: p.open, Last: b.LastOffset(), LastStable: stable})
			}
			p.open, p.coordinator = -1, 1
			continue
		}
		if b.IsTransactional() && p.open < 0 {
			p.open = b.BaseOffset()
		}
		p.batches = append(p.batches, producer.Batch{
			LastOffset: b.LastOffset(), Timestamp: b.MaxTimestamp(), LastSequence: b.LastSequence(), OffsetDelta: b.LastOffsetDelta(),
		})
		if len(p.batches) > 5 {
			p.batches = p.batches[1:]
		}
	}
	return producers, aborted, epochs
}

// check holds a log that was just opened against the model.
func (m *model) check(l *Log) error {
	o := l.Offsets()
	if o.End < m.durable {
		return fmt.Errorf("the log ends at %d, %d was durable", o.End, m.durable)
	}
	if o.LogStart < m.start || o.LogStart > m.startMax {
		return fmt.Errorf("the log starts at %d, not in %d..%d", o.LogStart, m.start, m.startMax)
	}
	m.cut(o.End)
	if m.end() != o.End && o.End != o.LogStart || o.Durable != o.End {
		return fmt.Errorf("the log ends at %d, durable %d, with batches up to %d", o.End, o.Durable, m.end())
	}
	got, err := readAllOf(l, o.LogStart)
	if err != nil {
		return err
	}
	if want := m.from(o.LogStart); !bytes.Equal(got, want) {
		return fmt.Errorf("%d bytes from %d on that differ from the %d appended", len(got), o.LogStart, len(want))
	}
	m.durable, m.start, m.startMax = o.Durable, o.LogStart, o.LogStart
	return m.checkState(l)
}

func (m *model) checkState(l *Log) error {
	producers, aborted, epochs := m.replay()
	entries := l.Producers()
	if len(entries) != len(producers) {
		return fmt.Errorf("%d producers, want %d", len(entries), len(producers))
	}
	o := l.Offsets()
	unstable := o.End
	for _, e := range entries {
		p := producers[e.ID]
		if p == nil || e.Epoch != p.epoch || e.CoordinatorEpoch != p.coordinator || e.TxnFirst != p.open || !slices.Equal(e.Batches(), p.batches) {
			return fmt.Errorf("producer %+v, want %+v", e, p)
		}
		if p.open >= 0 {
			unstable = min(unstable, p.open)
		}
	}
	if o.FirstUnstable != unstable {
		return fmt.Errorf("first unstable offset %d, want %d", o.FirstUnstable, unstable)
	}
	first := l.segments[0].Base()
	aborted = slices.DeleteFunc(aborted, func(a AbortedTxn) bool { return a.Last < first })
	slices.SortFunc(aborted, func(a, b AbortedTxn) int { return cmp.Compare(a.First, b.First) })
	have, err := l.AbortedTransactions(first, o.End+1)
	if err != nil {
		return err
	}
	if !slices.Equal(have, aborted) {
		return fmt.Errorf("aborted transactions %+v, want %+v", have, aborted)
	}
	c := epoch.Cache{}
	for _, e := range epochs {
		c.Assign(e.Epoch, e.Start)
	}
	c.TruncateFromStart(o.LogStart)
	if have, want := m.epochsAt(l.Epochs().Entries()), m.epochsAt(c.Entries()); o.LogStart < o.End && !slices.Equal(have, want) {
		return fmt.Errorf("epochs %v, want %v", l.Epochs().Entries(), c.Entries())
	}
	return nil
}

// epochsAt moves starts that lie in a gap to the batch after it, and leaves epochs out that have no batch.
func (m *model) epochsAt(entries []epoch.Entry) []epoch.Entry {
	var out []epoch.Entry
	for _, e := range entries {
		for _, b := range m.batches {
			if b.LastOffset() >= e.Start {
				e.Start = b.BaseOffset()
				break
			}
		}
		if n := len(out); n > 0 && out[n-1].Start == e.Start {
			out = out[:n-1]
		}
		out = append(out, e)
	}
	return out
}

// crasher runs one seed.
type crasher struct {
	r      *rand.Rand
	mem    *disk.Mem
	faulty *disk.Faulty
	dir    *Dir
	l      *Log
	cfg    Config
	now    kafka.Instant
	m      model
	seq    map[kafka.ProducerID]int32
	epoch  kafka.LeaderEpoch
	flight func() // ends a flush that is under way
	liar   string // what a flush leaves out: everything, or everything but the active segment
}

func newCrasher(seed uint64) *crasher {
	c := &crasher{
		r: rand.New(rand.NewPCG(seed, 7)), mem: disk.NewMem(), cfg: DefaultConfig(),
		now: kafka.Instant{WallMs: 1_000_000}, seq: map[kafka.ProducerID]int32{},
	}
	c.cfg.Roll.SegmentBytes = int64(300 + c.r.IntN(900))
	c.cfg.Roll.IndexIntervalBytes = int64(c.r.IntN(300))
	c.cfg.Keep.RetentionMs, c.cfg.Keep.RetentionBytes = -1, int64(500+c.r.IntN(3000))
	c.cfg.ProducerExpirationMs = 1 << 50
	return c
}

// open begins a life. It may fail when a fault was planted.
func (c *crasher) open() error {
	c.faulty = disk.NewFaulty(c.mem)
	c.l = nil
	c.flight = nil
	if c.r.IntN(8) == 0 {
		c.plant(60)
	}
	d, err := OpenDir(c.faulty, root, me)
	if err != nil {
		return err
	}
	c.dir = d
	if _, formatted := d.Meta(); !formatted {
		if err := d.Format(Meta{ClusterID: me.ClusterID, NodeID: me.NodeID}); err != nil {
			return err
		}
	}
	o := d.Options(tp, c.cfg, c.now)
	o.TopicID = topicID
	c.l, err = Open(o)
	return err
}

// plant makes a call within the next most ones fail, and everything after it: the process dies there.
func (c *crasher) plant(most int) { c.faulty.Add(disk.Fault{Skip: c.r.IntN(most), Err: disk.ErrIO}) }

// crash ends a life with what a device may keep of it.
func (c *crasher) crash() {
	switch c.r.IntN(6) {
	case 0:
		c.mem = c.mem.PowerCut()
	case 1:
		c.mem = c.mem.Killed()
	default:
		c.mem = c.mem.Crash(c.r)
	}
}

// run lives several lives and returns what was wrong after one of them.
func (c *crasher) run(lives int) error {
	for range lives {
		for tries := 0; ; tries++ {
			err := c.open()
			if err == nil {
				break
			}
			if !errors.Is(err, disk.ErrIO) || tries > 50 {
				return fmt.Errorf("open: %w", err)
			}
			c.crash()
		}
		c.faulty.Heal()
		if err := c.m.check(c.l); err != nil {
			return err
		}
		if c.r.IntN(3) == 0 {
			c.plant(120)
		}
		for range c.r.IntN(40) {
			if err := c.step(); errors.Is(err, disk.ErrIO) {
				break
			} else if err != nil {
				return err
			}
		}
		c.crash()
	}
	return nil
}

// checkpoint saves the recovery point, which the epochs that are not saved first hold back.
func (c *crasher) checkpoint() error {
	if c.r.IntN(2) == 0 {
		if err := c.l.Epochs().Sync(); err != nil {
			return err
		}
	}
	return c.dir.SaveRecoveryPoints(checkpoint.Offsets{tp: Recoverable(c.l)})
}

func (c *crasher) step() error {
	c.now.WallMs += int64(c.r.IntN(50))
	switch p := c.r.IntN(100); {
	case p < 60:
		return c.append()
	case p < 72:
		return c.flush()
	case p < 76:
		return c.checkpoint()
	case p < 79:
		if c.l.Offsets().End == 0 || c.l.active().Size() == 0 {
			return nil
		}
		return c.l.roll(c.now, c.l.end)
	case p < 84:
		before := c.m
		c.m.startMax = c.m.durable
		if _, err := c.l.Retain(c.now, c.m.durable); err != nil {
			return err
		}
		c.m = before
		return c.started()
	case p < 88:
		to := c.m.start + kafka.Offset(c.r.Int64N(int64(c.m.durable-c.m.start)+1))
		c.m.startMax = max(c.m.start, to)
		if err := c.l.AdvanceStart(to); err != nil {
			return err
		}
		return c.started()
	case p < 92:
		return c.truncate()
	case p < 95:
		return c.reopen()
	}
	return nil
}

// started takes the log start over after a call that returned: it is durable now.
func (c *crasher) started() error {
	o := c.l.Offsets()
	if o.LogStart < c.m.start {
		return fmt.Errorf("the log start went back from %d to %d", c.m.start, o.LogStart)
	}
	c.m.start, c.m.startMax = o.LogStart, o.LogStart
	return nil
}

func (c *crasher) append() error {
	b := c.batch()
	if c.r.IntN(20) == 0 {
		c.epoch++
	}
	var err error
	if c.r.IntN(6) == 0 && b.ProducerID() < 0 {
		b.SetBaseOffset(c.l.Offsets().End + kafka.Offset(c.r.IntN(3)))
		b.SetLeaderEpoch(c.epoch)
		_, err = c.l.AppendAsFollower(c.now, b)
	} else {
		origin := Client
		if b.IsTransactional() {
			origin = Coordinator
		}
		_, err = c.l.AppendAsLeader(c.now, b, c.epoch, origin)
	}
	if err == nil || errors.Is(err, disk.ErrIO) && b.BaseOffset() >= c.m.end() && b.LeaderEpoch() == c.epoch {
		c.m.batches = append(c.m.batches, slices.Clone(b)) // after an error it may be there all the same
		if b.ProducerID() >= 0 && !b.IsControl() {
			c.seq[b.ProducerID()] = b.LastSequence() + 1
		}
	}
	return err
}

func (c *crasher) batch() record.Batch {
	id := kafka.ProducerID(c.r.IntN(4))
	producers, _, _ := c.m.replay()
	p := producers[id]
	s := sender{id: id, txn: id >= 2}
	if p != nil {
		s.epoch = p.epoch
		if n := len(p.batches); n > 0 {
			s.seq = p.batches[n-1].LastSequence + 1
		}
	}
	if id >= 2 && p != nil && p.open >= 0 && c.r.IntN(3) == 0 {
		return markerBatch(s, c.r.IntN(2) == 0, 1, c.now.WallMs)
	}
	if c.r.IntN(3) == 0 {
		s = nobody
	} else if c.r.IntN(25) == 0 && (p == nil || p.open < 0) {
		s.epoch, s.seq = s.epoch+1, 0
	}
	values := make([]string, 1+c.r.IntN(3))
	for i := range values {
		values[i] = string(bytes.Repeat([]byte{byte('a' + c.r.IntN(26))}, c.r.IntN(60)))
	}
	return s.batch(c.now.WallMs, values...)
}

// flush begins a flush, or ends the one under way; appends and crashes fall in between.
func (c *crasher) flush() error {
	if c.flight != nil {
		f := c.flight
		c.flight = nil
		f()
		c.m.durable = max(c.m.durable, c.l.Offsets().Durable)
		return nil
	}
	targets, upTo := c.l.Dirty()
	if len(targets) == 0 {
		return nil
	}
	for i, y := range targets {
		if c.liar == "everything" || c.liar == "chores" && i < len(targets)-1 {
			continue
		}
		if err := y.Sync(); err != nil {
			return err
		}
	}
	c.flight = func() { c.l.Flushed(upTo) }
	return nil
}

func (c *crasher) truncate() error {
	o := c.l.Offsets()
	to := o.LogStart + kafka.Offset(c.r.Int64N(int64(o.End-o.LogStart)+1))
	if c.r.IntN(3) > 0 {
		to = max(to, o.End-4)
	}
	if to >= o.End || c.m.boundary(to) < o.LogStart {
		return nil
	}
	c.m.durable = min(c.m.durable, c.m.boundary(to))
	if err := c.l.TruncateTo(to); err != nil {
		return err
	}
	c.m.cut(to)
	c.m.durable = c.l.Offsets().Durable
	if end := c.l.Offsets().End; end != c.m.end() && len(c.m.batches) > 0 {
		return fmt.Errorf("truncated to %d the log ends at %d, not %d", to, end, c.m.end())
	}
	return c.m.checkState(c.l)
}

// reopen is a clean stop and start.
func (c *crasher) reopen() error {
	if err := c.l.Close(c.now); err != nil {
		return err
	}
	end := checkpoint.Offsets{tp: c.l.Offsets().End}
	c.m.durable = c.l.Offsets().End
	if err := c.dir.CloseClean(1, end, end); err != nil {
		return err
	}
	if err := c.open(); err != nil {
		return err
	}
	if err := c.m.check(c.l); err != nil {
		return fmt.Errorf("after a clean stop: %w", err)
	}
	return nil
}

const crashSeeds = 3000

// S1, S7: whatever crashes when, what was durable is there byte for byte, what was never appended is not, and everything
// that is derived from the batches is as the batches say.
func TestCrashes(t *testing.T) {
	for seed := range uint64(crashSeeds) {
		if err := newCrasher(seed).run(4); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// The checker can fail: a flush that syncs nothing is caught, and one that syncs only the newest segment's bytes, not
// the names, the sealed segments, the epochs.
func TestCrashesCatchAMissingSync(t *testing.T) {
	for _, liar := range []string{"everything", "chores"} {
		caught := 0
		for seed := range uint64(100) {
			c := newCrasher(seed)
			c.liar = liar
			if c.run(4) != nil {
				caught++
			}
		}
		if caught < 20 {
			t.Errorf("of 100 seeds without a sync of %s %d were caught", liar, caught)
		}
	}
}
