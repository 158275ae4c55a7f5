package milena

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/milena-io/milena/internal/disk"
)

// ClusterConfig says which cluster to start. The zero value is three nodes in memory on free ports of the loopback interface.
type ClusterConfig struct {
	// Nodes is how many there are, 1, 3 or 5; each is broker and controller, and their ids are 1, 2 and so on. 0 is 3.
	Nodes int
	// Dir holds a directory for each node, node1 and so on. Empty keeps everything in memory; a node that is killed and started
	// again finds what it had, and Close forgets it.
	Dir string
	// Addrs are where clients connect, one host:port for each node; port 0 takes a free one. Empty is 127.0.0.1:0 for each.
	Addrs []string
	// Settings are keys of every broker by Kafka's names. Where they don't say otherwise a topic has a replica on each of three
	// nodes, and min.insync.replicas is 2 where there are three nodes.
	Settings map[string]string
	// Racks are the broker.rack of each node; empty for none.
	Racks []string
	// Logger makes the log of a node; nil drops them all.
	Logger func(node int) *slog.Logger
}

// Cluster is nodes of one cluster in this process. Its methods are safe for concurrent use.
type Cluster struct {
	config ClusterConfig
	nodes  []*member
}

// member is one node of a Cluster, running or not.
type member struct {
	id       int
	files    disk.FS
	settings map[string]string
	addr     string // of clients
	control  string // of controllers

	mu     sync.Mutex
	held   map[string]net.Listener // ports taken before the first start, by address
	broker *Broker                 // nil while it is down
}

// StartCluster starts every node and returns when all of them serve clients, or why they do not.
func StartCluster(ctx context.Context, c ClusterConfig) (*Cluster, error) {
	if c.Nodes == 0 {
		c.Nodes = max(3, len(c.Addrs))
	}
	switch {
	case c.Nodes != 1 && c.Nodes != 3 && c.Nodes != 5:
		return nil, fmt.Errorf("milena: ClusterConfig.Nodes is %d: a quorum has 1, 3 or 5 nodes", c.Nodes)
	case len(c.Racks) != 0 && len(c.Racks) != c.Nodes:
		return nil, fmt.Errorf("milena: ClusterConfig.Racks has %d racks for %d nodes", len(c.Racks), c.Nodes)
	case len(c.Addrs) != 0 && len(c.Addrs) != c.Nodes:
		return nil, fmt.Errorf("milena: ClusterConfig.Addrs has %d addresses for %d nodes", len(c.Addrs), c.Nodes)
	}
	cluster := &Cluster{config: c}
	if err := cluster.seat(); err != nil {
		cluster.release()
		return nil, err
	}
	errs := cluster.each(func(m *member) error { return m.start(ctx, &c) })
	if errs != nil {
		return nil, errors.Join(errs, cluster.Close())
	}
	return cluster, nil
}

// seat takes the ports, which every node has to know of all the others, and lays out each node.
func (c *Cluster) seat() error {
	controllers, err := c.controllers()
	if err != nil {
		return err
	}
	var voters []string
	for id := 1; id <= c.config.Nodes; id++ {
		m := &member{id: id, files: disk.NewMem(), held: map[string]net.Listener{}}
		if c.config.Dir != "" {
			m.files = disk.NewOS()
		}
		c.nodes = append(c.nodes, m)
		at := "127.0.0.1:0"
		if len(c.config.Addrs) > 0 {
			at = c.config.Addrs[id-1]
		}
		for addr, want := range map[*string]string{&m.addr: at, &m.control: controllers[id-1]} {
			l, err := net.Listen("tcp", want)
			if err != nil {
				return fmt.Errorf("milena: node %d cannot bind %s: %w", id, want, err)
			}
			*addr = l.Addr().String()
			m.held[*addr] = l
		}
		voters = append(voters, strconv.Itoa(id)+"@"+m.control)
	}
	for _, m := range c.nodes {
		m.settings = c.settings(m, voters)
	}
	return c.note(voters)
}

// settings are the keys of one node.
func (c *Cluster) settings(m *member, voters []string) map[string]string {
	set := map[string]string{
		"node.id": strconv.Itoa(m.id), "controller.quorum.voters": strings.Join(voters, ","),
		"listeners":                      listenerName + "://" + m.addr + ",CONTROLLER://" + m.control,
		"listener.security.protocol.map": listenerName + ":PLAINTEXT,CONTROLLER:PLAINTEXT",
		"default.replication.factor":     strconv.Itoa(min(3, c.config.Nodes)),
		"min.insync.replicas":            strconv.Itoa(min(2, c.config.Nodes)),
	}
	if len(c.config.Racks) > 0 {
		set["broker.rack"] = c.config.Racks[m.id-1]
	}
	maps.Copy(set, c.config.Settings)
	return set
}

// start starts a node that is down.
func (m *member) start(ctx context.Context, c *ClusterConfig) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broker != nil {
		return fmt.Errorf("milena: node %d runs", m.id)
	}
	one := Config{Settings: m.settings}
	if c.Dir != "" {
		one.Dir = filepath.Join(c.Dir, "node"+strconv.Itoa(m.id))
	}
	static, err := one.static()
	if err != nil {
		return err
	}
	p := process{values: static, files: m.files, listen: m.listen}
	if c.Logger != nil {
		p.logger = c.Logger(m.id)
	}
	if m.broker, err = begin(ctx, p); err != nil {
		m.broker = nil
		return fmt.Errorf("node %d: %w", m.id, err)
	}
	return nil
}

// listen hands out the ports that were taken, and takes them again when the node starts again. Called with the mutex held.
func (m *member) listen(network, addr string) (net.Listener, error) {
	if l := m.held[addr]; l != nil {
		delete(m.held, addr)
		return l, nil
	}
	return net.Listen(network, addr)
}

// end ends a node in one way or another.
func (m *member) end(how func(*Broker) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broker == nil {
		return fmt.Errorf("milena: node %d is down", m.id)
	}
	b := m.broker
	m.broker = nil
	if err := how(b); err != nil {
		return fmt.Errorf("node %d: %w", m.id, err)
	}
	return nil
}

// each does something with every node at once.
func (c *Cluster) each(do func(*member) error) error {
	errs := make([]error, len(c.nodes))
	var all sync.WaitGroup
	for i, m := range c.nodes {
		all.Go(func() { errs[i] = do(m) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// of is a node by its id.
func (c *Cluster) of(id int) (*member, error) {
	if i := slices.IndexFunc(c.nodes, func(m *member) bool { return m.id == id }); i >= 0 {
		return c.nodes[i], nil
	}
	return nil, fmt.Errorf("milena: there is no node %d among %d", id, len(c.nodes))
}

// BootstrapServers lists where clients connect, in the form of Kafka's bootstrap.servers; also the nodes that are down.
func (c *Cluster) BootstrapServers() string {
	addrs := make([]string, len(c.nodes))
	for i, m := range c.nodes {
		addrs[i] = m.addr
	}
	return strings.Join(addrs, ",")
}

// Broker returns a running node by its id, nil while it is down.
func (c *Cluster) Broker(id int) *Broker {
	m, err := c.of(id)
	if err != nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.broker
}

// Kill ends a node as kill -9 ends a process.
func (c *Cluster) Kill(id int) error {
	m, err := c.of(id)
	if err != nil {
		return err
	}
	return m.end(func(b *Broker) error { b.Kill(); return nil })
}

// Stop stops a node cleanly: others lead before it goes.
func (c *Cluster) Stop(id int) error {
	m, err := c.of(id)
	if err != nil {
		return err
	}
	return m.end((*Broker).Close)
}

// Start starts a node again that was killed or stopped, with what it had, and returns when it serves clients.
func (c *Cluster) Start(ctx context.Context, id int) error {
	m, err := c.of(id)
	if err != nil {
		return err
	}
	return m.start(ctx, &c.config)
}

// Close ends every node: cleanly where there are directories, so that the next start finds them closed.
func (c *Cluster) Close() error {
	err := c.each(func(m *member) error {
		m.mu.Lock()
		b := m.broker
		m.broker = nil
		m.mu.Unlock()
		switch {
		case b == nil:
			return nil
		case c.config.Dir == "": // nobody will ask for what it had
			b.Kill()
			return nil
		}
		return b.Close()
	})
	c.release()
	return err
}

// release gives ports back that no node took.
func (c *Cluster) release() {
	for _, m := range c.nodes {
		m.mu.Lock()
		for _, l := range m.held {
			_ = l.Close()
		}
		m.held = nil
		m.mu.Unlock()
	}
}
