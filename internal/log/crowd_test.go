package log

import (
	"fmt"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/must"
)

// crowd is logs that share a few descriptors.
func crowd(t *testing.T, logs, files int) (fs *scarce, open func() []*Log) {
	t.Helper()
	fs = &scarce{FS: disk.NewMem()}
	shared := Shared{Handles: segment.NewHandles(files)}
	return fs, func() []*Log {
		var out []*Log
		for i := range logs {
			out = append(out, must.Get(Open(Options{FS: fs, Path: fmt.Sprintf("t-%d", i), Partition: kafka.TopicPartition{Topic: "t", Partition: int32(i)},
				Config: DefaultConfig(), Shared: shared})))
		}
		return out
	}
}

func (l *Log) tryAppend(origin Origin) error {
	_, err := l.AppendAsLeader(kafka.Instant{}, nobody.batch(0, "v"), 0, origin)
	return err
}

// TestClientsWaitForDescriptors: when as many files hold what is not durable as may be open, a client's record that needs
// another is refused with an error that clients retry; coordinators' are taken, and so is all for files that are open.
func TestClientsWaitForDescriptors(t *testing.T) {
	const files = 4
	fs, open := crowd(t, files+2, files)
	logs := open()
	for i, l := range logs[:files] {
		if err := l.tryAppend(Client); err != nil {
			t.Fatalf("log %d: %v", i, err)
		}
	}
	blank, more := logs[files], logs[files+1]
	for range 2 {
		if err := blank.tryAppend(Client); fault.CodeOf(err) != kafka.ErrKafkaStorageError || fault.IsKind(err, fault.Disk) {
			t.Fatalf("one too many: %v", err)
		}
		must.OK(logs[0].tryAppend(Client))
	}
	if o := blank.Offsets(); o.End != 0 || fs.now.Load() != files {
		t.Fatalf("the refused log ends at %d, %d files are open", o.End, fs.now.Load())
	}
	must.OK(more.tryAppend(Coordinator))
	flush(more)
	flush(logs[1])
	must.OK(blank.tryAppend(Client))
	if n := fs.now.Load(); n != files {
		t.Errorf("%d files are open", n)
	}
}

// TestReadersSpareDescriptors: who has records to send already gets none from a file that would be open beside half of what
// may be; who has none gets them.
func TestReadersSpareDescriptors(t *testing.T) {
	const files = 4
	_, open := crowd(t, files+1, files)
	logs := open()
	for _, l := range logs {
		must.OK(l.tryAppend(Client))
		flush(l)
		l.active().CloseIdle()
	}
	read := func(i int, sparing bool) Slice {
		return must.Get(logs[i].Read(0, ReadOptions{MaxBytes: 1 << 20, Upper: 1, Sparing: sparing}))
	}
	first, second := read(0, true), read(1, true)
	if first.Len == 0 || second.Len == 0 {
		t.Fatal("nothing is read while there are descriptors")
	}
	third := read(2, true)
	if third.Len != 0 || third.Next != 0 {
		t.Fatalf("%d bytes from a file too many, on to %d", third.Len, third.Next)
	}
	again, needed := read(0, true), read(2, false)
	if again.Len == 0 || needed.Len == 0 {
		t.Fatal("nothing from an open file, or where something is needed")
	}
	for _, s := range []Slice{first, second, again, needed} {
		s.Release()
	}
	if s := read(3, true); s.Len == 0 {
		t.Error("nothing is read once the others are done")
	} else {
		s.Release()
	}
}

// TestRecoveredLogsHoldNothing: after a crash more logs are recovered than there are descriptors.
func TestRecoveredLogsHoldNothing(t *testing.T) {
	const logs, files = 20, 3
	fs, open := crowd(t, logs, files)
	for _, l := range open() {
		must.OK(l.tryAppend(Client))
		flush(l)
	}
	for i, l := range open() {
		if o := l.Offsets(); o.End != 1 || o.Durable != 1 {
			t.Errorf("log %d: %+v", i, o)
		}
	}
	if n := fs.now.Load(); n > 2*files { // of the life before and of this one
		t.Errorf("%d files are open", n)
	}
}
