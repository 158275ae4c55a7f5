package clean

import (
	"math"
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

func plain(base kafka.Offset, bytes int64) Segment {
	return Segment{Base: base, Bytes: bytes, FirstMs: -1, LargestMs: -1}
}

var four = []Segment{plain(0, 100), plain(10, 100), plain(20, 100), plain(30, 50)}

func TestJudge(t *testing.T) {
	young := slices.Clone(four)
	young[1].LargestMs = 950
	young[1].FirstMs, young[2].FirstMs = 500, 800
	for _, c := range []struct {
		name     string
		segments []Segment
		b        Bounds
		change   func(*Policy)
		want     Dirt
	}{
		{"never cleaned", four, Bounds{0, 40, 40, kafka.NoOffset}, nil, Dirt{0, 30, 0, 300, 0, false}},
		{"the active segment is out of reach", four[:1], Bounds{0, 40, 40, kafka.NoOffset}, nil, Dirt{}},
		{"an open transaction stops it at its segment", four, Bounds{0, 25, 40, kafka.NoOffset}, nil, Dirt{0, 20, 0, 200, 0, false}},
		{"a checkpoint", four, Bounds{0, 40, 40, 20}, nil, Dirt{20, 30, 200, 100, 0, false}},
		{"a checkpoint inside a segment counts it twice, as Kafka does", four, Bounds{0, 40, 40, 15}, nil, Dirt{15, 30, 200, 200, 0, false}},
		{"a checkpoint below the log start", four, Bounds{12, 40, 40, 5}, nil, Dirt{12, 30, 200, 200, 0, true}},
		{"a checkpoint after the end", four, Bounds{0, 40, 40, 41}, nil, Dirt{0, 30, 0, 300, 0, true}},
		{"everything is clean", four, Bounds{0, 40, 40, 30}, nil, Dirt{30, 30, 300, 0, 0, false}},
		{"min.compaction.lag.ms", young, Bounds{0, 40, 40, kafka.NoOffset}, func(p *Policy) { p.MinLagMs = 100 }, Dirt{0, 10, 0, 100, 0, false}},
		{"max.compaction.lag.ms", young, Bounds{0, 40, 40, 20}, func(p *Policy) { p.MaxLagMs = 150 }, Dirt{20, 30, 200, 100, 50, false}},
	} {
		p := DefaultPolicy()
		if c.change != nil {
			c.change(&p)
		}
		if got := Judge(c.segments, c.b, p, 1000); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestDue(t *testing.T) {
	p := DefaultPolicy()
	half := Dirt{First: 10, Until: 20, CleanBytes: 100, CleanableBytes: 100}
	if half.Due(p) {
		t.Error("a ratio of min.cleanable.dirty.ratio is not above it")
	}
	more := Dirt{First: 10, Until: 20, CleanBytes: 99, CleanableBytes: 100}
	late := Dirt{First: 10, Until: 20, CleanBytes: 1000, CleanableBytes: 1, OverdueMs: 1}
	if !more.Due(p) || !late.Due(p) || (Dirt{OverdueMs: 5}).Due(p) {
		t.Error("what is dirtier than the ratio or past its lag is due, and an empty section never")
	}
	if !late.Before(more) || more.Before(late) || !more.Before(half) {
		t.Error("the late one goes first, then the filthier")
	}
}

func TestGroups(t *testing.T) {
	wide := []Segment{plain(0, 0), plain(math.MaxInt32, 10), plain(math.MaxInt32+5, 10), plain(math.MaxInt32+20, 10)}
	indexed := slices.Clone(four)
	indexed[1].IndexBytes, indexed[2].TimeIndexBytes = 60, 50
	indexed[0].IndexBytes, indexed[1].TimeIndexBytes = 50, 60
	for _, c := range []struct {
		name       string
		segments   []Segment
		end, until kafka.Offset
		limits     Policy
		want       []int
	}{
		{"by size", four[:3], 30, 30, Policy{SegmentBytes: 200, IndexBytes: 1000}, []int{0, 2, 3}},
		{"a segment of more than segment.bytes stands alone", four[:3], 30, 30, Policy{SegmentBytes: 50, IndexBytes: 1000}, []int{0, 1, 2, 3}},
		{"up to where keys were mapped", four[:3], 11, 30, Policy{SegmentBytes: 1000, IndexBytes: 1000}, []int{0, 2}},
		{"by index", indexed[:3], 30, 30, Policy{SegmentBytes: 1000, IndexBytes: 100}, []int{0, 1, 2, 3}},
		{"by offsets", wide, math.MaxInt32 + 30, math.MaxInt32 + 30, Policy{SegmentBytes: 1000, IndexBytes: 100}, []int{0, 1, 4}},
		{"nothing", four[:3], 0, 30, Policy{SegmentBytes: 1000, IndexBytes: 100}, nil},
	} {
		if got := Groups(c.segments, c.end, c.until, c.limits); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
