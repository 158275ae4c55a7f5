package history

import "github.com/milena-io/milena/internal/kafka"

// GroupFunction is what a group's event is.
type GroupFunction uint8

// The functions of group events. Join to Fetch are a client's, with invocation and completion; the others are told by
// whoever sees the coordinator decide, where the history has such a witness.
const (
	GroupJoin   GroupFunction = iota // a JoinGroup answered with a generation, or a first ConsumerGroupHeartbeat
	GroupAssign                      // the member was told that it owns exactly Keys in Generation
	GroupRevoke                      // the member gave Keys up, and the coordinator was told
	GroupLeave
	GroupCommit // Offsets were committed
	GroupFetch  // Offsets were read
	GroupFenced // the coordinator removed the member: its session or its rebalance timeout was over
	GroupExpire // the coordinator removed Offsets because they were old
	GroupDelete // Offsets were removed by request
	groupFunctions
)

// String returns a word for reports.
func (f GroupFunction) String() string {
	if f >= groupFunctions {
		return "unknown"
	}
	return [...]string{"join", "assign", "revoke", "leave", "commit", "fetch", "fenced", "expire", "delete"}[f]
}

// GroupOp is one event of one group.
type GroupOp struct {
	Index       int
	Group       string
	Member      string // empty for a commit from outside the group
	F           GroupFunction
	Kind        Kind
	Consumer    bool // KIP-848's protocol: Generation is the member's epoch
	Code        kafka.ErrorCode
	Invoke      int64
	Complete    int64
	Generation  int32
	Coordinator kafka.NodeID      // that answered; -1 where it isn't known
	Epoch       kafka.LeaderEpoch // of the coordinator's partition of __consumer_offsets; -1 where it isn't known
	Keys        []Key
	Offsets     []Mark
}

// Done returns when the event's effects were known to be there.
func (o *GroupOp) Done() int64 {
	if o.Kind != Ok {
		return Never
	}
	return o.Complete
}

// Mark is a committed offset. ID makes it unique in its history: it travels in the commit's metadata, and is 0 in a fetch
// that found nothing.
type Mark struct {
	Key Key
	Off kafka.Offset
	ID  uint64
}
