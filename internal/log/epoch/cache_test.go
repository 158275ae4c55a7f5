package epoch

import (
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

func cacheOf(entries ...Entry) *Cache { return &Cache{entries: slices.Clone(entries)} }

func TestAssignKeepsEpochsAndStartsRising(t *testing.T) {
	c := cacheOf()
	for _, step := range []struct {
		e     kafka.LeaderEpoch
		start kafka.Offset
		took  bool
		want  []Entry
	}{
		{0, 0, true, []Entry{{0, 0}}},
		{0, 5, false, []Entry{{0, 0}}},
		{2, 10, true, []Entry{{0, 0}, {2, 10}}},
		{1, 20, false, []Entry{{0, 0}, {2, 10}}},
		{3, 10, true, []Entry{{0, 0}, {3, 10}}}, // epoch 2 got no record
		{4, 7, true, []Entry{{0, 0}, {4, 7}}},
		{-1, 9, false, []Entry{{0, 0}, {4, 7}}},
	} {
		if took := c.Assign(step.e, step.start); took != step.took || !slices.Equal(c.entries, step.want) {
			t.Fatalf("Assign(%d, %d) = %v, entries %v, want %v", step.e, step.start, took, c.entries, step.want)
		}
	}
}

// Point 15 of the places where clones go wrong: what OffsetForLeaderEpoch answers.
func TestEndOffsetForAnswersAsKafka(t *testing.T) {
	c := cacheOf(Entry{2, 10}, Entry{4, 20}, Entry{7, 30})
	for _, q := range []struct {
		ask, epoch kafka.LeaderEpoch
		end        kafka.Offset
	}{
		{7, 7, 99}, {8, -1, -1}, {-1, -1, -1}, {6, 4, 30}, {5, 4, 30}, {4, 4, 30}, {3, 2, 20}, {2, 2, 20}, {1, 1, 10}, {0, 0, 10},
	} {
		e, end := c.EndOffsetFor(q.ask, 99)
		if e != q.epoch || end != q.end {
			t.Errorf("EndOffsetFor(%d) = %d, %d, want %d, %d", q.ask, e, end, q.epoch, q.end)
		}
	}
	if e, end := cacheOf().EndOffsetFor(0, 5); e != -1 || end != -1 {
		t.Errorf("empty cache answers %d, %d", e, end)
	}
}

func TestForFindsTheEpochOfAnOffset(t *testing.T) {
	c := cacheOf(Entry{2, 10}, Entry{4, 20})
	for o, want := range map[kafka.Offset]kafka.LeaderEpoch{9: -1, 10: 2, 19: 2, 20: 4, 1000: 4} {
		if got := c.For(o); got != want {
			t.Errorf("For(%d) = %d, want %d", o, got, want)
		}
	}
}

func TestTruncation(t *testing.T) {
	full := []Entry{{2, 10}, {4, 20}, {7, 30}}
	for _, step := range []struct {
		fromEnd bool
		at      kafka.Offset
		want    []Entry
	}{
		{true, 31, full}, {true, 30, full[:2]}, {true, 15, full[:1]}, {true, 10, nil},
		{false, 10, full}, {false, 5, full}, {false, 15, []Entry{{2, 15}, {4, 20}, {7, 30}}},
		{false, 20, []Entry{{4, 20}, {7, 30}}}, {false, 35, []Entry{{7, 35}}},
	} {
		c := cacheOf(full...)
		if step.fromEnd {
			c.TruncateFromEnd(step.at)
		} else {
			c.TruncateFromStart(step.at)
		}
		if !slices.Equal(c.entries, step.want) {
			t.Errorf("truncate (from end %v) at %d gives %v, want %v", step.fromEnd, step.at, c.entries, step.want)
		}
	}
}

func TestLearnFitsAnEpochInBetween(t *testing.T) {
	for _, step := range []struct {
		e     kafka.LeaderEpoch
		start kafka.Offset
		fits  bool
		want  []Entry
	}{
		{2, 15, true, []Entry{{2, 10}, {6, 20}}},
		{3, 15, true, []Entry{{2, 10}, {3, 15}, {6, 20}}},
		{6, 15, true, []Entry{{2, 10}, {6, 15}}},
		{7, 25, true, []Entry{{2, 10}, {6, 20}, {7, 25}}},
		{1, 5, true, []Entry{{1, 5}, {2, 10}, {6, 20}}},
		{7, 15, false, []Entry{{2, 10}, {6, 20}}},
		{1, 15, false, []Entry{{2, 10}, {6, 20}}},
		{3, 10, false, []Entry{{2, 10}, {6, 20}}},
	} {
		c := cacheOf(Entry{2, 10}, Entry{6, 20})
		if fits := c.Learn(step.e, step.start); fits != step.fits || !slices.Equal(c.entries, step.want) {
			t.Errorf("Learn(%d, %d) = %v, entries %v", step.e, step.start, fits, c.entries)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("0\n2\n0 0\n3 17\n"))
	f.Add([]byte("0\n1\n0 -1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := Parse(data)
		if err != nil {
			return
		}
		again, err := Parse(Format(entries))
		if err != nil || !slices.Equal(entries, again) {
			t.Fatalf("%v came back as %v, %v", entries, again, err)
		}
	})
}
