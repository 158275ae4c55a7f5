package sim

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// auditor asks brokers that name another coordinator whether they answer for the group themselves (G7). A broker hears of a new
// leader a moment before its coordinator resigns, so that only one that goes on for a while is wrong.
type auditor struct {
	c       *client
	of      *machine // who is asked
	answers int      // so many times it has answered for a group that it says is another's
}

// patientAnswers is how many such answers are one too many: they are a tenth of a second apart at least.
const patientAnswers = 3

func newAuditor(r *run) *auditor {
	a := &auditor{c: newClient(r, "auditor")}
	a.again()
	return a
}

func (a *auditor) again() { a.c.later(200*time.Millisecond, a.turn) }

// turn asks who coordinates, and then for the offsets.
func (a *auditor) turn() {
	r := a.c.r
	if r.phase == reading {
		return
	}
	if a.answers == 0 {
		a.of = r.brokers[r.dice.IntN(len(r.brokers))]
	}
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.Version, req.CoordinatorKey = 3, group
	a.c.to(a.of.id).ask(req, asked, func(resp kmsg.Response, _ history.Transport) {
		in, ok := resp.(*kmsg.FindCoordinatorResponse)
		if !ok || in.ErrorCode != 0 || kafka.NodeID(in.NodeID) == a.of.id {
			a.answers = 0
			a.again()
			return
		}
		a.c.later(100*time.Millisecond, func() { a.fetch(kafka.NodeID(in.NodeID)) })
	})
}

// fetch asks for the group's offsets where another coordinates.
func (a *auditor) fetch(coordinator kafka.NodeID) {
	r := a.c.r
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version, req.Group = 7, group
	t := kmsg.NewOffsetFetchRequestTopic()
	t.Topic, t.Partitions = topic, []int32{0}
	req.Topics = append(req.Topics, t)
	a.c.to(a.of.id).ask(req, asked, func(resp kmsg.Response, _ history.Transport) {
		in, ok := resp.(*kmsg.OffsetFetchResponse)
		switch {
		case !ok:
			a.answers = 0
		case in.ErrorCode != 0:
			a.answers = 0
			r.reached.add(Refused)
		default:
			a.answers++
		}
		if a.answers == patientAnswers {
			r.broken("G7 two-coordinators", "node %d has answered for group %s %d times, and says that node %d coordinates it", a.of.id, group, a.answers, coordinator)
		}
		a.again()
	})
}
