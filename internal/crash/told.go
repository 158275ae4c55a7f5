package crash

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/milena-io/milena/internal/coordinator"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/group"
)

// seat is a partition of topic t in the eyes of a group.
type seat struct {
	group     string
	partition int32
}

// told is what a coordinator has told its groups.
type told struct {
	epoch       kafka.LeaderEpoch
	offsets     map[seat]kafka.Offset   // acknowledged, -1 when its deletion was
	asked       map[seat][]kafka.Offset // since then, and not answered
	generations map[string]int32
}

// recover has nothing to do: a coordinator writes nothing before it is asked.
func (t told) recover(log.Options, *log.Log) (string, error) { return "", nil }

// goOn loads the groups: each knows its newest offset that was acknowledged, or one that was asked for since, is told no
// generation twice, and takes a commit.
func (t told) goOn(o log.Options, l *log.Log) error {
	a := clocked(func() kafka.Instant { return o.Now })
	c := lead(a, t.epoch+1, &offsetsLog{log: l, actor: a})
	if err := a.until("the groups are loaded", func() bool { return loaded(a, c) }); err != nil {
		return err
	}
	for _, at := range slices.SortedFunc(maps.Keys(t.asked), func(a, b seat) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.partition, b.partition))
	}) {
		if err := t.keeps(a, c, at); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(t.generations)) {
		next, err := join(a, c, id, "another")
		if err != nil {
			return err
		}
		if next <= t.generations[id] {
			return fmt.Errorf("group %s is told generation %d, after %d", id, next, t.generations[id])
		}
	}
	return nil
}

func (t told) keeps(a *actor, c *coordinator.Coordinator, at seat) error {
	fetch := &group.FetchOffsets{Group: at.group, Partitions: []group.WantedOffset{{Partition: kafka.TopicPartition{Topic: "t", Partition: at.partition}}}}
	got, err := asked(a, c, at.group, fetch)
	if err != nil {
		return err
	}
	was, acknowledged := t.offsets[at]
	if !acknowledged {
		was = kafka.NoOffset
	}
	if is := got.(group.FetchReply).Offsets[0].Offset; is != was && !slices.Contains(t.asked[at], is) {
		return fmt.Errorf("the offset of %+v is committed at %d, not at %d as was acknowledged, nor at one of %v", at, is, was, t.asked[at])
	}
	if _, member := t.generations[at.group]; member {
		return nil // only its members may
	}
	_, err = asked(a, c, at.group, commitOf(at, 1234567))
	return err
}
