package inspect

import (
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// rolled is a directory with one log of ours, of three segments.
func rolled(t *testing.T) (*disk.Mem, string) {
	m := disk.NewMem()
	d := must.Get(log.OpenDir(m, "/data", log.Identity{ClusterID: "c", NodeID: 1}))
	must.OK(d.Format(log.Meta{ClusterID: "c", NodeID: 1, DirectoryID: kafka.DirectoryID{9}}))
	c := log.DefaultConfig()
	c.Roll.SegmentBytes = 350
	l := must.Get(log.Open(d.Options(kafka.TopicPartition{Topic: "t"}, c, kafka.Instant{WallMs: 1000})))
	for range 12 {
		b := record.NewBuilder(record.Plain())
		b.Append(1000, []byte("key"), []byte("value"))
		must.Get(l.AppendAsLeader(kafka.Instant{WallMs: 1000}, must.Get(b.Build()), 0, log.Client))
	}
	must.OK(l.Close(kafka.Instant{}))
	if r := verify(t, m, "/data"); len(r.Problems) > 0 || r.Segments < 3 {
		t.Fatalf("%+v", r)
	}
	return m, "/data/t-0/00000000000000000000"
}

func TestVerifyHoldsASegmentAgainstItsSeal(t *testing.T) {
	m, base := rolled(t)
	whole := read(t, m, base+".log")
	write(t, m, base+".log", whole[:len(whole)-must.Get(record.PeekSize(whole))])
	write(t, m, base+".index", nil)
	write(t, m, base+".timeindex", nil)
	told := false
	for _, p := range verify(t, m, "/data").Problems {
		told = told || p.File == base+".log" && strings.Contains(p.Message, "it was sealed with")
	}
	if !told {
		t.Errorf("a segment that was cut at the end of a batch: %+v", verify(t, m, "/data").Problems)
	}
	write(t, m, "/data/cleaner-offset-checkpoint", []byte("0\n1\nt 0 4\n"))
	for _, p := range verify(t, m, "/data").Problems {
		if strings.Contains(p.Message, "sealed") {
			t.Errorf("another program has compacted it: %+v", p)
		}
	}
}

func TestDumpShowsASeal(t *testing.T) {
	m, base := rolled(t)
	var seals []Seal
	must.OK(Dump(m, base+".seal", DumpOptions{}, func(e Entry) error {
		if s, ok := e.(Seal); ok {
			seals = append(seals, s)
		}
		return nil
	}))
	size := int64(len(read(t, m, base+".log")))
	if len(seals) != 1 || seals[0].Bytes != size || seals[0].End != seals[0].Next || seals[0].Stretches != 1 {
		t.Errorf("%+v", seals)
	}
	if want := "baseOffset: 0 size: "; !strings.HasPrefix(seals[0].Text(), want) {
		t.Errorf("%q", seals[0].Text())
	}
}
