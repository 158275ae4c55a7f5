package sim

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
	voting "github.com/milena-io/milena/internal/quorum"
)

// seats takes the vote from a controller now and then, and gives it back: one is without at a time, and each is asked for until it
// shows in what the quorum's leader says.
type seats struct {
	c     *client
	every time.Duration
}

// seat has voters come and go, in runs that are to have that.
func (r *run) seat() {
	if r.plan.Swarm.Variety.Voters {
		s := &seats{c: newClient(r, "seats"), every: time.Duration(100+r.dice.IntN(900)) * time.Millisecond}
		s.again()
	}
}

func (s *seats) again() { s.c.later(s.every, s.turn) }

func (s *seats) turn() {
	r := s.c.r
	d, led := r.led()
	switch {
	case r.phase == reading:
		return
	case !led:
		s.again()
	case s.missing(d) != nil:
		s.add(s.missing(d))
	case r.phase == faulty:
		s.remove(d.Voters[r.dice.IntN(len(d.Voters))].Voter)
	default:
		s.again()
	}
}

// led is what the leader of the quorum says of it.
func (r *run) led() (out voting.Description, led bool) {
	for _, m := range r.machines {
		if m.controls() && m.node != nil && m.ready {
			if d := m.node.Probe().Quorum(); d.Leading && (!led || d.Epoch > out.Epoch) {
				out, led = d, true
			}
		}
	}
	return out, led
}

// missing is the first controller without a vote.
func (s *seats) missing(d voting.Description) *machine {
	for _, m := range s.c.r.machines {
		if m.controls() && !slices.ContainsFunc(d.Voters, func(v voting.Replica) bool { return v.ID == m.id }) {
			return m
		}
	}
	return nil
}

// remove takes a vote away.
func (s *seats) remove(v voting.Voter) {
	req := kmsg.NewPtrRemoveRaftVoterRequest()
	req.VoterID, req.VoterDirectoryID = int32(v.ID), v.Directory
	s.ask(req, Unseated, v.ID, func(resp kmsg.Response) int16 { return resp.(*kmsg.RemoveRaftVoterResponse).ErrorCode })
}

// add gives a vote back to a controller that follows the log by now.
func (s *seats) add(m *machine) {
	d, _ := s.c.r.led()
	i := slices.IndexFunc(d.Observers, func(o voting.Replica) bool { return o.ID == m.id })
	if i < 0 {
		s.again()
		return
	}
	req := kmsg.NewPtrAddRaftVoterRequest()
	req.VoterID, req.VoterDirectoryID, req.TimeoutMillis = int32(m.id), d.Observers[i].Directory, 2000
	l := kmsg.NewAddRaftVoterRequestListener()
	l.Name, l.Host, l.Port = "CONTROLLER", m.host(), 9093
	req.Listeners = append(req.Listeners, l)
	s.ask(req, Seated, m.id, func(resp kmsg.Response) int16 { return resp.(*kmsg.AddRaftVoterResponse).ErrorCode })
}

func (s *seats) ask(req kmsg.Request, done Sort, id kafka.NodeID, code func(kmsg.Response) int16) {
	r := s.c.r
	s.c.any().ask(req, asked, func(resp kmsg.Response, how history.Transport) {
		s.again()
		if how != history.Answered {
			return
		}
		e := kafka.ErrorCode(code(resp))
		r.note("%s of node %d: %v", sortNames[done], id, e)
		if e == kafka.ErrNone {
			r.reached.add(done)
		}
	})
}

// voteless lists the controllers that have no vote.
func (r *run) voteless() (out []string) {
	d, led := r.led()
	if !led {
		return []string{"nobody leads the quorum"}
	}
	if m := (&seats{c: r.crowd.admin}).missing(d); m != nil {
		out = append(out, m.host()+" has no vote")
	}
	return out
}
