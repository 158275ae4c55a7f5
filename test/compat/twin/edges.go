package twin

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// edges is a second conversation, with fresh nodes that create topics by themselves: requests few clients send, such
// as one thing named twice, lists that are empty and values just outside what is allowed.
func (t *talk) edges(ctx context.Context) error {
	for _, part := range []func() error{
		t.topicShapes, t.topicValues, t.edgeTopics, t.partitionEdges, t.cursors, t.topicNames, t.batches, t.offsetEdges,
		t.fetchEdges, t.sessions, t.deletedRecords, t.describeEdges, t.alterations, t.resourceKinds, t.quorumEdges,
		t.featureEdges, t.deletions, t.autoCreation,
	} {
		if err := part(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// note adds a field to the last answer: what the comparison of fields cannot see.
func (t *talk) note(field, value string) { t.answers[len(t.answers)-1].fields[field] = value }

// topicStep is one CreateTopics request.
type topicStep struct {
	name     string
	validate bool
	topics   []kmsg.CreateTopicsRequestTopic
}

func (t *talk) createAll(v int16, steps []topicStep) error {
	for _, s := range steps {
		if err := t.create(s.name, v, s.validate, s.topics...); err != nil {
			return err
		}
	}
	return nil
}

// edgeTopics makes the topics the later parts are about.
func (t *talk) edgeTopics() error {
	if err := t.create("for edges", 7, false, newTopic("records", 2, 1), newTopic("twice", 1, 1), newTopic("q_w_e", 1, 1),
		newTopic("isr", 1, 1, "min.insync.replicas", "2"), newTopic("stamped", 1, 1, "message.timestamp.type", "LogAppendTime"),
		newTopic("old", 1, 1, "message.timestamp.before.max.ms", "1000"), newTopic("zipped", 1, 1, "compression.type", "gzip"),
		newTopic("compacted", 1, 1, "cleanup.policy", "compact"), newTopic("both", 1, 1, "cleanup.policy", "compact,delete")); err != nil {
		return err
	}
	names := []string{"records", "twice", "isr", "stamped", "old", "zipped", "compacted", "both"}
	for v := ranges[int16(kmsg.CreateTopics)][0]; v <= ranges[int16(kmsg.CreateTopics)][1]; v++ {
		names = append(names, fmt.Sprintf("base-v%d", v))
	}
	for _, name := range names {
		if _, err := t.lookup(name); err != nil {
			return err
		}
	}
	return t.create("collides with an older one", 7, true, newTopic("q.w_e", 1, 1))
}
