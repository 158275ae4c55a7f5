package remote

import (
	"testing"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
)

// TestWhereTheControllerIs: by KRAFT_VOTERS, else by its registration, else by the configuration; by turns while nobody knows.
func TestWhereTheControllerIs(t *testing.T) {
	voter := func(id kafka.NodeID, name, host string) record.Voter {
		return record.Voter{ID: id, Endpoints: []record.Endpoint{{Name: "OTHER", Host: "no", Port: 1}, {Name: name, Host: host, Port: 9093}}}
	}
	img, err := image.Empty().Apply(0, &staterecord.RegisterController{
		ControllerID: 2, Endpoints: []staterecord.Endpoint{{Name: "OTHER", Host: "no", Port: 1}, {Name: "C", Host: "registered", Port: 7}},
	})
	if err != nil {
		t.Fatal(err)
	}
	leader := kafka.NoNode
	w := Whereabouts{
		Leader: func() (kafka.NodeID, kafka.LeaderEpoch) { return leader, 1 },
		Voters: func() []record.Voter { return []record.Voter{voter(1, "C", "voter"), {ID: 2}, {ID: 4}} },
		Image:  func() *image.Image { return img }, Listener: "C",
		Seats: []record.Voter{voter(3, "C", "seat3"), {ID: kafka.NoNode, Endpoints: []record.Endpoint{{Host: "bootstrap", Port: 8}}}},
	}
	for _, c := range []struct {
		leader kafka.NodeID
		turn   int
		want   string
	}{
		{1, 0, "voter:9093"}, {2, 5, "registered:7"}, {3, 1, "seat3:9093"},
		{4, 0, "seat3:9093"}, {4, 1, "bootstrap:8"}, // where it listens nobody says
		{kafka.NoNode, 0, "seat3:9093"}, {kafka.NoNode, 1, "bootstrap:8"}, {kafka.NoNode, 2, "seat3:9093"},
	} {
		if leader = c.leader; w.find(c.turn) != c.want {
			t.Errorf("node %d leads, turn %d: %s, want %s", c.leader, c.turn, w.find(c.turn), c.want)
		}
	}
	w.Seats = nil
	if leader = kafka.NoNode; w.find(0) != "" {
		t.Errorf("nobody is at %s", w.find(0))
	}
}
