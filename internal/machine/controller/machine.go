package controller

import (
	"iter"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// Reply is what a command is answered with; which type says the command.
type Reply any

// Options is what a machine is given.
type Options struct {
	Node              kafka.NodeID      // of this controller; its dynamic broker configs stand behind topic configs, as in Kafka
	DefaultPartitions int32             // num.partitions
	DefaultReplicas   int16             // default.replication.factor
	SessionTimeout    time.Duration     // broker.session.timeout.ms
	Rebalance         time.Duration     // leader.imbalance.check.interval.seconds, 0 without auto.leader.rebalance.enable
	Seed              uint64            // of what is left to chance
	Static            map[string]string // broker keys that were set at start
	Supported         []staterecord.FeatureRange
}

// Machine is the controller. It belongs to one caller at a time.
type Machine struct {
	o        Options
	history  history
	sessions sessions
	kraft    int16 // kraft.version, which stands in control records and not among the other features
}

// New returns a machine that has applied nothing.
func New(o Options) *Machine {
	return &Machine{o: o, kraft: 1, history: newHistory(image.Empty()), sessions: sessions{timeout: o.SessionTimeout, all: map[kafka.NodeID]*session{}, asked: map[kafka.NodeID]asking{}}}
}

// Lead begins a leadership, and with it everybody's session.
func (m *Machine) Lead(now kafka.Instant, next kafka.Offset) {
	m.sessions.renew(now, next, m.history.newest())
}

// Decide answers with the records of the change and the reply to give once they are committed. The first record will
// get the offset next.
func (m *Machine) Decide(now kafka.Instant, next kafka.Offset, cmd any) ([]staterecord.Record, any, error) {
	img := m.history.newest()
	d := &decision{o: &m.o, kraft: m.kraft, sessions: &m.sessions, img: img.Visible(), now: now, next: next}
	reply, err := d.decide(cmd, img.InTransaction())
	if err != nil {
		return nil, nil, err
	}
	return d.records, reply, nil
}

// Apply applies the next record of the log. A record that does not fit is a bug: everything in the log was decided.
func (m *Machine) Apply(offset kafka.Offset, rec staterecord.Record) {
	m.history.apply(offset, rec)
}

// Revert undoes every Apply at or above the offset.
func (m *Machine) Revert(to kafka.Offset) {
	m.history.revert(to)
}

// Commit makes every Apply below the offset final.
func (m *Machine) Commit(to kafka.Offset) { m.history.commit(to) }

// Due returns Bootstrap while the log has not begun, or an earlier controller has left a transaction open; one ExpireSessions for each
// session that is over; and BalanceLeaders when it is time and somebody leads who is not preferred.
func (m *Machine) Due(now kafka.Instant) []any {
	var due []any
	if img := m.history.newest(); img.MetadataVersion() == 0 || img.InTransaction() {
		due = append(due, Bootstrap{})
	}
	for range m.sessions.over(now) {
		due = append(due, ExpireSessions{})
	}
	if m.sessions.unbalanced(now, m.o.Rebalance) && m.history.newest().NotPreferredCount() > 0 {
		due = append(due, BalanceLeaders{})
	}
	return due
}

// Load makes the state of a snapshot that ends before the offset, and returns what puts it in the place of all state. It may be
// called beside other calls; what it returns may not.
func (m *Machine) Load(end kafka.Offset, records iter.Seq[staterecord.Record]) (put func()) {
	h := restored(end, records)
	return func() { m.history = h }
}

// Form tells the kraft.version of the cluster before anything is decided; a machine that is told none is of a cluster
// that we formed, which is at 1.
func (m *Machine) Form(kraftVersion int16) { m.kraft = kraftVersion }

// Level returns the metadata.version whose schemas the next records are written in, 0 before there is one.
func (m *Machine) Level() staterecord.MetadataVersion { return m.history.newest().MetadataVersion() }

// Snapshot returns the committed state as records, to be read whenever the caller likes.
func (m *Machine) Snapshot() iter.Seq[staterecord.Record] { return m.history.committed.Records() }

// Committed returns the committed image.
func (m *Machine) Committed() *image.Image { return m.history.committed }

// decision is one command being decided.
type decision struct {
	o        *Options
	kraft    int16
	sessions *sessions
	img      *image.Image
	now      kafka.Instant
	next     kafka.Offset
	records  []staterecord.Record
}

func (d *decision) add(records ...staterecord.Record) { d.records = append(d.records, records...) }

func (d *decision) decide(cmd any, inTransaction bool) (any, error) {
	switch c := cmd.(type) {
	case Bootstrap:
		bootstrap(d, inTransaction)
		return nil, nil
	case RegisterBroker:
		return registerBroker(d, c)
	case Heartbeat:
		return heartbeat(d, c)
	case UnregisterBroker:
		return nil, unregisterBroker(d, c)
	case BrokerDead:
		return nil, brokerDead(d, c)
	case ExpireSessions:
		expireSessions(d)
		return nil, nil
	case CreateTopics:
		return createTopics(d, c)
	case DeleteTopics:
		return deleteTopics(d, c)
	case CreatePartitions:
		return createPartitions(d, c)
	case AlterConfigs:
		return alterConfigs(d, c)
	case UpdateFeatures:
		return updateFeatures(d, c)
	case AlterPartition:
		return alterPartition(d, c)
	case AssignReplicas:
		return assignReplicas(d, c)
	case ElectLeaders:
		return electLeaders(d, c)
	case BalanceLeaders:
		balanceLeaders(d)
		return nil, nil
	case AlterReassignments:
		return alterReassignments(d, c)
	case RegisterController:
		return nil, registerController(d, c)
	case AllocateProducerIDs:
		return allocateProducerIDs(d, c)
	}
	return nil, fault.New("controller.Decide", kafka.ErrInvalidRequest, "the controller knows no command %T", cmd)
}

const op = "controller"
