package lab

import (
	"fmt"
	"strings"
)

// maxNodes bounds a lab.
const maxNodes = 9

// host is the clients' end of the network: the bridge itself.
const host = 254

// Host is the machine of the clients, as one end of a cut.
const Host = 0

// network is a bridge with a namespace for each node on it.
type network struct {
	slot *slot
	cut  map[[2]int]bool // from, to
}

// nowhere is an address that no interface has: frames to it are lost without a word, as on a wire that is cut.
const nowhere = "02:00:00:00:de:ad"

func newNetwork(s *slot, nodes int) (*network, error) {
	n := &network{slot: s, cut: map[[2]int]bool{}}
	steps := []string{
		"link add " + s.bridge() + " type bridge",
		"addr add " + s.address(host) + "/24 dev " + s.bridge(),
		"link set " + s.bridge() + " up",
	}
	for id := 1; id <= nodes; id++ {
		space, veth := s.namespace(id), s.veth(id)
		steps = append(steps,
			"netns add "+space,
			"link add "+veth+" type veth peer name eth0 netns "+space,
			"link set "+veth+" master "+s.bridge(),
			"link set "+veth+" up",
			"-n "+space+" addr add "+s.address(id)+"/24 dev eth0",
			"-n "+space+" link set eth0 up",
			"-n "+space+" link set lo up",
		)
	}
	for _, step := range steps {
		if err := command("ip", strings.Fields(step)...); err != nil {
			return n, err
		}
	}
	return n, nil
}

// Cut loses everything that one sends to another, from now on and on connections that there are: one way, and silently. The sender's own
// neighbour entry is what changes, so neither a firewall nor traffic control is needed.
func (n *network) Cut(from, to int) error {
	n.cut[[2]int{from, to}] = true
	return n.neighbour(from, "replace", n.address(to), "lladdr", nowhere, "nud", "permanent")
}

// Heal ends all cuts.
func (n *network) Heal() error {
	for id := range maxNodes + 1 { // in order
		for to := range maxNodes + 1 {
			if !n.cut[[2]int{id, to}] {
				continue
			}
			if err := n.neighbour(id, "del", n.address(to)); err != nil {
				return err
			}
			delete(n.cut, [2]int{id, to})
		}
	}
	return nil
}

// neighbour changes the entry of one address in the table of one machine.
func (n *network) neighbour(of int, change, address string, more ...string) error {
	args := []string{"neigh", change, address, "dev", n.slot.bridge()}
	if of != Host {
		args = []string{"-n", n.slot.namespace(of), "neigh", change, address, "dev", "eth0"}
	}
	if err := command("ip", append(args, more...)...); err != nil {
		return fmt.Errorf("the way to %s: %w", address, err)
	}
	return nil
}

func (n *network) address(id int) string {
	if id == Host {
		id = host
	}
	return n.slot.address(id)
}
