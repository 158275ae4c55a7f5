package commands

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
)

// The numbers of our tagged fields, far above any that Kafka uses.
const (
	tagNoted  = 10200 // of BrokerRegistration: for each log directory a count (uint16) and so many ids
	tagDead   = 10201 // of BrokerRegistration: an int64
	tagReason = 10202 // of answers with a code and no words: a text
	tagShown  = 10203 // of Envelope's answer: an int64

	tagStalled = 10211 // of BrokerHeartbeat: the ids of log directories, 16 bytes each
	tagSettled = 10212 // of a partition in AlterPartition: without a value
)

// tagged returns a tag's value, nil when there is none.
func tagged(t *kmsg.Tags, tag uint32) []byte {
	var out []byte
	t.Each(func(key uint32, value []byte) {
		if key == tag {
			out = value
		}
	})
	return out
}

func int64Tag(t *kmsg.Tags, tag uint32) (int64, bool) {
	b := tagged(t, tag)
	if len(b) != 8 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(b)), true
}

func setInt64Tag(t *kmsg.Tags, tag uint32, v int64) {
	t.Set(tag, binary.BigEndian.AppendUint64(nil, uint64(v)))
}

// refuse notes why something was refused.
func refuse(code *int16, t *kmsg.Tags, err error) {
	p := problemOf(err)
	*code = int16(p.Code)
	explain(t, p)
}

func explain(t *kmsg.Tags, p controller.Problem) {
	if p.Message != "" {
		t.Set(tagReason, []byte(p.Message))
	}
}

// refusal is the way back; nil when nothing was refused.
func refusal(code int16, t *kmsg.Tags) error { return problemIn(code, t).Err("controller") }

func problemIn(code int16, t *kmsg.Tags) controller.Problem {
	return controller.Problem{Code: kafka.ErrorCode(code), Message: string(tagged(t, tagReason))}
}

// problemOf is an error as an answer tells it. A controller that is about to stop is not the active one any more.
func problemOf(err error) controller.Problem {
	p := controller.Problem{Code: fault.CodeOf(err)}
	if fault.IsKind(err, fault.Closed) {
		p.Code = kafka.ErrNotController
	}
	if m := fault.MessageOf(err); m != nil {
		p.Message = *m
	}
	return p
}

// words is a message for a field that may be null.
func words(p controller.Problem) *string {
	if p.Message == "" {
		return nil
	}
	return &p.Message
}

func unword(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
