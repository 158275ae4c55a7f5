package quorum

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// behind is three voters of which the third was away so long that the others' logs begin above its own.
type behind struct {
	*cluster
	h      *history
	leader *simNode
	late   *simNode
	offers []int   // bytes of each message of Raft that names a snapshot to the late voter
	asked  []int64 // positions it asked for
	pieces []int   // bytes of each answer
	pull   func(PullChunk, Chunk) Chunk
}

func fallBehind(t *testing.T, seed uint64, keys int) *behind {
	b := &behind{cluster: newCluster(t, seed, 3, Config{SnapshotBytes: 12_000, RetentionBytes: 15_000, ChunkBytes: 100})}
	b.leader = b.awaitLeader()
	b.late = b.nodes[slices.IndexFunc(b.nodes, func(nd *simNode) bool { return nd != b.leader })]
	b.h = newHistory(b.cluster)
	b.isolate(b.late, true)
	b.write(keys)
	for _, nd := range b.nodes {
		if start, _ := nd.log.Bounds(); nd != b.late && start == 0 {
			t.Fatalf("node %d has the whole log: nobody is behind", nd.key.NodeID)
		}
		send := nd.q.o.Send
		nd.q.o.Send = func(to Voter, msg []byte) {
			if m, err := decodeMessage(msg); err == nil && m.GetType() == raftpb.MsgSnap && to.ID == b.late.key.NodeID {
				b.offers = append(b.offers, len(msg))
			}
			send(to, msg)
		}
	}
	b.watch()
	return b
}

// watch notes what the late voter asks for and is given.
func (b *behind) watch() {
	ask := b.late.q.o.Pull
	b.late.q.o.Pull = func(from Voter, a PullChunk, done func(Chunk, error)) {
		b.asked = append(b.asked, a.Position)
		ask(from, a, func(c Chunk, err error) {
			if err == nil {
				b.pieces = append(b.pieces, len(c.Bytes))
				if b.pull != nil {
					c = b.pull(a, c)
				}
			}
			done(c, err)
		})
	}
}

func (b *behind) isolate(nd *simNode, cut bool) {
	for i := range b.nodes {
		a, z := nd.key.NodeID, kafka.NodeID(i+1)
		b.cut[[2]kafka.NodeID{a, z}], b.cut[[2]kafka.NodeID{z, a}] = cut, cut
	}
}

func (b *behind) write(keys int) {
	for range keys {
		b.h.submit(b.leader)
		b.w.Run(2 * time.Millisecond)
	}
	b.w.Run(time.Second)
}

// fetched waits until the late voter has got so many pieces.
func (b *behind) fetched(pieces int) {
	b.t.Helper()
	if !b.w.RunUntil(30*time.Second, func() bool { return len(b.pieces) >= pieces }) {
		b.t.Fatalf("%d pieces after 30 s, %d were asked for", len(b.pieces), len(b.asked))
	}
}

// arrives waits until the late voter has all that is committed, and holds it to the history.
func (b *behind) arrives() {
	b.t.Helper()
	if !b.w.RunUntil(time.Minute, func() bool {
		l := b.cluster.leader()
		return l != nil && b.late.q.committed == l.q.engine.store.pos.end()
	}) {
		b.t.Fatalf("the late voter is at %d, %d pieces, failed %v", b.late.q.committed, len(b.pieces), b.late.failed)
	}
	b.h.check("the late voter", b.late.machine.committed)
	sameBytes(b.t, 0, b.cluster)
	entries, err := b.late.fs.List(testDir)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name, partSuffix) {
			b.t.Errorf("%s is left of the fetching", e.Name)
		}
	}
}

// A snapshot takes many election timeouts to arrive. Neither the messages nor the pieces are large, and the late voter answers
// all the while: with the third one cut off the leader stays leader by its answers alone.
func TestAVoterBehindTheLogFetchesASnapshotInPieces(t *testing.T) {
	b := fallBehind(t, 1, 3000)
	b.isolate(b.late, false)
	b.fetched(10)
	epoch := b.leader.q.lead.role.term
	for _, nd := range b.nodes {
		if nd != b.leader && nd != b.late {
			b.isolate(nd, true)
		}
	}
	began, at := b.w.Now().Mono, len(b.pieces)
	b.arrives()
	if b.w.Now().Mono-began < 2*b.conf.patience() || len(b.pieces)-at < 200 {
		t.Fatalf("it took %v and %d pieces: the test tests nothing", b.w.Now().Mono-began, len(b.pieces)-at)
	}
	if b.cluster.leader() != b.leader || b.leader.q.lead.role.term != epoch {
		t.Errorf("another leads, or in another epoch than %d: the late voter did not answer while it fetched", epoch)
	}
	if most := slices.Max(b.offers); most > 200 {
		t.Errorf("a message that names a snapshot has %d bytes", most)
	}
	if most := slices.Max(b.pieces); most > b.conf.ChunkBytes {
		t.Errorf("a piece of %d bytes, %d were asked for", most, b.conf.ChunkBytes)
	}
	b.write(5) // it is one of the two that commit
	b.h.check("the late voter", b.late.machine.committed)
}

// What was fetched is not fetched again when an answer was lost or a connection was cut for a while.
func TestAFetchedSnapshotGoesOnWhereItStood(t *testing.T) {
	b := fallBehind(t, 2, 2000)
	b.isolate(b.late, false)
	for round := 1; round <= 3; round++ {
		b.fetched(60 * round)
		b.isolate(b.late, true)
		b.w.Run(b.conf.patience() / 2)
		b.isolate(b.late, false)
	}
	b.arrives()
	if !slices.IsSorted(b.asked) {
		t.Errorf("it went back: %v", b.asked)
	}
}

// A leader that writes one snapshot after the other keeps the one that is being fetched, and the log after it.
func TestASnapshotThatIsFetchedIsKept(t *testing.T) {
	b := fallBehind(t, 3, 1500)
	b.isolate(b.late, false)
	b.fetched(5)
	newest := b.leader.q.snaps.refs[len(b.leader.q.snaps.refs)-1].offset
	for len(b.late.q.snaps.refs) > 0 && b.late.q.snaps.refs[0].offset == 0 && len(b.pieces) < 20_000 {
		b.h.submit(b.leader)
		b.w.Run(3 * time.Millisecond)
	}
	if at := b.leader.q.snaps.refs[len(b.leader.q.snaps.refs)-1].offset; at <= newest {
		t.Fatal("no other snapshot was written meanwhile: the test tests nothing")
	}
	b.arrives()
	if !slices.IsSorted(b.asked) {
		t.Errorf("it began anew: %v", b.asked)
	}
	b.w.Run(lentFor + time.Second)
	b.write(300)
	if refs := b.leader.q.snaps.refs; len(refs) > 3 {
		t.Errorf("%d snapshots are kept long after the last was fetched", len(refs))
	}
}

func TestAnotherLeaderGivesTheSnapshotAnew(t *testing.T) {
	b := fallBehind(t, 4, 2000)
	b.isolate(b.late, false)
	b.fetched(50)
	b.leader.proc.Kill()
	b.arrives()
	if b.cluster.leader() == b.leader || slices.IsSorted(b.asked) {
		t.Errorf("the pieces of two leaders were put together: %v", b.asked)
	}
}

// Pieces that were damaged on their way, or by a leader's disk, make no snapshot.
func TestADamagedSnapshotIsNotInstalled(t *testing.T) {
	b := fallBehind(t, 5, 500)
	b.pull = func(a PullChunk, c Chunk) Chunk {
		if a.Position > 1000 && a.Position < 2000 {
			c.Bytes = slices.Clone(c.Bytes)
			c.Bytes[len(c.Bytes)/2] ^= 4
		}
		return c
	}
	b.isolate(b.late, false)
	again := func() bool {
		n := 0
		for _, at := range b.asked {
			if at == 0 {
				n++
			}
		}
		return n > 2
	}
	if !b.w.RunUntil(30*time.Second, again) || b.late.q.committed > 100 {
		t.Fatalf("committed %d, %d pieces", b.late.q.committed, len(b.pieces))
	}
	b.pull = nil
	b.arrives()
}

// A leader that says another size, sends nothing, or more than there is.
func TestAPieceThatDoesNotFitIsRefused(t *testing.T) {
	b := fallBehind(t, 6, 500)
	lies := []func(Chunk) Chunk{
		func(c Chunk) Chunk { c.Size++; return c },
		func(c Chunk) Chunk { c.Bytes = nil; return c },
		func(c Chunk) Chunk { c.Bytes = make([]byte, c.Size+1); return c },
		func(c Chunk) Chunk { c.Epoch++; return c },
	}
	told := 0
	b.pull = func(a PullChunk, c Chunk) Chunk {
		if a.Position > 600 && told < len(lies) {
			told++
			return lies[told-1](c)
		}
		return c
	}
	b.isolate(b.late, false)
	b.arrives()
	if told != len(lies) {
		t.Fatalf("%d of %d lies were told", told, len(lies))
	}
}

// A voter that dies while it fetches begins anew, and nothing is left of what it had.
func TestAVoterDiesWhileItFetches(t *testing.T) {
	for seed := range uint64(12) {
		b := fallBehind(t, 7+seed, 400)
		b.isolate(b.late, false)
		b.fetched(10 + 9*int(seed)) // the last of them when it is all but there
		b.crash(b.late)
		b.start(b.late)
		b.arrives()
	}
}

// FuzzOffer: whatever a message of Raft says of a snapshot names one, or is refused.
func FuzzOffer(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 9}, uint64(4), uint64(2))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255}, uint64(1), uint64(1)<<40)
	f.Fuzz(func(t *testing.T, data []byte, index, term uint64) {
		o, err := offerOf(&raftpb.Snapshot{Data: data, Metadata: &raftpb.SnapshotMetadata{Index: new(index), Term: new(term), ConfState: &raftpb.ConfState{}}})
		if err == nil && (o.id.End < 0 || o.id.Epoch < 0 || o.index == 0) {
			t.Fatalf("%+v", o)
		}
	})
}

// FuzzDownload: whatever pieces come, they make a snapshot that checks, or none; and no more is written than was said.
func FuzzDownload(f *testing.F) {
	fsys := disk.NewMem()
	ref := snapshotRef{offset: 7, epoch: 2, index: 3, kraft: kraftDynamic}
	head := snapshotHead(ref)
	whole := append(slices.Clone([]byte(head)), snapshotFoot(head.NextOffset(), ref)...)
	f.Add(whole, int64(len(whole)), 10)
	f.Add(whole, int64(len(whole)+1), 1000)
	old := slices.Clone(whole)
	old[16] = 0 // the magic is outside the checksum
	f.Add(old, int64(len(old)), 1000)
	f.Add([]byte{}, int64(0), 1)
	f.Fuzz(func(t *testing.T, b []byte, size int64, each int) {
		d, err := beginDownload(fsys, "", SnapshotID{7, 2}, 5)
		if err != nil {
			t.Fatal(err)
		}
		each = max(1, each)
		done := false
		for at := 0; !done; {
			n := min(each, len(b)-at)
			done, err = d.take(Chunk{Epoch: 5, Size: size, Bytes: b[at : at+n]})
			if at += n; err != nil {
				break
			}
		}
		if d.got > max(size, 0) {
			t.Fatalf("%d bytes were taken of %d", d.got, size)
		}
		if err != nil {
			if !fault.IsKind(err, fault.Corrupt) {
				t.Fatal(err)
			}
			d.drop()
			return
		}
		s, _, err := d.seal()
		if err == nil {
			err = s.Close()
		}
		if err != nil && !fault.IsKind(err, fault.Corrupt) {
			t.Fatal(err)
		}
		d.remove()
		if entries, err := fsys.List(""); err != nil || len(entries) > 0 {
			t.Fatal(fmt.Sprint(entries), err)
		}
	})
}

// A voter that has just started has the log and does not know what of it is committed. The offer of a snapshot that it has tells it, and
// is answered, also where it is of the time before this voter was one.
func TestTheOfferOfASnapshotThatTheLogHoldsIsAnswered(t *testing.T) {
	c := moving(t, 1, 3, Config{IdleInterval: -1})
	leader := c.awaitLeader()
	h := newHistory(c)
	for range 10 {
		h.submit(leader)
	}
	c.w.Run(time.Second)
	nd := c.nodes[leader.key.NodeID%3]
	c.crash(nd)
	c.start(nd)
	nd.q.o.Unseated = func() { t.Error("it votes no more") }
	var answered uint64
	nd.q.o.Send = func(_ Voter, msg []byte) {
		if m, err := decodeMessage(msg); err == nil && m.GetType() == raftpb.MsgAppResp && !m.GetReject() {
			answered = m.GetIndex()
		}
	}
	pos := &nd.q.engine.store.pos
	ref := snapshotRef{index: pos.next() - 1, epoch: kafka.LeaderEpoch(pos.lastTerm()), offset: pos.end(), voters: voterSet{leader.q.self}}
	if nd.q.committed == pos.end() {
		t.Fatal("the test tests nothing")
	}
	b, err := proto.Marshal(&raftpb.Message{Type: raftpb.MsgSnap.Enum(), From: new(leader.key.RaftID()), To: new(nd.key.RaftID()),
		Term: new(leader.q.lead.role.term), Snapshot: ref.offered()})
	if err != nil {
		t.Fatal(err)
	}
	if err := nd.q.Receive(Envelope{From: leader.key, To: nd.key}, b); err != nil || answered != ref.index || nd.q.committed != ref.offset {
		t.Fatalf("%v, entry %d is acknowledged and not %d, offset %d is committed and not %d", err, answered, ref.index, nd.q.committed, ref.offset)
	}
}
