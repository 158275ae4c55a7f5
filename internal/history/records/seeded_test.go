package records

import (
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

var (
	a = history.Key{Topic: "a"}
	b = history.Key{Topic: "b"}
)

// story builds a small history: operations follow one another, unless they are told when they were.
type story struct {
	ops  []history.Op
	time int64
}

func (s *story) op(process int, f history.Function, kind history.Kind, mops ...history.Mop) *history.Op {
	s.ops = append(s.ops, history.Op{Index: len(s.ops), Process: process, F: f, Kind: kind, Invoke: s.time + 1, Complete: s.time + 2, Mops: mops, Committed: true})
	s.time += 2
	return &s.ops[len(s.ops)-1]
}

func send(k history.Key, v uint64, off kafka.Offset) history.Mop {
	return history.Mop{Send: &history.Send{Key: k, V: v, Off: off, Time: 1000 + int64(off), CRC: uint32(v)}}
}

// poll reads values at offsets: pairs of (offset, value).
func poll(k history.Key, pairs ...int) history.Mop {
	p := history.Poll{Key: k, High: -1, Stable: -1}
	for i := 0; i < len(pairs); i += 2 {
		p.Pairs = append(p.Pairs, history.Pair{Off: kafka.Offset(pairs[i]), V: uint64(pairs[i+1]), Time: 1000 + int64(pairs[i]), CRC: uint32(pairs[i+1])})
	}
	return history.Mop{Poll: []history.Poll{p}}
}

func ask(k history.Key, earliest, stable, latest kafka.Offset) history.Mop {
	return history.Mop{Bounds: &history.Bounds{Key: k, Earliest: earliest, Stable: stable, Latest: latest}}
}

func lookup(k history.Key, time int64, off kafka.Offset, at int64) history.Mop {
	return history.Mop{Lookup: &history.Lookup{Key: k, Time: time, Off: off, At: at}}
}

// plain is what most stories begin with: values 1 to n acknowledged at offsets 0 to n-1.
func plain(s *story, k history.Key, n int) {
	for v := 1; v <= n; v++ {
		s.op(1, history.DoSend, history.Ok, send(k, uint64(v), kafka.Offset(v-1)))
	}
}

// seeded are minimal anomalies: what each is, and the one name under which it is found.
var seeded = []struct {
	name    string
	verdict history.Verdict
	ops     []int // that prove it
	options Options
	tell    func(s *story)
}{
	{name: "inconsistent-offsets", ops: []int{0, 1}, tell: func(s *story) {
		s.op(1, history.DoSend, history.Ok, send(a, 1, 0))
		s.op(2, history.DoSend, history.Ok, send(a, 2, 0))
	}},
	{name: "duplicate", verdict: history.Idempotent, ops: []int{0, 2}, tell: func(s *story) {
		plain(s, a, 2)
		s.op(2, history.DoPoll, history.Ok, poll(a, 0, 1, 1, 2, 2, 1))
	}},
	{name: "duplicate", verdict: history.Report, ops: []int{0, 1, 3}, tell: func(s *story) {
		s.op(1, history.DoSend, history.Info, send(a, 1, -1))
		s.op(2, history.DoPoll, history.Ok, poll(a, 0, 1))
		s.op(3, history.DoAsk, history.Ok, ask(a, 1, -1, -1))
		s.op(2, history.DoPoll, history.Ok, poll(a, 1, 1))
	}},
	{name: "lost-write", ops: []int{0, 2}, tell: func(s *story) {
		plain(s, a, 2)
		s.op(2, history.DoPoll, history.Ok, poll(a, 1, 2))
	}},
	{name: "unseen", ops: []int{1}, options: Options{Final: true}, tell: func(s *story) {
		plain(s, a, 2)
		s.op(2, history.DoPoll, history.Ok, poll(a, 0, 1))
	}},
	{name: "G1a aborted-read", ops: []int{0, 1}, tell: func(s *story) {
		s.op(1, history.DoSend, history.Fail, send(a, 1, -1))
		s.op(2, history.DoPoll, history.Ok, poll(a, 0, 1))
	}},
	{name: "G1a aborted-read", verdict: history.Committed, ops: []int{0, 1}, tell: func(s *story) {
		s.op(1, history.DoTxn, history.Fail, send(a, 1, 0))
		s.op(2, history.DoPoll, history.Ok, poll(a, 0, 1))
	}},
	{name: "precommitted-read", verdict: history.Committed, ops: []int{0}, tell: func(s *story) {
		s.op(1, history.DoTxn, history.Ok, send(a, 1, 0), poll(a, 0, 1))
	}},
	{name: "G1b intermediate-read", verdict: history.Report, ops: []int{0, 2}, tell: func(s *story) {
		s.op(1, history.DoTxn, history.Ok, send(a, 1, 0), send(a, 2, 1))
		s.op(2, history.DoPoll, history.Ok, poll(a, 0, 1, 1, 2))
		s.op(3, history.DoPoll, history.Ok, poll(a, 0, 1))
	}},
	{name: "int-poll-skip", ops: []int{1, 4}, tell: func(s *story) {
		plain(s, a, 3)
		s.op(2, history.DoPoll, history.Ok, poll(a, 0, 1, 1, 2, 2, 3))
		s.op(3, history.DoPoll, history.Ok, poll(a, 0, 1, 2, 3))
	}},
	{name: "int-nonmonotonic-poll", ops: []int{2}, tell: func(s *story) {
		plain(s, a, 2)
		s.op(2, history.DoPoll, history.Ok, poll(a, 1, 2, 0, 1))
	}},
	{name: "poll-skip", ops: []int{1, 4, 5}, tell: func(s *story) {
		plain(s, a, 3)
		s.op(2, history.DoPoll, history.Ok, poll(a, 0, 1, 1, 2, 2, 3))
		s.op(3, history.DoPoll, history.Ok, poll(a, 0, 1))
		s.op(3, history.DoPoll, history.Ok, poll(a, 2, 3))
	}},
	{name: "nonmonotonic-poll", ops: []int{2, 3}, tell: func(s *story) {
		plain(s, a, 2)
		s.op(3, history.DoPoll, history.Ok, poll(a, 0, 1, 1, 2))
		s.op(3, history.DoPoll, history.Ok, poll(a, 1, 2))
	}},
	{name: "nonmonotonic-poll", verdict: history.Report, ops: []int{3, 4}, tell: func(s *story) {
		plain(s, a, 2)
		s.op(3, history.DoSubscribe, history.Ok).Keys = []history.Key{a}
		s.op(3, history.DoPoll, history.Ok, poll(a, 0, 1, 1, 2))
		s.op(3, history.DoPoll, history.Ok, poll(a, 0, 1, 1, 2))
	}},
	{name: "int-nonmonotonic-send", verdict: history.Idempotent, ops: []int{0}, tell: func(s *story) {
		s.op(1, history.DoSend, history.Ok, send(a, 1, 1), send(a, 2, 0))
	}},
	{name: "int-send-skip", verdict: history.Report, ops: []int{1}, tell: func(s *story) {
		s.op(2, history.DoSend, history.Ok, send(a, 9, 1))
		s.op(1, history.DoSend, history.Ok, send(a, 1, 0), send(a, 2, 2))
	}},
	{name: "nonmonotonic-send", verdict: history.Idempotent, ops: []int{0, 1}, tell: func(s *story) {
		s.op(1, history.DoSend, history.Ok, send(a, 1, 1))
		s.op(1, history.DoSend, history.Ok, send(a, 2, 0))
	}},
	{name: "G0", verdict: history.Report, ops: []int{0, 1}, tell: func(s *story) {
		s.op(1, history.DoTxn, history.Ok, send(a, 1, 0), send(b, 1, 1))
		s.op(2, history.DoTxn, history.Ok, send(a, 2, 1), send(b, 2, 0))
	}},
	{name: "G1c", verdict: history.Committed, ops: []int{0, 1}, tell: func(s *story) {
		s.op(1, history.DoTxn, history.Ok, send(a, 1, 0), poll(b, 0, 2))
		s.op(2, history.DoTxn, history.Ok, send(b, 2, 0), poll(a, 0, 1))
	}},
	{name: "G1c-ww", verdict: history.Report, ops: []int{0, 1}, tell: func(s *story) {
		s.op(1, history.DoTxn, history.Ok, send(a, 1, 0), poll(b, 0, 2))
		s.op(2, history.DoTxn, history.Ok, send(b, 2, 0), send(a, 3, 1))
		s.ops[0].Complete = 9
	}},
	{name: "G1c-realtime", verdict: history.Committed, ops: []int{0, 1}, tell: func(s *story) {
		s.op(2, history.DoPoll, history.Ok, poll(a, 0, 1))
		s.op(1, history.DoSend, history.Ok, send(a, 1, 0))
	}},
	{name: "consume-counts", verdict: history.Report, ops: []int{2, 4}, tell: func(s *story) {
		plain(s, a, 1)
		s.op(2, history.DoSubscribe, history.Ok).Keys = []history.Key{a}
		s.op(2, history.DoTxn, history.Ok, poll(a, 0, 1))
		s.op(2, history.DoSeek, history.Ok).Keys = []history.Key{a}
		s.op(2, history.DoTxn, history.Ok, poll(a, 0, 1))
	}},
	{name: "realtime-lag", ops: []int{4}, options: Options{Healed: 1, LagLimit: 3}, tell: func(s *story) {
		plain(s, a, 2)
		s.op(2, history.DoAssign, history.Ok).Keys = []history.Key{a}
		s.op(2, history.DoPoll, history.Ok, poll(a, 0, 1))
		s.op(2, history.DoPoll, history.Ok)
	}},
	{name: "internal-error", ops: []int{0}, tell: func(s *story) { s.op(1, history.DoBreak, history.Info).Note = "panic" }},
	{name: "internal-error", ops: []int{0}, tell: func(s *story) { s.op(1, history.DoSend, history.Info).Code = kafka.ErrUnknownServerError }},
	{name: "K1 payload", ops: []int{0, 1}, tell: func(s *story) {
		plain(s, a, 1)
		s.op(2, history.DoPoll, history.Ok, poll(a, 0, 1)).Mops[0].Poll[0].Pairs[0].Torn = true
	}},
	{name: "K1 payload", ops: []int{0, 1}, tell: func(s *story) {
		plain(s, a, 1)
		s.op(2, history.DoPoll, history.Ok, poll(a, 0, 1)).Mops[0].Poll[0].Pairs[0].CRC++
	}},
	{name: "K1 payload", ops: []int{0, 1}, tell: func(s *story) {
		plain(s, b, 1)
		s.op(2, history.DoPoll, history.Ok, poll(a, 0, 1))
	}},
	{name: "K1 payload", ops: []int{0}, tell: func(s *story) { s.op(2, history.DoPoll, history.Ok, poll(a, 0, 1)) }},
	{name: "K2 offset-echo", verdict: history.Idempotent, ops: []int{0, 1}, tell: func(s *story) {
		plain(s, a, 1)
		s.op(2, history.DoPoll, history.Ok, poll(a, 4, 1))
	}},
	{name: "K3 list-offsets", ops: []int{0}, tell: func(s *story) { s.op(1, history.DoAsk, history.Ok, ask(a, 5, 4, -1)) }},
	{name: "K3 list-offsets", ops: []int{0}, tell: func(s *story) { s.op(1, history.DoAsk, history.Ok, ask(a, -1, 5, 4)) }},
	{name: "K3 list-offsets", ops: []int{0, 1}, tell: func(s *story) {
		s.op(1, history.DoAsk, history.Ok, ask(a, -1, -1, 9))
		s.op(2, history.DoAsk, history.Ok, ask(a, -1, -1, 8))
	}},
	{name: "K3 list-offsets", ops: []int{1, 2}, tell: func(s *story) {
		plain(s, a, 1)
		s.op(2, history.DoPoll, history.Ok, poll(a, 0, 1))
		s.op(2, history.DoAsk, history.Ok, ask(a, -1, 0, -1))
	}},
	{name: "K4 offset-for-timestamp", ops: []int{0, 2}, tell: func(s *story) {
		plain(s, a, 2)
		o := s.op(2, history.DoAsk, history.Ok, lookup(a, 1000, 1, 1001))
		o.Committed = false
	}},
	{name: "K4 offset-for-timestamp", ops: []int{2}, tell: func(s *story) {
		plain(s, a, 2)
		s.op(2, history.DoAsk, history.Ok, lookup(a, 1001, 0, 1000))
	}},
	{name: "K4 offset-for-timestamp", ops: []int{1, 2}, tell: func(s *story) {
		plain(s, a, 1)
		s.op(3, history.DoPoll, history.Ok, poll(a, 0, 1))
		s.op(2, history.DoAsk, history.Ok, lookup(a, 1000, -1, -1))
	}},
	{name: "K7 reuse", ops: []int{0, 1}, tell: func(s *story) {
		s.op(2, history.DoAsk, history.Ok, ask(a, -1, -1, 4))
		s.op(1, history.DoSend, history.Ok, send(a, 1, 3))
	}},
	{name: "K7 reuse", ops: []int{1, 2}, tell: func(s *story) {
		plain(s, a, 1)
		s.ops[0].Mops[0].Send.CRC = 0
		s.op(2, history.DoPoll, history.Ok, poll(a, 0, 1))
		s.op(3, history.DoPoll, history.Ok, poll(a, 0, 1)).Mops[0].Poll[0].Pairs[0].CRC++
	}},
	{name: "K8 fetch-bound", ops: []int{1}, tell: func(s *story) {
		plain(s, a, 1)
		s.op(2, history.DoPoll, history.Ok, poll(a, 0, 1)).Mops[0].Poll[0].High = 0
	}},
	{name: "K8 fetch-bound", ops: []int{1}, tell: func(s *story) {
		plain(s, a, 1)
		p := &s.op(2, history.DoPoll, history.Ok, poll(a, 0, 1)).Mops[0].Poll[0]
		p.High, p.Stable = 1, 0
	}},
	{name: "malformed-history", ops: []int{0, 1}, tell: func(s *story) {
		plain(s, a, 1)
		s.op(2, history.DoSend, history.Info, send(a, 1, -1))
	}},
}

// TestEachAnomalyIsFoundAndNamed: a history with one seeded anomaly gives one finding, of its name, with its proof.
func TestEachAnomalyIsFoundAndNamed(t *testing.T) {
	names := map[string]bool{}
	for _, c := range seeded {
		var s story
		c.tell(&s)
		got := Check(s.ops, c.options).Findings
		names[c.name] = true
		if len(got) != 1 || got[0].Name != c.name || got[0].Verdict != c.verdict || !slices.Equal(slices.Sorted(slices.Values(got[0].Ops)), c.ops) || got[0].Text == "" {
			t.Errorf("%s (%v), ops %v: found %d", c.name, c.verdict, c.ops, len(got))
			for _, f := range got {
				t.Errorf("    %v", f)
			}
		} else {
			t.Log(got[0])
		}
	}
	if len(names) != 28 {
		t.Errorf("%d names are seeded", len(names))
	}
}

// TestWhatIsAllowedIsNotFound: what comes near an anomaly and is none.
func TestWhatIsAllowedIsNotFound(t *testing.T) {
	for name, tell := range map[string]func(s *story){
		"an unknown send that nobody saw": func(s *story) {
			plain(s, a, 2)
			s.op(2, history.DoSend, history.Info, send(a, 9, -1))
			s.op(3, history.DoPoll, history.Ok, poll(a, 0, 1, 1, 2))
		},
		"an unknown send that was taken": func(s *story) {
			s.op(2, history.DoSend, history.Info, send(a, 9, -1))
			s.op(3, history.DoPoll, history.Ok, poll(a, 7, 9))
		},
		"a value behind the last that was read": func(s *story) {
			plain(s, a, 3)
			s.op(3, history.DoPoll, history.Ok, poll(a, 0, 1, 1, 2))
		},
		"holes where markers stand": func(s *story) {
			s.op(1, history.DoTxn, history.Ok, send(a, 1, 0), send(a, 2, 1))
			s.op(1, history.DoTxn, history.Fail, send(a, 3, 3))
			s.op(1, history.DoTxn, history.Ok, send(a, 4, 5))
			s.op(3, history.DoPoll, history.Ok, poll(a, 0, 1, 1, 2, 5, 4))
		},
		"records that were deleted": func(s *story) {
			plain(s, a, 3)
			s.op(2, history.DoAsk, history.Ok, ask(a, 2, 3, 3))
			s.op(3, history.DoPoll, history.Ok, poll(a, 2, 3))
		},
		"a seek back": func(s *story) {
			plain(s, a, 1)
			s.op(3, history.DoPoll, history.Ok, poll(a, 0, 1))
			s.op(3, history.DoSeek, history.Ok).Keys = []history.Key{a}
			s.op(3, history.DoPoll, history.Ok, poll(a, 0, 1))
		},
		"a key that a rebalance took and gave again": func(s *story) {
			plain(s, a, 1)
			s.op(3, history.DoSubscribe, history.Ok).Keys = []history.Key{a}
			s.op(3, history.DoPoll, history.Ok, poll(a, 0, 1))
			s.op(3, history.DoPoll, history.Ok, poll(a, 0, 1)).Rebalanced = []history.Key{a}
		},
		"a client that crashed and began anew": func(s *story) {
			plain(s, a, 1)
			s.op(3, history.DoPoll, history.Ok, poll(a, 0, 1))
			s.op(3, history.DoCrash, history.Info)
			s.op(3, history.DoPoll, history.Ok, poll(a, 0, 1))
		},
		"an end that moves while it is asked for": func(s *story) {
			s.op(1, history.DoAsk, history.Ok, ask(a, -1, -1, 9)).Complete = 50
			s.op(2, history.DoAsk, history.Ok, ask(a, -1, -1, 8))
		},
		"a time later than every record": func(s *story) {
			plain(s, a, 2)
			s.op(2, history.DoAsk, history.Ok, lookup(a, 5000, -1, -1))
		},
		"a transaction read by one that began before it was done": func(s *story) {
			s.op(1, history.DoTxn, history.Ok, send(a, 1, 0)).Complete = 9
			s.op(2, history.DoTxn, history.Ok, poll(a, 0, 1), send(b, 2, 0))
			s.op(3, history.DoPoll, history.Ok, poll(b, 0, 2))
		},
	} {
		var s story
		tell(&s)
		final := name == "an unknown send that nobody saw" || name == "records that were deleted"
		for _, f := range Check(s.ops, Options{Final: final}).Findings {
			t.Errorf("%s: %v", name, f)
		}
	}
}

// TestVerdicts: what is a fault depends on what the clients were set to.
func TestVerdicts(t *testing.T) {
	all := []history.Finding{{Verdict: history.Always}, {Verdict: history.Idempotent}, {Verdict: history.Committed}, {Verdict: history.Report}}
	for want, w := range map[int]history.Workload{1: {}, 2: {Idempotent: true}, 3: {Idempotent: true, Committed: true}} {
		if got := len(history.BadOf(all, w)); got != want {
			t.Errorf("%+v: %d are faults, want %d", w, got, want)
		}
	}
}
