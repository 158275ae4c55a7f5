package node

import (
	"cmp"
	"net"
	"slices"
	"strconv"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/metrics"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/quorum"
)

// gauges is the node as metrics.Source. It walks images, which need no lock, and takes a partition's mutex only to copy
// that partition's few figures.
type gauges struct{ n *Node }

// Gauges shows the node to metrics.
func (n *Node) Gauges() metrics.Source { return gauges{n} }

// Standing tells of the node as a whole.
func (g gauges) Standing() metrics.Standing {
	n, img := g.n, g.n.feed.Image()
	d := n.control.Describe()
	at := img.Position()
	budget := n.edge.budget
	s := metrics.Standing{
		Node: n.settings.NodeID(), State: g.state(img), Dirs: g.dirs(), Cleaner: metrics.Cleaner(n.upkeep.Cleaner()),
		Scrub:   metrics.Scrub(n.upkeep.Scrub()),
		Memory:  metrics.Memory{Used: budget.Used(), Limit: n.o.Values.Int("milena.request.memory.max.bytes")},
		Traffic: n.replicas.traffic.all(), Damages: n.replicas.news.damages.Load(),
		Controller: metrics.Controller{
			Active: n.control.Active(), Topics: img.TopicCount(), OfflinePartitions: img.LeaderlessCount(),
			NotPreferred: img.NotPreferredCount(), UncleanElections: n.replicas.seen.unclean.Load(),
			EligibleElections: n.replicas.seen.eligible.Load(), Failovers: n.replicas.seen.failed(),
			LastAppliedOffset: int64(at.Offset), LastAppliedTimestamp: at.TimestampMs,
		},
		Quorum: metrics.Quorum{
			Leader: d.Leader, Epoch: d.Epoch, Leading: d.Leading, HighWatermark: d.HighWatermark,
			LogEnd: g.metadataEnd(d), Voters: len(d.Voters), Observers: len(d.Observers),
			Vote: voted(d), Election: metrics.Latency(d.Election), Commit: metrics.Latency(d.Commit),
		},
	}
	mending, comparing := n.replicas.others.mender.Figures(), n.replicas.others.comparer.Figures()
	s.Repair = metrics.Repair{Mended: mending.Mended, Unmended: mending.Left, Compared: comparing.Bytes, Differing: comparing.Differences}
	for b := range img.Brokers() {
		at := ""
		if len(b.Endpoints) > 0 {
			at = net.JoinHostPort(b.Endpoints[0].Host, strconv.Itoa(int(b.Endpoints[0].Port)))
		}
		s.Brokers = append(s.Brokers, metrics.Broker{ID: b.ID, Address: at, Fenced: b.Fenced})
	}
	for t := range img.Topics() {
		s.Controller.Partitions += t.Len()
	}
	s.Replicas = g.replicas(img)
	s.Replication = g.replication()
	return s
}

// state is where the broker is in its life.
func (g gauges) state(img *image.Image) metrics.BrokerState {
	failed, leaving := g.n.life.state()
	b := img.Broker(g.n.settings.NodeID())
	broker := g.n.settings.node.Roles.Broker
	switch {
	case failed:
		return metrics.Failed
	case leaving:
		return metrics.Stopping
	case !broker:
		return metrics.Running
	case b == nil || !g.n.replicas.ours(img):
		return metrics.Starting
	case b.Fenced:
		return metrics.Recovery
	}
	return metrics.Running
}

// metadataEnd is where this node's metadata log ends; a node without one knows what is committed.
func (g gauges) metadataEnd(d quorum.Description) kafka.Offset {
	if g.n.metadata.Load() == nil {
		return d.HighWatermark
	}
	return g.n.metadata.Load().Offsets().End
}

func (g gauges) dirs() []metrics.Dir {
	var out []metrics.Dir
	for _, d := range (description{g.n}).volumes() {
		room := g.n.storage.Space.Of(d.Path)
		uncleanable, bytes := g.n.upkeep.Uncleanable(d.Path)
		out = append(out, metrics.Dir{
			Path: d.Path, Offline: d.Err != nil, TotalBytes: d.TotalBytes, UsableBytes: d.FreeBytes,
			Full: room.Full, ReserveBytes: room.Reserve, FlushAge: g.n.upkeep.FlushAge(d.Path), Unrecovered: g.n.upkeep.Unrecovered(d.Path),
			Uncleanable: uncleanable, UncleanableBytes: bytes,
		})
	}
	return out
}

// replicas counts this node's replicas, as the image has them.
func (g gauges) replicas(img *image.Image) (out metrics.Replicas) {
	out.Offline = g.offline()
	for t := range img.Topics() {
		minISR := -1
		for _, p := range t.Partitions() {
			if !slices.Contains(p.Replicas(), g.n.settings.NodeID()) {
				continue
			}
			out.All++
			if p.Leader != g.n.settings.NodeID() {
				continue
			}
			if minISR < 0 {
				minISR = g.n.settings.partition(img, t.Name).MinISR
			}
			out.Led++
			count := func(n *int, yes bool) {
				if yes {
					*n++
				}
			}
			count(&out.UnderReplicated, underReplicated(p))
			count(&out.UnderMinISR, len(p.ISR()) < least(p, minISR))
			count(&out.AtMinISR, len(p.ISR()) == least(p, minISR))
			count(&out.Reassigning, p.Reassigning())
		}
	}
	return out
}

// offline counts the replicas of directories that failed or are not there; all of them once the node has given up.
func (g gauges) offline() int {
	given := fault.IsKind(g.n.Failed(), fault.Disk)
	count := 0
	for _, v := range append(slices.Clone(g.n.storage.Volumes), g.n.storage.Nowhere) {
		if replicas, serves := v.Load(); given || !serves {
			count += replicas
		}
	}
	return count
}

// underReplicated leaves those out that a reassignment is only adding, as Kafka does.
func underReplicated(p *image.Partition) bool {
	return len(p.ISR()) < len(p.Replicas())-len(p.Adding())
}

// least is min.insync.replicas of a partition, which cannot ask for more than its replicas (KIP-966).
func least(p *image.Partition, minISR int) int { return min(minISR, len(p.Replicas())) }

// Topics tells of the topics that this node has replicas of.
func (g gauges) Topics() []metrics.Topic {
	img := g.n.feed.Image()
	all := g.n.replicas.traffic.topics()
	for i := range all {
		if t := img.TopicNamed(all[i].Name); t != nil {
			all[i].Partitions = t.Len()
		}
	}
	return all
}

// Partitions tells of the partitions that this node leads.
func (g gauges) Partitions() []metrics.Partition {
	img, self := g.n.feed.Image(), g.n.settings.NodeID()
	var out []metrics.Partition
	for t := range img.Topics() {
		minISR := -1
		for number, p := range t.Partitions() {
			if p.Leader != self {
				continue
			}
			if minISR < 0 {
				minISR = g.n.settings.partition(img, t.Name).MinISR
			}
			found, err := g.n.replicas.ByID(kafka.TopicIDPartition{TopicID: t.ID, Partition: number})
			if err != nil {
				continue // the image is a moment ahead
			}
			out = append(out, g.partition(found, p, minISR))
		}
	}
	return out
}

func (g gauges) partition(found *partition.Partition, p *image.Partition, minISR int) metrics.Partition {
	s := g.n.storage.Standing(found)
	return metrics.Partition{
		TopicPartition: found.Name(), Bytes: s.Bytes, LogStart: s.LogStart, High: s.High, LogEnd: s.End,
		Leader: p.Leader, Preferred: p.Leader == p.Preferred(), Replicas: len(p.Replicas()), InSync: len(p.ISR()),
		MinISR: minISR, UnderReplicated: underReplicated(p), UnderMinISR: len(p.ISR()) < least(p, minISR),
		AtMin: len(p.ISR()) == least(p, minISR), Followers: g.followers(found, p, s.End),
	}
}

// followers tells what is known of the other replicas of a partition; of one that has not fetched, that.
func (g gauges) followers(found *partition.Partition, p *image.Partition, end kafka.Offset) []metrics.Follower {
	others := len(p.Replicas()) - 1
	if others <= 0 {
		return nil
	}
	known := partition.AsLeader(found).Explain(make([]replica.Explained, 0, others))
	out := make([]metrics.Follower, 0, others)
	for _, n := range p.Replicas() {
		if n == g.n.settings.NodeID() {
			continue
		}
		f := metrics.Follower{Node: n, InSync: slices.Contains(p.ISR(), n), Behind: -1, SinceFetch: -1, Waits: replica.Unheard.String()}
		i := slices.IndexFunc(known, func(x replica.Explained) bool { return x.Node == n })
		if i >= 0 {
			x := &known[i]
			f.InSync, f.Behind, f.SinceFetch, f.Waits = x.InSync, x.Behind, x.Heard, x.Waits.String()
			if f.Known = x.Heard >= 0; f.Known {
				f.Lag, f.NotDurable = int64(max(end-x.End, 0)), int64(max(end-max(x.Durable, 0), 0))
			}
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b metrics.Follower) int { return int(a.Node) - int(b.Node) })
	return out
}

// sortCommitted puts committed offsets into the order of pages.
func sortCommitted(all []metrics.Committed) {
	slices.SortFunc(all, func(a, b metrics.Committed) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
}

// voted is whom this node voted for; one that is no voter, or has no seat yet, for nobody.
func voted(d quorum.Description) kafka.NodeID {
	if slices.ContainsFunc(d.Voters, func(v quorum.Replica) bool { return v.ID == d.Vote }) {
		return d.Vote
	}
	return kafka.NoNode
}
