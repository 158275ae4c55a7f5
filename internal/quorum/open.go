package quorum

import (
	"errors"
	"log/slog"
	"path"
	"slices"
	"strings"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// Format writes the bootstrap snapshot of a new cluster: kraft.version 1 and the voters, as Kafka's storage tool writes
// it. A directory that has any snapshot is left as it is.
func Format(fsys disk.FS, dir string, voters []Voter, now kafka.Instant) error {
	const op = "quorum.Format"
	set, err := newVoterSet(voters)
	if err != nil {
		return err
	}
	if len(set) == 0 {
		return fault.New(op, kafka.ErrInvalidRequest, "a cluster needs a voter")
	}
	if err := fsys.MkdirAll(dir); err != nil {
		return fault.Storage(op, err)
	}
	if refs, err := listSnapshots(fsys, dir); err != nil || len(refs) > 0 {
		return err
	}
	ref := snapshotRef{index: bootstrapIndex, kraft: kraftDynamic, voters: set, wallMs: now.WallMs}
	if _, err := writeSnapshot(fsys, dir, ref, 0, func(func(Record) bool) {}); err != nil {
		return fault.Storage(op, err)
	}
	return nil
}

// listSnapshots names the snapshots of a directory, oldest first.
func listSnapshots(fsys disk.FS, dir string) ([]snapshotRef, error) {
	entries, err := fsys.List(dir)
	if err != nil {
		return nil, fault.Storage("quorum.open", err)
	}
	var refs []snapshotRef
	for _, e := range entries {
		if end, epoch, ok := parseSnapshotName(e.Name); ok && !e.Dir {
			refs = append(refs, snapshotRef{offset: end, epoch: epoch, size: e.Size})
		}
	}
	slices.SortFunc(refs, func(a, b snapshotRef) int { return int(min(max(a.offset-b.offset, -1), 1)) })
	return refs, nil
}

// Open loads a voter from its directory: the newest snapshot, the log above it, the epoch and the vote. It says
// nothing to anybody before Start.
func Open(o Options) (*Quorum, error) {
	o.Config = o.Config.withDefaults()
	q := &Quorum{o: o}
	q.engine.q, q.engine.intake.q, q.lead.q, q.clock.q, q.snaps.q = q, q, q, q, q
	if err := settleName(o.FS, o.Dir); err != nil {
		return nil, err
	}
	if err := q.loadSnapshots(); err != nil {
		return nil, err
	}
	newest := q.snaps.refs[len(q.snaps.refs)-1]
	q.voters = newest.voters
	// Who is no voter as far as its log goes may be one by what was committed since: it gives its vote and takes what a leader
	// sends, and never campaigns.
	self, ok := q.voters.byKey(o.Self)
	if !ok && o.Unseated == nil {
		return nil, fault.New("quorum.open", kafka.ErrInvalidRequest,
			"node %d with directory %s is no voter of this cluster; a node whose metadata directory is new has to be added again", o.Self.NodeID, kafka.UUID(o.Self.DirectoryID))
	}
	if !ok {
		self = member{Voter{ID: o.Self.NodeID, Directory: o.Self.DirectoryID}, o.Self, o.Self.RaftID()}
	}
	q.self = self
	store := &storage{log: o.Log, snap: newest, kraft: newest.kraft}
	if err := store.walk(); err != nil {
		return nil, err
	}
	q.engine.store, q.kraft = store, store.kraft
	q.snaps.place(&store.pos)
	o.Machine.Form(q.kraft)
	if err := q.loadVote(); err != nil {
		return nil, err
	}
	q.committed, q.lead.props.applied, q.snaps.at = newest.offset, newest.offset, o.World.Now()
	node, err := raft.NewRawNode(&raft.Config{
		ID: q.self.raft, ElectionTick: electionTicks, HeartbeatTick: heartbeatTicks,
		Storage: store, Applied: newest.index, AsyncStorageWrites: true,
		MaxSizePerMsg: 1 << 20, MaxCommittedSizePerReady: 16 << 20, MaxInflightMsgs: 64,
		CheckQuorum: true, PreVote: true, DisableProposalForwarding: true,
		DisableConfChangeValidation: true, // one change at a time is checked where it is proposed
		StepDownOnRemoval:           true, Logger: raftLogger{o.Logger, func(id uint64) kafka.NodeID { return q.voters.node(id) }},
	})
	if err != nil {
		return nil, err
	}
	q.engine.node = node
	q.lead.role.term = store.hard.GetTerm()
	return q, nil
}

// Start lets the voter take part. A lone voter elects itself at once.
func (q *Quorum) Start() {
	q.locked(func() {
		q.clock.armTicks()
		if q.voters.alone(q.self) {
			_ = q.engine.node.Campaign() // a voter may always campaign
		}
	})
}

// settleName makes the name of the directory durable, which may be as new as the quorum: a vote in a directory that a power
// cut takes away is a vote forgotten. The names in it are synced with the first vote or record.
func settleName(fsys disk.FS, dir string) error {
	if err := fsys.SyncDir(path.Dir(dir)); err != nil {
		return fault.Storage("quorum.open", err)
	}
	return nil
}

// loadSnapshots removes unfinished snapshots and restores the machine from the newest one that checks.
func (q *Quorum) loadSnapshots() error {
	const op = "quorum.open"
	if err := removeUnfinished(q.o.FS, q.o.Dir); err != nil {
		return err
	}
	refs, err := listSnapshots(q.o.FS, q.o.Dir)
	if err != nil {
		return err
	}
	if len(refs) == 0 {
		ref, err := q.beginning()
		if err != nil {
			return err
		}
		refs = []snapshotRef{ref}
	}
	for i, r := range refs {
		newest := i == len(refs)-1
		snap, err := r.open(q.o.FS, q.o.Dir)
		if err != nil {
			return fault.Storage(op, err)
		}
		ref, err := snap.ref()
		if err == nil && newest {
			var put func()
			if put, err = snap.load(q.o.Machine); err == nil {
				put()
			}
		}
		err = errors.Join(err, snap.Close())
		if !newest && fault.IsKind(err, fault.Corrupt) {
			q.logAt(slog.LevelWarn, "An old snapshot of the metadata is damaged. It is not needed: the newest one is whole.", "snapshot", snapshotName(r.offset, r.epoch), "error", err)
			continue
		}
		if err != nil {
			return err
		}
		if ref.size = r.size; ref.kraft < kraftDynamic {
			ref.voters, err = q.staticVoters()
		} else if len(ref.voters) == 0 {
			err = fault.Corruption(op, "snapshot %s of kraft.version %d names no voters", snapshotName(r.offset, r.epoch), ref.kraft)
		}
		if err != nil {
			return err
		}
		q.snaps.refs = append(q.snaps.refs, ref)
	}
	return nil
}

// removeUnfinished drops what a crash left of a snapshot that was being written.
func removeUnfinished(fsys disk.FS, dir string) error {
	entries, err := fsys.List(dir)
	if err != nil {
		return fault.Storage("quorum.open", err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name, partSuffix) {
			if err := fsys.Remove(path.Join(dir, e.Name)); err != nil {
				return fault.Storage("quorum.open", err)
			}
		}
	}
	return nil
}

// walk reads the log's batches once and maps them to Raft's indexes, counted from the newest snapshot. A log that is not of
// this snapshot is what a crash leaves between the installation of a leader's snapshot and the emptying of the log: it ends
// before the snapshot, or holds there what a leader of an older epoch wrote and nobody committed.
func (s *storage) walk() error {
	const op = "quorum.open"
	start, end := s.log.Bounds()
	if start > s.snap.offset {
		return fault.Corruption(op, "the log begins at offset %d, above the newest snapshot, which ends at %d", start, s.snap.offset)
	}
	p, before, err := s.mapped(start, end)
	if err != nil {
		return err
	}
	if end < s.snap.offset || start < s.snap.offset && before < s.snap.epoch {
		if err := s.log.Restart(s.snap.offset); err != nil {
			return fault.Storage(op, err)
		}
		s.kraft, start = s.snap.kraft, s.snap.offset
		p = resetPositions(1<<32, start, 0)
	}
	at, ok := p.indexOf(s.snap.offset)
	if !ok {
		return fault.Corruption(op, "no batch begins at offset %d, where the newest snapshot ends", s.snap.offset)
	}
	p.renumber(int64(s.snap.index) + 1 - int64(at))
	if start == s.snap.offset {
		p.prevTerm = uint64(s.snap.epoch)
	} else if p.next() > p.first {
		p.forget(p.first + 1) // the term before the first entry is not known any more
	}
	s.pos = p
	return nil
}

// mapped is the log's batches as positions, numbered for good once the snapshot's place is known, and the epoch of the batch
// that ends the snapshot, or would.
func (s *storage) mapped(start, end kafka.Offset) (p positions, before kafka.LeaderEpoch, err error) {
	const op = "quorum.open"
	p = resetPositions(1<<32, start, 0)
	s.last = lastChange{to: s.snap.voters}
	for p.end() < end {
		b, err := s.log.Read(p.end(), readBytes)
		if err != nil {
			return p, 0, err
		}
		if len(b) == 0 {
			return p, 0, fault.Corruption(op, "the log has nothing at offset %d, its end is %d", p.end(), end)
		}
		for len(b) > 0 {
			var batch record.Batch
			if batch, b, err = record.Next(b); err != nil {
				return p, 0, err
			}
			term := uint64(batch.LeaderEpoch())
			if batch.BaseOffset() != p.end() || batch.LeaderEpoch() < 0 || term < p.lastTerm() {
				return p, 0, fault.Corruption(op, "a batch at offset %d of epoch %d where offset %d was due, after epoch %d",
					batch.BaseOffset(), batch.LeaderEpoch(), p.end(), p.lastTerm())
			}
			if batch.BaseOffset() < s.snap.offset {
				before = batch.LeaderEpoch()
			}
			if err := s.noteKRaftVersion(batch); err != nil {
				return p, 0, err
			}
			if batch.BaseOffset() >= s.snap.offset {
				if err := s.last.note(batch); err != nil {
					return p, 0, err
				}
			}
			p.add(term, int64(batch.LastOffsetDelta())+1, isVoterChange(batch))
		}
	}
	return p, before, nil
}

// surelyCommitted is an entry that was committed for sure. Raft's commit index is not kept on the disk, and for the records
// it need not be; but a voter that goes by the voters of long ago would take a majority of those for one. A leader changes
// the voters only when the change before is committed, so of the changes in the log all but the last are: this voter is no
// further behind than Raft's single changes allow. The last one is, too, where a leader after it shows that it was applied.
func (s *storage) surelyCommitted() uint64 {
	n := len(s.pos.changes)
	switch {
	case n > 0 && s.last.applied:
		return max(s.snap.index, s.pos.changes[n-1])
	case n > 1:
		return max(s.snap.index, s.pos.changes[n-2])
	}
	return s.snap.index
}

// loadVote makes Raft's hard state of quorum-state and the log. An epoch that only the log has was never voted in
// here by asking others.
func (q *Quorum) loadVote() error {
	e, err := loadElection(q.o.FS, q.o.Dir)
	if err != nil {
		return err
	}
	e = e.selfIfStatic(q.o.Self)
	store := q.engine.store
	hard := &raftpb.HardState{Term: new(store.pos.lastTerm()), Vote: new(raft.None), Commit: new(store.surelyCommitted())}
	if e.epoch >= 0 && uint64(e.epoch) >= hard.GetTerm() {
		hard.Term = new(uint64(e.epoch))
		if e.voted != kafka.NoNode {
			hard.Vote = new(Key{e.voted, e.votedDirectory}.RaftID())
		}
	}
	store.hard, q.engine.vote = hard, e
	return nil
}
