package remote_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/broker/nodes"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/feed"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/remote"
)

// Fetch and FetchSnapshot connect the area with a real quorum, as node does.
func (q seatQuorum) Fetch(p nodes.Pull, done func(nodes.Pulled, error)) {
	q.s.q.Fetch(quorum.Pull{
		Observer: quorum.Key{NodeID: p.From.Node, DirectoryID: p.From.Directory}, Epoch: p.Epoch, From: p.Offset, LastEpoch: p.LastEpoch,
		MaxBytes: p.MaxBytes, MaxWait: p.MaxWait,
	}, func(got quorum.Pulled, err error) {
		done(nodes.Pulled{
			Standing:      nodes.Standing{Leader: got.Leader, Epoch: got.Epoch, Endpoints: got.LeaderAt},
			HighWatermark: got.HighWatermark, LogStart: got.LogStart, Batches: got.Batches,
			Diverging: (*nodes.EpochEnd)(got.Diverging), Snapshot: (*nodes.SnapshotID)(got.Snapshot),
		}, err)
	})
}

func (q seatQuorum) FetchSnapshot(p nodes.PullChunk, done func(nodes.Chunk, error)) {
	q.s.chunks++
	q.s.q.FetchSnapshot(quorum.PullChunk{
		Observer: quorum.Key{NodeID: p.From.Node, DirectoryID: p.From.Directory}, Epoch: p.Epoch, Snapshot: quorum.SnapshotID(p.Snapshot),
		Position: p.Position, MaxBytes: p.MaxBytes,
	}, func(c quorum.Chunk, err error) {
		done(nodes.Chunk{Standing: nodes.Standing{Leader: c.Leader, Epoch: c.Epoch, Endpoints: c.LeaderAt}, Size: c.Size, Bytes: c.Bytes}, err)
	})
}

// observer follows the metadata log on host b.
func (o *town) observer(u *remote.Upstream) (*quorum.Observer, *feed.Feed) {
	fs := disk.NewMem()
	key := quorum.Key{NodeID: 9, DirectoryID: kafka.DirectoryID(o.w.UUID())}
	dir, err := log.OpenDir(fs, "data", log.Identity{ClusterID: clusterID, NodeID: 9})
	noErr(o.t, err)
	noErr(o.t, dir.Format(log.Meta{ClusterID: clusterID, NodeID: 9, DirectoryID: key.DirectoryID}))
	c := log.DefaultConfig()
	c.Accept.TimestampBeforeMaxMs, c.Accept.TimestampAfterMaxMs, c.Keep.Delete = 1<<62, 1<<62, false
	l, err := log.Open(dir.Options(kafka.TopicPartition{Topic: kafka.MetadataTopic}, c, o.w.Now()))
	noErr(o.t, err)
	ob, err := quorum.OpenObserver(quorum.ObserverOptions{
		World: o.w, FS: fs, Dir: metaDir, Log: quorum.DiskLog(l), Flusher: disk.NewFlusher(o.w, "data"), Self: key, Upstream: u, Seats: o.voters,
		Failed: func(err error) { o.t.Errorf("the observer: %v", err) },
	})
	noErr(o.t, err)
	f := feed.New(o.w.Go, func(image.Delta) {}, func(err error) { o.t.Errorf("the observer's feed: %v", err) })
	f.Start(ob)
	ob.Start()
	return ob, f
}

func (o *town) upstream(cluster string) *remote.Upstream {
	return remote.NewUpstream(remote.UpstreamOptions{
		World: o.w, Peers: o.peers, ClusterID: func() string { return cluster }, Listener: "CONTROLLER", Timeout: 2 * time.Second,
	})
}

// TestAnObserverFollowsOverConnections, from a snapshot on and through a change of the leader, and finds the leader by whoever it asks.
func TestAnObserverFollowsOverConnections(t *testing.T) {
	o := newTown(t, 21)
	leader := o.form()
	u := o.upstream(clusterID)
	ob, f := o.observer(u)
	opts := o.options()
	opts.Where.Leader, opts.Await = ob.Leader, f.WaitFor // what a broker has
	c, fw := remote.NewControl(opts), remote.NewForwarder(opts)
	o.join(c)
	for i := range 6 {
		if i == 3 {
			leader.kill()
		}
		var r result
		name := fmt.Sprintf("t%d", i)
		fw.Forward(o.creation(name, 20_000, &r))
		if !o.w.RunUntil(time.Minute, func() bool { return r.done > 0 }) || r.created() != kafka.ErrNone {
			t.Fatalf("%s: %+v", name, r.reply)
		}
		if f.Image().TopicNamed(name) == nil {
			t.Fatalf("%s is created and not seen here", name)
		}
	}
	if who, _ := ob.Leader(); who == leader.key.NodeID || leader.chunks+o.active().chunks == 0 {
		t.Fatalf("node %d is followed, %d pieces of a snapshot were fetched", who, leader.chunks)
	}
	u.Close()
	o.w.Run(5 * time.Second)
	o.quiet()
}

// TestAnotherClusterIsNotFollowed.
func TestAnotherClusterIsNotFollowed(t *testing.T) {
	o := newTown(t, 22)
	o.form()
	u := o.upstream("another")
	var got error
	answers := 0
	u.Fetch(o.voters[0], quorum.Pull{Epoch: -1, LastEpoch: -1}, func(p quorum.Pulled, err error) {
		answers++
		got = err
	})
	o.w.Run(time.Second)
	if answers != 1 || fault.CodeOf(got) != kafka.ErrInconsistentClusterId {
		t.Fatalf("%d answers: %v", answers, got)
	}
	u.FetchSnapshot(o.voters[0], quorum.PullChunk{}, func(_ quorum.Chunk, err error) {
		answers++
		got = err
	})
	o.w.Run(time.Second)
	if answers != 2 || fault.CodeOf(got) != kafka.ErrInconsistentClusterId {
		t.Fatalf("%d answers: %v", answers, got)
	}
	u.Fetch(quorum.Voter{ID: 5}, quorum.Pull{}, func(_ quorum.Pulled, err error) {
		answers++
		got = err
	})
	o.w.Run(time.Second)
	if answers != 3 || fault.CodeOf(got) != kafka.ErrNetworkException {
		t.Fatalf("%d answers: %v", answers, got)
	}
}
