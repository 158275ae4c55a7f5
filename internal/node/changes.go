package node

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
)

// What changes of brokers and leaders is told with its reason (architecture D12): of brokers by the active controller, of a partition by
// who leads it, or led it. What happens to many partitions of a topic for one reason is one line.

// changed takes note of a change of who leads a partition, or is in sync, that concerns this node.
func (w *news) changed(self kafka.NodeID, img *image.Image, name kafka.TopicPartition, c image.PartitionChange) {
	if c.Old == nil || c.New == nil || !w.n.o.Logger.Enabled(context.Background(), slog.LevelInfo) {
		return
	}
	was, is := c.Old, c.New
	switch {
	case is.LeaderEpoch != was.LeaderEpoch && is.Leader == self:
		w.note(leads, ledBefore(img, was, is), name, func(*partitions) {})
	case is.LeaderEpoch != was.LeaderEpoch && was.Leader == self && is.Leader == kafka.NoNode:
		w.note(leaderless, standing(img, self), name, func(*partitions) {})
	case is.Leader != self:
	case lacks(is.ISR(), was.ISR()):
		w.note(isrShrunk, list(is.ISR())+": "+leftBecause(img, was, is), name, func(*partitions) {})
	case lacks(was.ISR(), is.ISR()):
		w.note(isrGrown, list(is.ISR())+": "+list(missingIn(was.ISR(), is.ISR()))+" caught up", name, func(*partitions) {})
	}
}

// ledBefore tells why a partition has another leader, or the same in a newer epoch.
func ledBefore(img *image.Image, was, is *image.Partition) string {
	switch {
	case was.Leader == kafka.NoNode:
		return "nobody led it before"
	case was.Leader == is.Leader:
		return "its replicas or its last process are no more to be believed in the old epoch"
	}
	return "broker " + strconv.Itoa(int(was.Leader)) + " led it before, " + standing(img, was.Leader)
}

// standing says what became of a broker.
func standing(img *image.Image, id kafka.NodeID) string {
	switch b := img.Broker(id); {
	case b == nil:
		return "which is not registered any more"
	case b.ShuttingDown:
		return "which shuts down"
	case b.Fenced:
		return "which is fenced"
	}
	return "which goes on"
}

// leftBecause says why replicas are not in sync any more.
func leftBecause(img *image.Image, was, is *image.Partition) string {
	var out []string
	for _, id := range missingIn(is.ISR(), was.ISR()) {
		why := "has lagged for longer than replica.lag.time.max.ms"
		if b := img.Broker(id); b == nil || !b.Active() {
			why = strings.TrimPrefix(standing(img, id), "which ")
		} else if !slices.Contains(is.Replicas(), id) {
			why = "is no replica any more"
		}
		out = append(out, "broker "+strconv.Itoa(int(id))+" "+why)
	}
	return strings.Join(out, ", ")
}

// missingIn lists who of all is not in a list.
func missingIn(some, all []kafka.NodeID) (out []kafka.NodeID) {
	for _, id := range all {
		if !slices.Contains(some, id) {
			out = append(out, id)
		}
	}
	return out
}

func list(ids []kafka.NodeID) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = strconv.Itoa(int(id))
	}
	return strings.Join(out, ",")
}

// brokers tells, at the active controller, what becomes of brokers and what follows from it.
func (w *news) brokers(d image.Delta) {
	if !w.n.control.Active() || d.From.MetadataVersion() == 0 { // an image that was begun anew tells of what was told before
		return
	}
	out := w.n.log("kafka.controller")
	for c := range d.Brokers() {
		what := happened(c)
		if what == "" {
			continue
		}
		var facts []any
		if moved, none, left := follows(d, c); moved+none+left > 0 {
			facts = []any{"leadersMoved", moved, "leaderless", none, "leftISR", left}
		}
		out.Info(what, facts...)
	}
}

// happened says what became of a broker; nothing for what is of no account.
func happened(c image.BrokerChange) string {
	switch was, is := c.Old, c.New; {
	case is == nil:
		return fmt.Sprintf("Unregistered broker %d.", was.ID)
	case was == nil:
		return fmt.Sprintf("Registered broker %d at epoch %d.", is.ID, is.Epoch)
	case was.Epoch != is.Epoch:
		return fmt.Sprintf("Registered a new process of broker %d at epoch %d: what the last one led at epoch %d is led in newer epochs.", is.ID, is.Epoch, was.Epoch)
	case !was.Fenced && is.Fenced && is.ShuttingDown:
		return fmt.Sprintf("Fenced broker %d at epoch %d: it has handed over and may stop.", is.ID, is.Epoch)
	case !was.Fenced && is.Fenced:
		return fmt.Sprintf("Fenced broker %d at epoch %d: its process has ended, its session has timed out, or it asked for it.", is.ID, is.Epoch)
	case was.Fenced && !is.Fenced:
		return fmt.Sprintf("Unfenced broker %d at epoch %d: it has caught up.", is.ID, is.Epoch)
	case !was.ShuttingDown && is.ShuttingDown:
		return fmt.Sprintf("Broker %d at epoch %d wants to shut down.", is.ID, is.Epoch)
	}
	return ""
}

// follows counts what partitions a broker's change has moved.
func follows(d image.Delta, c image.BrokerChange) (moved, none, left int) {
	if c.Old == nil {
		return 0, 0, 0
	}
	id := c.Old.ID
	for t := range d.Topics() {
		for p := range t.Partitions() {
			if p.Old == nil || p.New == nil {
				continue
			}
			switch {
			case p.Old.Leader == id && p.New.Leader == kafka.NoNode:
				none++
			case p.Old.Leader == id && p.New.LeaderEpoch != p.Old.LeaderEpoch:
				moved++
			}
			if slices.Contains(p.Old.ISR(), id) && !slices.Contains(p.New.ISR(), id) {
				left++
			}
		}
	}
	return moved, none, left
}
