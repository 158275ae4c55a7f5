package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/test/compat/offline"
)

// counted is settings with so many faults of each kind.
func counted(seed uint64, n int) *settings {
	s := &settings{seed: seed, counts: map[kind]*int{}}
	for k := range kinds {
		s.counts[kind(k)] = &n
	}
	return s
}

func TestASeedIsAPlan(t *testing.T) {
	shape := func(seed uint64) (out []string) {
		count := map[kind]int{}
		for _, f := range plan(counted(seed, 3)) {
			if f.last < kinds[f.kind].shortest || f.last > kinds[f.kind].longest {
				t.Fatalf("%v lasts %v", f.kind, f.last)
			}
			count[f.kind]++
			out = append(out, f.kind.String()+" "+f.last.String()+" "+strings.Repeat("x", f.dice.IntN(9)))
		}
		for k := range kinds {
			if count[kind(k)] != 3 {
				t.Fatalf("%d times %v", count[kind(k)], kind(k))
			}
		}
		return out
	}
	if a, b := shape(7), shape(7); !slices.Equal(a, b) {
		t.Fatalf("one seed, two plans:\n%v\n%v", a, b)
	}
	if a, b := shape(7), shape(8); slices.Equal(a, b) {
		t.Fatal("two seeds, one plan")
	}
}

func TestCommittedOffsetsGoForward(t *testing.T) {
	key := history.Key{Topic: "t"}
	fetch := func(i int, off kafka.Offset, id uint64) history.GroupOp {
		began := int64(i) * 10
		return history.GroupOp{Index: i, Group: "g", F: history.GroupFetch, Kind: history.Ok, Invoke: began, Complete: began + 5, Offsets: []history.Mark{{Key: key, Off: off, ID: id}}}
	}
	if out := wentBack([]history.GroupOp{fetch(0, -1, 0), fetch(1, 5, 1), fetch(2, 5, 1), fetch(3, 9, 2)}); out != nil {
		t.Fatal(out)
	}
	out := wentBack([]history.GroupOp{fetch(0, 5, 1), fetch(1, 9, 2), fetch(2, 8, 3)})
	if len(out) != 1 || !strings.Contains(out[0], "from 9 to 8 [events 1 2]") {
		t.Fatal(out)
	}
	long := fetch(1, 9, 2)
	long.Complete = 100
	if out := wentBack([]history.GroupOp{fetch(0, 5, 1), long, fetch(2, 5, 1)}); out != nil {
		t.Error("of two fetches at once the second saw less: ", out)
	}
	if out := wentBack([]history.GroupOp{fetch(0, 5, 1), long, fetch(2, 4, 3)}); len(out) != 1 || !strings.Contains(out[0], "from 5 to 4 [events 0 2]") {
		t.Error("less than what was seen before both: ", out)
	}
	commit := func(kind history.Kind) history.GroupOp {
		return history.GroupOp{Group: "g", F: history.GroupCommit, Kind: kind, Offsets: []history.Mark{{Key: key, Off: 8, ID: 3}}}
	}
	for kind, want := range map[history.Kind]int{history.Ok: 1, history.Fail: 1, history.Info: 0} {
		if out := wentBack([]history.GroupOp{commit(kind), fetch(0, 5, 1), fetch(1, 9, 2), fetch(2, 8, 3)}); len(out) != want {
			t.Errorf("back to a commit with outcome %v: %v", kind, out)
		}
	}
}

// Replicas are the same when their batches are, wherever segments begin.
func TestSame(t *testing.T) {
	log := func() *offline.Log {
		return &offline.Log{Dir: "d", Batches: []offline.Batch{{LastOffset: 4, CRC: 1, Size: 99}, {BaseOffset: 5, LastOffset: 7, LeaderEpoch: 3, CRC: 2, Size: 88}}}
	}
	a, b := log(), log()
	b.Batches[1].File, b.Batches[1].Position = "5.log", 0
	if err := same(a, b); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*offline.Log){
		"shorter":         func(l *offline.Log) { l.Batches = l.Batches[:1] },
		"another epoch":   func(l *offline.Log) { l.Batches[1].LeaderEpoch = 2 },
		"another content": func(l *offline.Log) { l.Batches[0].CRC = 7 },
		"another offset":  func(l *offline.Log) { l.Batches[1].LastOffset++ },
	} {
		b := log()
		change(b)
		if same(log(), b) == nil || same(b, log()) == nil {
			t.Errorf("%s: the same", what)
		}
	}
}

// What the checkers accuse is told, and a history without faults is not accused.
func TestAFindingIsTold(t *testing.T) {
	key := history.Key{Topic: "t"}
	send := func(v uint64, off kafka.Offset) history.Op {
		return history.Op{Process: 1, F: history.DoSend, Kind: history.Ok, Mops: []history.Mop{{Send: &history.Send{Key: key, V: v, Off: off}}}}
	}
	read := history.Op{Process: 2, F: history.DoPoll, Kind: history.Ok, Mops: []history.Mop{{Poll: []history.Poll{{
		Key: key, High: -1, Stable: -1, Pairs: []history.Pair{{Off: 0, V: 1}, {Off: 2, V: 3}},
	}}}}}
	ops := []history.Op{send(1, 0), send(2, 1), send(3, 2), read}
	for i := range ops {
		ops[i].Index, ops[i].Invoke, ops[i].Complete = i, int64(10*i), int64(10*i+5)
	}
	r := newReport("")
	r.judge(0, history.History{Ops: ops}, true)
	if len(r.Findings) == 0 || !strings.Contains(r.Findings[0], "lost-write") {
		t.Fatalf("a lost record is found as %q", r.Findings)
	}
	ops[3].Mops[0].Poll[0].Pairs = []history.Pair{{Off: 0, V: 1}, {Off: 1, V: 2}, {Off: 2, V: 3}}
	r = newReport("")
	r.judge(0, history.History{Ops: ops}, true)
	if len(r.Findings) != 0 {
		t.Fatal(r.Findings)
	}
}

// A run that was broken off goes on with its report, and with no other's.
func TestAReportGoesOn(t *testing.T) {
	dir := t.TempDir()
	r, err := openReport(dir, "a plan")
	if err != nil || r.Rounds != 0 {
		t.Fatal(r, err)
	}
	r.Rounds, r.Sent = 3, 17
	r.fault(fault{kind: pause}, time.Second, nil)
	r.found("something")
	if err := r.write(dir); err != nil {
		t.Fatal(err)
	}
	again, err := openReport(dir, "a plan")
	if err != nil || !reflect.DeepEqual(r, again) {
		t.Fatalf("%+v, not %+v: %v", again, r, err)
	}
	if _, err := openReport(dir, "another plan"); err == nil || !strings.Contains(err.Error(), "a plan, not another plan") {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "report.txt"))
	if err != nil || !strings.Contains(string(text), "pauses            1    1000 ms") || !strings.Contains(string(text), "something") {
		t.Fatalf("%s, %v", text, err)
	}
}

// The flags of the kinds don't collide with others, and each kind says what it does.
func TestKinds(t *testing.T) {
	seen := map[string]bool{"seed": true, "round": true, "rate": true, "acks": true, "dir": true, "only": true, "slice": true}
	for k, f := range kinds {
		if f.do == nil || f.about == "" || seen[f.flag] || f.longest <= f.shortest {
			t.Errorf("kind %d (%s)", k, f.flag)
		}
		seen[f.flag] = true
	}
}
