package storage

import (
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/world"
)

// A voter's directories have ids before the cluster has one, and keep them through power cuts and into the cluster.
func TestVotersHaveDirectoriesBeforeTheyHaveACluster(t *testing.T) {
	mem := disk.NewMem()
	open := func() *Storage {
		r := &rig{t: t, w: world.NewVirtual(1), fs: mem}
		o := r.options("a", "b")
		o.Founding = Joins
		return must.Get(Open(o))
	}
	s := open()
	if s.ClusterID() != "" || s.Volumes[0].ID().IsZero() || s.Volumes[0].ID() == s.Volumes[1].ID() {
		t.Fatalf("cluster %q, directories %v and %v", s.ClusterID(), s.Volumes[0].ID(), s.Volumes[1].ID())
	}
	ids := []kafka.DirectoryID{s.Volumes[0].ID(), s.Volumes[1].ID()}
	holds := func(what string) {
		t.Helper()
		for i, v := range s.Volumes {
			if v.ID() != ids[i] {
				t.Fatalf("%s directory %d is %v, and was %v", what, i, v.ID(), ids[i])
			}
		}
	}
	mem = mem.PowerCut()
	s = open()
	holds("after a power cut")
	must.OK(s.Adopt("c"))
	holds("in the cluster")
	if err := s.Adopt("another"); fault.CodeOf(err) != kafka.ErrInconsistentClusterId {
		t.Fatalf("another cluster is adopted: %v", err)
	}
	mem = mem.PowerCut()
	s = open()
	holds("in the cluster, after a power cut,")
	if s.ClusterID() != "c" {
		t.Fatalf("the cluster is %q", s.ClusterID())
	}
}
