package twin

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// reference names a topic by name, by id, by both or by neither.
type reference struct {
	name *string
	id   [16]byte
}

func byName(name string) reference { return reference{name: &name} }
func byID(id [16]byte) reference   { return reference{id: id} }

// about is a Metadata request about topics; nil asks for every topic.
func about(v int16, create bool, topics ...reference) *kmsg.MetadataRequest {
	req := versioned(kmsg.NewPtrMetadataRequest(), v)
	req.AllowAutoTopicCreation, req.IncludeTopicAuthorizedOperations = create, v == 8
	if topics != nil {
		req.Topics = []kmsg.MetadataRequestTopic{}
	}
	for _, r := range topics {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic, topic.TopicID = r.name, r.id
		req.Topics = append(req.Topics, topic)
	}
	return req
}

// topicNames are Metadata requests that name topics twice, in two ways or in none.
func (t *talk) topicNames() error {
	known, err := t.lookup("base-v7")
	if err != nil {
		return err
	}
	good, both := byName("base-v2"), byName("base-v2")
	both.id = known.id
	return t.each(kmsg.Metadata, func(v int16) error {
		for _, s := range []struct {
			name   string
			least  int16 // before v4 a Metadata request always allows to create what is missing: see autoCreation
			topics []reference
		}{
			{"a topic twice", 0, []reference{good, good}}, {"an unknown topic twice", 4, []reference{byName("unknown"), byName("unknown")}},
			{"a bad name twice", 0, []reference{byName("bad name"), byName("bad name")}}, {"the empty name", 0, []reference{byName("")}},
			{"a missing internal topic", 4, []reference{byName("__transaction_state")}}, {"the metadata topic", 4, []reference{byName("__cluster_metadata")}},
			{"neither name nor id", 10, []reference{{}}}, {"neither name nor id, and a good one", 10, []reference{{}, good}},
			{"a name and an id", 10, []reference{both}}, {"a name and an id, and a good one", 10, []reference{both, byName("base-v3")}},
			{"an id and an unknown id", 12, []reference{byID(known.id), byID([16]byte{5})}}, {"an id twice", 12, []reference{byID(known.id), byID(known.id)}},
			{"one by id, one by name", 12, []reference{byID(known.id), good}}, {"one by id and by name", 12, []reference{byID(known.id), byName("base-v7")}},
		} {
			if v < s.least {
				continue
			}
			if _, err := t.ask(s.name, about(v, false, s.topics...)); err != nil {
				return err
			}
		}
		return nil
	})
}

// autoCreation are Metadata requests for topics that are missing and may be created.
func (t *talk) autoCreation() error {
	err := t.each(kmsg.Metadata, func(v int16) error {
		made := fmt.Sprintf("auto-v%d", v)
		for _, s := range []struct {
			name   string
			topics []reference
		}{
			{"created", []reference{byName(made), byName("base-v3")}}, {"created, twice", []reference{byName(made + "-twice"), byName(made + "-twice")}},
			{"not created: a bad name", []reference{byName("bad name"), byName("..")}},
		} {
			if _, err := t.ask(s.name, about(v, true, s.topics...)); err != nil {
				return err
			}
		}
		for _, name := range []string{made, made + "-twice"} {
			if _, err := t.lookup(name); err != nil {
				return err
			}
		}
		_, err := t.ask("was created", about(v, true, byName(made)))
		return err
	})
	if err != nil {
		return err
	}
	return t.ownTopics()
}

// ownTopics asks for the topics only the system itself makes, waits as long as Kafka takes to make one, and asks again.
func (t *talk) ownTopics() error {
	own := about(12, true, byName("__transaction_state"), byName("__share_group_state"), byName("__cluster_metadata"))
	if _, err := t.ask("a topic of the system", own); err != nil {
		return err
	}
	for range 2000 {
		resp, err := t.exchange(about(12, false, byName("__share_group_state")))
		if err != nil || resp == nil {
			return fmt.Errorf("metadata of a topic of the system: %v", err)
		}
		if got := resp.(*kmsg.MetadataResponse).Topics[0]; got.ErrorCode == 0 && len(got.Partitions) > 0 {
			break
		}
	}
	_, err := t.ask("a topic of the system, afterwards", about(12, false, byName("__transaction_state"), byName("__cluster_metadata")))
	return err
}

// deletions are DeleteTopics requests that name topics twice, in two ways or in none; the last one deletes.
func (t *talk) deletions() error {
	known, err := t.lookup("base-v7")
	if err != nil {
		return err
	}
	good, gone := byName("base-v7"), byName("unknown")
	both := reference{good.name, known.id}
	return t.each(kmsg.DeleteTopics, func(v int16) error {
		for _, s := range []struct {
			name   string
			least  int16
			topics []reference
		}{
			{"the empty name", 1, []reference{byName("")}}, {"a bad name", 1, []reference{byName("bad name")}},
			{"a name twice", 1, []reference{good, good}}, {"an unknown name twice", 1, []reference{gone, gone}},
			{"the metadata topic", 1, []reference{byName("__cluster_metadata")}}, {"nothing", 1, nil},
			{"a name and an id", 6, []reference{both}}, {"neither name nor id", 6, []reference{{}}}, {"an id twice", 6, []reference{byID(known.id), byID(known.id)}},
			{"one by name and by id", 6, []reference{good, byID(known.id)}}, {"an unknown id twice", 6, []reference{byID([16]byte{9}), byID([16]byte{9})}},
			{"the metadata topic by id", 6, []reference{byID([16]byte{15: 1})}}, {"one by id, one by name", 6, []reference{byID(known.id), byName("base-v2")}},
		} {
			if v < s.least {
				continue
			}
			req := versioned(kmsg.NewPtrDeleteTopicsRequest(), v)
			req.TimeoutMillis = 20000
			for _, r := range s.topics {
				if v < 6 {
					req.TopicNames = append(req.TopicNames, *r.name)
					continue
				}
				topic := kmsg.NewDeleteTopicsRequestTopic()
				topic.Topic, topic.TopicID = r.name, r.id
				req.Topics = append(req.Topics, topic)
			}
			if _, err := t.ask(s.name, req); err != nil {
				return err
			}
		}
		return nil
	})
}
