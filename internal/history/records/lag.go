package records

import (
	"math/bits"
	"slices"
	"time"

	"github.com/milena-io/milena/internal/history"
)

// held is a key that a process reads, and the index of the last value that it saw there.
type held struct {
	key, at int32
	lag     int64 // at its last poll
	op      int32
}

// lag measures realtime-lag: at each poll, for each key that its process reads, how long before there was known to be
// something beyond what the process saw. It is a finding when readers still lag long after the faults ended.
func (x *index) lag() Lag {
	known := make([][]int64, len(x.keys))
	for k := range x.keys {
		known[k] = x.knownFrom(&x.keys[k])
	}
	readers := map[int]*[]held{}
	var order []int
	samples := new(spread)
	for i := range x.ops {
		o := &x.ops[i]
		holds := readers[o.Process]
		if holds == nil {
			holds = &[]held{}
			readers[o.Process] = holds
			order = append(order, o.Process)
		}
		if o.Kind == history.Ok && (o.F == history.DoPoll || o.F == history.DoTxn) {
			x.sample(samples, int32(i), *holds, known)
		}
		*holds = x.hold(*holds, int32(i))
	}
	for _, process := range order {
		x.stuck(process, *readers[process])
	}
	return Lag{Samples: samples.n, P50: samples.at(0.5), P99: samples.at(0.99), Max: time.Duration(samples.greatest)}
}

// fine is how many parts each power of two has in a spread: a quantile is right to a sixteenth.
const fine = 16

// spread counts lengths of time by their size, for quantiles in little room.
type spread struct {
	n        int
	greatest int64
	buckets  [64 * fine]int
}

func (s *spread) add(v int64) {
	s.n++
	s.greatest = max(s.greatest, v)
	s.buckets[bucket(v)]++
}

func bucket(v int64) int {
	if v < fine {
		return int(v)
	}
	power := bits.Len64(uint64(v)) - 1 // at least 4
	return (power-3)*fine + int(v>>(power-4))&(fine-1)
}

// at returns the least length that a part of all does not pass, as the lower end of its bucket.
func (s *spread) at(part float64) time.Duration {
	left := int(part * float64(s.n))
	for i, n := range s.buckets {
		if left -= n; left < 0 {
			if i < fine {
				return time.Duration(i)
			}
			power := i/fine + 3
			return time.Duration(int64(fine+i%fine) << (power - 4))
		}
	}
	return time.Duration(s.greatest)
}

// knownFrom returns for each index of a log since when something at or beyond it was known to exist.
func (x *index) knownFrom(k *keyLog) []int64 {
	out := make([]int64, len(k.offs))
	for i := range out {
		out[i] = history.Never
	}
	at := 0
	for i := range k.places {
		if k.places[i].off != k.offs[at] {
			at++
		}
		out[at] = min(out[at], x.ops[k.places[i].op].Done())
	}
	for i := len(out) - 2; i >= 0; i-- {
		out[i] = min(out[i], out[i+1])
	}
	return out
}

func (x *index) sample(samples *spread, op int32, holds []held, known [][]int64) {
	for i := range holds {
		h := &holds[i]
		h.op, h.lag = op, 0
		k := &x.keys[h.key]
		gone, _ := slices.BinarySearch(k.offs, k.start) // deleted: nobody lags behind it
		if next := max(int(h.at)+1, gone); next < len(known[h.key]) {
			h.lag = max(0, x.ops[op].Invoke-known[h.key][next])
		}
		samples.add(h.lag)
	}
}

// hold brings what a process reads past one operation.
func (x *index) hold(holds []held, op int32) []held {
	o := &x.ops[op]
	if len(o.Rebalanced) > 0 { // whatever became of the operation
		holds = slices.DeleteFunc(holds, func(h held) bool { return x.rebalanced(o, h.key) })
	}
	if o.Kind != history.Ok && o.F != history.DoCrash {
		return holds
	}
	switch o.F {
	case history.DoCrash, history.DoSubscribe:
		holds = holds[:0] // what a group gives shows in its polls
	case history.DoSeek:
		holds = slices.DeleteFunc(holds, func(h held) bool { return slices.Contains(o.Keys, x.keys[h.key].key) })
	case history.DoAssign:
		holds = slices.DeleteFunc(holds, func(h held) bool { return !slices.Contains(o.Keys, x.keys[h.key].key) })
		for _, k := range o.Keys {
			key := x.keyOf[k]
			if !slices.ContainsFunc(holds, func(h held) bool { return h.key == key }) {
				holds = append(holds, held{key: key, at: none, op: op})
			}
		}
	}
	for _, r := range x.polled(op) {
		i := slices.IndexFunc(holds, func(h held) bool { return h.key == r.key })
		if i < 0 {
			i = len(holds)
			holds = append(holds, held{key: r.key, op: op})
		}
		holds[i].at = r.at
	}
	return holds
}

// stuck finds a process whose last poll still lagged after the time that the options allow.
func (x *index) stuck(process int, holds []held) {
	limit := x.options.LagLimit
	if limit <= 0 {
		return
	}
	for _, h := range holds {
		if x.ops[h.op].Invoke > x.options.Healed+int64(limit) && h.lag > int64(limit) {
			x.tally.Add("realtime-lag", history.Always, x.story(h.op), "process %d still lags by %v in %v at its last poll, %v after the faults ended",
				process, ago(h.lag), x.keys[h.key].key, ago(x.ops[h.op].Invoke-x.options.Healed))
		}
	}
}
