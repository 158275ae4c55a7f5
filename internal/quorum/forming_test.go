package quorum

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/world"
)

// former is a node that forms a quorum.
type former struct {
	self    Voter
	cluster string
	seats   []Voter
	fs      *disk.Mem
	proc    *world.Process
	f       *Forming
	got     *Formed
	failed  error
}

// assembly is nodes that form a quorum in one virtual world.
type assembly struct {
	t       testing.TB
	w       *world.Virtual
	nodes   []*former
	loss    int
	named   []kafka.DirectoryID // of those that began
	loading bool                // who votes needs a while to find out who does
}

// voters are all of those that have not lost their directory for another.
func (a *assembly) voters() (all []Voter) {
	for _, nd := range a.nodes {
		if slices.Contains(a.named, nd.self.Directory) {
			all = append(all, nd.self)
		}
	}
	return all
}

func newAssembly(t testing.TB, seed uint64, n int) *assembly {
	a := &assembly{t: t, w: world.NewVirtual(seed)}
	var seats []Voter
	for i := range n {
		seats = append(seats, Voter{ID: kafka.NodeID(i + 1)})
	}
	for i := range n {
		nd := &former{seats: seats, self: Voter{ID: kafka.NodeID(i + 1), Endpoints: []record.Endpoint{{Name: "C", Host: "h", Port: uint16(i)}}}}
		a.wipe(nd, true)
		a.nodes = append(a.nodes, nd)
	}
	return a
}

// wipe empties a node's disk; with a new directory id, or with the one it had.
func (a *assembly) wipe(nd *former, anew bool) {
	if nd.fs = disk.NewMem(); anew {
		nd.self.Directory = kafka.DirectoryID(a.w.UUID())
	}
	for _, d := range []string{"", "data"} {
		if err := nd.fs.MkdirAll("data"); err != nil {
			a.t.Fatal(err)
		}
		if err := nd.fs.SyncDir(d); err != nil {
			a.t.Fatal(err)
		}
	}
}

func (a *assembly) start(nd *former) {
	a.t.Helper()
	proc := world.NewProcess(a.w)
	nd.proc, nd.got, nd.failed = proc, nil, nil
	var err error
	nd.f, err = NewForming(FormingOptions{World: proc, FS: nd.fs, Dir: testDir, Self: nd.self, Cluster: nd.cluster, Seats: nd.seats,
		Ask: func(to Voter, msg []byte, done func([]byte, error)) { a.carry(proc, to, msg, done) },
		Formed: func(r Formed) {
			if nd.got != nil {
				a.t.Fatal("told twice")
			}
			nd.got = &r
			if r.Votes && !a.loading {
				nd.f.Runs(a.voters)
			}
		},
		Failed: func(err error) { nd.failed = err }})
	if err != nil {
		a.t.Fatal(err)
	}
	nd.f.Start()
}

func (a *assembly) carry(proc *world.Process, to Voter, msg []byte, done func([]byte, error)) {
	late := func() time.Duration { return time.Duration(a.w.Rand().IntN(5000)) * time.Microsecond }
	a.w.After(late(), func() {
		if int(to.ID) > len(a.nodes) {
			return
		}
		target := a.nodes[max(to.ID, 1)-1]
		if target.proc == nil || !target.proc.Alive() || a.w.Rand().IntN(100) < a.loss {
			return
		}
		b, err := target.f.Answer(msg)
		a.w.After(late(), func() {
			if proc.Alive() && a.w.Rand().IntN(100) >= a.loss {
				done(b, err)
			}
		})
	})
}

func (a *assembly) formed() bool {
	for _, nd := range a.nodes {
		if nd.got == nil {
			return false
		}
	}
	return true
}

// same wants all nodes to vote in one cluster that began in one way.
func (a *assembly) same(seed uint64) {
	a.t.Helper()
	want := ""
	for _, nd := range a.nodes {
		refs, err := listSnapshots(nd.fs, testDir)
		if err != nil || len(refs) != 1 || nd.failed != nil || !nd.got.Votes {
			a.t.Fatalf("seed %d: node %d: snapshots %v, %v, %+v, %v", seed, nd.self.ID, refs, err, nd.got, nd.failed)
		}
		ref, err := describe(nd.fs, testDir, refs[0])
		if err != nil {
			a.t.Fatal(err)
		}
		is := fmt.Sprint(nd.got.Cluster, ref.voters, ref.kraft, ref.index, ref.wallMs, len(ref.voters[0].Endpoints))
		if want == "" {
			want = is
		}
		if is != want || nd.got.Cluster == "" || len(ref.voters) != len(a.nodes) || ref.kraft != 1 {
			a.t.Fatalf("seed %d: node %d began with %s, another with %s", seed, nd.self.ID, is, want)
		}
	}
}

func TestVotersFormOneClusterHoweverTheyStartAndCrash(t *testing.T) {
	for seed := range uint64(300) {
		n := []int{1, 3, 5}[seed%3]
		a := newAssembly(t, seed, n)
		rng := a.w.Rand()
		a.loss = rng.IntN(40)
		if seed%5 == 0 {
			a.nodes[rng.IntN(n)].cluster = "given"
		}
		late := a.nodes[rng.IntN(n)]
		for _, nd := range a.nodes {
			if nd != late {
				a.start(nd)
				a.w.Run(time.Duration(rng.IntN(300)) * time.Millisecond)
			}
		}
		for range rng.IntN(6) {
			nd := a.nodes[rng.IntN(n)]
			if nd.proc == nil {
				continue
			}
			nd.proc.Kill()
			nd.fs = nd.fs.Crash(rng)
			if rng.IntN(4) == 0 {
				a.wipe(nd, rng.IntN(2) == 0) // nobody has voted yet
			}
			a.w.Run(time.Duration(rng.IntN(600)) * time.Millisecond)
			a.start(nd)
		}
		for _, nd := range a.nodes {
			if n > 1 && nd.got != nil {
				t.Fatalf("seed %d: node %d began before all were there", seed, nd.self.ID)
			}
		}
		a.start(late)
		for range rng.IntN(4) {
			a.w.Run(time.Duration(rng.IntN(100)) * time.Millisecond)
			nd := a.nodes[rng.IntN(n)]
			nd.proc.Kill()
			nd.fs = nd.fs.Crash(rng)
			a.start(nd)
		}
		if !a.w.RunUntil(time.Minute, a.formed) {
			for _, nd := range a.nodes {
				t.Logf("node %d %s %+v %v", nd.self.ID, nd.f.stage, nd.f.decision, nd.failed)
			}
			t.Fatalf("seed %d: no cluster within a minute", seed)
		}
		a.same(seed)
		if seed%5 == 0 && a.nodes[0].got.Cluster != "given" {
			t.Fatalf("seed %d: cluster %q, one was given", seed, a.nodes[0].got.Cluster)
		}
	}
}

// began is a cluster of three that has begun.
func began(t testing.TB, seed uint64) *assembly {
	t.Helper()
	a := newAssembly(t, seed, 3)
	for _, nd := range a.nodes {
		a.start(nd)
	}
	if !a.w.RunUntil(time.Minute, a.formed) {
		t.Fatal("no cluster")
	}
	a.same(seed)
	for _, nd := range a.nodes {
		a.named = append(a.named, nd.self.Directory)
	}
	return a
}

func TestAWipedVoterNeverVotes(t *testing.T) {
	for seed := range uint64(30) {
		a := began(t, seed)
		nd := a.nodes[seed%3]
		nd.proc.Kill()
		a.wipe(nd, seed%2 == 0)
		a.start(nd)
		a.w.Run(5 * time.Second)
		if seed%2 == 0 { // another directory: another node to the others, which may be added
			if nd.got == nil || nd.got.Votes || nd.got.Cluster != a.nodes[(seed+1)%3].got.Cluster {
				t.Fatalf("seed %d: %+v, %v", seed, nd.got, nd.failed)
			}
			continue
		}
		if nd.got != nil || !fault.IsKind(nd.failed, fault.Corrupt) || !strings.Contains(nd.failed.Error(), "add it again") {
			t.Fatalf("seed %d: %+v, %v", seed, nd.got, nd.failed)
		}
	}
}

// A voter that was added to a cluster, and has lost everything, does not take the silence of one that still reads its log for the word
// that it is none: it would observe then, and vote again as soon as somebody counts on it.
func TestAWipedVoterWaitsForWhoKnows(t *testing.T) {
	a := began(t, 1)
	for _, nd := range a.nodes {
		nd.proc.Kill()
		if err := nd.fs.Remove(path.Join(testDir, decisionFile)); err != nil {
			t.Fatal(err)
		}
	}
	a.loading = true
	lost := a.nodes[2]
	a.wipe(lost, false)
	for _, nd := range a.nodes {
		a.start(nd)
	}
	a.w.Run(5 * time.Second)
	if lost.got != nil || lost.failed != nil {
		t.Fatalf("%+v, %v", lost.got, lost.failed)
	}
	a.nodes[1].f.Runs(a.voters)
	a.w.Run(5 * time.Second)
	if lost.got != nil || !fault.IsKind(lost.failed, fault.Corrupt) {
		t.Fatalf("%+v, %v", lost.got, lost.failed)
	}
}

func TestALaterControllerFindsTheCluster(t *testing.T) {
	a := began(t, 1)
	for _, cluster := range []string{"", "another"} {
		nd := &former{self: Voter{ID: kafka.NodeID(len(a.nodes) + 1)}, seats: []Voter{{ID: kafka.NoNode}}, cluster: cluster}
		a.nodes = append(a.nodes, nd)
		a.wipe(nd, true)
		a.start(nd)
		a.w.Run(5 * time.Second)
		if cluster == "" && (nd.got == nil || nd.got.Votes || nd.got.Cluster != a.nodes[0].got.Cluster) {
			t.Fatalf("%+v, %v", nd.got, nd.failed)
		}
		if cluster != "" && nd.got != nil {
			t.Fatalf("a node of another cluster: %+v, %v", nd.got, nd.failed)
		}
	}
}

func TestVotersThatDoNotFitFormNothing(t *testing.T) {
	spoil := map[string]struct {
		code kafka.ErrorCode
		do   func(a *assembly)
	}{
		"two cluster ids": {kafka.ErrInconsistentClusterId, func(a *assembly) { a.nodes[0].cluster, a.nodes[1].cluster = "one", "two" }},
		"another list":    {kafka.ErrInconsistentVoterSet, func(a *assembly) { a.nodes[1].seats = append(a.nodes[1].seats[:2:2], Voter{ID: 7}) }},
		"a twin":          {kafka.ErrDuplicateVoter, func(a *assembly) { a.nodes[1].self.ID = 1 }},
	}
	for name, s := range spoil {
		a := newAssembly(t, 1, 3)
		s.do(a)
		for _, nd := range a.nodes {
			a.start(nd)
		}
		a.w.Run(20 * time.Second)
		for _, nd := range a.nodes {
			if nd.got != nil {
				t.Errorf("%s: node %d formed %+v", name, nd.self.ID, nd.got)
			}
		}
		if _, err := a.nodes[0].f.Answer(a.nodes[1].f.hello().encode()); fault.CodeOf(err) != s.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}
