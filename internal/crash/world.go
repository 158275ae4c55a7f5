package crash

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/epoch"
)

// root is where the log directory of every story is.
const root = "data"

// me is who opens it.
func me() log.Identity { return log.Identity{ClusterID: "cluster", NodeID: 1} }

// maybe is a fact that a crash may find either way while it changes.
type maybe uint8

const (
	no maybe = iota
	yes
	either
)

func (m maybe) is(b bool) bool { return m == either || (m == yes) == b }

// tenant is one log of the directory: how to open it, and what may be found. Several models mean that any of them may be,
// because a call that changes one into another is under way.
type tenant struct {
	partition kafka.TopicPartition
	topicID   kafka.TopicID
	config    log.Config
	models    []model
	there     maybe // the directory of that topic
	highs     []kafka.Offset
	cleaned   []kafka.Offset // what the cleaner's checkpoint may say; the last is the newest
	pointedAt kafka.Offset   // the recovery point is saved, and at least that
	pointable kafka.Offset   // the highest recovery point that the log would have saved
	sealed    *sealed
	swapping  bool              // compaction replaces files: none is what it was, or is yet to be
	kin       kin               // of such files
	whole     map[string][]byte // every file of its directory, after a clean end
	guest     guest
	open      bool
}

// world is what a log directory has promised.
type world struct {
	now     kafka.Instant
	meta    log.Meta
	format  maybe // meta.properties is there
	clean   maybe
	epoch   kafka.BrokerEpoch
	tenants []tenant
	pointed bool // the recovery point of every log is checkpointed where it may be: at what is durable
}

// Variants are the promise with the recovery points that the disk has, and with those that might have been saved.
func (w world) Variants() []Promise {
	pointed := w
	pointed.pointed = true
	return []Promise{w, pointed}
}

func (w world) clone() world {
	w.tenants = slices.Clone(w.tenants)
	for i := range w.tenants {
		w.tenants[i].models = slices.Clone(w.tenants[i].models)
		w.tenants[i].highs = slices.Clone(w.tenants[i].highs)
		w.tenants[i].cleaned = slices.Clone(w.tenants[i].cleaned)
	}
	return w
}

// Hold opens the directory and its logs as a starting node does, and holds them against the promise.
func (w world) Hold(m *disk.Mem) (string, error) {
	d, err := log.OpenDir(m, root, me())
	if err != nil {
		return "", fmt.Errorf("open directory: %w", err)
	}
	if len(d.Damaged) > 0 {
		return "", fmt.Errorf("damaged checkpoints: %w", errors.Join(d.Damaged...))
	}
	meta, formatted := d.Meta()
	if !w.format.is(formatted) || formatted && meta != w.meta {
		return "", fmt.Errorf("S7 meta.properties says %+v, %v", meta, formatted)
	}
	clean, last := d.Clean()
	if !w.clean.is(clean) || clean && last != w.epoch {
		return "", fmt.Errorf("S7 the directory counts as closed cleanly: %v, by epoch %d", clean, last)
	}
	if !formatted {
		return "unformatted", nil
	}
	if err := w.strangers(d); err != nil {
		return "", err
	}
	var state strings.Builder
	for _, t := range w.tenants {
		text, err := w.tenant(m, d, t)
		if err != nil {
			return "", fmt.Errorf("%s of topic %s: %w", t.partition, t.topicID, err)
		}
		fmt.Fprintln(&state, text)
	}
	return state.String(), nil
}

// Started is the promise without the marker of a clean end, which a start takes away.
func (w world) Started() Promise {
	if w.clean == yes {
		w.clean = either
	}
	return w
}

// strangers finds directories of logs that were deleted, or never were.
func (w world) strangers(d *log.Dir) error {
	dirs, err := d.Partitions()
	if err != nil {
		return err
	}
	for _, p := range dirs {
		if p.Kind == log.Deleted {
			return fmt.Errorf("S7 %s is still there after a start", p.Name)
		}
		id, known, err := d.TopicID(p)
		if err != nil {
			return err
		}
		if known && !slices.ContainsFunc(w.tenants, func(t tenant) bool { return t.partition == p.Partition && t.topicID == id && t.there != no }) {
			return fmt.Errorf("S7 %s of topic %s is back, though it was deleted", p.Name, id)
		}
	}
	return nil
}

// tenant opens one log. Of a log that is deleted only what the directory remembers is asked.
func (w world) tenant(disk *disk.Mem, d *log.Dir, t tenant) (string, error) {
	known := d.Checkpointed(t.partition)
	living := slices.ContainsFunc(w.tenants, func(o tenant) bool { return o.partition == t.partition && o.there != no })
	if t.there == no {
		if !living && known != (log.Checkpointed{}) {
			return "", fmt.Errorf("S7 the log is deleted, its checkpoints stay: %+v", known)
		}
		return "deleted", nil
	}
	id, there, err := d.TopicID(log.PartitionDir{Name: t.partition.String(), Partition: t.partition})
	if err != nil {
		return "", err
	}
	if t.there == either && (!there || id != t.topicID) {
		return "not there", nil
	}
	if !slices.Contains(t.highs, known.HighWatermark) {
		return "", fmt.Errorf("S7 the checkpointed high watermark is %d, not one of %v", known.HighWatermark, t.highs)
	}
	if !slices.Contains(t.cleaned, known.Cleaned) {
		return "", fmt.Errorf("C6 the log counts as compacted up to %d, not one of %v", known.Cleaned, t.cleaned)
	}
	o := d.Options(t.partition, t.config, w.now)
	o.TopicID = t.topicID
	if _, err := epoch.Open(o.FS, o.Path); err != nil {
		return "", fmt.Errorf("S7 a file that is replaced is never torn: %w", err)
	}
	if id == t.topicID && w.pointed && t.open {
		o.RecoveryPoint = max(o.RecoveryPoint, t.leastDurable())
	}
	if m := t.models[0]; t.there == yes && len(t.models) == 1 && m.durable > m.begin {
		if id != t.topicID {
			return "", fmt.Errorf("S7 the directory belongs to topic %s, %v", id, there)
		}
		if saved := known.RecoveryPoint; saved < min(t.pointedAt, m.durable) {
			return "", fmt.Errorf("S7 the recovery point %d was saved, the disk has %d", t.pointedAt, saved)
		}
		if clean, _ := d.Clean(); clean && t.open && known.RecoveryPoint < m.durable {
			return "", fmt.Errorf("S8 closed cleanly with %d durable, the recovery point is %d", m.durable, known.RecoveryPoint)
		}
		if err := t.sealed.check(o.FS, o.Path, o.RecoveryPoint, &m); err != nil {
			return "", err
		}
	}
	if w.clean == yes {
		if err := wholeDir(o.FS, o.Path, t.whole); err != nil {
			return "", err
		}
	}
	l, err := log.Open(o)
	if err != nil {
		return "", fmt.Errorf("open: %w", err)
	}
	if t.swapping {
		if err := t.kin.check(o.FS, o.Path, t.models[0].startMax, o.RecoveryPoint); err != nil {
			return "", err
		}
	}
	return w.recovered(disk, o, t, l)
}

// recovered holds a log that was opened against its models.
func (w world) recovered(disk *disk.Mem, o log.Options, t tenant, l *log.Log) (string, error) {
	var wrong error
	for _, m := range t.models {
		err := m.check(l)
		if err == nil && t.guest != nil {
			return w.visit(disk, o, t, l)
		}
		if err == nil {
			err = trueSeals(o.FS, o.Path)
		}
		if err == nil {
			return describe(l)
		}
		wrong = errors.Join(wrong, err)
	}
	return "", wrong
}

// leastDurable is the highest recovery point that might have been saved, whichever model it is. Before a log is emptied that
// goes back to 0.
func (t *tenant) leastDurable() kafka.Offset {
	durable := min(t.models[0].durable, t.pointable)
	for _, m := range t.models {
		if m.emptied {
			return 0
		}
		durable = min(durable, m.durable)
	}
	return durable
}

// visit has the guest of a log recover, which may change the log, and then go on, on a copy of the disk: the next recovery
// is to find what this one found.
func (w world) visit(disk *disk.Mem, o log.Options, t tenant, l *log.Log) (string, error) {
	found, err := t.guest.recover(o, l)
	if err != nil {
		return "", err
	}
	text, err := describe(l)
	if err != nil {
		return "", err
	}
	copied := disk.Copy()
	d, err := log.OpenDir(copied, root, me())
	if err != nil {
		return "", err
	}
	again := d.Options(t.partition, t.config, w.now)
	again.TopicID = t.topicID
	if l, err = log.Open(again); err != nil {
		return "", err
	}
	return text + " " + found, t.guest.goOn(again, l)
}
