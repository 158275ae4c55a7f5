package twin

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchEdges are Fetch requests with limits of zero, a partition twice and a replica that is none.
func (t *talk) fetchEdges() error {
	records, err := t.lookup("records")
	if err != nil {
		return err
	}
	return t.each(kmsg.Fetch, func(v int16) error {
		replica := fetchOf(v, part{records, 0, -1, 1, 100})
		replica.ReplicaID = 5
		if v >= 15 {
			replica.ReplicaState.ID = 5
		}
		nothing := fetchOf(v, part{records, 0, -1, 0, 1 << 20}, part{records, 1, -1, 0, 1 << 20})
		nothing.MaxBytes = 0
		for _, s := range []struct {
			name string
			req  *kmsg.FetchRequest
		}{
			{"zero bytes of a partition", fetchOf(v, part{records, 0, -1, 1, 0})},
			{"a partition twice", fetchOf(v, part{records, 0, -1, 1, 1 << 20}, part{records, 0, -1, 2, 1 << 20})},
			{"neither name nor id", fetchOf(v, part{fixed{}, 0, -1, 1, 0})},
			{"from a replica that is none", replica},
			{"zero bytes in all", nothing},
		} {
			if _, err := t.ask(s.name, s.req); err != nil {
				return err
			}
		}
		return nil
	})
}

// openSession opens a session over both partitions of records and returns its id.
func (t *talk) openSession(v int16, records fixed) (int32, error) {
	resp, err := t.ask("a session, opened", session(v, 0, 0, part{records, 0, -1, 0, 1 << 20}, part{records, 1, -1, 0, 1 << 20}))
	if err != nil || resp == nil {
		return 0, fmt.Errorf("no session: %v", err)
	}
	return resp.(*kmsg.FetchResponse).SessionID, nil
}

// sessionStep is one Fetch of a session.
type sessionStep struct {
	name string
	req  *kmsg.FetchRequest
}

func (t *talk) fetchAll(steps []sessionStep) error {
	for _, s := range steps {
		s.req.MaxWaitMillis = 0
		if _, err := t.ask(s.name, s.req); err != nil {
			return err
		}
	}
	return nil
}

func (t *talk) sessions() error {
	records, err := t.lookup("records")
	if err != nil {
		return err
	}
	both, err := t.lookup("both")
	if err != nil {
		return err
	}
	for v := int16(7); v <= ranges[int16(kmsg.Fetch)][1]; v++ {
		if err := t.sessionLife(v, records, both); err != nil {
			return err
		}
		if err := t.sessionEnds(v, records); err != nil {
			return err
		}
	}
	return nil
}

// sessionLife adds partitions to a session and takes them from it.
func (t *talk) sessionLife(v int16, records, both fixed) error {
	id, err := t.openSession(v, records)
	if err != nil {
		return err
	}
	unknown := fixed{"unknown", [16]byte{7}}
	forget := func(f fixed, partitions ...int32) kmsg.FetchRequestForgottenTopic {
		topic := kmsg.NewFetchRequestForgottenTopic()
		topic.Topic, topic.TopicID, topic.Partitions = f.name, f.id, partitions
		return topic
	}
	drop, all := session(v, id, 4), session(v, id, 10)
	drop.ForgottenTopics = append(drop.ForgottenTopics, forget(unknown, 0))
	all.ForgottenTopics = append(all.ForgottenTopics, forget(records, 0, 1), forget(both, 0))
	return t.fetchAll([]sessionStep{
		{"a session, adding", session(v, id, 1, part{both, 0, -1, 0, 1 << 20})},
		{"a session, adding an unknown topic", session(v, id, 2, part{unknown, 0, -1, 0, 1 << 20})},
		{"a session, with an unknown topic", session(v, id, 3)},
		{"a session, forgetting the unknown topic", drop},
		{"a session, without the unknown topic", session(v, id, 5)},
		{"a session, out of range", session(v, id, 6, part{both, 0, -1, 999, 1 << 20})},
		{"a session, still out of range", session(v, id, 7)},
		{"a session, in range again", session(v, id, 8, part{both, 0, -1, 0, 1 << 20})},
		{"a session, at an old epoch", session(v, id, 3)},
		{"a session, after an old epoch", session(v, id, 9)},
		{"a session, forgetting all", all},
		{"a session, after forgetting all", session(v, id, 11)},
	})
}

// sessionEnds closes sessions, replaces one and goes on in a version that names topics otherwise.
func (t *talk) sessionEnds(v int16, records fixed) error {
	var ids [3]int32
	for i := range ids {
		id, err := t.openSession(v, records)
		if err != nil {
			return err
		}
		ids[i] = id
	}
	err := t.fetchAll([]sessionStep{
		{"a session among others", session(v, ids[0], 1)},
		{"a session, closing with a partition", session(v, ids[0], -1, part{records, 0, -1, 0, 1 << 20})},
		{"a session, closed", session(v, ids[0], 2)},
		{"a session, opened in place of one", session(v, ids[1], 0, part{records, 0, -1, 0, 1 << 20})},
		{"a session, replaced", session(v, ids[1], 2)},
		{"a session over nothing", session(v, 0, 0)},
		{"no session and nothing", session(v, 0, -1)},
	})
	if err != nil || v < 12 {
		return err
	}
	other := int16(12)
	if v == other {
		other = 13
	}
	return t.fetchAll([]sessionStep{{"a session, by names instead of ids or the reverse", session(other, ids[2], 1)}})
}
