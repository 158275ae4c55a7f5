// Package alone runs a whole node from a seed: frames in, frames out, a disk in memory, a virtual clock, Raft inside, all on
// one goroutine, with crashes and power cuts between. It owns the clients, the schedule of faults and the checkers that
// judge what the clients saw.
//
// Its tests and `make sim` run it. The node under test is the one that production runs, with another World, FS and no
// sockets; nothing in it knows. Two runs of one seed give the same trace, byte for byte: that is the proof that every
// decision sits in a machine and the shells only carry IO.
package alone

import (
	crand "crypto/rand"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/node"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// Options is a run.
type Options struct {
	Seed       uint64
	Length     time.Duration // of virtual time with clients and faults
	Partitions int32
	Producers  int
	// FS wraps the disk that each incarnation of the node gets, for faults; nil for none.
	FS       func(disk.FS) disk.FS
	Settings map[string]string
	Logger   *slog.Logger
}

// Result is what a run was and what its checkers found.
type Result struct {
	Trace    uint64 // hash of every byte that reached a client, and when
	Starts   int
	Frames   int
	Acked    int // records
	Read     int
	Commits  int
	Problems []string
}

// run is one simulation under way.
type run struct {
	o     Options
	w     *world.Virtual
	dice  *rand.Rand // of the faults; the world has its own
	fs    *disk.Mem
	proc  *world.Process
	node  *node.Node
	ready bool
	over  bool

	conns  []*conn
	facts  facts
	result Result
	trace  hash.Hash64
}

const topic = "t"

// Run simulates. It replaces crypto/rand.Reader while it runs, since Raft draws its election timeouts there, so only one
// may run at a time.
func Run(o Options) Result {
	saved := crand.Reader
	defer func() { crand.Reader = saved }()
	crand.Reader = seededReader{rand.New(rand.NewPCG(o.Seed, 3))}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r := &run{
		o: o, w: world.NewVirtual(o.Seed), dice: rand.New(rand.NewPCG(o.Seed, 5)), fs: disk.NewMem(),
		trace: fnv.New64a(), facts: newFacts(),
	}
	r.boot()
	r.w.After(0, r.admin)
	for i := range o.Producers {
		newProducer(r, i)
	}
	newConsumer(r)
	newCommitter(r)
	r.planCrash()
	r.w.Run(o.Length)
	r.finish()
	r.result.Trace = r.trace.Sum64()
	r.result.Problems = r.facts.problems
	return r.result
}

type seededReader struct{ rng *rand.Rand }

// Read fills b.
func (s seededReader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s.rng.Uint32())
	}
	return len(b), nil
}

// values is the node's configuration.
func (r *run) values() config.Values {
	set := map[string]string{
		"node.id": "1", "process.roles": "broker,controller", "listeners": "PLAINTEXT://sim:9092", "log.dirs": "data",
		"controller.listener.names": "CONTROLLER", "offsets.topic.num.partitions": "3",
		"offsets.topic.replication.factor": "1", "log.segment.bytes": "16384", "log.retention.check.interval.ms": "700",
		"replica.high.watermark.checkpoint.interval.ms": "900", "log.flush.offset.checkpoint.interval.ms": "1100",
	}
	for k, v := range r.o.Settings {
		set[k] = v
	}
	return config.Values{Scope: config.Broker, Set: set}
}

// boot starts an incarnation of the node on the disk as it is.
func (r *run) boot() {
	r.result.Starts++
	r.note("boot")
	r.proc = world.NewProcess(r.w)
	proc := r.proc
	var fs disk.FS = r.fs
	if r.o.FS != nil {
		fs = r.o.FS(fs)
	}
	n, err := node.Start(node.Options{
		World: proc, FS: fs, Values: r.values(), Logger: r.o.Logger,
		Failed: func(err error) { r.problem("the node gave up: %v", err) },
	}, func(err error) {
		if err != nil {
			r.problem("the node did not start: %v", err)
			return
		}
		if r.proc == proc {
			r.ready = true
		}
	})
	if err != nil {
		r.problem("the node cannot start: %v", err)
		return
	}
	r.node = n
}

// planCrash throws the dice for the next end of the node.
func (r *run) planCrash() {
	r.w.After(200*time.Millisecond+time.Duration(r.dice.Int64N(int64(6*time.Second))), func() {
		if r.over {
			return
		}
		if r.dice.IntN(5) == 0 && r.ready {
			r.stop()
		} else {
			r.crash()
		}
		r.w.After(time.Duration(r.dice.Int64N(int64(300*time.Millisecond))), func() {
			if !r.over { // finish boots by itself
				r.boot()
				r.planCrash()
			}
		})
	})
}

// crash ends the node in the middle of whatever it does, and lets the disk keep what a disk may keep.
func (r *run) crash() {
	r.proc.Kill()
	r.ready = false
	switch r.dice.IntN(3) {
	case 0:
		r.note("kill -9")
		r.fs = r.fs.Killed()
	case 1:
		r.note("power cut")
		r.fs = r.fs.PowerCut()
	default:
		r.note("torn power cut")
		r.fs = r.fs.Crash(r.dice)
	}
	r.breakConns()
}

// stop ends the node cleanly; it has a virtual minute to do so.
func (r *run) stop() {
	r.note("stop")
	r.ready = false
	stopped := false
	r.node.Stop(func(err error) {
		stopped = true
		if err != nil && !errors.Is(err, disk.ErrIO) { // a disk may fail also then
			r.problem("the node did not stop cleanly: %v", err)
		}
	})
	if !r.w.RunUntil(time.Minute, func() bool { return stopped }) {
		r.problem("the node does not stop")
	}
	r.proc.Kill()
	r.fs = r.fs.Killed()
	r.breakConns()
}

func (r *run) breakConns() {
	for _, c := range r.conns {
		c.broken()
	}
}

// finish ends the faults, lets everybody come to rest and reads everything once more.
func (r *run) finish() {
	r.over = true
	r.crash()
	r.boot()
	if !r.w.RunUntil(time.Minute, func() bool { return r.ready }) {
		r.problem("the node does not come back")
		return
	}
	r.w.Run(20 * time.Second)
	r.facts.audit(r)
}

// note puts an event into the trace.
func (r *run) note(what string) { fmt.Fprintf(r.trace, "%d %s\n", r.w.Now().Mono, what) }

func (r *run) problem(format string, args ...any) {
	if len(r.facts.problems) < 20 {
		r.facts.problems = append(r.facts.problems, fmt.Sprintf("%s: ", r.w.Now().Mono)+fmt.Sprintf(format, args...))
	}
}

var clientAddr = must.Get(netip.ParseAddrPort("10.0.0.9:40000"))

func peer(id uint64) wire.Peer {
	return wire.Peer{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Addr: clientAddr, Principal: wire.Anonymous, ConnectionID: id}
}
