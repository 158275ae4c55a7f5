package group_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/classic"
	rec "github.com/milena-io/milena/internal/staterecord/group"
)

var (
	t0 = kafka.TopicPartition{Topic: "t"}
	t1 = kafka.TopicPartition{Topic: "t", Partition: 1}
	u0 = kafka.TopicPartition{Topic: "u"}
)

// Who may commit, by the group's state: surface list point 20.
func TestCommitCodes(t *testing.T) {
	empty := func(l *lab) *member {
		m := l.stable("m-1")[0]
		m.leave()
		return m
	}
	stable := func(l *lab) *member { return l.stable("m-1", "m-2")[0] }
	preparing := func(l *lab) *member {
		m := stable(l)
		l.enter("m-3")
		return m
	}
	simple := func(l *lab) *member {
		l.commitAs("", nil, -1, 1)
		return &member{id: "m-1", generation: 1}
	}
	for name, test := range map[string]struct {
		before     func(*lab) *member
		id         string // "own" for the member's
		instance   *string
		generation int32 // relative to the member's, or none
		want       kafka.ErrorCode
	}{
		"stable, the member":                 {stable, "own", nil, 0, kafka.ErrNone},
		"stable, an older generation":        {stable, "own", nil, -1, kafka.ErrIllegalGeneration},
		"stable, a newer generation":         {stable, "own", nil, 1, kafka.ErrIllegalGeneration},
		"stable, the member, no generation":  {stable, "own", nil, none, kafka.ErrIllegalGeneration},
		"stable, a stranger":                 {stable, "m-9", nil, 0, kafka.ErrUnknownMemberId},
		"stable, nobody":                     {stable, "", nil, none, kafka.ErrUnknownMemberId},
		"stable, an unknown instance":        {stable, "own", text("i"), 0, kafka.ErrUnknownMemberId},
		"preparing, the member":              {preparing, "own", nil, 0, kafka.ErrNone},
		"preparing, nobody":                  {preparing, "", nil, none, kafka.ErrUnknownMemberId},
		"completing, the member":             {func(l *lab) *member { return completing(l)[0] }, "own", nil, 0, kafka.ErrRebalanceInProgress},
		"completing, an older generation":    {func(l *lab) *member { return completing(l)[0] }, "own", nil, -1, kafka.ErrIllegalGeneration},
		"completing, nobody":                 {func(l *lab) *member { return completing(l)[0] }, "", nil, none, kafka.ErrUnknownMemberId},
		"empty, nobody":                      {empty, "", nil, none, kafka.ErrNone},
		"empty, somebody without generation": {empty, "m-9", nil, none, kafka.ErrNone},
		"empty, the one that left":           {empty, "own", nil, 0, kafka.ErrUnknownMemberId},
		"offsets only, nobody":               {simple, "", nil, none, kafka.ErrNone},
		"offsets only, a member":             {simple, "own", nil, 0, kafka.ErrUnknownMemberId},
		"no group, nobody":                   {func(*lab) *member { return &member{} }, "", nil, none, kafka.ErrNone},
		"no group, a member":                 {func(*lab) *member { return &member{id: "m-1"} }, "own", nil, 1, kafka.ErrIllegalGeneration},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			m := test.before(l)
			id, generation := test.id, m.generation+test.generation
			if id == "own" {
				id = m.id
			}
			if test.generation == none {
				generation = -1
			}
			before := l.fetchAt()
			if code := l.commitAs(id, test.instance, generation, 42); code != test.want {
				t.Errorf("answered %s, want %s", code, test.want)
			}
			want := before
			if test.want == kafka.ErrNone {
				want = 42
			}
			if o := l.fetchAt(); o != want {
				t.Errorf("the offset was %d and is %d", before, o)
			}
		})
	}
}

const none = math.MinInt16

// From version 9 a generation of no group is GROUP_ID_NOT_FOUND; the handler says which.
func TestCommitWithoutGroup(t *testing.T) {
	l := newLab(t)
	r := ask[group.CommitReply](l, &group.Commit{Group: "g", MemberID: "m", Generation: 3, MissingGroup: kafka.ErrGroupIdNotFound})
	if r.Err != kafka.ErrGroupIdNotFound {
		t.Errorf("answered %+v", r)
	}
	if r := ask[group.CommitReply](l, &group.Commit{Group: strings.Repeat("g", 1<<15), Generation: -1}); r.Err != kafka.ErrInvalidGroupId {
		t.Errorf("a group id that no record holds: %+v", r)
	}
	if r := ask[group.CommitReply](l, &group.Commit{Group: "", Generation: -1, Offsets: []group.CommitOffset{{Partition: t0}}}); r.Err != kafka.ErrNone {
		t.Errorf("the empty group id: %+v", r)
	}
}

// Metadata is measured in UTF-16 units, as Java does; one that is too long does not disturb the others.
func TestCommitMetadata(t *testing.T) {
	l := newLab(t, func(c *group.Config) { c.MetadataMaxBytes = 4 })
	long := map[string]bool{"": false, "1234": false, "12345": true, "éééé": false, "ééééé": true, "😀😀": false, "😀😀x": true}
	var texts []string
	c := &group.Commit{Group: "g", Generation: -1, RetentionMs: -1}
	for s := range long {
		texts = append(texts, s)
	}
	slices.Sort(texts)
	for i, s := range texts {
		c.Offsets = append(c.Offsets, group.CommitOffset{Partition: kafka.TopicPartition{Topic: "t", Partition: int32(i)}, Offset: 1, Metadata: s, LeaderEpoch: 7})
	}
	r := ask[group.CommitReply](l, c)
	for i, s := range texts {
		want := kafka.ErrNone
		if long[s] {
			want = kafka.ErrOffsetMetadataTooLarge
		}
		if r.Codes[i] != want {
			t.Errorf("%q: %s, want %s", s, r.Codes[i], want)
		}
	}
	all := ask[group.FetchReply](l, &group.FetchOffsets{Group: "g", All: true})
	if len(all.Offsets) != 4 {
		t.Fatalf("%d offsets: %+v", len(all.Offsets), all)
	}
	for _, o := range all.Offsets {
		if o.Metadata != texts[o.Partition.Partition] || o.LeaderEpoch != 7 || o.Offset != 1 || o.Err != kafka.ErrNone {
			t.Errorf("fetched %+v", o)
		}
	}
}

func TestFetchOffsets(t *testing.T) {
	l := newLab(t)
	fetch := func(f group.FetchOffsets) []group.FetchedOffset {
		f.Group = "g"
		return ask[group.FetchReply](l, &f).Offsets
	}
	both := []group.WantedOffset{{Partition: t0}, {Partition: u0}}
	for i, o := range fetch(group.FetchOffsets{Partitions: both}) {
		if o.Partition != both[i].Partition || o.Offset != -1 || o.LeaderEpoch != -1 || o.Metadata != "" || o.Err != kafka.ErrNone {
			t.Errorf("of no group: %+v", o)
		}
	}
	if all := fetch(group.FetchOffsets{All: true}); len(all) != 0 {
		t.Errorf("everything of no group: %+v", all)
	}
	l.commitAs("", nil, -1, 5)
	l.hold = true
	l.do(&group.Commit{Group: "g", Generation: -1, RetentionMs: -1, Offsets: []group.CommitOffset{{Partition: t0, Offset: 6}, {Partition: u0, Offset: 9}}})
	if got := fetch(group.FetchOffsets{Partitions: both}); got[0].Offset != 5 || got[1].Offset != -1 {
		t.Errorf("what is not replicated is told: %+v", got)
	}
	if all := fetch(group.FetchOffsets{All: true}); len(all) != 1 || all[0].Offset != 5 {
		t.Errorf("what is not replicated is told: %+v", all)
	}
	// RequireStable waits for it (KIP-447).
	token := l.do(&group.FetchOffsets{Group: "g", Partitions: both, Stable: true})
	everything := l.do(&group.FetchOffsets{Group: "g", All: true, Stable: true})
	if !l.parked(token) || !l.parked(everything) {
		t.Fatal("a stable fetch does not wait")
	}
	l.settle()
	if got := reply[group.FetchReply](l, token).Offsets; got[0].Offset != 6 || got[1].Offset != 9 {
		t.Errorf("stable: %+v", got)
	}
	if got := reply[group.FetchReply](l, everything).Offsets; len(got) != 2 || got[0].Partition != t0 || got[1].Offset != 9 {
		t.Errorf("stable, everything: %+v", got)
	}
}

// A transaction's offsets are unstable while it is open, count when it commits, and are gone when it aborts.
func TestTransactionalOffsets(t *testing.T) {
	l := newLab(t)
	l.commitAs("", nil, -1, 5)
	open := func(producer kafka.ProducerID, p kafka.TopicPartition, o kafka.Offset) {
		r := &rec.OffsetCommit{Key: rec.OffsetKey{Group: "g", Topic: p.Topic, Partition: p.Partition}, Value: &rec.OffsetValue{Offset: o, ExpireMs: -1}}
		l.m.Apply(kafka.Offset(len(l.log)), producer, r)
		l.log = append(l.log, r)
		l.settle()
	}
	end := func(producer kafka.ProducerID, commit bool) {
		l.m.EndTransaction(kafka.Offset(len(l.log)), producer, commit)
		l.log = append(l.log, rec.Unknown{})
		l.settle()
	}
	stable := func() group.FetchedOffset {
		return ask[group.FetchReply](l, &group.FetchOffsets{Group: "g", Stable: true, Partitions: []group.WantedOffset{{Partition: t0}}}).Offsets[0]
	}
	open(1, t0, 10)
	open(1, u0, 11)
	if o := stable(); o.Err != kafka.ErrUnstableOffsetCommit || o.Offset != -1 || o.LeaderEpoch != -1 {
		t.Errorf("while it is open: %+v", o)
	}
	if o := l.fetchAt(); o != 5 {
		t.Errorf("who does not ask for stable offsets is told %d", o)
	}
	end(1, true)
	if o := stable(); o.Err != kafka.ErrNone || o.Offset != 10 {
		t.Errorf("after its commit: %+v", o)
	}
	open(2, t0, 20)
	end(2, false)
	if o := stable(); o.Offset != 10 {
		t.Errorf("after an abort: %+v", o)
	}
	// Of a plain commit and a transaction the later record wins, not the later end.
	open(3, t0, 30)
	l.commitAs("", nil, -1, 40)
	end(3, true)
	if o := stable(); o.Offset != 40 {
		t.Errorf("a transaction from before a commit: %+v", o)
	}
	// Deleting takes what is open, too.
	open(4, t1, 50)
	if r := ask[group.DeleteOffsetsReply](l, &group.DeleteOffsets{Group: "g", Partitions: []kafka.TopicPartition{t1}}); r.Codes[0] != kafka.ErrNone {
		t.Errorf("deleting an open one: %+v", r)
	}
	end(4, true)
	if all := ask[group.FetchReply](l, &group.FetchOffsets{Group: "g", All: true}).Offsets; len(all) != 2 {
		t.Errorf("left: %+v", all)
	}
}

// A topic made anew under an old name has no offsets.
func TestRecreatedTopic(t *testing.T) {
	old, young := kafka.TopicID{1}, kafka.TopicID{2}
	commit := func(l *lab, id kafka.TopicID, o kafka.Offset) {
		ask[group.CommitReply](l, &group.Commit{Group: "g", Generation: -1, RetentionMs: -1,
			Offsets: []group.CommitOffset{{Partition: t0, TopicID: id, Offset: o}, {Partition: u0, TopicID: kafka.TopicID{3}, Offset: o}}})
	}
	fetch := func(l *lab, id kafka.TopicID) kafka.Offset {
		return ask[group.FetchReply](l, &group.FetchOffsets{Group: "g", Partitions: []group.WantedOffset{{Partition: t0, TopicID: id}}}).Offsets[0].Offset
	}
	l := newLab(t)
	commit(l, old, 5)
	if o := fetch(l, young); o != -1 {
		t.Errorf("the new topic has offset %d of the old one", o)
	}
	if a, b := fetch(l, old), fetch(l, kafka.TopicID{}); a != 5 || b != 5 {
		t.Errorf("by its id %d, by name %d", a, b)
	}
	l.enact(0, &group.TopicsDeleted{Topics: []group.DeletedTopic{{Name: "t", ID: young}, {Name: "x", ID: old}}})
	if o := fetch(l, old); o != 5 {
		t.Error("another topic's deletion took the offset away")
	}
	l.enact(0, &group.TopicsDeleted{Topics: []group.DeletedTopic{{Name: "t", ID: young}, {Name: "t", ID: old}}})
	if o := fetch(l, kafka.TopicID{}); o != -1 {
		t.Errorf("offset %d of a deleted topic", o)
	}
	commit(l, young, 7)
	l.enact(0, &group.TopicsDeleted{Topics: []group.DeletedTopic{{Name: "t", ID: old}}})
	if o := fetch(l, young); o != 7 {
		t.Errorf("the new topic's offset is %d after the old one's deletion is heard of again", o)
	}
	if all := ask[group.FetchReply](l, &group.FetchOffsets{Group: "g", All: true}).Offsets; len(all) != 2 || all[0].TopicID != young {
		t.Errorf("everything: %+v", all)
	}
	commit(l, kafka.TopicID{}, 9) // as Kafka before 4.2 wrote it
	l.enact(0, &group.TopicsDeleted{Topics: []group.DeletedTopic{{Name: "t", ID: young}}})
	if o := fetch(l, young); o != -1 {
		t.Errorf("offset %d of unknown id outlives its topic", o)
	}
}

func TestDeleteOffsets(t *testing.T) {
	l := newLab(t)
	ask2 := func(ps ...kafka.TopicPartition) group.DeleteOffsetsReply {
		return ask[group.DeleteOffsetsReply](l, &group.DeleteOffsets{Group: "g", Partitions: ps})
	}
	if r := ask2(t0); r.Err != kafka.ErrGroupIdNotFound {
		t.Errorf("no group: %+v", r)
	}
	if r := ask[group.DeleteOffsetsReply](l, &group.DeleteOffsets{}); r.Err != kafka.ErrInvalidGroupId {
		t.Errorf("no group id: %+v", r)
	}
	m := l.stable("m-1")[0]
	m.commitAt(3)
	l.do(&group.Commit{Group: "g", MemberID: m.id, Generation: m.generation, RetentionMs: -1, Offsets: []group.CommitOffset{{Partition: u0, Offset: 4}}})
	if r := ask2(t0, u0, t1); r.Err != kafka.ErrNone || !slices.Equal(r.Codes, []kafka.ErrorCode{kafka.ErrGroupSubscribedToTopic, kafka.ErrNone, kafka.ErrGroupSubscribedToTopic}) {
		t.Errorf("while t is subscribed to: %+v", r)
	}
	if all := ask[group.FetchReply](l, &group.FetchOffsets{Group: "g", All: true}).Offsets; len(all) != 1 || all[0].Partition != t0 {
		t.Errorf("left: %+v", all)
	}
	m.leave()
	before := len(l.log)
	if r := ask2(t0, t1); !slices.Equal(r.Codes, []kafka.ErrorCode{kafka.ErrNone, kafka.ErrNone}) {
		t.Errorf("of an empty group: %+v", r)
	}
	if n := len(l.log) - before; n != 1 {
		t.Errorf("%d records for one offset that there was", n)
	}
	l.state(classic.Empty)

	// A group that is no consumer group says nothing about topics: it must be empty.
	l = newLab(t)
	j := request("")
	j.NewMemberID, j.RequireMemberID, j.ProtocolType = "m-1", false, "connect"
	l.do(j)
	if r := ask2(t0); r.Err != kafka.ErrNonEmptyGroup || r.Codes != nil {
		t.Errorf("of connect's group: %+v", r)
	}
	// A consumer whose metadata nobody can read may subscribe to anything.
	l = newLab(t)
	j = request("")
	j.NewMemberID, j.RequireMemberID, j.Protocols[0].Metadata = "m-1", false, []byte("?")
	l.do(j)
	if r := ask2(u0); r.Err != kafka.ErrNone || r.Codes[0] != kafka.ErrGroupSubscribedToTopic {
		t.Errorf("of unreadable metadata: %+v", r)
	}
}

func TestDeleteGroup(t *testing.T) {
	l := newLab(t)
	del := func() kafka.ErrorCode { return ask[group.DeleteGroupReply](l, &group.DeleteGroup{Group: "g"}).Err }
	if code := del(); code != kafka.ErrGroupIdNotFound {
		t.Errorf("no group: %s", code)
	}
	m := l.stable("m-1")[0]
	m.commitAt(3)
	if code := del(); code != kafka.ErrNonEmptyGroup {
		t.Errorf("a group with a member: %s", code)
	}
	m.leave()
	before := len(l.log)
	if code := del(); code != kafka.ErrNone {
		t.Errorf("an empty group: %s", code)
	}
	if n := len(l.log) - before; n != 2 {
		t.Errorf("%d tombstones for a group and one offset", n)
	}
	l.state(classic.Dead)
	if o := l.fetchAt(); o != -1 {
		t.Errorf("offset %d of a deleted group", o)
	}
	if code := del(); code != kafka.ErrGroupIdNotFound {
		t.Errorf("twice: %s", code)
	}
	l.commitAs("", nil, -1, 1)
	if code := del(); code != kafka.ErrNone {
		t.Errorf("a group of offsets: %s", code)
	}
	l.reload()
	l.state(classic.Dead)
	if l.fetchAt() != -1 {
		t.Error("an offset came back")
	}
}

func TestListGroups(t *testing.T) {
	l := newLab(t)
	l.stable("m-1")
	l.do(&group.Commit{Group: "a-simple", Generation: -1, RetentionMs: -1, Offsets: []group.CommitOffset{{Partition: t0}}})
	names := func(states ...string) string {
		var out []string
		for _, g := range ask[group.ListReply](l, &group.List{States: states}).Groups {
			out = append(out, g.Group+"/"+g.ProtocolType+"/"+g.State.String())
		}
		return strings.Join(out, " ")
	}
	for _, test := range []struct {
		states []string
		want   string
	}{
		{nil, "a-simple//Empty g/consumer/Stable"},
		{[]string{"stable"}, "g/consumer/Stable"},
		{[]string{"empty", "dead"}, "a-simple//Empty"},
		{[]string{"preparingrebalance", "nonsense"}, ""},
	} {
		if got := names(test.states...); got != test.want {
			t.Errorf("%v: %q, want %q", test.states, got, test.want)
		}
	}
	d := ask[group.Description](l, &group.Describe{Group: "a-simple"})
	if d.State != classic.Empty || d.ProtocolType != "" || d.Members != nil {
		t.Errorf("a group of offsets is %+v", d)
	}
}
