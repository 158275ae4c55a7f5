package cluster

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/wire"
)

// DescribeLogDirs serves DescribeLogDirs v1-5 (KIP-113, KIP-827): this node's log directories with the logs in them, all
// for a null list of topics. Who asks with our tag is told of the followers of what is led here, too (ADR 0030).
func (c *Cluster) DescribeLogDirs(req *wire.Request) {
	in := req.Body.(*kmsg.DescribeLogDirsRequest)
	out := in.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	followers := in.Version >= 2 && wire.AskedForFollowers(in)
	c.world.Go(func() {
		for _, d := range c.node.LogDirs() {
			rd := kmsg.NewDescribeLogDirsResponseDir()
			rd.IsCordoned = d.Cordoned
			rd.Dir, rd.ErrorCode, rd.TotalBytes, rd.UsableBytes = d.Path, code(d.Err), d.TotalBytes, d.FreeBytes
			for _, l := range d.Logs {
				if !asksFor(in, l.Partition.Topic, l.Partition.Partition) {
					continue
				}
				p := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
				p.Partition, p.Size, p.OffsetLag = l.Partition.Partition, l.Bytes, l.Lag
				p.IsFuture = l.Future
				if followers && !l.Future {
					tell(&p, c.node.Followers(l.Partition))
				}
				if n := len(rd.Topics); n == 0 || rd.Topics[n-1].Topic != l.Partition.Topic {
					rt := kmsg.NewDescribeLogDirsResponseDirTopic()
					rt.Topic = l.Partition.Topic
					rd.Topics = append(rd.Topics, rt)
				}
				rt := &rd.Topics[len(rd.Topics)-1]
				rt.Partitions = append(rt.Partitions, p)
			}
			out.Dirs = append(out.Dirs, rd)
		}
		req.Reply(wire.Reply{Message: out})
	})
}

// tell adds what a leader knows of its followers.
func tell(p *kmsg.DescribeLogDirsResponseDirTopicPartition, all []wire.FollowerState) {
	if all != nil {
		wire.SetFollowers(p, all)
	}
}

func asksFor(in *kmsg.DescribeLogDirsRequest, topic string, partition int32) bool {
	if in.Topics == nil {
		return true
	}
	return slices.ContainsFunc(in.Topics, func(t kmsg.DescribeLogDirsRequestTopic) bool {
		return t.Topic == topic && slices.Contains(t.Partitions, partition)
	})
}
