package node

import (
	"cmp"
	"slices"
	"strings"

	"github.com/milena-io/milena/internal/broker/cluster"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/storage"
	"github.com/milena-io/milena/internal/wire"
)

// description is the node as the handlers of broker/cluster see it.
type description struct{ *Node }

// LogDirs describes the log directories and what is in them.
func (n description) LogDirs() []cluster.LogDir {
	dirs, logs := n.volumes(), map[*storage.Volume][]cluster.LogSize{}
	for _, p := range n.replicas.All() {
		v := n.storage.Of(p)
		logs[v] = append(logs[v], cluster.LogSize{Partition: p.Name(), Bytes: n.storage.Standing(p).Bytes})
	}
	for i, v := range n.storage.Volumes {
		if dirs[i].Err != nil {
			continue
		}
		dirs[i].Logs = logs[v]
		for _, c := range n.storage.Copies(v) {
			dirs[i].Logs = append(dirs[i].Logs, cluster.LogSize{Partition: c.Name, Bytes: c.Bytes, Lag: c.Lag, Future: true})
		}
		slices.SortStableFunc(dirs[i].Logs, func(a, b cluster.LogSize) int {
			return cmp.Or(strings.Compare(a.Partition.Topic, b.Partition.Topic), cmp.Compare(a.Partition.Partition, b.Partition.Partition))
		})
	}
	return dirs
}

// volumes describes the log directories without the logs in them.
func (n description) volumes() []cluster.LogDir {
	whole := n.Failed()
	var out []cluster.LogDir
	for _, v := range n.storage.Volumes {
		d := cluster.LogDir{
			Cordoned: n.storage.Cordoned(v.Path),
			Path:     v.Path, ID: v.ID(), TotalBytes: -1, FreeBytes: -1, Err: v.Offline(),
		}
		if fault.IsKind(whole, fault.Disk) {
			d.Err = whole
		}
		if d.Err == nil {
			var err error
			if d.TotalBytes, d.FreeBytes, err = n.storage.FS.Usage(d.Path); err != nil {
				d.TotalBytes, d.FreeBytes = -1, -1
			}
		}
		out = append(out, d)
	}
	return out
}

// Followers tells what this node knows of the other replicas of a partition that it leads.
func (n description) Followers(name kafka.TopicPartition) []wire.FollowerState {
	topic := n.feed.Image().TopicNamed(name.Topic)
	if topic == nil {
		return nil
	}
	reg, ok := topic.Partition(name.Partition)
	found, err := n.replicas.ByID(kafka.TopicIDPartition{TopicID: topic.ID, Partition: name.Partition})
	if !ok || err != nil || reg.Leader != n.settings.NodeID() {
		return nil
	}
	out := []wire.FollowerState{}
	for _, f := range (gauges{n.Node}).followers(found, reg, n.storage.Standing(found).End) {
		s := wire.FollowerState{Node: int32(f.Node), InSync: f.InSync, Lag: -1, NotDurable: -1, BehindMs: -1, SilentMs: -1, Waits: f.Waits}
		if f.Known {
			s.Lag, s.NotDurable = f.Lag, f.NotDurable
		}
		if f.Behind >= 0 {
			s.BehindMs = f.Behind.Milliseconds()
		}
		if f.SinceFetch >= 0 {
			s.SilentMs = f.SinceFetch.Milliseconds()
		}
		out = append(out, s)
	}
	return out
}

// AlterReplicaLogDir has a replica moved to another log directory.
func (n description) AlterReplicaLogDir(tp kafka.TopicPartition, dir string) error {
	return n.storage.AlterReplicaLogDir(tp, dir)
}

// Features lists the features that this node supports.
func (n description) Features() []staterecord.FeatureRange { return n.settings.supported() }

// KRaftVersion returns the kraft.version of the metadata log.
func (n description) KRaftVersion() int16 { return n.control.KRaftVersion() }

// Quorum tells how the metadata quorum stands.
func (n description) Quorum() cluster.QuorumState {
	d := n.control.Describe()
	return cluster.QuorumState{
		Self: n.settings.NodeID(), Leader: d.Leader, Epoch: d.Epoch, HighWatermark: d.HighWatermark, Leading: d.Leading,
		Voters: quorumReplicas(d.Voters), Observers: quorumReplicas(d.Observers),
	}
}

func quorumReplicas(in []quorum.Replica) []cluster.QuorumReplica {
	var out []cluster.QuorumReplica
	for _, r := range in {
		q := cluster.QuorumReplica{
			ID: r.ID, Directory: r.Directory, End: r.LogEnd, LastFetchMs: r.LastFetchMs, LastCaughtUpMs: r.LastCaughtUpMs,
		}
		for _, e := range r.Endpoints {
			q.Endpoints = append(q.Endpoints, staterecord.Endpoint{Name: e.Name, Host: e.Host, Port: e.Port})
		}
		out = append(out, q)
	}
	return out
}
