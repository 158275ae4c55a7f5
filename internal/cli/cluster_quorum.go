package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/internal/kafka"
)

// quorumDoc is what `cluster quorum -o json` prints.
type quorumDoc struct {
	doc
	Leader        int32        `json:"leader"` // -1 unknown
	Epoch         int32        `json:"epoch"`
	HighWatermark int64        `json:"high_watermark"`
	Nodes         []quorumNode `json:"nodes"` // voters, then observers
}

type quorumNode struct {
	ID          int32  `json:"id"`
	DirectoryID string `json:"directory_id"`
	Endpoint    string `json:"endpoint"` // "?" where it is not told
	Role        string `json:"role"`     // leader, voter or observer
	Away        bool   `json:"away"`     // the leader has not heard it for seconds
	LogEnd      int64  `json:"log_end"`
	Lag         int64  `json:"lag"` // -1 unknown
	HeardMs     int64  `json:"heard_ms_ago"`
	CaughtUpMs  int64  `json:"caught_up_ms_ago"` // -1 never
}

func (a *app) clusterQuorum() *cobra.Command {
	return a.command(spec{
		use: "quorum", short: "Show who votes on the metadata, who leads and who is behind", doc: quorumDoc{},
		run: func(ctx context.Context, _ []string) error {
			return a.admin(ctx, func(ctx context.Context, c *kgo.Client, _ *kadm.Client) error {
				q, err := askQuorum(ctx, c)
				if leaderless(err) {
					f := noQuorum(err)
					f.exit = exitFailed // the cluster is reached, and this is what it has to say
					return f
				}
				if err != nil {
					return said(err, "", "the metadata quorum does not answer")
				}
				d := quorumTold(q)
				if a.asJSON() {
					return a.json(d)
				}
				return a.printQuorum(d)
			})
		},
	})
}

func quorumTold(q *quorumState) quorumDoc {
	d := quorumDoc{doc: newDoc("cluster.quorum"), Leader: q.LeaderID, Epoch: q.LeaderEpoch, HighWatermark: q.HighWatermark, Nodes: []quorumNode{}}
	add := func(v *voterState, role string) {
		n := quorumNode{
			ID: v.ReplicaID, DirectoryID: kafka.UUID(v.ReplicaDirectoryID).String(), Endpoint: q.endpoint(v.ReplicaID), Role: role, Away: q.away(v),
			LogEnd: v.LogEndOffset, Lag: -1, HeardMs: millisOr(q.since(v.LastFetchTimestamp)), CaughtUpMs: millisOr(q.since(v.LastCaughtUpTimestamp)),
		}
		if v.LogEndOffset >= 0 {
			n.Lag = max(0, q.end()-v.LogEndOffset)
		}
		d.Nodes = append(d.Nodes, n)
	}
	for i := range q.CurrentVoters {
		role := "voter"
		if q.CurrentVoters[i].ReplicaID == q.LeaderID {
			role = "leader"
		}
		add(&q.CurrentVoters[i], role)
	}
	for i := range q.Observers {
		add(&q.Observers[i], "observer")
	}
	return d
}

// millisOr is a time in ms, -1 when it is not known.
func millisOr(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return d.Milliseconds()
}

func (a *app) printQuorum(d quorumDoc) error {
	rows := [][]string{}
	for _, n := range d.Nodes {
		heard, state := "never", "ok"
		switch {
		case n.Role == "leader":
			heard = "-"
		case n.HeardMs >= 0:
			heard = ago(time.Duration(n.HeardMs) * time.Millisecond)
		}
		if n.Away {
			state = "AWAY"
		}
		rows = append(rows, []string{fmt.Sprint(n.ID), n.DirectoryID, n.Endpoint, n.Role, fmt.Sprint(d.Epoch), orUnknown(n.LogEnd), orUnknown(n.Lag), heard, state})
	}
	return a.table([]string{" NODE", "DIRECTORY", "ENDPOINT", "ROLE", " EPOCH", " LOG END", " LAG", "LAST HEARD", "STATE"}, rows)
}

// orUnknown prints a number, and ? for what is not known.
func orUnknown(n int64) string {
	if n < 0 {
		return "?"
	}
	return fmt.Sprint(n)
}

// ago prints how long ago something was, to a tenth of a second.
func ago(d time.Duration) string {
	if d < 100*time.Millisecond {
		return "now"
	}
	if d < time.Minute {
		d = d.Round(100 * time.Millisecond)
	}
	return duration(d) + " ago"
}
