// Package groups serves the APIs of consumer groups: finding the coordinator, joining, syncing, committing, and what
// administrators ask.
//
// listen calls its handlers through node's table. Each handler turns a request into a command of machine/group, hands
// it to the coordinator, and writes the answer in the words of the request's version. It decides nothing about groups,
// and keeps no bytes of a request beyond its reply: what a group keeps is copied here.
package groups

import (
	"bytes"
	"encoding/hex"
	"strings"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/classic"
	"github.com/milena-io/milena/internal/wire"
)

// Coordinator runs the groups this node coordinates.
type Coordinator interface {
	// Submit decides a command about a group; done is called once with the machine's reply to it, or with
	// NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE or UNKNOWN_SERVER_ERROR.
	Submit(groupID string, cmd group.Command, done func(reply any, err error))
	// SubmitAll decides a command in every shard of this node.
	SubmitAll(cmd group.Command, done func(replies []any, err error))
	// PartitionOf returns the partition of __consumer_offsets that owns a group, or false while there is no such topic.
	PartitionOf(groupID string) (partition int32, ok bool)
}

// Metadata is what this area asks of the cluster's image.
type Metadata interface {
	// Topic returns a topic's id and number of partitions by name.
	Topic(name string) (id kafka.TopicID, partitions int32, ok bool)
	// TopicName returns the name of a topic id.
	TopicName(id kafka.TopicID) (name string, ok bool)
	// Leader returns the node that leads a partition, at its address for clients of a listener; false when nobody
	// leads, or the leader has no such listener.
	Leader(listener, topic string, partition int32) (Node, bool)
}

// Node is where a coordinator can be reached.
type Node struct {
	ID   kafka.NodeID
	Host string
	Port int32
}

// Creator makes __consumer_offsets when it is first needed.
type Creator interface {
	// CreateOffsetsTopic calls done when the topic exists in this node's image, or cannot be created.
	CreateOffsetsTopic(done func(error))
}

// IDs draws the ids of new members.
type IDs interface{ UUID() kafka.UUID }

// Groups is the area.
type Groups struct {
	coordinator Coordinator
	metadata    Metadata
	creator     Creator
	ids         IDs
}

// New connects the area.
func New(c Coordinator, m Metadata, creator Creator, ids IDs) *Groups {
	return &Groups{coordinator: c, metadata: m, creator: creator, ids: ids}
}

// newMemberID is Kafka's: the instance id of a static member, else the client id, and a random UUID in Java's spelling.
func (g *Groups) newMemberID(clientID string, instance *string) string {
	u := g.ids.UUID()
	u[6] = u[6]&0x0f | 0x40 // version 4, as java.util.UUID.randomUUID
	u[8] = u[8]&0x3f | 0x80
	h := hex.EncodeToString(u[:])
	prefix := clientID
	if instance != nil {
		prefix = *instance
	}
	return strings.Join([]string{prefix, h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// client is who sent a request, as group descriptions show it.
func client(req *wire.Request) classic.Client {
	return classic.Client{ID: req.ClientID, Host: "/" + req.Peer.Addr.Addr().Unmap().String()}
}

func code(err error) int16 { return int16(fault.CodeOf(err)) }

func clone(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return bytes.Clone(b)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// nullable is null where the machine has nothing.
func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// topicOf resolves a topic named by id from version 10 of OffsetCommit and OffsetFetch on, by name before. The code is
// NONE when it exists.
func (g *Groups) topicOf(version int16, name string, id kafka.TopicID) (string, kafka.TopicID, int32, kafka.ErrorCode) {
	missing := kafka.ErrUnknownTopicOrPartition
	if version >= 10 {
		missing = kafka.ErrUnknownTopicId
		n, ok := g.metadata.TopicName(id)
		if !ok {
			return "", id, 0, missing
		}
		name = n
	}
	have, partitions, ok := g.metadata.Topic(name)
	if !ok {
		return name, id, 0, missing
	}
	return name, have, partitions, kafka.ErrNone
}

// distinct leaves out what asks again for all of a group: an answer may be thousands of times as large as its question. all
// tells an element's group and whether it asks for all of it.
func distinct[T any](asked []T, all func(T) (group string, all bool)) []T {
	seen := make(map[string]bool, len(asked))
	out := make([]T, 0, len(asked))
	for _, a := range asked {
		id, whole := all(a)
		if whole && seen[id] {
			continue
		}
		seen[id] = seen[id] || whole
		out = append(out, a)
	}
	return out
}
