package quorum

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// intake is a snapshot on its way to a voter that is behind its leader's log (ADR 0035). Raft's message only names it. The
// voter fetches it by FetchSnapshot, a piece at a time, syncs and checks it and makes the machine's state of it, and answers
// heartbeats and candidates all the while; only then is Raft told of it, and puts it in place. What a lost answer or a broken
// connection interrupts goes on where it stood: the leader names the snapshot again as long as the voter needs one.
type intake struct {
	q       *Quorum
	load    *download     // gathers; nil for none
	offer   offer         // what it has to be
	from    Voter         // who gives it
	since   time.Duration // monotonic: when the question that is out was asked; 0 for none
	looking bool          // the whole is being synced, checked and loaded
	ready   *arrival      // waits for Raft
}

// offer is a leader's word that a voter is too far behind for its log: which snapshot there is, and what it stands for.
type offer struct {
	id     SnapshotID
	index  uint64
	voters []uint64 // their Raft ids
}

// arrival is a snapshot that is durable, checked and loaded.
type arrival struct {
	file *download
	ref  snapshotRef
	put  func() // its state in the place of the machine's
}

// offered is what Raft carries in a snapshot's place: where it ends, 8 bytes.
func (ref snapshotRef) offered() *raftpb.Snapshot {
	return &raftpb.Snapshot{Data: binary.BigEndian.AppendUint64(nil, uint64(ref.offset)), Metadata: &raftpb.SnapshotMetadata{
		Index: new(ref.index), Term: new(uint64(ref.epoch)), ConfState: ref.voters.confState(),
	}}
}

// offerOf is the way back, from a message that may hold anything.
func offerOf(s *raftpb.Snapshot) (offer, error) {
	b, meta := s.GetData(), s.GetMetadata()
	if len(b) != 8 || binary.BigEndian.Uint64(b) > 1<<62 || meta.GetTerm() > 1<<31-1 || meta.GetIndex() == 0 || meta.GetIndex() > 1<<62 {
		return offer{}, fault.Corruption("quorum.snapshot", "%d bytes name a snapshot of entry %d of term %d", len(b), meta.GetIndex(), meta.GetTerm())
	}
	return offer{SnapshotID{kafka.Offset(binary.BigEndian.Uint64(b)), kafka.LeaderEpoch(meta.GetTerm())}, meta.GetIndex(), meta.GetConfState().GetVoters()}, nil
}

// admit refuses a snapshot that this voter has no use for.
func (in *intake) admit(m *raftpb.Message) error {
	const op = "quorum.Receive"
	o, err := offerOf(m.GetSnapshot())
	switch {
	case err != nil:
		return err
	case in.has(o): // whomever it names: it is not installed
	case !slices.Contains(o.voters, in.q.self.raft):
		// It is of the time before this node was added, and Raft installs none that does not name the node. Pulling does.
		if in.q.o.Unseated != nil {
			in.q.later(in.q.o.Unseated)
		}
		return fault.New(op, kafka.ErrVoterNotFound, "the snapshot at offset %d does not name voter %s", o.id.End, in.q.o.Self)
	case in.q.o.Pull == nil:
		return fault.New(op, kafka.ErrInvalidRequest, "this voter has no way to fetch the snapshot at offset %d", o.id.End)
	}
	return nil
}

// has reports whether the log holds all that a snapshot covers.
func (in *intake) has(o offer) bool {
	e := &in.q.engine
	term, known := e.store.pos.termOf(o.index)
	return o.index <= e.node.BasicStatus().GetCommit() || known && term == uint64(o.id.Epoch)
}

// hear takes a message that was admitted and returns what Raft is to hear of it: all of it where the log has what the snapshot
// covers, so that the leader learns how far this voter is; else that the leader lives, and the rest when the snapshot is here.
func (in *intake) hear(m *raftpb.Message) *raftpb.Message {
	o, err := offerOf(m.GetSnapshot())
	if err != nil {
		return m
	}
	beat := &raftpb.Message{Type: raftpb.MsgHeartbeat.Enum(), From: new(m.GetFrom()), To: new(m.GetTo()), Term: new(m.GetTerm())}
	late := m.GetTerm() < in.q.lead.role.term
	if in.has(o) {
		if !late { // of a snapshot that does not name this voter Raft would not take even that it is committed
			beat.Commit = new(o.index)
			_ = in.q.engine.node.Step(beat)
		}
		return m
	}
	if !late {
		in.fetch(o, m)
	}
	return beat
}

// fetch begins to fetch a snapshot, or goes on with the one that is under way: a leader keeps what is being asked for.
func (in *intake) fetch(o offer, m *raftpb.Message) {
	q, epoch := in.q, kafka.LeaderEpoch(m.GetTerm())
	if in.looking || in.ready != nil || in.since > 0 && q.o.World.Now().Mono-in.since < q.o.Config.FetchTimeout {
		return
	}
	if in.load != nil && in.load.epoch != epoch {
		in.drop()
	}
	in.from, _ = q.peers.stranger(m.GetFrom())
	if v, ok := q.voters.byRaftID(m.GetFrom()); ok {
		in.from = v.Voter
	}
	if in.load == nil {
		d, err := beginDownload(q.o.FS, q.o.Dir, o.id, epoch)
		if err != nil {
			q.fail(err)
			return
		}
		in.load, in.offer = d, o
		q.log("metadata snapshot is fetched", "offset", o.id.End, "epoch", o.id.Epoch, "leader", in.from.ID)
	}
	in.ask()
}

// ask asks for the next piece.
func (in *intake) ask() {
	q, d := in.q, in.load
	in.since = q.o.World.Now().Mono
	to, at := in.from, d.got
	a := PullChunk{Observer: q.o.Self, Epoch: d.epoch, Snapshot: d.id, Position: at, MaxBytes: q.o.Config.ChunkBytes}
	q.later(func() {
		q.o.Pull(to, a, func(c Chunk, err error) {
			q.locked(func() {
				if q.err == nil && in.load == d && d.got == at {
					in.piece(c, err)
				}
			})
		})
	})
}

// piece takes the answer. Without one the download rests where it stands, until the leader names a snapshot again.
func (in *intake) piece(c Chunk, err error) {
	q, d := in.q, in.load
	in.since = 0
	if err != nil {
		switch fault.CodeOf(err) {
		case kafka.ErrSnapshotNotFound, kafka.ErrPositionOutOfRange, kafka.ErrNotLeaderOrFollower, kafka.ErrFencedLeaderEpoch, kafka.ErrUnknownLeaderEpoch:
			in.drop()
		}
		q.logAt(slog.LevelDebug, "a piece of the metadata snapshot did not come", "offset", d.id.End, "bytes", d.got, "error", err)
		return
	}
	whole, err := d.take(c)
	switch {
	case fault.IsKind(err, fault.Corrupt):
		in.refuse(err)
	case err != nil:
		q.fail(err)
	case !whole:
		in.ask()
	default:
		o := in.offer
		in.load, in.looking = nil, true
		q.o.World.Go(func() {
			a, err := in.look(d, o)
			q.locked(func() { in.looked(a, err) })
		})
	}
}

// look makes a snapshot that is here durable, holds it against what the leader said of it, and loads it: everything that takes
// long, beside the quorum's steps.
func (in *intake) look(d *download, o offer) (*arrival, error) {
	s, ref, err := d.seal()
	if err != nil {
		d.remove()
		return nil, err
	}
	if ids := ref.voters.confState().GetVoters(); ref.index != o.index || !slices.Equal(ids, o.voters) {
		err = fault.Corruption("quorum.snapshot", "a snapshot of entry %d and voters %v was offered as entry %d and voters %v", ref.index, ids, o.index, o.voters)
	}
	a := &arrival{file: d, ref: ref}
	if err == nil {
		a.put, err = s.load(in.q.o.Machine)
	}
	if err = errors.Join(err, s.Close()); err != nil {
		d.remove()
		return nil, err
	}
	return a, nil
}

// looked notes what look found, and tells Raft.
func (in *intake) looked(a *arrival, err error) {
	in.looking = false
	switch {
	case in.q.err != nil:
		if a != nil {
			a.file.remove()
		}
	case fault.IsKind(err, fault.Corrupt):
		in.refuse(err)
	case err != nil:
		in.q.fail(err)
	default:
		in.ready = a
		in.present()
	}
}

// present tells Raft of a snapshot that is ready, as a word of whoever leads by now: what a snapshot holds is committed, whoever
// took it. Raft has it installed, or has no use for it any more.
func (in *intake) present() {
	q := in.q
	if in.ready == nil || q.err != nil {
		return
	}
	st := q.engine.node.BasicStatus()
	if st.Lead == raft.None {
		return
	}
	if st.Lead != q.self.raft {
		_ = q.engine.node.Step(&raftpb.Message{ // it is the leader's word
			Type: raftpb.MsgSnap.Enum(), From: new(st.Lead), To: new(q.self.raft), Term: new(st.GetTerm()), Snapshot: in.ready.ref.offered(),
		})
		q.engine.pump()
	}
	if in.ready != nil {
		in.ready.file.remove()
		in.ready = nil
	}
}

// refuse forgets a snapshot that is not what it should be. The leader names it again, and perhaps it was damaged on its way.
func (in *intake) refuse(err error) {
	in.drop()
	in.q.logAt(slog.LevelWarn, "The snapshot that the leader of the metadata quorum gave is refused; it is fetched anew. If this comes again, "+
		"look at the leader's disk with `milena log verify`.", "error", err)
}

// drop forgets what is under way.
func (in *intake) drop() {
	if in.load != nil {
		in.load.drop()
	}
	in.load, in.since = nil, 0
}
