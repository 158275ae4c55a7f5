package records

import (
	"runtime"
	"testing"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// million is a right history of so many operations over 16 keys: sends, transactions of three sends, and polls of two
// readers that see everything.
func million(n int) []history.Op {
	keys := make([]history.Key, 16)
	for i := range keys {
		keys[i] = history.Key{Topic: "benchmark", Partition: int32(i)}
	}
	ends := make([][]uint64, len(keys))
	at := make([][2]int, len(keys))
	ops := make([]history.Op, 0, n)
	seq := uint64(0)
	send := func(key int) history.Mop {
		seq++
		v := history.Value(uint64(key), seq)
		ends[key] = append(ends[key], v)
		return history.Mop{Send: &history.Send{Key: keys[key], V: v, Off: kafka.Offset(len(ends[key]) - 1), Time: int64(seq), CRC: uint32(v) | 1}}
	}
	for i := range n {
		o := history.Op{Index: i, Process: i % 40, Kind: history.Ok, Committed: true, Invoke: int64(i) * 100, Complete: int64(i)*100 + 2500}
		switch key := i / 5 % len(keys); i % 5 {
		case 0, 1:
			o.F, o.Mops = history.DoSend, []history.Mop{send(key)}
		case 2:
			o.F, o.Mops = history.DoTxn, []history.Mop{send(key), send((key + 1) % len(keys)), send(key)}
		default:
			reader := i%5 - 3
			o.Process = 100 + reader
			p := history.Poll{Key: keys[key], High: -1, Stable: -1}
			for ; at[key][reader] < len(ends[key]); at[key][reader]++ {
				v := ends[key][at[key][reader]]
				p.Pairs = append(p.Pairs, history.Pair{Off: kafka.Offset(at[key][reader]), V: v, Time: 1, CRC: uint32(v) | 1})
			}
			o.F, o.Mops = history.DoPoll, []history.Mop{{Poll: []history.Poll{p}}}
		}
		ops = append(ops, o)
	}
	return ops
}

// BenchmarkCheckAMillionOperations: the aim is less than ten seconds and a gibibyte, the history included.
func BenchmarkCheckAMillionOperations(b *testing.B) {
	ops := million(1_000_000)
	b.ReportAllocs()
	for b.Loop() {
		r := Check(ops, Options{})
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapSys)/(1<<20), "MiB")
		for _, f := range r.Findings {
			if f.Verdict != history.Report {
				b.Fatal(f)
			}
		}
		if r.Values != 1_000_000 || r.Reads < 1_900_000 {
			b.Fatalf("%d values, %d reads", r.Values, r.Reads)
		}
	}
}
