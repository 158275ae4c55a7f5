package partition

import (
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// beginning is a file system whose files note what of the log was begun to be written.
type beginning struct {
	disk.FS
	ranges [][2]int64
}

func (b *beginning) Open(path string, flags disk.Flag) (disk.File, error) {
	f, err := b.FS.Open(path, flags)
	if err != nil || !strings.HasSuffix(path, ".log") {
		return f, err
	}
	return &beginningFile{f, b}, nil
}

type beginningFile struct {
	disk.File
	b *beginning
}

func (f *beginningFile) Begin(from, n int64) {
	if n > 0 { // all of a file is begun by a flush
		f.b.ranges = append(f.b.ranges, [2]int64{from, from + n})
	}
}

// TestWritingIsBegunEarly: under page-cache durability what gathers is written in pieces that follow each other, short of the
// page that the next append goes to, and what counts is what was stored; under sync every byte has somebody who waits for it.
func TestWritingIsBegunEarly(t *testing.T) {
	for _, c := range []struct {
		durability replica.Durability
		sent       record.Codec // of what the producer sends; the topic stores it plain
	}{{replica.Cached, record.None}, {replica.Cached, record.Zstd}, {replica.Synced, record.None}} {
		mem := disk.NewMem()
		r := newRig(t, mem, c.durability, 1, self)
		fs := &beginning{FS: mem}
		cfg := *r.p.cfg
		cfg.Log.Accept.Recompress, cfg.Log.Accept.Codec = true, record.None
		r.p = New(r.env, name, &cfg, 0, func(log.Config) (*log.Log, error) {
			return log.Open(log.Options{FS: fs, Path: "d/t-0", Partition: name, Config: cfg.Log, Now: r.w.Now()})
		})
		r.lead(1, self)
		if err := r.p.Open(); err != nil {
			t.Fatal(err)
		}
		size := int64(0)
		for range 20 {
			o := record.Plain()
			o.Codec = c.sent
			b := record.NewBuilder(o)
			b.Append(1000, nil, []byte(strings.Repeat("v", 700_000)))
			r.p.Append(Append{Batch: must.Get(b.Build()), Acks: 1, Epoch: kafka.NoLeaderEpoch}, func(a Appended) {
				must.OK(a.Err)
				size += int64(a.Bytes)
			})
			r.w.Run(time.Second)
		}
		if c.durability == replica.Synced {
			if len(fs.ranges) != 0 {
				t.Errorf("beside syncs writing is begun: %v", fs.ranges)
			}
			continue
		}
		at := int64(0)
		for _, g := range fs.ranges {
			if g[0] != at {
				t.Fatalf("pieces %v do not follow each other", fs.ranges)
			}
			at = g[1]
		}
		if at == 0 || size-at >= earlyBytes+earlyEdge || at > size || at%earlyEdge != 0 {
			t.Errorf("of %d bytes, sent as %v, %v are begun", size, c.sent, fs.ranges)
		}
	}
}
