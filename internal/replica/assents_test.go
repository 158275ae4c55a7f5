package replica

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// answering is an answer of as many partitions as there are codes.
func answering(codes ...kafka.ErrorCode) *kmsg.OffsetForLeaderEpochResponse {
	out := kmsg.NewPtrOffsetForLeaderEpochResponse()
	t := kmsg.NewOffsetForLeaderEpochResponseTopic()
	for _, c := range codes {
		p := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
		p.ErrorCode = int16(c)
		t.Partitions = append(t.Partitions, p)
	}
	out.Topics = append(out.Topics, t)
	return out
}

// Who follows, or is behind, knows of no later leader; who fences or leads does, and nothing else tells anything.
func TestWhatCountsAsAssent(t *testing.T) {
	for code, want := range map[kafka.ErrorCode]kafka.ErrorCode{
		kafka.ErrNotLeaderOrFollower:     kafka.ErrNone,
		kafka.ErrUnknownLeaderEpoch:      kafka.ErrNone,
		kafka.ErrFencedLeaderEpoch:       kafka.ErrFencedLeaderEpoch,
		kafka.ErrNone:                    kafka.ErrFencedLeaderEpoch,
		kafka.ErrUnknownTopicOrPartition: kafka.ErrUnknownTopicOrPartition,
		kafka.ErrUnknownTopicId:          kafka.ErrUnknownTopicId,
		kafka.ErrReplicaNotAvailable:     kafka.ErrReplicaNotAvailable,
		kafka.ErrKafkaStorageError:       kafka.ErrKafkaStorageError,
	} {
		if got := fault.CodeOf(assented(answering(code), 2)); got != want {
			t.Errorf("%v is taken for %v, want %v", code, got, want)
		}
	}
	for _, in := range []*kmsg.OffsetForLeaderEpochResponse{
		kmsg.NewPtrOffsetForLeaderEpochResponse(), answering(), answering(kafka.ErrNotLeaderOrFollower, kafka.ErrNotLeaderOrFollower),
	} {
		if got := fault.CodeOf(assented(in, 2)); got != kafka.ErrInvalidRequest {
			t.Errorf("%+v is taken for %v", in, got)
		}
	}
}

// Whichever answer comes first: who knows of a later leader counts for most, then the first that doesn't tell, and all are waited for.
func TestASuccessorCountsForMoreThanSilence(t *testing.T) {
	var (
		fenced = fault.New("test", kafka.ErrFencedLeaderEpoch, "another leads")
		silent = errors.New("nothing came")
		away   = fault.New("test", kafka.ErrBrokerNotAvailable, "nobody is there")
	)
	for _, c := range []struct {
		answers []error
		want    error
	}{
		{[]error{nil}, nil},
		{[]error{nil, nil, nil}, nil},
		{[]error{nil, silent, nil}, silent},
		{[]error{silent, nil, away}, silent},
		{[]error{away, silent, nil}, away},
		{[]error{fenced, nil, nil}, fenced},
		{[]error{nil, nil, fenced}, fenced},
		{[]error{silent, fenced, nil}, fenced},
		{[]error{fenced, silent, away}, fenced},
		{[]error{away, silent, fenced}, fenced},
	} {
		told, got := 0, error(nil)
		round := &assenting{left: len(c.answers), done: func(err error) { told, got = told+1, err }}
		for i, err := range c.answers {
			if told != 0 {
				t.Errorf("%v: told before answer %d came", c.answers, i)
			}
			round.take(err)
		}
		if told != 1 || got != c.want {
			t.Errorf("%v: told %d times, %v, want %v", c.answers, told, got, c.want)
		}
	}
}
