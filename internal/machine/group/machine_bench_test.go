package group_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/classic"
)

// run decides, enacts and commits one command, without the lab's bookkeeping.
func run(m *group.Machine, now kafka.Instant, next *kafka.Offset, cmd group.Command) {
	r := m.Decide(now, 1, cmd)
	m.Enact(*next, &r)
	*next += kafka.Offset(len(r.Records))
	m.Commit(*next)
}

func BenchmarkCommit(b *testing.B) {
	l := newLab(b)
	m := l.stable("m-1")[0]
	c := &group.Commit{Group: "g", MemberID: m.id, Generation: m.generation, RetentionMs: -1}
	for p := range int32(10) {
		c.Offsets = append(c.Offsets, group.CommitOffset{Partition: kafka.TopicPartition{Topic: "t", Partition: p}, Offset: 1})
	}
	next := kafka.Offset(len(l.log))
	b.ReportAllocs()
	for b.Loop() {
		run(l.m, l.now, &next, c)
	}
}

func BenchmarkHeartbeat(b *testing.B) {
	l := newLab(b)
	m := l.stable("m-1")[0]
	h := &classic.Heartbeat{Group: "g", MemberID: m.id, Generation: m.generation}
	next := kafka.Offset(len(l.log))
	b.ReportAllocs()
	for b.Loop() {
		run(l.m, l.now, &next, h)
	}
}

// BenchmarkRebalance takes a group of a thousand from nothing to the leader's answer.
func BenchmarkRebalance(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		l := newLab(b, func(c *group.Config) { c.Classic.InitialRebalanceDelay = time.Second })
		next := kafka.Offset(0)
		for i := range 1000 {
			j := request("", "range", "cooperative-sticky")
			j.NewMemberID, j.RequireMemberID = fmt.Sprintf("m-%d", i), false
			run(l.m, l.now, &next, j)
		}
		l.pass(time.Minute)
	}
}
