package quorum

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"iter"
	mrand "math/rand/v2"
	"path"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/world"
)

const testDir = "data/__cluster_metadata-0"

// keyStore is a machine of keys and values, in Config records, that keeps its undo as a list.
type keyStore struct {
	keys      map[string]string
	undo      []undoStep
	committed map[string]string
	applied   kafka.Offset
	led       []kafka.Offset // where it was told that it leads
}

type undoStep struct {
	offset kafka.Offset
	key    string
	old    *string
}

// put sets a key to count values in a row, one record each; the reply is the offset of the first.
type put struct {
	key   string
	value string
	count int
}

func newKeyStore() *keyStore {
	return &keyStore{keys: map[string]string{}, committed: map[string]string{}}
}

func (m *keyStore) Lead(_ kafka.Instant, next kafka.Offset) { m.led = append(m.led, next) }

func (m *keyStore) Decide(_ kafka.Instant, next kafka.Offset, cmd Command) ([]Record, Reply, error) {
	p := cmd.(put)
	if p.key == "" {
		return nil, nil, fault.New("keyStore", kafka.ErrInvalidRequest, "no key")
	}
	var recs []Record
	for i := range p.count {
		v := p.value
		if i+1 < p.count {
			v += "." + strconv.Itoa(i)
		}
		recs = append(recs, &staterecord.Config{ResourceType: staterecord.ResourceTopic, ResourceName: "t", Name: p.key, Value: &v})
	}
	return recs, next, nil
}

func (m *keyStore) Apply(offset kafka.Offset, rec Record) {
	must.Hold(offset >= m.applied, "offset %d applied after %d", offset, m.applied)
	m.applied = offset + 1
	c, ok := rec.(*staterecord.Config)
	if !ok {
		return
	}
	var old *string
	if v, ok := m.keys[c.Name]; ok {
		old = &v
	}
	m.undo = append(m.undo, undoStep{offset, c.Name, old})
	m.keys[c.Name] = *c.Value
}

func (m *keyStore) Revert(to kafka.Offset) {
	for n := len(m.undo); n > 0 && m.undo[n-1].offset >= to; n-- {
		u := m.undo[n-1]
		if u.old == nil {
			delete(m.keys, u.key)
		} else {
			m.keys[u.key] = *u.old
		}
		m.undo = m.undo[:n-1]
	}
	m.applied = min(m.applied, to)
}

func (m *keyStore) Commit(to kafka.Offset) {
	for len(m.undo) > 0 && m.undo[0].offset < to {
		k := m.undo[0].key
		m.undo = m.undo[1:]
		m.committed[k] = m.keys[k]
		for _, u := range m.undo {
			if u.key == k {
				m.committed[k] = *u.old
				break
			}
		}
	}
}

func (m *keyStore) Form(int16) {}

func (m *keyStore) Level() staterecord.MetadataVersion { return 0 }

func (m *keyStore) Due(kafka.Instant) []Command { return nil }

func (m *keyStore) Load(end kafka.Offset, records iter.Seq[Record]) (put func()) {
	loaded := newKeyStore()
	for r := range records {
		c := r.(*staterecord.Config)
		loaded.keys[c.Name], loaded.committed[c.Name] = *c.Value, *c.Value
	}
	loaded.applied = end
	return func() { *m = *loaded }
}

func (m *keyStore) Snapshot() iter.Seq[Record] {
	var recs []Record
	for k, v := range m.committed {
		recs = append(recs, &staterecord.Config{ResourceType: staterecord.ResourceTopic, ResourceName: "t", Name: k, Value: &v})
	}
	slices.SortFunc(recs, func(a, b Record) int {
		if a.(*staterecord.Config).Name < b.(*staterecord.Config).Name {
			return -1
		}
		return 1
	})
	return slices.Values(recs)
}

// fileLog is the smallest log that is honest about disks: one file of batches, its start in another.
type fileLog struct {
	fs    disk.FS
	file  disk.File
	start kafka.Offset
	ends  []kafka.Offset // of each batch
	at    []int64        // byte after each batch
}

const startFile = "start"

func openFileLog(fsys disk.FS) (*fileLog, error) {
	f, err := fsys.Open(path.Join(testDir, "log"), disk.Write|disk.Create)
	if err != nil {
		return nil, err
	}
	l := &fileLog{fs: fsys, file: f}
	if s, err := fsys.Open(path.Join(testDir, startFile), 0); err == nil {
		var b [8]byte
		if _, err := s.ReadAt(b[:], 0); err != nil {
			return nil, err
		}
		l.start = kafka.Offset(binary.BigEndian.Uint64(b[:]))
	}
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); size > 0 && err != nil {
		return nil, err
	}
	for rest := b; ; {
		batch, more, err := record.Next(rest)
		if err != nil || batch.CheckCRC() != nil {
			break
		}
		if n := len(l.ends); n > 0 && batch.BaseOffset() != l.ends[n-1] {
			break // torn: the checksum doesn't cover the offset
		}
		if len(l.ends) == 0 {
			l.start = max(l.start, batch.BaseOffset())
		}
		l.note(batch)
		rest = more
	}
	return l, f.Truncate(l.bytes())
}

func (l *fileLog) note(b record.Batch) {
	at := l.bytes()
	l.ends, l.at = append(l.ends, b.NextOffset()), append(l.at, at+int64(len(b)))
}

func (l *fileLog) bytes() int64 {
	if n := len(l.at); n > 0 {
		return l.at[n-1]
	}
	return 0
}

func (l *fileLog) Append(_ kafka.Instant, b record.Batch) error {
	_, end := l.Bounds()
	must.Hold(b.BaseOffset() == end, "append at %d, the end is %d", b.BaseOffset(), end)
	_, err := l.file.WriteAt(b, l.bytes())
	l.note(b)
	return err
}

func (l *fileLog) Read(from kafka.Offset, maxBytes int) ([]byte, error) {
	i, _ := slices.BinarySearch(l.ends, from+1)
	if i == len(l.ends) {
		return nil, nil
	}
	pos := int64(0)
	if i > 0 {
		pos = l.at[i-1]
	}
	j := i
	for j+1 < len(l.at) && l.at[j+1]-pos <= int64(maxBytes) {
		j++
	}
	b := make([]byte, l.at[j]-pos)
	_, err := l.file.ReadAt(b, pos)
	return b, err
}

func (l *fileLog) Bounds() (start, end kafka.Offset) {
	if n := len(l.ends); n > 0 {
		return l.start, l.ends[n-1]
	}
	return l.start, l.start
}

func (l *fileLog) Dirty() ([]disk.Syncer, kafka.Offset) {
	_, end := l.Bounds()
	return []disk.Syncer{l.file, disk.Dir(l.fs, testDir)}, end
}

func (l *fileLog) Flushed(kafka.Offset) {}

func (l *fileLog) TruncateTo(o kafka.Offset) error {
	i, _ := slices.BinarySearch(l.ends, o+1)
	l.ends, l.at = l.ends[:i], l.at[:i]
	if err := l.file.Truncate(l.bytes()); err != nil {
		return err
	}
	return l.file.Sync() // a truncation is durable when it returns
}

func (l *fileLog) setStart(o kafka.Offset) error {
	l.start = o
	r := replaceFile{l.fs, path.Join(testDir, startFile), binary.BigEndian.AppendUint64(nil, uint64(o))}
	return r.Sync()
}

func (l *fileLog) Restart(o kafka.Offset) error {
	l.ends, l.at = nil, nil
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	return l.setStart(o)
}

func (l *fileLog) Trim(_ kafka.Instant, start kafka.Offset) (int64, error) {
	if start > l.start {
		if err := l.file.Sync(); err != nil { // what is left has to be there when the start is
			return 0, err
		}
		return l.bytes(), l.setStart(start)
	}
	return l.bytes(), nil
}

type replaceFile struct {
	fs    disk.FS
	name  string
	bytes []byte
}

func (r replaceFile) Sync() error {
	f, err := r.fs.Open(r.name+".tmp", disk.Write|disk.Create|disk.Trunc)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(r.bytes, 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := r.fs.Rename(r.name+".tmp", r.name); err != nil {
		return err
	}
	return r.fs.SyncDir(testDir)
}

// liar is a flusher that says yes and syncs nothing.
type liar struct{ w world.World }

func (l liar) Flush(_ []disk.Syncer, done func(error)) { l.w.Go(func() { done(nil) }) }

// simNode is one voter in a simulation; its disk outlives its processes.
type simNode struct {
	key     Key
	fs      *disk.Mem
	proc    *world.Process
	log     *fileLog
	machine *keyStore
	q       *Quorum   // nil while the node only observes
	ob      *Observer // nil while it votes
	view    view
	failed  error
}

// cluster is voters in one virtual world.
type cluster struct {
	t      testing.TB
	w      *world.Virtual
	nodes  []*simNode
	conf   Config
	lies   bool
	moving bool // voters come and go
	loss   int  // messages lost in a hundred
	cut    map[[2]kafka.NodeID]bool
	lead   map[kafka.LeaderEpoch]kafka.NodeID               // who was seen leading an epoch
	said   func(from *simNode, to kafka.NodeID, msg []byte) // of each message, as it leaves
	hash   uint64
}

// seededReader stands in for crypto/rand.Reader, from which Raft draws its election timeouts.
type seededReader struct{ rng *mrand.Rand }

func (r seededReader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r.rng.Uint32())
	}
	return len(b), nil
}

func newCluster(t testing.TB, seed uint64, n int, conf Config) *cluster {
	if conf.ElectionTimeout == 0 {
		conf.ElectionTimeout = timeoutShare * time.Second // long enough for a storm to do something between two ticks
	}
	setDefault(&conf.ChunkBytes, 300)
	saved := rand.Reader
	rand.Reader = seededReader{mrand.New(mrand.NewPCG(seed, 7))}
	t.Cleanup(func() { rand.Reader = saved })
	c := &cluster{t: t, w: world.NewVirtual(seed), conf: conf, cut: map[[2]kafka.NodeID]bool{}, lead: map[kafka.LeaderEpoch]kafka.NodeID{}}
	var voters []Voter
	for i := range n {
		k := Key{kafka.NodeID(i + 1), kafka.DirectoryID(c.w.UUID())}
		voters = append(voters, Voter{ID: k.NodeID, Directory: k.DirectoryID, MaxKRaft: 1,
			Endpoints: []record.Endpoint{{Name: "CONTROLLER", Host: "127.0.0.1", Port: uint16(9093 + i)}}})
		c.nodes = append(c.nodes, &simNode{key: k, fs: disk.NewMem()})
	}
	for _, nd := range c.nodes {
		if err := Format(nd.fs, testDir, voters, c.w.Now()); err != nil {
			t.Fatal(err)
		}
		for _, d := range []string{"", "data"} {
			if err := nd.fs.SyncDir(d); err != nil {
				t.Fatal(err)
			}
		}
		c.start(nd)
	}
	return c
}

func (c *cluster) start(nd *simNode) {
	c.t.Helper()
	if err := c.tryStart(nd); err != nil {
		c.t.Fatalf("node %d does not start: %v", nd.key.NodeID, err)
	}
}

func (c *cluster) tryStart(nd *simNode) error {
	nd.proc = world.NewProcess(c.w)
	var err error
	if nd.log, err = openFileLog(nd.fs); err != nil {
		return err
	}
	return c.vote(nd)
}

// vote opens a quorum on what the node's disk has. A node that is no voter then is an observer.
func (c *cluster) vote(nd *simNode) error {
	nd.machine = newKeyStore()
	var flusher Flusher = disk.NewFlusher(nd.proc, "data")
	if c.lies {
		flusher = liar{nd.proc}
	}
	var err error
	nd.ob = nil
	nd.q, err = Open(Options{World: nd.proc, FS: nd.fs, Dir: testDir, Log: nd.log, Flusher: flusher, Machine: nd.machine,
		Self: nd.key, Config: c.conf,
		Send:     func(to Voter, msg []byte) { c.carry(nd, to.ID, to.Directory, msg) },
		Pull:     upstream{c, nd}.FetchSnapshot,
		Unseated: c.unseated(nd),
		Failed:   func(err error) { nd.failed = err },
	})
	if err != nil {
		return err
	}
	nd.q.Start()
	return nil
}

// carry is the network: late, lossy, cut where a test cut it.
func (c *cluster) carry(from *simNode, to kafka.NodeID, dir kafka.DirectoryID, msg []byte) {
	if c.said != nil && from.proc.Alive() {
		c.said(from, to, msg)
	}
	if !from.proc.Alive() || c.cut[[2]kafka.NodeID{from.key.NodeID, to}] || c.w.Rand().IntN(100) < c.loss {
		return
	}
	c.note("send", from.key.NodeID, to, len(msg))
	c.w.After(time.Duration(c.w.Rand().IntN(3000))*time.Microsecond, func() {
		nd := c.nodes[to-1]
		if nd.ob != nil && nd.proc.Alive() && nd.key.DirectoryID == dir {
			c.judged(nd, from, msg)
		}
		if nd.q != nil && nd.proc.Alive() && !c.cut[[2]kafka.NodeID{from.key.NodeID, to}] {
			err := nd.q.Receive(Envelope{From: from.key, To: Key{to, dir}}, msg)
			if code := fault.CodeOf(err); code == kafka.ErrVoterNotFound && c.moving && AsksForVote(msg) {
				c.refused(nd, from)
			} else if err != nil && nd.failed == nil && !c.moving {
				c.t.Fatalf("node %d refuses a message of node %d: %v", to, from.key.NodeID, err)
			}
		}
	})
}

// crash kills a node and leaves its disk as a power cut would.
func (c *cluster) crash(nd *simNode) {
	nd.proc.Kill()
	nd.fs = nd.fs.Crash(c.w.Rand())
	c.note("crash", nd.key.NodeID)
}

// note makes what happens part of the trace and watches that an epoch has one leader.
func (c *cluster) note(what ...any) {
	h := fnv.New64a()
	fmt.Fprint(h, c.hash, c.w.Now().Mono, what)
	c.hash = h.Sum64()
	for _, nd := range c.nodes {
		if nd.q == nil || !nd.proc.Alive() || !nd.q.Active() {
			continue
		}
		leader, epoch := nd.q.Leader()
		if was, ok := c.lead[epoch]; ok && was != leader {
			c.t.Fatalf("epoch %d was led by %d and by %d", epoch, was, leader)
		}
		c.lead[epoch] = leader
	}
}

// leader returns a node that takes commands, nil when there is none.
func (c *cluster) leader() *simNode {
	var best *simNode
	var top kafka.LeaderEpoch
	for _, nd := range c.nodes {
		if nd.q != nil && nd.proc.Alive() && nd.q.Active() {
			if _, e := nd.q.Leader(); best == nil || e > top {
				best, top = nd, e
			}
		}
	}
	return best
}

func (c *cluster) awaitLeader() *simNode {
	c.t.Helper()
	if !c.w.RunUntil(30*time.Second, func() bool { return c.leader() != nil }) {
		c.t.Fatal("no leader within 30 s")
	}
	return c.leader()
}
