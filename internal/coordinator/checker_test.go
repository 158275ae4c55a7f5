package coordinator

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/classic"
	rec "github.com/milena-io/milena/internal/staterecord/group"
)

// checker holds every answer against everything that was said before.
type checker struct {
	t     testing.TB
	tape  *tape
	told  map[string]int32        // the newest generation any member of a group was told
	sets  map[string]string       // group and generation: who is in it
	owner map[string]string       // group, generation and partition: who owns it
	acked map[string]kafka.Offset // group and partition: the newest commit that was acknowledged
	no    map[kafka.Offset]bool   // commits that the group refused
	log   []taped                 // what is on the tape

	accepted, refused, generations, reads int
}

// seen is what was true when a request was sent.
type seen struct {
	told  int32
	acked map[string]kafka.Offset
}

func newChecker(t testing.TB, tape *tape) *checker {
	c := &checker{t: t, tape: tape, told: map[string]int32{}, sets: map[string]string{}, owner: map[string]string{},
		acked: map[string]kafka.Offset{}, no: map[kafka.Offset]bool{}}
	tape.written = func(r taped) { c.log = append(c.log, r) }
	return c
}

// truncated forgets what a new epoch did not find.
func (c *checker) truncated() {
	c.log = slices.DeleteFunc(c.log, func(r taped) bool { return r.at >= c.tape.end })
}

func (c *checker) asked(g string, cmd group.Command) seen {
	s := seen{told: c.told[g]}
	if _, ok := cmd.(*group.FetchOffsets); ok {
		s.acked = map[string]kafka.Offset{}
		for p := range int32(partitionsOfT) {
			s.acked[place(g, p)] = c.acked[place(g, p)]
		}
	}
	return s
}

func place(g string, p int32) string { return fmt.Sprintf("%s/%d", g, p) }

// answered takes a reply; current says that it came from the coordinator that was one all the time.
func (c *checker) answered(g string, cmd group.Command, reply any, s seen, current bool) {
	switch cmd := cmd.(type) {
	case *group.Commit:
		c.commit(g, cmd, reply.(group.CommitReply), s)
	case *classic.Join:
		if r := reply.(classic.JoinReply); r.Err == kafka.ErrNone {
			c.join(g, &r, s)
		}
	case *classic.Sync:
		if r := reply.(classic.SyncReply); r.Err == kafka.ErrNone {
			c.sync(g, cmd, &r)
		}
	case *group.FetchOffsets:
		if current {
			c.fetch(g, reply.(group.FetchReply), s)
		}
	}
}

// durable looks for a record of a group that is safe and has a property.
func (c *checker) durable(is func(rec.Record) bool) bool {
	for i := len(c.log) - 1; i >= 0; i-- {
		if c.log[i].at < c.tape.durable && is(c.log[i].record) {
			return true
		}
	}
	return false
}

func (c *checker) commit(g string, cmd *group.Commit, r group.CommitReply, s seen) {
	o := cmd.Offsets[0]
	if r.Err != kafka.ErrNone || r.Codes[0] != kafka.ErrNone {
		c.refused++
		c.no[o.Offset] = true
		return
	}
	c.accepted++
	if cmd.Generation >= 0 && cmd.Generation < s.told {
		c.t.Errorf("%s: a commit of generation %d was accepted after %d had been told", g, cmd.Generation, s.told)
	}
	if !c.durable(func(r rec.Record) bool {
		oc, ok := r.(*rec.OffsetCommit)
		return ok && oc.Value != nil && oc.Value.Offset == o.Offset
	}) {
		c.t.Errorf("%s: commit %d was acknowledged before it was durable", g, o.Offset)
	}
	k := place(g, o.Partition.Partition)
	c.acked[k] = max(c.acked[k], o.Offset)
}

func (c *checker) join(g string, r *classic.JoinReply, s seen) {
	if r.Generation < s.told {
		c.t.Errorf("%s: generation %d is told after %d", g, r.Generation, s.told)
	}
	if r.Generation > c.told[g] {
		c.generations++
	}
	c.told[g] = max(c.told[g], r.Generation)
	if !c.durable(func(record rec.Record) bool {
		m, ok := record.(*rec.GroupMetadata)
		return ok && m.Group == g && m.Value != nil && max(m.Value.Generation, m.Value.Promised) >= r.Generation
	}) {
		c.t.Errorf("%s: generation %d was told before it was durable", g, r.Generation)
	}
	if len(r.Members) == 0 {
		return
	}
	var names []string
	for _, m := range r.Members {
		names = append(names, label(m.ID, m.InstanceID))
	}
	slices.Sort(names)
	k, set := fmt.Sprintf("%s/%d", g, r.Generation), strings.Join(names, " ")
	if c.sets[k] != "" && c.sets[k] != set {
		c.t.Errorf("generation %s is of %s and of %s", k, c.sets[k], set)
	}
	c.sets[k] = set
}

func (c *checker) sync(g string, cmd *classic.Sync, r *classic.SyncReply) {
	if !c.durable(func(record rec.Record) bool {
		m, ok := record.(*rec.GroupMetadata)
		return ok && m.Group == g && m.Value != nil && m.Value.Generation == cmd.Generation && len(m.Value.Members) > 0
	}) {
		c.t.Errorf("%s: an assignment of generation %d was told before it was durable", g, cmd.Generation)
	}
	if len(r.Assignment) == 0 {
		return
	}
	fields := strings.Fields(string(r.Assignment))
	who := label(cmd.MemberID, cmd.InstanceID)
	if fields[0] != fmt.Sprint(cmd.Generation) || fields[1] != who {
		c.t.Errorf("%s: %s of generation %d was given %s", g, who, cmd.Generation, r.Assignment)
	}
	for _, p := range fields[2:] {
		k := fmt.Sprintf("%s/%d/%s", g, cmd.Generation, p)
		if c.owner[k] != "" && c.owner[k] != who {
			c.t.Errorf("%s is owned by %s and %s", k, c.owner[k], who)
		}
		c.owner[k] = who
	}
}

func (c *checker) fetch(g string, r group.FetchReply, s seen) {
	c.reads++
	got := map[string]kafka.Offset{}
	for _, o := range r.Offsets {
		got[place(g, o.Partition.Partition)] = o.Offset
		if c.no[o.Offset] {
			c.t.Errorf("%s: commit %d was refused, and is read", g, o.Offset)
		}
	}
	for k, want := range s.acked {
		if got[k] < want {
			c.t.Errorf("%s: %d is read, %d was acknowledged", k, got[k], want)
		}
	}
}
