package inspect

import (
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/log/segment"
)

func verify(t testing.TB, fsys disk.FS, name string) Report {
	t.Helper()
	r, err := Verify(fsys, name, VerifyOptions{Records: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestKafkasDirectoriesAreWhole finds nothing wrong with what a real broker wrote, but for the one that was torn.
func TestKafkasDirectoriesAreWhole(t *testing.T) {
	for _, name := range everyArchive {
		m, _ := unpack(t, name)
		r := verify(t, m, "/data")
		want := 0
		if name == "node-torn" {
			want = 1
		}
		if len(r.Problems) != want {
			t.Errorf("%s: %d problems, want %d: %+v", name, len(r.Problems), want, r.Problems)
		}
		if r.Partitions == 0 || r.Segments == 0 || r.Batches == 0 || r.Records < r.Batches || r.Bytes == 0 {
			t.Errorf("%s: %+v", name, r)
		}
		if want == 1 && len(r.Problems) == 1 {
			p := r.Problems[0]
			if !strings.Contains(p.Message, "torn write") || !strings.Contains(p.File, "work-1/") || p.Position < 0 {
				t.Errorf("the torn batch is told as %+v", p)
			}
		}
	}
}

const log0, log6 = "/data/txn-0/00000000000000000000.log", "/data/txn-0/00000000000000000006.log"

// damages are single injuries to the directory of the archive `transactions`, and what must be said of each.
var damages = []struct {
	name string
	file string
	hurt func([]byte) []byte
	at   int64 // position that the first problem names
	says string
}{
	{"a flipped bit in a record", log6, flip(78 + 70), 78, "CRC mismatch"},
	{"a flipped bit in a base offset", log6, flip(163 + 6), 241, "begins at offset"},
	{"a higher base offset", log0, set(7, 5), 0, "the next segment begins at 6"},
	{"a lying length", log6, set(163+8, 0x7f), 163, "whole batches follow"},
	{"an unknown magic", log6, set(78+16, 1), 78, "magic 1"},
	{"an older leader epoch", log6, set(241+15, 0xff), 326, "leader epoch 0 after 255"},
	{"a cut sealed segment", log0, cut(100), 93, "the last 7 bytes cannot be read"},
	{"a torn tail", log6, cutTail(3), 0, "torn write"},
	{"an index entry inside a batch", "/data/txn-0/00000000000000000006.index", replace(0, 0, 0, 2, 0, 0, 0, 79), 0, "where no batch begins"},
	{"an index entry past the end", "/data/txn-0/00000000000000000006.index", replace(0, 0, 0, 50, 0, 0x7f, 0, 0), 0, "of a log of"},
	{"half an index entry", "/data/txn-0/00000000000000000006.index", replace(1, 2, 3), 0, "after the last whole entry"},
	{"an index of a sealed segment gone", "/data/txn-0/00000000000000000000.index", nil, -1, "is missing"},
	{"a wrong timestamp", "/data/txn-0/00000000000000000000.timeindex", flip(3), 0, "the batch with offset"},
	{"a wrong offset of a timestamp", "/data/txn-0/00000000000000000000.timeindex", set(10, 9), 0, "of a log that ends at"},
	{"an aborted transaction that was none", "/data/txn-0/00000000000000000006.txnindex", set(9, 99), 0, "producer 99"},
	{"a broken transaction index", "/data/txn-0/00000000000000000006.txnindex", cutTail(1), -1, "no multiple"},
	{"a broken producer snapshot", "/data/txn-0/00000000000000000034.snapshot", flip(20), -1, "checksum"},
	{"epochs that fall", "/data/txn-0/leader-epoch-checkpoint", replace([]byte("0\n2\n3 0\n2 10\n")...), -1, "follows epoch"},
	{"an epoch that no batch has", "/data/txn-0/leader-epoch-checkpoint", replace([]byte("0\n2\n0 0\n4 1000\n")...), -1, "past the log's end"},
	{"a topic id that is none", "/data/txn-0/partition.metadata", replace([]byte("version: 0\n")...), -1, "no topic id"},
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte { b[at] ^= 1; return b }
}

func set(at int, to byte) func([]byte) []byte {
	return func(b []byte) []byte { b[at] = to; return b }
}

func cut(to int) func([]byte) []byte { return func(b []byte) []byte { return b[:to] } }

func cutTail(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }

func replace(with ...byte) func([]byte) []byte { return func([]byte) []byte { return with } }

func TestEveryDamageIsFound(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			m, _ := unpack(t, "transactions")
			if d.hurt == nil {
				if err := m.Remove(d.file); err != nil {
					t.Fatal(err)
				}
			} else {
				write(t, m, d.file, d.hurt(append([]byte(nil), read(t, m, d.file)...)))
			}
			r := verify(t, m, "/data/txn-0")
			for _, p := range r.Problems {
				if p.File == d.file && strings.Contains(p.Message, d.says) && (p.Position == d.at || d.says == "torn write" && p.Position > 0) {
					return
				}
			}
			t.Errorf("not found: %+v", r.Problems)
		})
	}
}

func TestCheckpointsOfADirectory(t *testing.T) {
	m, _ := unpack(t, "node-clean")
	write(t, m, "/data/recovery-point-offset-checkpoint", []byte("0\n1\nwork 0 99\n"))
	write(t, m, "/data/log-start-offset-checkpoint", []byte("0\n2\nwork 0 99\n"))
	write(t, m, "/data/meta.properties", []byte("version=7\n"))
	r := verify(t, m, "/data")
	if len(r.Problems) != 3 {
		t.Errorf("%+v", r.Problems)
	}
}

func TestMetadataRecordsAreDecoded(t *testing.T) {
	m, _ := unpack(t, "metadata")
	const name = "/data/__cluster_metadata-0/00000000000000000093-0000000001.checkpoint"
	data := read(t, m, name)
	write(t, m, name, data[:len(data)-75]) // the footer's batch
	r := verify(t, m, "/data/__cluster_metadata-0")
	if len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Message, "not finished") {
		t.Errorf("%+v", r.Problems)
	}
}

func TestOneSegment(t *testing.T) {
	m, _ := unpack(t, "transactions")
	if r := verify(t, m, log6); len(r.Problems) != 0 || r.Segments != 1 {
		t.Errorf("%+v", r)
	}
	if _, err := Verify(m, "/data/txn-0/partition.metadata", VerifyOptions{}); err == nil {
		t.Error("a file that is no log was verified")
	}
	if _, err := Verify(m, "/", VerifyOptions{}); err == nil {
		t.Error("a directory without a log was verified")
	}
	if _, err := Verify(m, "/nowhere", VerifyOptions{}); err == nil {
		t.Error("a path that is not there was verified")
	}
}

func TestProblemsOfAFileAreBounded(t *testing.T) {
	m, _ := unpack(t, "transactions")
	write(t, m, "/data/txn-0/00000000000000000000.index", make([]byte, 64<<10))
	if r := verify(t, m, "/data"); len(r.Problems) != maxProblems {
		t.Errorf("%d problems of one file are told", len(r.Problems))
	}
}

func TestProgress(t *testing.T) {
	m, _ := unpack(t, "node-clean")
	var last, total int64
	_, err := Verify(m, "/data", VerifyOptions{Progress: func(done, of int64) {
		if done < last {
			t.Errorf("progress goes back from %d to %d", last, done)
		}
		last, total = done, of
	}})
	if err != nil || last == 0 || last != total {
		t.Errorf("%d of %d, %v", last, total, err)
	}
}

// FuzzVerify holds any bytes in any file against Verify, List and Dump: they end, and none writes.
func FuzzVerify(f *testing.F) {
	files := []string{
		log6, "/data/txn-0/00000000000000000006.index", "/data/txn-0/00000000000000000006.timeindex",
		"/data/txn-0/00000000000000000006.txnindex", "/data/txn-0/00000000000000000034.snapshot",
		"/data/txn-0/leader-epoch-checkpoint", "/data/txn-0/partition.metadata", "/data/meta.properties",
		"/data/__cluster_metadata-0/quorum-state", "/data/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint",
		"/data/__cluster_metadata-0/00000000000000000000.log", "/data/__consumer_offsets-0/00000000000000000000.log",
		"/data/recovery-point-offset-checkpoint", "/data/txn-0/00000000000000000034" + segment.HistorySuffix,
	}
	for _, archive := range []string{"transactions", "metadata", "node-clean", "groups"} {
		m, _ := unpack(f, archive)
		for i, name := range files {
			if data := read(f, m, name); data != nil {
				f.Add(uint8(i), data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		m, _ := unpack(t, "transactions")
		write(t, m, files[int(which)%len(files)], data)
		if _, err := Verify(m, "/data", VerifyOptions{Records: true}); err != nil {
			t.Fatal(err)
		}
		if _, err := List(m, "/data", nil); err != nil {
			t.Fatal(err)
		}
		if err := Dump(m, "/data", DumpOptions{Records: true}, func(e Entry) error { _ = e.Text(); return nil }); err != nil {
			t.Fatal(err)
		}
	})
}
