package controller

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// deleteTopics removes topics; partitions and configs go with the topic when the record is applied.
func deleteTopics(d *decision, c DeleteTopics) (any, error) {
	out := make([]DeletedTopic, len(c.Topics))
	times := map[kafka.TopicID]int{}
	for i, ref := range c.Topics {
		t, err := find(d.img, ref)
		if err != nil {
			out[i] = DeletedTopic{Problem: problem(err), TopicRef: ref}
			continue
		}
		out[i].TopicRef = TopicRef{ID: t.ID, Name: t.Name}
		times[t.ID]++
	}
	for i := range out {
		switch {
		case !out[i].OK():
		case times[out[i].ID] > 1:
			out[i].Problem = Problem{kafka.ErrInvalidRequest, "The provided topic name maps to an ID that was already supplied."}
		default:
			d.add(&staterecord.RemoveTopic{TopicID: out[i].ID})
		}
	}
	return out, d.finish(false)
}

// find resolves a reference to a topic.
func find(img *image.Image, ref TopicRef) (*image.Topic, error) {
	if !ref.ID.IsZero() {
		if t := img.Topic(ref.ID); t != nil {
			return t, nil
		}
		return nil, fault.New(op, kafka.ErrUnknownTopicId, "This server does not host this topic ID.")
	}
	if t := img.TopicNamed(ref.Name); t != nil {
		return t, nil
	}
	return nil, fault.New(op, kafka.ErrUnknownTopicOrPartition, "This server does not host this topic-partition.")
}
