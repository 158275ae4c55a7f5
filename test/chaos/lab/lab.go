// Package lab is a cluster on one machine whose nodes can be hurt as real ones are: each is a process with a network namespace and an
// ext4 file system of its own.
//
// The chaos run calls it. It knows processes, wires and disks, and nothing of what is written. Whatever it makes outside its directory
// carries the number of its slot in its name; the next lab takes away what one that was killed left behind.
package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/milena-io/milena/test/compat/volume"
)

// Options say what a lab is made of.
type Options struct {
	Dir         string // everything of the run; made when missing
	Images      string // folder of the disks' images; made when missing, and removed
	Binary      string // milena's
	Roles       []Role // of the nodes, the first with id 1
	VolumeBytes int64
	Overrides   map[string]string // server.properties of all nodes
	Nice        int               // of the nodes' processes
}

// Role is process.roles of a node.
type Role string

// The roles.
const (
	Both       Role = "broker,controller"
	Broker     Role = "broker"
	Controller Role = "controller"
)

// Lab is a cluster that is under way.
type Lab struct {
	*network
	Nodes []*Node
	slot  *slot
}

// Missing says what this machine lacks, nil for nothing.
func Missing() error {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces and mounts need root")
	}
	for _, program := range []string{"ip", "nsenter", "mkfs.ext4", "mount"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("there is no %s here", program)
		}
	}
	return nil
}

// Open makes the machines, and starts nothing. A machine that may not make namespaces or mount says so by the error.
func Open(o Options) (*Lab, error) {
	s, err := takeSlot(filepath.Join(os.TempDir(), "milena-chaos-runs"), o)
	if err != nil {
		return nil, err
	}
	l := &Lab{slot: s}
	if l.network, err = newNetwork(s, len(o.Roles)); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	for id := 1; id <= len(o.Roles); id++ {
		n, err := l.newNode(o, id)
		if n != nil {
			l.Nodes = append(l.Nodes, n)
		}
		if err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

// newNode makes a node's disk and configuration; a node with an error is to be closed.
func (l *Lab) newNode(o Options, id int) (*Node, error) {
	n := &Node{
		ID: id, Role: o.Roles[id-1], Dir: filepath.Join(o.Dir, fmt.Sprintf("node%d", id)), space: l.slot.namespace(id),
		metrics: "http://" + l.slot.address(id) + ":9404/metrics",
	}
	if err := errors.Join(os.MkdirAll(n.Dir, 0o755), os.MkdirAll(o.Images, 0o755)); err != nil {
		return nil, err
	}
	v, err := volume.New(filepath.Join(o.Images, fmt.Sprintf("disk%d", id)), filepath.Join(n.Dir, "disk"), o.VolumeBytes)
	if err != nil {
		return nil, err
	}
	n.Volume = v
	file := filepath.Join(n.Dir, "server.properties")
	n.argv = []string{"nice", "-n", fmt.Sprint(o.Nice), o.Binary, "start", file}
	return n, os.WriteFile(file, []byte(strings.Join(l.properties(o, id, n.Data()), "\n")+"\n"), 0o644)
}

func (l *Lab) properties(o Options, id int, data string) []string {
	var voters, listeners []string
	for v, role := range o.Roles {
		if role != Broker {
			voters = append(voters, fmt.Sprintf("%d@%s", v+1, l.control(v+1)))
		}
	}
	if o.Roles[id-1] != Controller {
		listeners = append(listeners, "PLAINTEXT://"+l.clients(id))
	}
	if o.Roles[id-1] != Broker {
		listeners = append(listeners, "CONTROLLER://"+l.control(id))
	}
	lines := []string{
		fmt.Sprintf("node.id=%d", id),
		"process.roles=" + string(o.Roles[id-1]),
		"listeners=" + strings.Join(listeners, ","),
		"controller.listener.names=CONTROLLER",
		"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"controller.quorum.voters=" + strings.Join(voters, ","),
		"log.dirs=" + data,
		"milena.metrics.listeners=" + l.slot.address(id) + ":9404",
	}
	from := len(lines)
	for key, value := range o.Overrides {
		lines = append(lines, key+"="+value)
	}
	slices.Sort(lines[from:])
	return lines
}

// Node returns the node with an id.
func (l *Lab) Node(id int) *Node { return l.Nodes[id-1] }

// Brokers are the nodes that have replicas and serve clients.
func (l *Lab) Brokers() []*Node { return l.without(Controller) }

// Controllers are the nodes that vote.
func (l *Lab) Controllers() []*Node { return l.without(Broker) }

func (l *Lab) without(role Role) (out []*Node) {
	for _, n := range l.Nodes {
		if n.Role != role {
			out = append(out, n)
		}
	}
	return out
}

// Addrs are where clients find the cluster.
func (l *Lab) Addrs() (out []string) {
	for _, n := range l.Brokers() {
		out = append(out, l.clients(n.ID))
	}
	return out
}

// ControllerAddrs are where tools find the controllers (KIP-919).
func (l *Lab) ControllerAddrs() (out []string) {
	for _, n := range l.Controllers() {
		out = append(out, l.control(n.ID))
	}
	return out
}

func (l *Lab) clients(id int) string { return l.slot.address(id) + ":9092" }
func (l *Lab) control(id int) string { return l.slot.address(id) + ":9093" }

// PowerOff cuts the power of nodes at once: all stand still, then every file system is gone with what was not synced, then the
// processes. What is left on the disks is what PowerOn finds.
func (l *Lab) PowerOff(nodes ...*Node) error {
	steps := []func(*Node) error{
		(*Node).halt,
		func(n *Node) error { return n.Volume.Cut() },
		(*Node).Kill,
		func(n *Node) error { return n.Volume.Close() },
	}
	for _, step := range steps {
		if err := Each(nodes, step); err != nil {
			return err
		}
	}
	return nil
}

// PowerOn boots the machines, and starts nothing.
func (l *Lab) PowerOn(nodes ...*Node) error {
	return Each(nodes, func(n *Node) error { return n.Volume.Mount() })
}

// Each does something to nodes side by side.
func Each(nodes []*Node, do func(*Node) error) error {
	errs := make([]error, len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() { errs[i] = do(n) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// Strange is the first end of a process that nobody asked for.
func (l *Lab) Strange() error {
	for _, n := range l.Nodes {
		if err := n.Strange(); err != nil {
			return err
		}
	}
	return nil
}

// Close ends everything and leaves the files but the disks.
func (l *Lab) Close() error {
	errs := []error{Each(l.Nodes, (*Node).Kill)}
	errs = append(errs, l.slot.sweep(), l.slot.release())
	return errors.Join(errs...)
}
