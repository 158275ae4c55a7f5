package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/milena-io/milena/internal/kafka"
)

// settings is a node's configuration: what the cluster needs, and times and sizes that the seed draws, most of them far
// shorter than anybody's.
func (r *run) settings(id kafka.NodeID) map[string]string {
	s := &r.plan.Swarm
	dice := rand.New(rand.NewPCG(s.Seed, 7)) // the same for every node, and every time
	var listed []string
	for _, m := range r.machines {
		if !m.controls() {
			break
		}
		listed = append(listed, fmt.Sprintf("%d@%s:%s", m.id, m.host(), controllers))
	}
	of := func(choices ...int) string { return fmt.Sprint(choices[dice.IntN(len(choices))]) }
	beat := 200 + dice.IntN(800)
	m := r.at(id)
	var roles, listeners []string
	for _, role := range m.roles() {
		roles, listeners = append(roles, role.name), append(listeners, role.listener+"://"+m.host()+":"+role.port)
	}
	return map[string]string{
		"node.id": fmt.Sprint(id), "process.roles": strings.Join(roles, ","), "log.dirs": strings.Join(r.dirs(), ","), "controller.listener.names": "CONTROLLER",
		"listeners":                      strings.Join(listeners, ","),
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"controller.quorum.voters":       strings.Join(listed, ","),

		"broker.heartbeat.interval.ms": fmt.Sprint(beat), "broker.session.timeout.ms": fmt.Sprint(beat * (2 + dice.IntN(5))),
		"controller.quorum.election.timeout.ms":           of(500, 1000), // below that heartbeats are most of a run
		"metadata.log.max.record.bytes.between.snapshots": of(2000, 8000, 20<<20),
		"metadata.log.segment.bytes":                      of(2000, 8<<20),
		"replica.lag.time.max.ms":                         of(500, 1500, 5000),
		"replica.fetch.wait.max.ms":                       of(50, 200, 500),
		"replica.fetch.max.bytes":                         of(2000, 1<<20),
		"replica.fetch.backoff.ms":                        of(50, 1000),
		"replica.socket.timeout.ms":                       of(2000, 30000),
		"replica.high.watermark.checkpoint.interval.ms":   of(300, 2000),
		"log.flush.offset.checkpoint.interval.ms":         of(300, 2000),
		"log.retention.check.interval.ms":                 of(700, 300000),
		"log.segment.bytes":                               fmt.Sprint(max(s.SegmentBytes, 1024)),
		"min.insync.replicas":                             fmt.Sprint(s.MinISR),
		"milena.durability":                               map[bool]string{true: "cache", false: "sync"}[s.Cached],
		"offsets.topic.num.partitions":                    of(1, 3),
		"offsets.topic.replication.factor":                "3",
		"offsets.topic.segment.bytes":                     of(1<<20, 100<<20),
		"group.initial.rebalance.delay.ms":                of(0, 100, 500),
		"group.min.session.timeout.ms":                    "100",
		"log.message.timestamp.after.max.ms":              "172800000", // the clocks of nodes are an hour apart
		"auto.create.topics.enable":                       "false",
		"leader.imbalance.check.interval.seconds":         of(1, 5, 300),
		"milena.flush.stall.ms":                           of(200, 1000, 5000),
	}
}

// role is what a node is, and the door by which it is asked for that.
type role struct{ name, listener, port string }

// controls reports whether the machine's node is a controller, and serves whether it is a broker.
func (m *machine) controls() bool { return !m.r.apart() || m.id <= voters }
func (m *machine) serves() bool   { return !m.r.apart() || m.id > voters }

func (m *machine) roles() (out []role) {
	if m.serves() {
		out = append(out, role{"broker", "PLAINTEXT", clients})
	}
	if m.controls() {
		out = append(out, role{"controller", "CONTROLLER", controllers})
	}
	return out
}

// A machine's log directories; the metadata log is in the first.
const (
	firstDir  = "data"
	secondDir = "more"
)

// dirs are the log directories of every node.
func (r *run) dirs() []string {
	if r.plan.Swarm.Variety.Dirs {
		return []string{firstDir, secondDir}
	}
	return []string{firstDir}
}
