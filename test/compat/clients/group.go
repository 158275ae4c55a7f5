package clients

import (
	"context"
	"fmt"
	"slices"

	"github.com/milena-io/milena/test/compat/driver"
)

const groupPartitions = 6

// heard is one event and the member that said it.
type heard struct {
	member int
	event  driver.Event
	err    error
}

// crew follows several members at once.
type crew struct {
	events chan heard
	owns   map[int][]int32
	read   map[[2]int64]int // partition and offset: how often it was read
}

// follow passes a member's events on until it ends.
func (c *crew) follow(ctx context.Context, i int, m *driver.Member) {
	for {
		e, err := m.Next(ctx)
		select {
		case c.events <- heard{i, e, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// until takes events until done says so. Errors of members in dead are the end of those.
func (c *crew) until(ctx context.Context, what string, dead int, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !done() {
		select {
		case h := <-c.events:
			if h.err != nil {
				if h.member == dead {
					continue
				}
				return fmt.Errorf("waiting until %s: member %d: %w", what, h.member, h.err)
			}
			switch h.event.Event {
			case "assigned":
				if h.member != dead {
					c.owns[h.member] = h.event.Partitions
				}
			case "record":
				c.read[[2]int64{int64(h.event.Partition), h.event.Offset}]++
			}
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: owned %v, %d records: %w", what, c.owns, len(c.read), ctx.Err())
		}
	}
	return nil
}

// shared says whether members own all partitions between them, each one once, and nobody none.
func (c *crew) shared(members ...int) bool {
	var all []int32
	for _, m := range members {
		if len(c.owns[m]) == 0 {
			return false
		}
		all = append(all, c.owns[m]...)
	}
	slices.Sort(all)
	return slices.Equal(all, []int32{0, 1, 2, 3, 4, 5})
}

// threeMembers: three members share six partitions; one is killed; the other two take over and every record is read.
func (st *stage) threeMembers(ctx context.Context) error {
	topic := st.named("group")
	if err := st.topic(ctx, topic, groupPartitions); err != nil {
		return err
	}
	followed, stop := context.WithCancel(ctx)
	defer stop()
	c := &crew{events: make(chan heard, 1024), owns: map[int][]int32{}, read: map[[2]int64]int{}}
	var members []*driver.Member
	for i := range 3 {
		m, err := st.drive.Join(st.node.Bootstrap(), topic, "g-"+topic)
		if err != nil {
			return err
		}
		defer m.Kill9()
		members = append(members, m)
		go c.follow(followed, i, m)
	}
	const nobody, killed = -1, 1
	if err := c.until(ctx, "three members share", nobody, func() bool { return c.shared(0, 1, 2) }); err != nil {
		return err
	}
	if err := st.produce(ctx, topic, "none", plain(groupPartitions, 60)); err != nil {
		return err
	}
	if err := c.until(ctx, "60 records are read", nobody, func() bool { return len(c.read) == 60 }); err != nil {
		return err
	}
	delete(c.owns, killed)
	go members[killed].Kill9()
	if err := c.until(ctx, "two members share", killed, func() bool { return c.shared(0, 2) }); err != nil {
		return err
	}
	if err := st.produce(ctx, topic, "none", plain(groupPartitions, 60)); err != nil {
		return err
	}
	if err := c.until(ctx, "120 records are read", killed, func() bool { return len(c.read) == 120 }); err != nil {
		return err
	}
	stop()
	for _, i := range []int{0, 2} {
		if err := members[i].Stop(); err != nil {
			return fmt.Errorf("member %d: %w", i, err)
		}
	}
	return nil
}
