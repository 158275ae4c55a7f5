// Package history is what clients of a cluster did and saw: operations with the times of one recorder, kept so that
// checkers can judge them afterwards, and again from a file.
//
// It owns the model of an operation, the payloads that make a torn or mixed record recognisable from the record alone, the
// table that says which answers prove that nothing was appended, and the file form. The simulator and the process nemesis
// record into it; the rooms below it (records, groups, replicas) judge; faults has the schedules under which it is recorded.
// It never talks to a cluster, and never reads a clock: times come from whoever records.
//
// Invariants: a value is unique in its history (a writer's number and a sequence of its own); the operations of one process
// don't overlap; an outcome is Fail only when the answer proves that nothing happened, and Info whenever it is unknown.
package history

import (
	"math"

	"github.com/milena-io/milena/internal/kafka"
)

// Key is what Jepsen's workload calls a key: one partition.
type Key = kafka.TopicPartition

// Never is when an operation completed that did not.
const Never = math.MaxInt64

// Kind is how an operation ended.
type Kind uint8

// The kinds. An operation of which only the invocation is known counts as Info.
const (
	Invoke Kind = iota
	Ok
	Fail // nothing happened, and the answer proves it
	Info // nobody knows
)

// String returns Jepsen's word.
func (k Kind) String() string {
	return [...]string{"invoke", "ok", "fail", "info"}[k&3]
}

// Function is what an operation does.
type Function uint8

// The functions.
const (
	DoSend      Function = iota
	DoPoll               // with the positions that the consumer has
	DoTxn                // sends, and polls whose positions are committed with them
	DoAssign             // from now on exactly Keys are read, as assign() does; positions of keys kept stay
	DoSubscribe          // from now on a group decides, among Keys
	DoSeek               // the positions of Keys were moved on purpose
	DoCrash              // the client is gone; its process begins anew
	DoAsk                // ListOffsets, of bounds or of a time
	DoBreak              // something broke inside that no injected fault explains: a panic, a race, a closed directory
	functions
)

// String returns a word for reports.
func (f Function) String() string {
	if f >= functions {
		return "unknown"
	}
	return [...]string{"send", "poll", "txn", "assign", "subscribe", "seek", "crash", "ask", "break"}[f]
}

// Op is one operation of one client.
type Op struct {
	Index      int
	Process    int
	F          Function
	Kind       Kind
	Committed  bool            // reads at read_committed
	Code       kafka.ErrorCode // that ended it, where one did
	Invoke     int64           // nanoseconds of the recorder's monotonic clock
	Complete   int64           // Never while it is unknown
	Mops       []Mop
	Keys       []Key // of assign, subscribe and seek
	Rebalanced []Key // revoked or assigned during this operation
	Note       string
}

// Done returns when the effects of the operation were known to be there: Never unless it is Ok. What is unknown may still
// happen after its client gave up.
func (o *Op) Done() int64 {
	if o.Kind != Ok {
		return Never
	}
	return o.Complete
}

// Mop is one step of an operation; one of its parts is set.
type Mop struct {
	Send   *Send
	Poll   []Poll
	Bounds *Bounds
	Lookup *Lookup
}

// Send is one record on its way in.
type Send struct {
	Key  Key
	V    uint64
	Off  kafka.Offset // -1 where it isn't known
	Time int64        // the record's timestamp in milliseconds; 0 where the broker sets it
	CRC  uint32       // Sum of what was sent; 0 where it isn't compared
}

// Poll is what one poll returned of one key.
type Poll struct {
	Key    Key
	High   kafka.Offset // the high watermark that came with it, -1 where it isn't known
	Stable kafka.Offset // the last stable offset that came with it, -1 where it isn't known
	Pairs  []Pair
}

// Pair is a record that was read.
type Pair struct {
	Off  kafka.Offset
	V    uint64
	Time int64
	CRC  uint32
	Torn bool // the payload does not check; V is what its first bytes say
}

// Bounds is an answer of ListOffsets; -1 for what was not asked.
type Bounds struct {
	Key      Key
	Earliest kafka.Offset
	Stable   kafka.Offset // latest at read_committed
	Latest   kafka.Offset // latest at read_uncommitted
}

// Lookup is ListOffsets by time: the first record at or after Time is at Off, -1 for none.
type Lookup struct {
	Key  Key
	Time int64
	Off  kafka.Offset
	At   int64 // the timestamp that was answered
}
