package quorum

import (
	"time"

	"go.etcd.io/raft/v3"

	"github.com/milena-io/milena/internal/kafka"
)

// Latency sums up how long something took, since the start.
type Latency struct {
	Count    uint64
	Sum, Max time.Duration
}

func (l *Latency) observe(d time.Duration) {
	l.Count++
	l.Sum += d
	l.Max = max(l.Max, d)
}

// latencies are how long elections of this voter and commits of its leadership took: Kafka's election-latency, from becoming a
// candidate to knowing the leader, and commit-latency, from the append to the commit.
type latencies struct {
	election, commit Latency
	campaigns        bool
	since            time.Duration // of the campaign
	sent             []proposed    // that are not committed
}

// proposed is an entry on its way.
type proposed struct {
	end kafka.Offset
	at  time.Duration
}

// role looks at what the last step did.
func (l *latencies) role(now time.Duration, st raft.BasicStatus) {
	switch candidate := st.RaftState == raft.StateCandidate || st.RaftState == raft.StatePreCandidate; {
	case candidate && !l.campaigns:
		l.campaigns, l.since = true, now
	case !candidate && l.campaigns && st.Lead != raft.None:
		l.campaigns = false
		l.election.observe(now - l.since)
	}
	if st.RaftState != raft.StateLeader {
		l.sent = l.sent[:0]
	}
}

// committed takes out what is.
func (l *latencies) committed(now time.Duration, end kafka.Offset) {
	n := 0
	for n < len(l.sent) && l.sent[n].end <= end {
		l.commit.observe(now - l.sent[n].at)
		n++
	}
	l.sent = l.sent[:copy(l.sent, l.sent[n:])]
}
