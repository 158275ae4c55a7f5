package broker

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Cluster is several nodes of one system on this machine. Nodes are numbered from 1.
type Cluster struct {
	system  string
	nodes   []Broker
	brokers []Broker // those of them that serve clients
	control []int
}

// member says which node of a cluster a Broker is.
type member struct {
	id      int
	roles   string
	port    int   // of clients and of other brokers
	control []int // the controllers' ports, by id from 1
	brokers int   // how many there are
	turn    *turn // one for all nodes of a cluster
}

// The values of process.roles.
const (
	both       = "broker,controller"
	brokers    = "broker"
	controller = "controller"
)

// at is where clients of a node connect, of a controller its only listener.
func (m *member) at() string {
	if m.roles == controller {
		return m.controlAt()
	}
	return fmt.Sprintf("127.0.0.1:%d", m.port)
}

func (m *member) controlAt() string { return fmt.Sprintf("127.0.0.1:%d", m.control[m.id-1]) }

// listeners are those of its roles.
func (m *member) listeners() string {
	switch m.roles {
	case brokers:
		return "PLAINTEXT://" + m.at()
	case controller:
		return "CONTROLLER://" + m.at()
	}
	return "PLAINTEXT://" + m.at() + ",CONTROLLER://" + m.controlAt()
}

// alone is the only node of its cluster.
func alone() (*member, error) {
	m := &member{id: 1, roles: both, control: make([]int, 1), brokers: 1, turn: &turn{}}
	var err error
	if m.port, err = FreePort(); err != nil {
		return nil, err
	}
	m.control[0], err = FreePort()
	return m, err
}

// voter is who votes as KRaft writes it: with the id of its directory when the quorum is formed by whoever formats.
func (m *member) voter(id int, directory bool) string {
	at := fmt.Sprintf("%d@127.0.0.1:%d", id, m.control[id-1])
	if directory {
		at += ":" + directoryID(id)
	}
	return at
}

func (m *member) voters(directories bool) string {
	all := make([]string, len(m.control))
	for i := range all {
		all[i] = m.voter(i+1, directories)
	}
	return strings.Join(all, ",")
}

// servers is where controllers are, without their ids.
func (m *member) servers() string {
	all := make([]string, len(m.control))
	for i, port := range m.control {
		all[i] = fmt.Sprintf("127.0.0.1:%d", port)
	}
	return strings.Join(all, ",")
}

func directoryID(id int) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "milena-cluster-%d", id%10))
}

// clusterDefaults are what a cluster is started with on top of Defaults: internal topics on three nodes, and Kafka's own
// times, since what is measured or compared is how a cluster notices that a node is gone.
func clusterDefaults(nodes int) map[string]string {
	factor := fmt.Sprint(min(nodes, 3))
	return map[string]string{
		"default.replication.factor":                       factor,
		"offsets.topic.replication.factor":                 factor,
		"transaction.state.log.replication.factor":         factor,
		"share.coordinator.state.topic.replication.factor": factor,
		"broker.session.timeout.ms":                        "9000",
		"broker.heartbeat.interval.ms":                     "2000",
	}
}

// NewCluster makes a cluster of the system named, of nodes that are brokers and controllers. It starts nothing. Of each node is, on top of
// o.Overrides, what each tells of it; nil tells nothing.
func NewCluster(system string, nodes int, o Options, each func(id int) map[string]string) (*Cluster, error) {
	return newCluster(system, slices.Repeat([]string{both}, nodes), o, each)
}

// NewApart makes one of so many controllers, whose ids come first, and so many brokers.
func NewApart(system string, nodes int, o Options) (*Cluster, error) {
	return newCluster(system, append(slices.Repeat([]string{controller}, nodes), slices.Repeat([]string{brokers}, nodes)...), o, nil)
}

func newCluster(system string, roles []string, o Options, each func(id int) map[string]string) (*Cluster, error) {
	c := &Cluster{system: system}
	ports, err := steadyPorts(2 * len(roles))
	if err != nil {
		return nil, err
	}
	serving := 0
	for i, role := range roles {
		if role != brokers {
			c.control = append(c.control, ports[len(roles)+i])
		}
		if role != controller {
			serving++
		}
	}
	shared := &turn{}
	for i, role := range roles {
		id, one := i+1, o
		one.Dir = filepath.Join(o.Dir, fmt.Sprintf("node%d", id))
		one.Overrides = clusterDefaults(serving)
		maps.Copy(one.Overrides, o.Overrides)
		one.Overrides["node.id"] = fmt.Sprint(id)
		if each != nil {
			maps.Copy(one.Overrides, each(id))
		}
		one.member = &member{id: id, roles: role, port: ports[i], control: c.control, brokers: serving, turn: shared}
		n, err := New(system, one)
		if err != nil {
			return nil, err
		}
		c.nodes = append(c.nodes, n)
		if role != controller {
			c.brokers = append(c.brokers, n)
		}
	}
	return c, nil
}

// Name says which system this is.
func (c *Cluster) Name() string { return c.system }

// Nodes are all nodes, the one with id 1 first.
func (c *Cluster) Nodes() []Broker { return c.nodes }

// Node is the one with that id.
func (c *Cluster) Node(id int32) Broker { return c.nodes[id-1] }

// Brokers are the nodes that serve clients.
func (c *Cluster) Brokers() []Broker { return c.brokers }

// Bootstrap is every broker's client listener.
func (c *Cluster) Bootstrap() []string {
	all := make([]string, len(c.brokers))
	for i, n := range c.brokers {
		all[i] = n.Bootstrap()
	}
	return all
}

// Controllers is every controller's listener of controllers.
func (c *Cluster) Controllers() []string {
	all := make([]string, len(c.control))
	for i, port := range c.control {
		all[i] = fmt.Sprintf("127.0.0.1:%d", port)
	}
	return all
}

// Start starts all nodes at once and returns when each of them shows all.
func (c *Cluster) Start(ctx context.Context) error {
	return c.all(func(n Broker) error { return n.Start(ctx) })
}

// Stop stops all nodes cleanly, at once.
func (c *Cluster) Stop() error { return c.all(Broker.Stop) }

// Kill9 kills whoever runs.
func (c *Cluster) Kill9() error { return c.all(Broker.Kill9) }

func (c *Cluster) all(f func(Broker) error) error {
	errs := make([]error, len(c.nodes))
	var wg sync.WaitGroup
	for i, n := range c.nodes {
		wg.Go(func() { errs[i] = f(n) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
