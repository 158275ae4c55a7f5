package storage

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/world"
)

// Space is what the node does about full log directories. Clients' records are refused there, retention runs at once, and
// what is deleted goes without its delay. Everything else draws on the reserve.
type Space struct {
	of *Storage
	fs *disk.Space

	mu       sync.Mutex
	reserves map[string]*disk.Reserve // by directory
	removals []*removal               // in the order in which they were asked for
	retain   func(*Volume) error      // nil until there are replicas that retention may look at
}

// removal is files that wait to be removed.
type removal struct {
	timer world.Timer
	run   func()
}

// newSpace puts the reserves under the file system that the whole node uses.
func newSpace(of *Storage) *Space {
	s := &Space{of: of, fs: disk.NewSpace(of.o.World, of.o.FS), reserves: map[string]*disk.Reserve{}}
	s.fs.Bulk, s.fs.Changed = bulk, s.changed
	return s
}

// bulk are the records of partitions, groups' among them: they may use half of the reserve, and the metadata log all.
func bulk(path string) bool {
	return (strings.HasSuffix(path, ".log") || strings.HasSuffix(path, ".cleaned")) && !strings.Contains(path, MetadataPartition.String()+"/")
}

// keep makes the reserve of a directory that was just locked.
func (s *Space) keep(dir string) error {
	r, err := s.fs.Keep(dir, s.of.o.Static.Int("milena.disk.reserve.bytes"))
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserves[dir] = r
	return nil
}

// room is what the logs of a directory ask before they take clients' records.
func (s *Space) room(dir string) log.Room {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.reserves[dir]; r != nil {
		return r
	}
	return nil
}

// Admit refuses to make topics and partitions while hardly anything is left for the metadata log: without that nothing could be
// deleted either, and the node could not go on. What is deleted or altered may give room back.
func (s *Space) Admit(cmd controller.Command) error {
	switch cmd.(type) {
	case controller.CreateTopics, controller.CreatePartitions:
	default:
		return nil
	}
	s.mu.Lock()
	r := s.reserves[s.of.Metadata.Path]
	s.mu.Unlock()
	if r == nil {
		return nil
	}
	return r.RefuseGrowth()
}

// Of tells how a directory stands; the zero Room where it has no reserve.
func (s *Space) Of(dir string) disk.Room {
	s.mu.Lock()
	r := s.reserves[dir]
	s.mu.Unlock()
	if r == nil {
		return disk.Room{}
	}
	return r.Room()
}

// release removes the reserves, for a clean stop.
func (s *Space) release() {
	for _, r := range s.take() {
		_ = r.Release() // an empty file that stays is made whole by the next start
	}
}

// abandon leaves the reserves' files as they are.
func (s *Space) abandon() {
	for _, r := range s.take() {
		r.Abandon()
	}
}

// leave is abandon for one directory, which has failed.
func (s *Space) leave(dir string) {
	s.mu.Lock()
	r := s.reserves[dir]
	delete(s.reserves, dir)
	s.mu.Unlock()
	if r != nil {
		r.Abandon()
	}
}

func (s *Space) take() (all []*disk.Reserve) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.reserves {
		all = append(all, r)
	}
	s.reserves = map[string]*disk.Reserve{}
	return all
}

// changed tells the operator, and makes room where it can.
func (s *Space) changed(r disk.Room) {
	logger := s.of.log("kafka.log")
	if !r.Full {
		logger.Info("The log directory "+r.Dir+" has room again; clients' records are taken.", "freeBytes", r.Usable, "reserveBytes", r.Reserve)
		return
	}
	logger.Error("The log directory "+r.Dir+" is full. Clients' records are refused with KAFKA_STORAGE_ERROR, which they retry, until there is room; reading, deleting and administration go on.",
		"freeBytes", r.Usable, "reserveBytes", r.Reserve, "reserveWholeBytes", r.Whole)
	s.makeRoom()
}

// Begin tells that the node has its replicas, and how retention looks at those of a directory. A directory that was full at the start waits for
// that.
func (s *Space) Begin(retain func(*Volume) error) {
	s.mu.Lock()
	s.retain = retain
	s.mu.Unlock()
	s.Again()
}

// Again makes room if a directory is full still: logs that were not open are, of which retention could give up nothing before.
func (s *Space) Again() {
	if s.full() {
		s.of.o.World.Go(s.makeRoom)
	}
}

// makeRoom removes what waits to be removed, and what retention gives up, in each directory by itself.
func (s *Space) makeRoom() {
	s.beside(s.hurry)
	s.mu.Lock()
	retain := s.retain
	s.mu.Unlock()
	if retain == nil {
		return
	}
	for _, v := range s.of.Serving() {
		s.beside(func() {
			if err := retain(v); err != nil && !fault.IsKind(err, fault.Closed) {
				s.of.o.Life.Fail(err)
			}
		})
	}
}

// beside runs f, and keeps nobody waiting where there are several directories: a disk that hangs is no other's business.
func (s *Space) beside(f func()) {
	if len(s.of.Volumes) > 1 {
		s.of.o.World.Go(f)
		return
	}
	f()
}

// full reports whether any directory is.
func (s *Space) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.reserves {
		if r.Full() {
			return true
		}
	}
	return false
}

// later runs a removal after a delay, or at once when its room is needed.
func (s *Space) later(delayMs int64, run func()) {
	if s.full() {
		delayMs = 0
	}
	r := &removal{}
	r.run = func() {
		s.mu.Lock()
		i := slices.Index(s.removals, r)
		if i >= 0 {
			s.removals = slices.Delete(s.removals, i, i+1)
		}
		s.mu.Unlock()
		if i >= 0 {
			run()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removals = append(s.removals, r)
	r.timer = s.of.o.World.After(time.Duration(delayMs)*time.Millisecond, r.run)
}

// hurry runs the removals that wait.
func (s *Space) hurry() {
	s.mu.Lock()
	waiting := slices.Clone(s.removals)
	s.mu.Unlock()
	for _, r := range waiting {
		r.timer.Stop()
		r.run()
	}
}
