package nodes

import (
	"math"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// TestVotersComeAndGo (KIP-853): what is asked of the quorum, and what is said of the outcome.
func TestVotersComeAndGo(t *testing.T) {
	s := newStand(t)
	add := kmsg.NewPtrAddRaftVoterRequest()
	add.VoterID, add.VoterDirectoryID, add.TimeoutMillis, add.AckWhenCommitted = 3, [16]byte{3}, 1500, false
	l := kmsg.NewAddRaftVoterRequestListener()
	l.Name, l.Host, l.Port = "CONTROLLER", "c3", 9093
	add.Listeners = append(add.Listeners, l)
	for version, want := range []string{"add", "add early"} {
		out := ask[*kmsg.AddRaftVoterResponse](s, s.n.AddRaftVoter, add, int16(version))
		if out.ErrorCode != 0 || *out.ErrorMessage != "NONE" || s.altered[version] != want || s.within != 1500*time.Millisecond {
			t.Fatalf("v%d: %+v, %v", version, out, s.altered)
		}
		if v := s.voter; v.ID != 3 || v.Directory != (kafka.DirectoryID{3}) || v.MinKRaft != 0 || v.MaxKRaft != 1 || v.Endpoints[0].Host != "c3" {
			t.Fatalf("%+v", v)
		}
	}
	for asked, want := range map[int32]time.Duration{-5: 0, math.MaxInt32: 7 * time.Second} { // one request doesn't keep all others from changing the voters
		add.TimeoutMillis = asked
		if ask[*kmsg.AddRaftVoterResponse](s, s.n.AddRaftVoter, add, 1); s.within != want {
			t.Fatalf("asked for %d ms, %v are waited", asked, s.within)
		}
	}
	remove := kmsg.NewPtrRemoveRaftVoterRequest()
	remove.VoterID, remove.VoterDirectoryID = 3, [16]byte{3}
	s.err = refusal(kafka.ErrVoterNotFound)
	gone := ask[*kmsg.RemoveRaftVoterResponse](s, s.n.RemoveRaftVoter, remove, 0)
	wantCode(t, gone.ErrorCode, kafka.ErrVoterNotFound)
	if *gone.ErrorMessage != "because" || s.voter.ID != 3 || s.within != 7*time.Second {
		t.Fatalf("%+v", gone)
	}
	s.err = nil
	update := kmsg.NewPtrUpdateRaftVoterRequest()
	update.VoterID, update.CurrentLeaderEpoch, update.KRaftVersionFeature.MaxSupportedVersion = 3, 7, 1
	out := ask[*kmsg.UpdateRaftVoterResponse](s, s.n.UpdateRaftVoter, update, 0)
	if at := out.CurrentLeader; out.ErrorCode != 0 || at.LeaderID != 2 || at.LeaderEpoch != 7 || at.Host != "c2" || at.Port != 9093 || s.voter.MaxKRaft != 1 {
		t.Fatalf("%+v", out)
	}
	done := len(s.altered)
	for epoch, want := range map[int32]kafka.ErrorCode{6: kafka.ErrFencedLeaderEpoch, 8: kafka.ErrUnknownLeaderEpoch} {
		update.CurrentLeaderEpoch = epoch
		wantCode(t, ask[*kmsg.UpdateRaftVoterResponse](s, s.n.UpdateRaftVoter, update, 0).ErrorCode, want)
	}
	there := "there"
	add.ClusterID, remove.ClusterID, update.ClusterID = &there, &there, &there
	wantCode(t, ask[*kmsg.AddRaftVoterResponse](s, s.n.AddRaftVoter, add, 1).ErrorCode, kafka.ErrInconsistentClusterId)
	wantCode(t, ask[*kmsg.RemoveRaftVoterResponse](s, s.n.RemoveRaftVoter, remove, 0).ErrorCode, kafka.ErrInconsistentClusterId)
	wantCode(t, ask[*kmsg.UpdateRaftVoterResponse](s, s.n.UpdateRaftVoter, update, 0).ErrorCode, kafka.ErrInconsistentClusterId)
	if len(s.altered) != done {
		t.Fatalf("%v", s.altered)
	}
}

// TestBeforeTheClusterHasAnID: a controller that is not as far as who asks says so, and does not send it away for good.
func TestBeforeTheClusterHasAnID(t *testing.T) {
	s := newStand(t)
	s.unformed, s.err = true, refusal(kafka.ErrNotController)
	m := kmsg.NewPtrBrokerRegistrationRequest()
	m.BrokerID, m.ClusterID = 9, "here"
	wantCode(t, ask[*kmsg.BrokerRegistrationResponse](s, s.n.BrokerRegistration, m, 4).ErrorCode, kafka.ErrNotController)
}

// TestWhoMayRegister: brokers of this cluster, and none out of ZooKeeper's times.
func TestWhoMayRegister(t *testing.T) {
	s := newStand(t)
	m := kmsg.NewPtrBrokerRegistrationRequest()
	m.BrokerID, m.ClusterID = 9, "there"
	wantCode(t, ask[*kmsg.BrokerRegistrationResponse](s, s.n.BrokerRegistration, m, 4).ErrorCode, kafka.ErrInconsistentClusterId)
	m.ClusterID, m.IsMigratingZkBroker = "here", true
	wantCode(t, ask[*kmsg.BrokerRegistrationResponse](s, s.n.BrokerRegistration, m, 4).ErrorCode, kafka.ErrBrokerIdNotRegistered)
	if len(s.commands) != 0 {
		t.Fatalf("%v", s.commands)
	}
	m.IsMigratingZkBroker = false
	s.err = refusal(kafka.ErrDuplicateBrokerRegistration) // of a broker that this node's image doesn't show yet
	wantCode(t, ask[*kmsg.BrokerRegistrationResponse](s, s.n.BrokerRegistration, m, 4).ErrorCode, kafka.ErrDuplicateBrokerRegistration)
	if len(s.commands) != 1 {
		t.Fatalf("%v", s.commands)
	}
}
