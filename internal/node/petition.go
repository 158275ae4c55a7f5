package node

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/world"
)

// What a controller asks of the quorum for itself (KIP-853, KIP-1186): a voter that listens elsewhere than the log says has that told, and
// with controller.quorum.auto.join.enable who has no vote wants one, in the place of the vote that its node.id had with another directory.
// It is asked when another leads, and until it is so once in controller.quorum.fetch.timeout.ms, as by Apache Kafka.

// wish is what a controller asks of the quorum for itself, under the seat's lock.
type wish struct {
	next   world.Timer // when it is looked at again
	asking bool
}

// petition asks, if there is anything to ask.
func (s *seat) petition() {
	req := s.wanted()
	s.mu.Lock()
	if req == nil || s.wish.asking || s.closed {
		s.mu.Unlock()
		return
	}
	s.wish.asking = true
	s.mu.Unlock()
	n := s.n
	every := n.o.Values.Millis("controller.quorum.fetch.timeout.ms")
	answered := func(code kafka.ErrorCode, message string) {
		if code != kafka.ErrNone {
			n.log("kafka.raft").Info("The quorum does not do yet what this controller asks.", "request", kafka.APIKey(req.Key()).String(), "error", code.String(), "reason", message)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.wish.asking = false; !s.closed {
			s.wish.next = n.o.World.After(every, s.petition)
		}
	}
	if q := s.own(); q != nil && q.Active() {
		q.UpdateVoter(n.voter(), every, func(err error) { answered(codeOf(err)) })
		return
	}
	leader, _ := s.leader()
	where := s.where()
	c := s.mail.channel(where.Of(leader))
	if c == nil {
		return // it ends
	}
	c.AskMessage(req, every, func(answer kmsg.Response, err error) {
		if err != nil {
			answered(codeOf(err))
			return
		}
		answered(verdict(answer))
	})
}

func codeOf(err error) (kafka.ErrorCode, string) {
	if err == nil {
		return kafka.ErrNone, ""
	}
	return kafka.ErrNetworkException, err.Error()
}

// verdict is what the leader says to a petition.
func verdict(answer kmsg.Response) (kafka.ErrorCode, string) {
	var code int16
	var message *string
	switch a := answer.(type) {
	case *kmsg.AddRaftVoterResponse:
		code, message = a.ErrorCode, a.ErrorMessage
	case *kmsg.RemoveRaftVoterResponse:
		code, message = a.ErrorCode, a.ErrorMessage
	case *kmsg.UpdateRaftVoterResponse:
		code = a.ErrorCode
	}
	if message == nil {
		return kafka.ErrorCode(code), ""
	}
	return kafka.ErrorCode(code), *message
}

// wanted is the request that would put right what is not as it should be; nil for none, or while nobody leads.
func (s *seat) wanted() kmsg.Request {
	n := s.n
	leader, epoch := s.leader()
	if !n.settings.node.Roles.Controller || leader == kafka.NoNode || s.KRaftVersion() < 1 {
		return nil
	}
	all, self := s.voters(), n.voter()
	i := slices.IndexFunc(all, func(v record.Voter) bool { return v.ID == self.ID })
	cluster := n.ClusterID()
	switch {
	case i >= 0 && all[i].Directory == self.Directory:
		if slices.Equal(all[i].Endpoints, self.Endpoints) {
			return nil
		}
		r := kmsg.NewPtrUpdateRaftVoterRequest()
		r.ClusterID, r.CurrentLeaderEpoch, r.VoterID, r.VoterDirectoryID = &cluster, int32(epoch), int32(self.ID), self.Directory
		r.KRaftVersionFeature.MinSupportedVersion, r.KRaftVersionFeature.MaxSupportedVersion = self.MinKRaft, self.MaxKRaft
		for _, e := range self.Endpoints {
			l := kmsg.NewUpdateRaftVoterRequestListener()
			l.Name, l.Host, l.Port = e.Name, e.Host, e.Port
			r.Listeners = append(r.Listeners, l)
		}
		return r
	case s.own() != nil || !n.o.Values.Bool("controller.quorum.auto.join.enable"):
		return nil
	case i >= 0:
		r := kmsg.NewPtrRemoveRaftVoterRequest()
		r.ClusterID, r.VoterID, r.VoterDirectoryID = &cluster, int32(self.ID), all[i].Directory
		return r
	}
	r := kmsg.NewPtrAddRaftVoterRequest()
	r.ClusterID, r.VoterID, r.VoterDirectoryID, r.AckWhenCommitted = &cluster, int32(self.ID), self.Directory, false
	r.TimeoutMillis = int32(n.o.Values.Millis("controller.quorum.request.timeout.ms").Milliseconds())
	for _, e := range self.Endpoints {
		l := kmsg.NewAddRaftVoterRequestListener()
		l.Name, l.Host, l.Port = e.Name, e.Host, e.Port
		r.Listeners = append(r.Listeners, l)
	}
	return r
}
