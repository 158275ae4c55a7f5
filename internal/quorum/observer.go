package quorum

import (
	"iter"
	"log/slog"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/world"
)

// Upstream asks other nodes; each done is called once, however the asking ends.
type Upstream interface {
	Fetch(to Voter, a Pull, done func(Pulled, error))
	FetchSnapshot(to Voter, a PullChunk, done func(Chunk, error))
}

// ObserverOptions is what an observer is made of. Image, Voting, Failed and Logger may be nil.
type ObserverOptions struct {
	World    world.World
	FS       disk.FS
	Dir      string // the directory of __cluster_metadata-0
	Log      Log
	Flusher  Flusher
	Self     Key
	Upstream Upstream
	// Seats is whom to ask while the log names no voters: controller.quorum.voters, or controller.quorum.bootstrap.servers,
	// whose ids are NoNode.
	Seats  []Voter
	Config ObserverConfig
	// Committed is where what this process knows to be committed ends, of the time that it voted.
	Committed kafka.Offset
	// Image is the newest state that was made of the log, to be written as a snapshot in place of the log before it. Without
	// it the log is kept.
	Image func() Image
	// Voting is told once when this node has all that is committed and the log names it as a voter. The observer is to be
	// closed then, and a Quorum opened.
	Voting func()
	Failed func(error)
	Logger *slog.Logger
}

// Image is the state below an offset, where a batch ends.
type Image struct {
	End     kafka.Offset
	WallMs  int64
	Level   staterecord.MetadataVersion
	Records iter.Seq[Record]
}

// ObserverConfig is the keys of an observer; zero values take Kafka's defaults.
type ObserverConfig struct {
	MaxBytes      int           // controller.quorum.fetch.max.bytes
	ChunkBytes    int           // controller.quorum.fetch.snapshot.max.bytes
	MaxWait       time.Duration // how long the leader may hold an empty answer back
	FetchTimeout  time.Duration // controller.quorum.fetch.timeout.ms: no answer by then, and another is asked
	RetryBackoff  time.Duration // controller.quorum.retry.backoff.ms
	SnapshotBytes int64         // metadata.log.max.record.bytes.between.snapshots
}

func (c ObserverConfig) withDefaults() ObserverConfig {
	setDefault(&c.MaxBytes, 1<<20)
	setDefault(&c.ChunkBytes, chunkBytes)
	setDefault(&c.MaxWait, 500*time.Millisecond)
	setDefault(&c.FetchTimeout, 2*time.Second)
	setDefault(&c.RetryBackoff, 20*time.Millisecond)
	setDefault(&c.SnapshotBytes, 20<<20)
	return c
}

// Observer is a node that has the metadata log and no vote: a broker, and a controller that was not added yet or is one no
// more. It pulls what is committed from whoever leads, keeps it on its disk as a voter does, and shows it to the feed. The
// log on its disk is what makes a voter of it without another copy, and a restart without the leader.
//
// Invariants: the log holds the leader's bytes, adjacent; what is shown is committed; one question is under way at a time,
// and an answer to another one changes nothing.
type Observer struct {
	o  ObserverOptions
	mu sync.Mutex

	store     storage
	committed kafka.Offset
	voters    voterSet
	leader    leaderHint
	asked     uint64 // number of the question under way
	timer     world.Timer
	snaps     observed
	bare      bool // there is nothing here, not even the beginning
	told      bool // that this node votes
	list      []watcher
	err       error
	after     []func()
}

// leaderHint is who leads as far as the observer was told, and whom to ask when it wasn't.
type leaderHint struct {
	at    Voter
	known bool
	epoch kafka.LeaderEpoch
	turn  int // which of the candidates is asked next
}

// OpenObserver loads what an earlier run left in the directory. It asks nobody before Start.
func OpenObserver(o ObserverOptions) (*Observer, error) {
	const op = "quorum.observe"
	o.Config = o.Config.withDefaults()
	ob := &Observer{o: o}
	if err := o.FS.MkdirAll(o.Dir); err != nil {
		return nil, fault.Storage(op, err)
	}
	if err := settleName(o.FS, o.Dir); err != nil {
		return nil, err
	}
	if err := removeUnfinished(o.FS, o.Dir); err != nil {
		return nil, err
	}
	refs, err := listSnapshots(o.FS, o.Dir)
	if err != nil {
		return nil, err
	}
	ob.store = storage{log: o.Log, snap: snapshotRef{index: bootstrapIndex}}
	if len(refs) > 0 {
		if ob.store.snap, err = describe(o.FS, o.Dir, refs[len(refs)-1]); err != nil {
			return nil, err
		}
	} else if _, end := o.Log.Bounds(); end == 0 {
		ob.bare = true
	}
	ob.store.kraft = ob.store.snap.kraft
	if err := ob.store.walk(); err != nil {
		return nil, err
	}
	ob.committed, ob.voters = max(ob.store.snap.offset, min(o.Committed, ob.store.pos.end())), ob.store.snap.voters
	vote, err := loadElection(o.FS, o.Dir)
	if err != nil {
		return nil, err
	}
	// What this node may have acknowledged as a voter of an epoch no leader of an older one has a word about. Such an epoch had a leader:
	// the log has an entry of it, or quorum-state names it. Where this node only gave its vote, perhaps to itself, nobody need have
	// won, and those who vote now need not know of it: their leader's epoch may stay older.
	ob.leader.epoch = kafka.LeaderEpoch(ob.store.pos.lastTerm())
	if vote.leader != kafka.NoNode {
		ob.leader.epoch = max(ob.leader.epoch, vote.epoch)
	}
	if err := ob.recallVoters(); err != nil {
		return nil, err
	}
	return ob, ob.dropOlder(refs)
}

// recallVoters finds who votes in the log above the snapshot.
func (ob *Observer) recallVoters() error {
	changes := ob.store.pos.changes
	if len(changes) == 0 {
		return nil
	}
	last := changes[len(changes)-1]
	entries, err := ob.store.Entries(last, last+1, readBytes)
	if err != nil {
		return err
	}
	b, err := batchOf(entries[0])
	if err != nil {
		return err
	}
	return ob.noteVoters(b)
}

// describe reads the head of a snapshot.
func describe(fsys disk.FS, dir string, r snapshotRef) (snapshotRef, error) {
	s, err := openSnapshot(fsys, dir, r.offset, r.epoch)
	if err != nil {
		return r, fault.Storage("quorum.observe", err)
	}
	ref, err := s.ref()
	_ = s.Close() // nothing was written
	return ref, err
}

// dropOlder removes all snapshots but the newest.
func (ob *Observer) dropOlder(refs []snapshotRef) error {
	for _, r := range refs {
		if r.offset == ob.store.snap.offset {
			continue
		}
		if err := ob.o.FS.Remove(path.Join(ob.o.Dir, snapshotName(r.offset, r.epoch))); err != nil {
			return fault.Storage("quorum.observe", err)
		}
	}
	return nil
}

// Start begins to pull.
func (ob *Observer) Start() { ob.locked(ob.ask) }

func (ob *Observer) locked(step func()) {
	ob.mu.Lock()
	if ob.err == nil {
		step()
	}
	after := ob.after
	ob.after = nil
	ob.mu.Unlock()
	for _, f := range after {
		f()
	}
}

func (ob *Observer) later(f func()) { ob.after = append(ob.after, f) }

func (ob *Observer) fail(err error) {
	if ob.err != nil {
		return
	}
	ob.err = err
	if ob.o.Failed != nil {
		ob.later(func() { ob.o.Failed(err) })
	}
}

// Close stops pulling and makes durable what was pulled, so that a voter may be opened on it: what a voter has it is
// believed to have on stable storage.
func (ob *Observer) Close(done func(error)) {
	ends := false
	ob.locked(func() {
		ends = true
		ob.end()
		targets, upTo := ob.o.Log.Dirty()
		ob.later(func() {
			ob.o.Flusher.Flush(targets, func(err error) {
				if err != nil {
					done(fault.Storage("observer", err))
					return
				}
				ob.mu.Lock()
				ob.o.Log.Flushed(upTo)
				ob.mu.Unlock()
				done(nil)
			})
		})
	})
	if !ends { // it has failed before, or it has ended
		ob.mu.Lock()
		failed := ob.err
		ob.mu.Unlock()
		done(failed)
	}
}

// end has nothing asked any more, and no answer taken.
func (ob *Observer) end() {
	ob.err = fault.Shutdown("observer")
	ob.drop()
	if ob.timer != nil {
		ob.timer.Stop()
	}
}

// Leader returns who leads, as far as this observer was told, and the epoch.
func (ob *Observer) Leader() (kafka.NodeID, kafka.LeaderEpoch) {
	ob.mu.Lock()
	defer ob.mu.Unlock()
	if !ob.leader.known {
		return kafka.NoNode, ob.leader.epoch
	}
	return ob.leader.at.ID, ob.leader.epoch
}

// Voters returns who votes, as far as the log goes.
func (ob *Observer) Voters() []Voter {
	ob.mu.Lock()
	defer ob.mu.Unlock()
	return ob.voters.list()
}

// Committed implements feed.Source: a snapshot for who has nothing or is behind the log's start, else batches.
func (ob *Observer) Committed(from kafka.Offset, maxBytes int) (Committed, error) {
	for {
		ob.mu.Lock()
		snap, start, c := ob.store.snap, ob.store.pos.start, Committed{End: ob.committed}
		bare := ob.bare
		ob.mu.Unlock()
		var err error
		switch {
		case bare:
			return c, nil
		case from < start:
			c.Snapshot, err = snap.open(ob.o.FS, ob.o.Dir)
		case from < c.End:
			c.Batches, err = committedFrom(ob.o.Log, from, c.End, maxBytes)
		}
		if err == nil || !ob.replaced(snap) {
			return c, err
		}
	}
}

// replaced reports whether another snapshot took the place of one while it, or the log after it, was read.
func (ob *Observer) replaced(snap snapshotRef) bool {
	ob.mu.Lock()
	defer ob.mu.Unlock()
	return ob.store.snap.offset != snap.offset
}

// Watch implements feed.Source.
func (ob *Observer) Watch(f func()) (cancel func()) {
	ob.mu.Lock()
	defer ob.mu.Unlock()
	id := 1
	for _, w := range ob.list {
		id = max(id, w.id+1)
	}
	ob.list = append(ob.list, watcher{id, f})
	return func() {
		ob.mu.Lock()
		defer ob.mu.Unlock()
		ob.list = slices.DeleteFunc(slices.Clone(ob.list), func(w watcher) bool { return w.id == id })
	}
}

func (ob *Observer) wake() {
	for _, w := range ob.list {
		ob.later(w.f)
	}
}

func (ob *Observer) log(msg string, args ...any) {
	if ob.o.Logger != nil {
		ob.o.Logger.Info(msg, args...)
	}
}
