package quorum

import (
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/milena-io/milena/internal/kafka"
)

// A power cut right after a voter has granted its vote, or vouched for entries, leaves it the epoch and the vote (Raft, figure 2). Who
// asks for votes need not have its own on the disk yet: it is counted with the others, once it is there.
func TestAVoteIsDurableBeforeItIsTold(t *testing.T) {
	votes := 0
	for seed := range uint64(30) {
		c := newCluster(t, seed, 3, Config{})
		c.said = func(from *simNode, to kafka.NodeID, msg []byte) {
			m, err := decodeMessage(msg)
			vote := m.GetType() == raftpb.MsgVoteResp
			if err != nil || m.GetReject() || !vote && m.GetType() != raftpb.MsgAppResp {
				return
			}
			kept, err := loadElection(from.fs.PowerCut(), testDir)
			if err != nil || uint64(kept.epoch) < m.GetTerm() || vote && uint64(kept.epoch) == m.GetTerm() && kept.voted != to {
				t.Fatalf("seed %d: node %d tells %d %v in epoch %d with %+v on its disk, %v", seed, from.key.NodeID, to, m.GetType(), m.GetTerm(), kept, err)
			}
			if vote {
				votes++
			}
		}
		for range 5 {
			leader := c.awaitLeader()
			c.w.Run(time.Second)
			c.crash(leader)
			c.start(leader)
		}
	}
	if votes < 200 {
		t.Fatalf("%d votes: the test tests nothing", votes)
	}
}
