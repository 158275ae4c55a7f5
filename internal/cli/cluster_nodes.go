package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// nodesDoc is what `cluster nodes -o json` prints.
type nodesDoc struct {
	doc
	Nodes []nodeDoc `json:"nodes"`
}

type nodeDoc struct {
	ID        int32  `json:"id"`
	Address   string `json:"address"` // of clients, or of controllers where it is no broker
	Rack      string `json:"rack"`
	Broker    bool   `json:"broker"`
	Voter     bool   `json:"voter"`
	Leads     bool   `json:"leads_quorum"`
	State     string `json:"state"` // up, down, silent: up by the metadata, and it does not answer here; or, of one that only votes, away
	Leaders   int    `json:"leaders"`
	Replicas  int    `json:"replicas"`
	Missing   int    `json:"out_of_sync"` // of its replicas
	SizeBytes int64  `json:"size_bytes"`  // -1 unknown
}

func (a *app) clusterNodes() *cobra.Command {
	return a.command(spec{
		use: "nodes", short: "Show every node: what it is, whether it is up, what it leads and holds", doc: nodesDoc{},
		run: func(ctx context.Context, _ []string) error {
			return a.admin(ctx, func(ctx context.Context, c *kgo.Client, adm *kadm.Client) error {
				s, err := lookAround(ctx, c, adm)
				if err != nil {
					return err
				}
				all, err := askHeld(ctx, c, s.up())
				if err != nil {
					return err
				}
				d := nodesTold(s, all)
				if a.asJSON() {
					return a.json(d)
				}
				return a.printNodes(d)
			})
		},
	})
}

func nodesTold(s *clusterState, all map[int32]held) nodesDoc {
	d := nodesDoc{doc: newDoc("cluster.nodes"), Nodes: []nodeDoc{}}
	for _, b := range s.brokers {
		n := nodeDoc{ID: b.id, Address: b.addr, Rack: b.rack, Broker: true, State: "down", SizeBytes: -1}
		if b.up {
			n.State, n.SizeBytes = all[b.id].weigh()
		}
		for i := range s.partitions {
			p := &s.partitions[i]
			if p.Leader == b.id {
				n.Leaders++
			}
			if slices.Contains(p.Replicas, b.id) {
				n.Replicas++
			}
			if slices.Contains(p.missing(), b.id) {
				n.Missing++
			}
		}
		d.Nodes = append(d.Nodes, n)
	}
	if s.quorum != nil {
		d.vote(s.quorum)
	}
	slices.SortFunc(d.Nodes, func(a, b nodeDoc) int { return cmp.Compare(a.ID, b.ID) })
	return d
}

// vote adds who votes.
func (d *nodesDoc) vote(q *quorumState) {
	for i := range q.CurrentVoters {
		v := &q.CurrentVoters[i]
		at := slices.IndexFunc(d.Nodes, func(n nodeDoc) bool { return n.ID == v.ReplicaID })
		if at < 0 {
			n := nodeDoc{ID: v.ReplicaID, Address: q.endpoint(v.ReplicaID), State: "up", SizeBytes: -1}
			if q.away(v) {
				n.State = "away"
			}
			at, d.Nodes = len(d.Nodes), append(d.Nodes, n)
		}
		d.Nodes[at].Voter, d.Nodes[at].Leads = true, v.ReplicaID == q.LeaderID
	}
}

// weigh is whether a broker that the metadata has as up answers, and how many bytes its logs have, -1 where it does not tell.
func (h held) weigh() (state string, total int64) {
	switch {
	case h.silent:
		return "silent", -1
	case !h.told:
		return "up", -1
	}
	for _, d := range h.dirs {
		for _, t := range d.Topics {
			for _, p := range t.Partitions {
				total += p.Size
			}
		}
	}
	return "up", total
}

func (a *app) printNodes(d nodesDoc) error {
	rows := [][]string{}
	for _, n := range d.Nodes {
		role := "broker"
		switch {
		case n.Broker && n.Voter:
			role = "broker, controller"
		case n.Voter:
			role = "controller"
		}
		if n.Leads {
			role += " (active)"
		}
		state, held := n.State, "-"
		if n.State != "up" {
			state = strings.ToUpper(n.State)
		}
		if n.SizeBytes >= 0 {
			held = size(n.SizeBytes)
		}
		rows = append(rows, []string{
			fmt.Sprint(n.ID), n.Address, cmp.Or(n.Rack, "-"), role, state, fmt.Sprint(n.Leaders), fmt.Sprint(n.Replicas), fmt.Sprint(n.Missing), held,
		})
	}
	return a.table([]string{" NODE", "ADDRESS", "RACK", "ROLE", "STATE", " LEADERS", " REPLICAS", " OUT OF SYNC", " SIZE"}, rows)
}
