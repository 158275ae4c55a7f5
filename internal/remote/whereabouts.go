package remote

import (
	"net"
	"strconv"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// Whereabouts knows where the active controller may be asked. Voters, Image and Seats may be nil.
type Whereabouts struct {
	// Leader is this node's word on who leads the metadata quorum: its voter's or its observer's. NoNode for nobody.
	Leader func() (kafka.NodeID, kafka.LeaderEpoch)
	// Voters are those of the newest KRAFT_VOTERS, which tells their endpoints.
	Voters func() []record.Voter
	// Image has the controllers that are registered (KIP-919).
	Image func() *image.Image
	// Seats are controller.quorum.voters, or controller.quorum.bootstrap.servers, whose ids are NoNode. They are asked in turn
	// while nobody is known to lead: one of them may.
	Seats []record.Voter
	// Listener is the first of controller.listener.names.
	Listener string
}

// find returns the address to ask, empty when there is none. turn counts how often this was in vain.
func (w *Whereabouts) find(turn int) string {
	leader, _ := w.Leader()
	if leader != kafka.NoNode {
		if addr := w.Of(leader); addr != "" {
			return addr
		}
	}
	if len(w.Seats) == 0 {
		return ""
	}
	return w.at(w.Seats[turn%len(w.Seats)].Endpoints)
}

// Of returns the address of a controller, empty when nobody knows it.
func (w *Whereabouts) Of(id kafka.NodeID) string {
	if w.Voters != nil {
		for _, v := range w.Voters() {
			if addr := w.at(v.Endpoints); v.ID == id && addr != "" {
				return addr
			}
		}
	}
	if w.Image != nil {
		if c := w.Image().Controller(id); c != nil {
			for _, e := range c.Endpoints {
				if e.Name == w.Listener {
					return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
				}
			}
		}
	}
	for _, v := range w.Seats {
		if v.ID == id {
			return w.at(v.Endpoints)
		}
	}
	return ""
}

func (w *Whereabouts) at(all []record.Endpoint) string { return address(all, w.Listener) }

// address chooses the endpoint of a listener, or else the first, since a seat's may have no name. It is empty when there is none.
func address(all []record.Endpoint, listener string) string {
	for i := range all {
		if all[i].Name == listener {
			return net.JoinHostPort(all[i].Host, strconv.Itoa(int(all[i].Port)))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return net.JoinHostPort(all[0].Host, strconv.Itoa(int(all[0].Port)))
}
