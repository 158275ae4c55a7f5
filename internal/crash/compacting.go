package crash

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/clean"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/record"
)

// lowerCleaned allows the cleaner's checkpoint to go back, as a truncation takes it.
func (t *tenant) lowerCleaned(to kafka.Offset) {
	if was := t.cleaned[len(t.cleaned)-1]; was > to {
		t.cleaned = append(t.cleaned, to)
	}
}

// settleCleaned wants the newest.
func (t *tenant) settleCleaned() { t.cleaned = t.cleaned[len(t.cleaned)-1:] }

// begun begins a compaction of a log.
func begun(l *log.Log, t tenant, now kafka.Instant) (*log.Compaction, error) {
	return log.Compact(l, now, log.CompactOptions{
		Policy: t.config.Clean, Buffers: clean.Buffers{MapBytes: 1 << 12, MapLoad: 0.9, IOBytes: 1 << 10}, Writer: &sync.Mutex{},
		IndexInterval: t.config.Roll.IndexIntervalBytes, HighWatermark: l.Offsets().Durable,
	})
}

// Compact compacts the log. Which generations of it may be found on the way a rehearsal on a copy of the disk tells, whose
// every outcome is held against what a reader of the whole history knows; a generation that was followed by another, durably,
// does not come back (C6).
func (l *Log) Compact() error {
	h := l.host
	h.chapter("compact")
	l.tenant.kin = kin{}
	if err := l.tenant.kin.add(h.story.Mem, h.dir.PartitionPath(l.tenant.partition)); err != nil {
		return err
	}
	generations, upTo, err := l.rehearse()
	if err != nil {
		return fmt.Errorf("rehearsal: %w", err)
	}
	if generations == nil {
		return nil // nothing is dirty
	}
	c, err := begun(l.log, l.tenant, h.story.Now)
	if err != nil {
		return err
	}
	l.tenant.sealed, l.tenant.swapping = nil, true // the files of the compacted segments are new, even where every record stays
	for done := false; !done; {
		l.tenant.models = generations
		h.promise()
		if done, _, err = c.Step(1); err != nil {
			return errors.Join(err, c.End(false))
		}
		have, err := readAll(l.log, generations[0].start)
		if err != nil {
			return err
		}
		for !bytes.Equal(have, generations[0].from(generations[0].start)) {
			if generations = generations[1:]; len(generations) == 0 {
				return fmt.Errorf("%d bytes that the rehearsal had not", len(have))
			}
		}
	}
	if len(generations) != 1 {
		return fmt.Errorf("%d generations of the rehearsal did not come", len(generations)-1)
	}
	l.tenant.models, l.tenant.swapping = generations, false
	l.tenant.cleaned = append(l.tenant.cleaned, upTo)
	h.promise()
	if err := c.End(true); err != nil {
		return err
	}
	l.tenant.settleCleaned()
	h.promise()
	return nil
}

// rehearse compacts a copy, and returns what the log was before and after each swap, and how far it is clean then.
func (l *Log) rehearse() ([]model, kafka.Offset, error) {
	s := l.host.story
	r := s.journal.Replay()
	r.To(s.journal.Len(), nil)
	d, err := log.OpenDir(r.Mem(), root, me())
	if err != nil {
		return nil, 0, err
	}
	o := d.Options(l.tenant.partition, l.tenant.config, s.Now)
	o.TopicID = l.tenant.topicID
	copied, err := log.Open(o)
	if err != nil {
		return nil, 0, err
	}
	c, err := begun(copied, l.tenant, s.Now)
	if err != nil || c == nil {
		return nil, 0, err
	}
	out := []model{*l.model()}
	if out[0].lived == nil {
		out[0].lived = out[0].batches
	}
	for done := false; !done; {
		if done, _, err = c.Step(1); err != nil {
			return nil, 0, err
		}
		next := out[len(out)-1]
		data, err := readAll(copied, next.start)
		if err != nil {
			return nil, 0, err
		}
		if bytes.Equal(data, next.from(next.start)) {
			continue
		}
		if next.batches, err = batchesOf(data); err != nil {
			return nil, 0, err
		}
		if err := next.keepsTheLast(s.Now.WallMs, l.tenant.config.Clean.DeleteRetentionMs, math.MaxInt64); err != nil {
			return nil, 0, err
		}
		out = append(out, next)
	}
	if err := c.End(true); err != nil {
		return nil, 0, err
	}
	if err := l.tenant.kin.add(o.FS, o.Path); err != nil {
		return nil, 0, err
	}
	return out, d.Checkpointed(l.tenant.partition).Cleaned, nil
}

func batchesOf(data []byte) (out []record.Batch, err error) {
	for len(data) > 0 {
		var b record.Batch
		if b, data, err = record.Next(data); err != nil {
			return nil, err
		}
		out = append(out, slices.Clone(b))
	}
	return out, nil
}

// CrashInSwap makes of a story one whose process was killed in its last compaction, right after an output was durably named
// .swap: the next start has to go on with it.
func (l *Log) CrashInSwap() error {
	s := l.host.story
	all := s.journal.Events(0, s.journal.Len())
	named := slices.IndexFunc(all, func(e disk.Event) bool {
		return e.Op == disk.OpRename && strings.HasSuffix(e.To, segment.LogSuffix+segment.SwapSuffix)
	})
	if named < 0 {
		return errors.New("no output was named .swap")
	}
	at := named + slices.IndexFunc(all[named:], func(e disk.Event) bool { return e.Op == disk.OpSyncDir }) + 1
	for _, p := range s.promises {
		if p.from < at {
			for i, t := range p.keep.(world).tenants {
				l.host.logs[i].tenant.models, l.host.logs[i].tenant.cleaned = t.models, t.cleaned
			}
		}
	}
	r := s.journal.Replay()
	r.To(at, nil)
	l.tenant.swapping = true
	err := l.host.restart(r.Mem())
	l.tenant.swapping = false
	l.host.promise()
	return err
}
