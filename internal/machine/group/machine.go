// Package group is the state machine of one partition of __consumer_offsets: the classic groups it owns and the
// offsets they committed.
//
// coordinator runs one Machine for each partition its node leads. It is pure: times, tokens and ids come in with the
// commands; records, replies, events and the next deadline go out. Package classic decides about members and
// rebalances, offsets keeps what was committed, timeline lets both go back to the last committed record.
//
// The verbs: Decide reads the state and says what a command leads to; Enact applies it, its records first (Apply, also
// used to load) and then the volatile part that no record holds: parked requests, sessions, pending members. Commit
// and Revert settle records. Due turns deadlines into commands.
//
// Invariants: Decide changes nothing; a reply with After set may only be given once everything below After is
// committed; applying the records of a log in order gives the committed state of the machine that wrote them.
package group

import (
	"slices"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group/classic"
	"github.com/milena-io/milena/internal/machine/group/offsets"
	"github.com/milena-io/milena/internal/machine/group/timeline"
	rec "github.com/milena-io/milena/internal/staterecord/group"
)

// Config is what the machine takes from the broker's configuration.
type Config struct {
	Classic             classic.Config
	MetadataMaxBytes    int           // offset.metadata.max.bytes
	OffsetsRetentionMs  int64         // offsets.retention.minutes
	OffsetsCheckEvery   time.Duration // offsets.retention.check.interval.ms
	MaxTombstonesAtOnce int           // how many records one round of expiry may write
}

// DefaultConfig is Kafka 4.3's.
func DefaultConfig() Config {
	return Config{
		Classic: classic.Config{
			MaxSize: 1<<31 - 1, InitialRebalanceDelay: 3 * time.Second,
			MinSessionTimeoutMs: 6_000, MaxSessionTimeoutMs: 1_800_000, NewMemberJoinTimeout: 5 * time.Minute,
		},
		MetadataMaxBytes:    4096,
		OffsetsRetentionMs:  (7 * 24 * time.Hour).Milliseconds(),
		OffsetsCheckEvery:   10 * time.Minute,
		MaxTombstonesAtOnce: 1000,
	}
}

// Machine is the state of one shard.
type Machine struct {
	cfg       Config
	log       timeline.Log
	groups    *timeline.Table[string, *classic.Group]
	offsets   *offsets.Store
	deadlines deadlines
	expiry    expiry
	end       kafka.Offset // one past the last record applied
	skipped   int
}

// expiry is where the periodic look for outlived offsets stands.
type expiry struct {
	at    time.Duration // next round; zero before Loaded
	after string        // the last group looked at in an unfinished round
}

// New returns a machine with nothing loaded.
func New(cfg Config) *Machine {
	m := &Machine{cfg: cfg, deadlines: newDeadlines()}
	m.groups = timeline.NewTable[string, *classic.Group](&m.log)
	m.offsets = offsets.NewStore(&m.log)
	return m
}

// Result is what a command leads to.
type Result struct {
	classic.Out
	// After is the offset that must be committed before the replies may be given, when there are no records; with
	// records it is their end. NoOffset or less means at once.
	After   kafka.Offset
	changes []change
}

// change is a volatile part of a result.
type change interface{ enact(m *Machine) }

type putGroup struct{ g *classic.Group }
type touch struct{ classic.Touch }
type setExpiry struct{ expiry }

func (c putGroup) enact(m *Machine) {
	if c.g.Nothing() {
		m.groups.Remove(c.g.ID)
	} else {
		m.groups.Replace(c.g.ID, c.g)
	}
	m.arm(c.g.ID)
}

func (c touch) enact(*Machine)       { c.Touch.Apply() }
func (c setExpiry) enact(m *Machine) { m.expiry = c.expiry }

// Enact applies a result whose records stand in the log from base on, and returns the offset that must be committed
// before its replies may be given.
func (m *Machine) Enact(base kafka.Offset, r *Result) (after kafka.Offset) {
	for i, record := range r.Records {
		m.Apply(base+kafka.Offset(i), kafka.NoProducerID, record)
	}
	for _, c := range r.changes {
		c.enact(m)
	}
	if len(r.Records) > 0 {
		return base + kafka.Offset(len(r.Records))
	}
	return r.After
}

// Apply takes the record at an offset, of a producer's transaction or of none. Records nobody here knows are counted.
func (m *Machine) Apply(o kafka.Offset, producer kafka.ProducerID, r rec.Record) {
	m.end = max(m.end, o+1)
	switch r := r.(type) {
	case *rec.OffsetCommit:
		m.offsets.Apply(o, producer, r)
	case *rec.GroupMetadata:
		if r.Value == nil {
			m.groups.Delete(o, r.Group)
		} else {
			m.groups.Put(o, r.Group, classic.FromRecord(r.Group, r.Value))
		}
		m.arm(r.Group)
	default:
		m.skipped++
	}
}

// EndTransaction takes the marker at an offset.
func (m *Machine) EndTransaction(o kafka.Offset, producer kafka.ProducerID, commit bool) {
	m.end = max(m.end, o+1)
	m.offsets.EndTransaction(o, producer, commit)
}

// Skip counts a record that did not decode.
func (m *Machine) Skip(o kafka.Offset) {
	m.end = max(m.end, o+1)
	m.skipped++
}

// Skipped returns how many records were of no known type.
func (m *Machine) Skipped() int { return m.skipped }

// Commit says that every record below an offset is committed.
func (m *Machine) Commit(to kafka.Offset) { m.log.Commit(to) }

// Revert takes back every record at or after an offset, with all that followed from it, and returns the requests that
// lost their place; somebody must answer them, and those whose replies were held. A request answered like that may stand
// in a group again, from before: its member counts as waiting, and a second reply to it is dropped by the shell.
func (m *Machine) Revert(to kafka.Offset) []classic.Token {
	before := map[string]*classic.Group{}
	m.groups.All(func(id string, g *classic.Group) { before[id] = g })
	m.log.Revert(to)
	m.end = min(m.end, to)
	kept, lost := map[classic.Token]bool{}, []classic.Token{}
	m.groups.All(func(id string, g *classic.Group) {
		g.Parked(func(t classic.Token) { kept[t] = true })
		if before[id] != g {
			m.arm(id)
		}
	})
	for id, g := range before {
		if now, _ := m.groups.Get(id); now == g {
			continue
		}
		m.arm(id)
		g.Parked(func(t classic.Token) {
			if !kept[t] {
				lost = append(lost, t)
			}
		})
	}
	slices.Sort(lost)
	return lost
}

// arm makes sure that Due looks at a group in time.
func (m *Machine) arm(id string) {
	var at time.Duration
	if g, ok := m.groups.Get(id); ok {
		at = g.Next()
	}
	m.deadlines.set(id, at)
}

// Due returns the commands whose time has come. It only looks: until they are enacted it returns them again.
func (m *Machine) Due(now kafka.Instant) []Command {
	var due []Command
	for _, id := range m.deadlines.due(now.Mono) {
		// Heartbeats move sessions without touching the queue, so an entry may be early.
		m.arm(id)
		if g, ok := m.groups.Get(id); ok {
			if at := g.Next(); at > 0 && at <= now.Mono {
				due = append(due, &Tick{Group: id})
			}
		}
	}
	if m.expiry.at > 0 && m.expiry.at <= now.Mono {
		due = append(due, &ExpireOffsets{})
	}
	return due
}

// Wake returns the moment (Mono) at which Due should be asked, or zero.
func (m *Machine) Wake() time.Duration {
	at := m.deadlines.first()
	if m.expiry.at > 0 && (at == 0 || m.expiry.at < at) {
		at = m.expiry.at
	}
	return at
}
