package log

import (
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// What is reserved is the directory's id after any power cut, with the metadata log's directory beside it and before there is a
// cluster; once it is formatted it is the one of meta.properties.
func TestAReservedIDStays(t *testing.T) {
	fs, want := disk.NewMem(), Identity{NodeID: 1}
	id := kafka.DirectoryID{1, 2, 3}
	d := must.Get(OpenDir(fs, "d", want))
	if meta, formatted := d.Meta(); formatted || !meta.DirectoryID.IsZero() {
		t.Fatalf("a new directory is %+v, %v", meta, formatted)
	}
	must.OK(Reserve(d, id))
	must.OK(fs.MkdirAll("d/__cluster_metadata-0"))
	must.OK(fs.SyncDir("d"))
	for range 2 {
		fs = fs.PowerCut()
		d = must.Get(OpenDir(fs, "d", want))
		must.OK(Reserve(d, kafka.DirectoryID{9}))
		if meta, formatted := d.Meta(); formatted || meta.DirectoryID != id {
			t.Fatalf("after a power cut the directory is %+v, %v", meta, formatted)
		}
	}
	if err := d.Format(Meta{ClusterID: "c", NodeID: 1, DirectoryID: kafka.DirectoryID{9}}); fault.CodeOf(err) != kafka.ErrInconsistentClusterId {
		t.Fatalf("formatted with another id: %v", err)
	}
	must.OK(d.Format(Meta{ClusterID: "c", NodeID: 1, DirectoryID: id}))
	fs = fs.PowerCut()
	d = must.Get(OpenDir(fs, "d", want))
	if meta, formatted := d.Meta(); !formatted || meta.DirectoryID != id || meta.ClusterID != "c" {
		t.Fatalf("formatted, the directory is %+v, %v", meta, formatted)
	}
	if err := Reserve(d, kafka.DirectoryID{9}); err != nil || must.Get(OpenDir(fs.PowerCut(), "d", want)).meta.DirectoryID != id {
		t.Fatalf("a formatted directory took another id: %v", err)
	}
}

func TestAReservedIDThatDoesNotParseIsTold(t *testing.T) {
	fs := disk.NewMem()
	must.OK(Reserve(must.Get(OpenDir(fs, "d", Identity{NodeID: 1})), kafka.DirectoryID{1}))
	fs = fs.PowerCut()
	f := must.Get(fs.Open("d/"+reservedFile, disk.Write))
	must.Get(f.WriteAt([]byte("?"), 3))
	must.OK(f.Close())
	if _, err := OpenDir(fs, "d", Identity{NodeID: 1}); !fault.IsKind(err, fault.Corrupt) {
		t.Fatalf("opened: %v", err)
	}
}
