package wire

import (
	"encoding/json"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
)

// tagFollowers is ours, far above any that Kafka uses. In a DescribeLogDirs request it asks leaders to tell of their followers, and in the
// answer to one that asked it does, beside each partition that is led there (ADR 0030). Everybody else skips it.
const tagFollowers = 10210

// FollowerState is another replica as the leader of its partition sees it.
type FollowerState struct {
	Node       int32  `json:"node"`
	InSync     bool   `json:"in_sync"`
	Lag        int64  `json:"lag"`         // records that the leader has and it has not, -1 while it has not fetched
	NotDurable int64  `json:"not_durable"` // records that the leader has and its disk has not, -1 while it has not fetched
	BehindMs   int64  `json:"behind_ms"`   // since when it has lacked something, as far as this leader knows, 0 for nothing, -1 when it was never level
	SilentMs   int64  `json:"silent_ms"`   // since its last Fetch, -1 when this leader has heard none
	Waits      string `json:"waits"`       // what for, a word of metrics' milena_replica_waits
}

// AskForFollowers has a request ask for them.
func AskForFollowers(m *kmsg.DescribeLogDirsRequest) { m.UnknownTags.Set(tagFollowers, nil) }

// AskedForFollowers reports whether it does.
func AskedForFollowers(m *kmsg.DescribeLogDirsRequest) (asked bool) {
	m.UnknownTags.Each(func(tag uint32, _ []byte) { asked = asked || tag == tagFollowers })
	return asked
}

// SetFollowers puts them into the answer.
func SetFollowers(p *kmsg.DescribeLogDirsResponseDirTopicPartition, all []FollowerState) {
	text, err := json.Marshal(all)
	if err == nil { // of numbers and words: it cannot fail
		p.UnknownTags.Set(tagFollowers, text)
	}
}

// Followers reads them; none where the answer holds none.
func Followers(p *kmsg.DescribeLogDirsResponseDirTopicPartition) (out []FollowerState, err error) {
	p.UnknownTags.Each(func(tag uint32, text []byte) {
		if tag == tagFollowers {
			err = json.Unmarshal(text, &out)
		}
	})
	if err != nil {
		return nil, fault.Corruption("wire.Followers", "%v", err)
	}
	return out, nil
}
