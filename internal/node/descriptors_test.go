package node

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
)

// TestAChoreWaitsForDescriptors: a checkpoint that finds too many files open is put off, said so, and made up for; the node
// goes on.
func TestAChoreWaitsForDescriptors(t *testing.T) {
	r := newDirsRig(t)
	r.create("t", 3)
	r.faulty.Add(disk.Fault{Op: disk.OpOpen, Path: "recovery-point", Err: syscall.EMFILE})
	r.spread("t", "value", 0, 1, 2)
	r.w.Run(10 * time.Second)
	if r.gaveUp != nil {
		t.Fatalf("the node gave up: %v", r.gaveUp)
	}
	for _, dir := range []string{"d/a", "d/b", "d/c"} {
		r.said("WARN A chore is put off until files can be opened again.", "chore=milena.recovery.point.interval.ms dir="+dir+" ")
	}
	r.faulty.Heal()
	r.w.Run(10 * time.Second)
	r.wantValues("t", 1, "value")
	if at := r.n.storage.Volumes[1].Dir.Checkpointed(kafka.TopicPartition{Topic: "t", Partition: 1}); at.RecoveryPoint != 1 {
		t.Errorf("the recovery point is %d", at.RecoveryPoint)
	}
}

// openFiles counts the files that a node has open, and says how many it may.
type openFiles struct {
	disk.FS
	limit     int
	mu        sync.Mutex
	now, peak int
}

func (o *openFiles) Open(path string, flags disk.Flag) (disk.File, error) {
	f, err := o.FS.Open(path, flags)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now++
	o.peak = max(o.peak, o.now)
	return &openedFile{f, o}, nil
}

type openedFile struct {
	disk.File
	of *openFiles
}

func (f *openedFile) Close() error {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	f.of.now--
	return f.File.Close()
}

// TestMorePartitionsThanDescriptors: partitions, many more than files may be open, are written in both durabilities, fetched
// all in one request, stopped, started again and recovered after a kill, with few files open at any moment.
func TestMorePartitionsThanDescriptors(t *testing.T) {
	for _, durability := range []string{"sync", "cache"} {
		t.Run(durability, func(t *testing.T) {
			const partitions, limit = 60, 32
			r := unbooted(t, "milena.durability", durability)
			r.files = &openFiles{limit: limit}
			r.boot()
			r.create("t", partitions)
			for n := range 2 {
				for p := range int32(partitions) {
					r.w.RunUntil(time.Minute, func() bool { return r.write("t", p, plain(fmt.Sprint(n))).ErrorCode == 0 })
				}
			}
			check := func() {
				t.Helper()
				for p := range int32(partitions) {
					r.wantValues("t", p, "0", "1")
				}
				if r.files.peak > limit {
					t.Errorf("%d files were open at a time", r.files.peak)
				}
			}
			check()
			r.restart()
			check()
			r.kill()
			r.w.Run(time.Minute)
			check()
		})
	}
}
