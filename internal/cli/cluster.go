package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// clusterDoc is what `cluster info -o json` prints.
type clusterDoc struct {
	doc
	ClusterID       string          `json:"cluster_id"`
	Controller      int32           `json:"controller"` // the node that leads the quorum, -1 unknown
	ControllerEpoch int32           `json:"controller_epoch"`
	Brokers         []clusterBroker `json:"brokers"`
	Features        []feature       `json:"features"`
	Topics          int             `json:"topics"`
	Partitions      int             `json:"partitions"`
	UnderReplicated int             `json:"under_replicated"`
	Offline         int             `json:"offline"`
}

type clusterBroker struct {
	ID      int32       `json:"id"`
	Host    string      `json:"host"`
	Port    int32       `json:"port"`
	Rack    *string     `json:"rack"`
	Leaders int         `json:"leaders"` // partitions that it leads
	LogDirs []brokerDir `json:"log_dirs"`
}

// brokerDir is one log directory of a broker; the bytes are -1 where they are not known.
type brokerDir struct {
	Path        string `json:"path"`
	Offline     bool   `json:"offline"`
	Partitions  int    `json:"partitions"`
	TotalBytes  int64  `json:"total_bytes"`
	UsableBytes int64  `json:"usable_bytes"`
}

type feature struct {
	Name      string `json:"name"`
	Finalized int16  `json:"finalized"`
	Min       int16  `json:"min"`
	Max       int16  `json:"max"`
}

func (a *app) clusterCommand() *cobra.Command {
	info := a.command(spec{
		use: "info", short: "Show the brokers, the controller and how the partitions are", doc: clusterDoc{},
		run: func(ctx context.Context, _ []string) error {
			return a.admin(ctx, func(ctx context.Context, c *kgo.Client, adm *kadm.Client) error {
				d, err := clusterInfo(ctx, c, adm)
				if err != nil {
					return err
				}
				if a.asJSON() {
					return a.json(d)
				}
				return a.printCluster(d)
			})
		},
	})
	return a.group("cluster", "The cluster as a whole", info, a.clusterHealth(), a.clusterNodes(), a.clusterQuorum(),
		a.clusterElect(), a.clusterRebalance(), a.clusterDrain())
}

func clusterInfo(ctx context.Context, c *kgo.Client, adm *kadm.Client) (clusterDoc, error) {
	d := clusterDoc{doc: newDoc("cluster.info"), Controller: -1, ControllerEpoch: -1, Brokers: []clusterBroker{}}
	m, err := adm.Metadata(ctx)
	if err != nil {
		return d, err
	}
	d.ClusterID = m.Cluster
	if q, err := describeQuorum(ctx, c); err == nil {
		d.Controller, d.ControllerEpoch = q.LeaderID, q.LeaderEpoch
	}
	leaders := map[int32]int{}
	m.Topics.EachPartition(func(p kadm.PartitionDetail) {
		d.Partitions++
		leaders[p.Leader]++
		if p.Leader < 0 {
			d.Offline++
		}
		if len(p.ISR) < len(p.Replicas) {
			d.UnderReplicated++
		}
	})
	d.Topics = len(m.Topics)
	all, err := askHeld(ctx, c, m.Brokers.NodeIDs())
	if err != nil {
		return d, err
	}
	for _, b := range m.Brokers {
		d.Brokers = append(d.Brokers, clusterBroker{b.NodeID, b.Host, b.Port, b.Rack, leaders[b.NodeID], dirsTold(all[b.NodeID])})
	}
	d.Features, err = features(ctx, c)
	return d, err
}

// dirsTold is a broker's log directories; none where it does not tell.
func dirsTold(h held) []brokerDir {
	out := []brokerDir{}
	for _, d := range h.dirs {
		dir := brokerDir{Path: d.Dir, Offline: d.ErrorCode != 0, TotalBytes: d.TotalBytes, UsableBytes: d.UsableBytes}
		for _, t := range d.Topics {
			dir.Partitions += len(t.Partitions)
		}
		out = append(out, dir)
	}
	return out
}

// features asks for the feature levels, which ApiVersions carries.
func features(ctx context.Context, c *kgo.Client) ([]feature, error) {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "milena-cli", "1"
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return nil, err
	}
	out := []feature{}
	for _, s := range resp.SupportedFeatures {
		f := feature{Name: s.Name, Min: s.MinVersion, Max: s.MaxVersion}
		for _, l := range resp.FinalizedFeatures {
			if l.Name == s.Name {
				f.Finalized = l.MaxVersionLevel
			}
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b feature) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (a *app) printCluster(d clusterDoc) error {
	controller := "none"
	if d.Controller >= 0 {
		controller = fmt.Sprintf("node %d, epoch %d", d.Controller, d.ControllerEpoch)
	}
	health := "all in sync"
	if d.UnderReplicated > 0 || d.Offline > 0 {
		health = fmt.Sprintf("%d under-replicated, %d offline", d.UnderReplicated, d.Offline)
	}
	if err := a.line("cluster     %s\ncontroller  %s\npartitions  %d in %s, %s\n", d.ClusterID, controller, d.Partitions, plural(int64(d.Topics), "topic"), health); err != nil {
		return err
	}
	rows := [][]string{}
	for _, b := range d.Brokers {
		rack := "-"
		if b.Rack != nil {
			rack = *b.Rack
		}
		rows = append(rows, []string{fmt.Sprint(b.ID), fmt.Sprintf("%s:%d", b.Host, b.Port), rack, fmt.Sprint(b.Leaders)})
	}
	if err := a.table([]string{" BROKER", "ADDRESS", "RACK", " LEADERS"}, rows); err != nil {
		return err
	}
	if err := a.printLogDirs(d.Brokers); err != nil || len(d.Features) == 0 {
		return err
	}
	if err := a.line(""); err != nil {
		return err
	}
	rows = rows[:0]
	for _, f := range d.Features {
		rows = append(rows, []string{f.Name, fmt.Sprint(f.Finalized), fmt.Sprintf("%d-%d", f.Min, f.Max)})
	}
	return a.table([]string{"FEATURE", " LEVEL", "SUPPORTED"}, rows)
}

func (a *app) printLogDirs(brokers []clusterBroker) error {
	rows := [][]string{}
	for _, b := range brokers {
		for _, d := range b.LogDirs {
			state, left := "online", "?"
			if d.Offline {
				state = "OFFLINE"
			} else if d.TotalBytes >= 0 {
				left = size(d.UsableBytes) + " of " + size(d.TotalBytes)
			}
			rows = append(rows, []string{fmt.Sprint(b.ID), d.Path, state, fmt.Sprint(d.Partitions), left})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	if err := a.line(""); err != nil {
		return err
	}
	return a.table([]string{" BROKER", "LOG DIRECTORY", "STATE", " PARTITIONS", " FREE"}, rows)
}
