package group

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group/classic"
	"github.com/milena-io/milena/internal/machine/group/offsets"
)

// Command is one of *classic.Join, *classic.Sync, *classic.Heartbeat, *classic.Leave, and the commands below.
type Command any

// Commit is an OffsetCommit request.
type Commit struct {
	Group       string
	MemberID    string
	InstanceID  *string
	Generation  int32 // -1 outside group management
	RetentionMs int64 // -1 for the broker's; versions 2 to 4 only
	Offsets     []CommitOffset
	// MissingGroup is the code for a generation of a group that does not exist: GROUP_ID_NOT_FOUND from version 9 on,
	// ILLEGAL_GENERATION before.
	MissingGroup kafka.ErrorCode
}

// CommitOffset is one offset of a Commit.
type CommitOffset struct {
	offsets.Partition
	TopicID     kafka.TopicID
	Offset      kafka.Offset
	LeaderEpoch kafka.LeaderEpoch
	Metadata    string
}

// CommitReply holds a code for the whole request or one for each offset, in the order asked.
type CommitReply struct {
	Err   kafka.ErrorCode
	Codes []kafka.ErrorCode
}

// FetchOffsets is one group of an OffsetFetch request.
type FetchOffsets struct {
	Group      string
	All        bool // every partition the group has an offset for
	Partitions []WantedOffset
	Stable     bool // RequireStable (KIP-447): wait for what is on its way
}

// WantedOffset is a partition of a FetchOffsets. With an id, an offset that was committed for another topic of the same
// name does not count; a zero id asks by name alone.
type WantedOffset struct {
	offsets.Partition
	TopicID kafka.TopicID
}

// FetchReply holds an entry for each partition asked, or with All for each there is, sorted.
type FetchReply struct{ Offsets []FetchedOffset }

// FetchedOffset is a committed offset; Offset is -1 when there is none. TopicID is the one it was committed for, zero when
// that is unknown.
type FetchedOffset struct {
	offsets.Partition
	TopicID     kafka.TopicID
	Err         kafka.ErrorCode
	Offset      kafka.Offset
	LeaderEpoch kafka.LeaderEpoch
	Metadata    string
}

// DeleteOffsets is an OffsetDelete request (KIP-496).
type DeleteOffsets struct {
	Group      string
	Partitions []offsets.Partition
}

// DeleteOffsetsReply holds a code for the whole request or one for each partition, in the order asked.
type DeleteOffsetsReply struct {
	Err   kafka.ErrorCode
	Codes []kafka.ErrorCode
}

// DeleteGroup is one group of a DeleteGroups request (KIP-229).
type DeleteGroup struct{ Group string }

// DeleteGroupReply is its answer.
type DeleteGroupReply struct{ Err kafka.ErrorCode }

// Describe asks about one group.
type Describe struct{ Group string }

// Description is a group as its administrator sees it; State is Dead when there is none.
type Description struct {
	State        classic.State
	ProtocolType string
	Protocol     string
	Members      []MemberDescription
}

// MemberDescription is one member of a Description.
type MemberDescription struct {
	ID         string
	InstanceID *string
	Client     classic.Client
	Metadata   []byte // only while the group is Stable
	Assignment []byte
}

// List asks for all groups of the shard whose state is among States (lower case); none means any.
type List struct{ States []string }

// ListReply is the answer to List, sorted by group.
type ListReply struct{ Groups []Listed }

// Listed is one group of a ListReply.
type Listed struct {
	Group        string
	ProtocolType string
	State        classic.State
}

// TopicsDeleted says that topics are gone; offsets committed for them go too. Those of a topic that was made anew under
// the same name stay.
type TopicsDeleted struct{ Topics []DeletedTopic }

// DeletedTopic is a topic as it was.
type DeletedTopic struct {
	Name string
	ID   kafka.TopicID
}

// Loaded says that the log has been read: sessions begin.
type Loaded struct{}

// Tick comes from Due: something of a group is over.
type Tick struct{ Group string }

// ExpireOffsets comes from Due: it is time to look for outlived offsets.
type ExpireOffsets struct{}
