package controller

import (
	"iter"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/staterecord"
)

// history is the image at every position from the last committed one to the newest. Records gather in one Builder until
// somebody asks for an image; the records since the committed one are kept, so that any position between can be made
// again.
type history struct {
	committed *image.Image
	marks     []*image.Image // made since, oldest first
	applied   []applied      // every record after the committed image
	builder   *image.Builder // the newest mark and what was applied after it
	built     bool           // the newest mark has everything
}

type applied struct {
	offset kafka.Offset
	rec    staterecord.Record
}

func newHistory(img *image.Image) history {
	return history{committed: img, builder: img.Edit(), built: true}
}

func at(offset kafka.Offset) image.Position {
	return image.Position{Offset: offset, Epoch: kafka.NoLeaderEpoch}
}

// end returns the offset after the last record applied.
func (h *history) end() kafka.Offset {
	if n := len(h.applied); n > 0 {
		return h.applied[n-1].offset + 1
	}
	return h.committed.Offset() + 1
}

func (h *history) apply(offset kafka.Offset, rec staterecord.Record) {
	must.Hold(offset >= h.end(), "metadata record at %d applied after %d", offset, h.end()-1)
	must.OK(h.builder.Apply(rec))
	h.applied = append(h.applied, applied{offset, rec})
	h.built = false
}

// newest returns the image with everything applied.
func (h *history) newest() *image.Image {
	if !h.built {
		h.marks = append(h.marks, h.builder.Build(at(h.end()-1)))
		h.built = true
	}
	if n := len(h.marks); n > 0 {
		return h.marks[n-1]
	}
	return h.committed
}

// cut splits marks and records at an offset: those before it, and those at or after it.
func (h *history) cut(to kafka.Offset) (marks, records int) {
	for marks < len(h.marks) && h.marks[marks].Offset() < to {
		marks++
	}
	for records < len(h.applied) && h.applied[records].offset < to {
		records++
	}
	return marks, records
}

// before returns the image that holds every record below an offset.
func (h *history) before(to kafka.Offset) *image.Image {
	if to >= h.end() {
		return h.newest()
	}
	marks, records := h.cut(to)
	img := h.committed
	if marks > 0 {
		img = h.marks[marks-1]
	}
	if records == 0 || img.Offset() == h.applied[records-1].offset {
		return img
	}
	b := img.Edit()
	for _, a := range h.applied[:records] {
		if a.offset > img.Offset() {
			must.OK(b.Apply(a.rec))
		}
	}
	return b.Build(at(h.applied[records-1].offset))
}

// revert forgets every record at or above an offset.
func (h *history) revert(to kafka.Offset) {
	must.Hold(to > h.committed.Offset(), "revert to %d below the committed %d", to, h.committed.Offset())
	img := h.before(to)
	marks, records := h.cut(to)
	h.marks, h.applied = h.marks[:marks], h.applied[:records]
	if img != h.committed && (marks == 0 || h.marks[marks-1] != img) {
		h.marks = append(h.marks, img)
	}
	h.builder, h.built = img.Edit(), true
}

// commit makes every record below an offset final.
func (h *history) commit(to kafka.Offset) {
	img := h.before(to)
	marks, records := h.cut(to)
	h.committed = img
	h.marks = append([]*image.Image(nil), h.marks[marks:]...)
	h.applied = append([]applied(nil), h.applied[records:]...)
}

// restored returns the history that begins with a snapshot's records.
func restored(end kafka.Offset, records iter.Seq[staterecord.Record]) history {
	b := image.Empty().Edit()
	for r := range records {
		must.OK(b.Apply(r))
	}
	return newHistory(b.Build(at(end - 1)))
}
