package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/history/faults"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/sim"
)

// made is a program whose bug shows at every third seed when a node is cut off, and whose fifth seed fails always.
func made(m mutant.Mutant, seed uint64, o sim.Options) (sim.Report, error) {
	events := o.Events
	if events == nil {
		events = []faults.Event{
			{At: time.Second, For: time.Second, Kind: faults.Crash}, {At: 2 * time.Second, For: time.Second, Kind: faults.Isolate},
			{At: 3 * time.Second, For: time.Second, Kind: faults.Pause},
		}
	}
	r := sim.Report{Seed: seed, Events: events}
	isolated := false
	for _, e := range events {
		isolated = isolated || e.Kind == faults.Isolate
	}
	if seed%5 == 0 || m == mutant.IgnoredMember && seed%3 == 0 && isolated {
		r.Findings = []history.Finding{{Name: "lost-write", Text: "one\nand more"}}
	}
	return r, nil
}

// A walk keeps what only the mutant does, as small as it gets, and tells of what fails without it.
func TestWalk(t *testing.T) {
	var out bytes.Buffer
	w := walk{mutant: mutant.IgnoredMember, from: 4, n: 20, want: 2, shrinks: 30, run: made}
	if err := w.walk(&out); err != nil {
		t.Fatal(err)
	}
	var all []told
	for d := json.NewDecoder(&out); d.More(); {
		var one told
		if err := d.Decode(&one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	if len(all) != 6 || all[len(all)-1].Seed != 9 {
		t.Fatalf("it should have ended with seed 9, the second that finds it: %+v", all)
	}
	for _, one := range all {
		if (one.Dirty != "") != (one.Seed == 5) || (one.Kept != nil) != (one.Seed == 6 || one.Seed == 9) {
			t.Errorf("seed %d: %+v", one.Seed, one)
		}
	}
	k := all[2].Kept
	if len(k.Events) != 1 || k.Events[0].Kind != faults.Isolate || k.Faults == 0 || k.Name != "lost-write" || k.Finding != "lost-write (always bad): one…" {
		t.Errorf("kept %+v", k)
	}
}

// Without mutants in the binary nothing is hunted.
func TestOnlyABinaryWithMutantsHunts(t *testing.T) {
	if err := mutant.Switch(mutant.IgnoredMember); (err == nil) != mutant.Built {
		t.Errorf("built with mutants: %v, and switching one on: %v", mutant.Built, err)
	}
	if err := mutant.Switch(mutant.None); err != nil {
		t.Error(err)
	}
}
