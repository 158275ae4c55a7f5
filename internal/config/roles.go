package config

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Roles are what a process does in its cluster (process.roles).
type Roles struct{ Broker, Controller bool }

// Voter is an entry of controller.quorum.voters.
type Voter struct {
	ID   kafka.NodeID
	Host string
	Port int
}

// Server is an entry of controller.quorum.bootstrap.servers.
type Server struct {
	Host string
	Port int
}

// Node is what a node is in its cluster.
type Node struct {
	ID               kafka.NodeID
	Roles            Roles
	Listeners        Listeners
	ControllerNames  []string // of controller.listener.names, upper case; brokers ask controllers on the first
	Voters           []Voter  // the controllers that form the cluster, by id; empty where only Bootstrap, or nobody, says who they are
	BootstrapServers []Server // where to ask who the controllers are
}

// Lone reports whether the node is broker and only controller of a cluster: nobody need reach its controller.
func (n *Node) Lone() bool {
	return n.Roles == Roles{Broker: true, Controller: true} && n.Founds()
}

// Founds reports whether an empty node begins a cluster by itself: it is the only voter that the configuration names, or nobody else
// is named where a quorum might be. Later controllers may join it.
func (n *Node) Founds() bool {
	switch {
	case !n.Roles.Controller:
		return false
	case len(n.Voters) > 0:
		return len(n.Voters) == 1 && n.isVoter()
	}
	return len(n.Others()) == 0
}

// Others are the servers of controller.quorum.bootstrap.servers that are not listeners of this node.
func (n *Node) Others() (out []Server) {
	for _, s := range n.BootstrapServers {
		if !n.Listeners.answers(s) {
			out = append(out, s)
		}
	}
	return out
}

// ParseNode reads and checks node.id, process.roles, the listeners and whom the node finds its controllers by. The rules and
// sentences are those of Apache Kafka 4.3's KafkaConfig, except that a lone node needs neither voters nor a listener for its
// controller.
func ParseNode(v Values) (Node, error) {
	out := Node{ID: kafka.NodeID(v.Int("node.id"))}
	for _, step := range []func(Values) error{out.identity, out.parseRoles, out.parseVoters, out.parseBootstrap, out.parseListeners} {
		if err := step(v); err != nil {
			return out, err
		}
	}
	return out, out.check(v)
}

// check holds the roles against the rest.
func (n *Node) check(v Values) error {
	if n.Roles.Broker && len(n.Listeners.Bind) == 0 {
		return refuse("There must be at least one broker advertised listener. Perhaps all listeners appear in controller.listener.names?")
	}
	if n.Lone() {
		return nil
	}
	if len(n.Voters) == 0 && len(n.BootstrapServers) == 0 {
		return refuse("If using process.roles, either controller.quorum.bootstrap.servers must contain the set of bootstrap controllers or " +
			"controller.quorum.voters must contain a parseable set of controllers.")
	}
	if n.Roles.Controller {
		return n.checkController()
	}
	return n.checkBroker(v)
}

func refuse(format string, args ...any) error {
	return fault.New("config.node", kafka.ErrInvalidConfig, format, args...)
}

func (n *Node) identity(v Values) error {
	if v.IsSet("broker.id") && v.Int("broker.id") != v.Int("node.id") {
		return refuse("You must set `node.id` to the same value as `broker.id`.")
	}
	return nil
}

func (n *Node) parseRoles(v Values) error {
	const key = "process.roles"
	list := v.List(key)
	for i, r := range list {
		switch {
		case slices.Contains(list[:i], r):
			return refuse("Duplicate role names found in `%s`: %s", key, strings.Join(list, ","))
		case r == "broker":
			n.Roles.Broker = true
		case r == "controller":
			n.Roles.Controller = true
		default:
			return refuse("Unknown process role '%s' (only 'broker' and 'controller' are allowed roles)", r)
		}
	}
	if len(list) == 0 {
		return refuse("Missing required configuration `%s` which has no default value.", key)
	}
	return nil
}

func (n *Node) parseVoters(v Values) error {
	const key, form = "controller.quorum.voters", "Each entry should be in the form `{id}@{host}:{port}`."
	for _, entry := range v.List(key) {
		text, addr, ok := strings.Cut(entry, "@")
		if !ok || strings.Contains(addr, "@") {
			return refuse("Invalid configuration value for %s. %s", key, form)
		}
		id, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return refuse("Failed to parse voter ID as an integer from %s", text)
		}
		s, err := parseServer(key, entry, addr, form)
		if err != nil {
			return err
		}
		if wildcard(s.Host) {
			return refuse("Host string (%s) is not routeable", s.Host)
		}
		voter := Voter{ID: kafka.NodeID(id), Host: s.Host, Port: s.Port}
		if slices.ContainsFunc(n.Voters, func(o Voter) bool { return o.ID == voter.ID }) {
			return refuse("%s names the node id %d twice", key, voter.ID)
		}
		n.Voters = append(n.Voters, voter)
	}
	slices.SortFunc(n.Voters, func(a, b Voter) int { return int(a.ID) - int(b.ID) })
	return nil
}

func (n *Node) parseBootstrap(v Values) error {
	const key = "controller.quorum.bootstrap.servers"
	for _, entry := range v.List(key) {
		s, err := parseServer(key, entry, entry, "Each entry should be in the form `{host}:{port}`.")
		if err != nil {
			return err
		}
		n.BootstrapServers = append(n.BootstrapServers, s)
	}
	return nil
}

func parseServer(key, entry, addr, form string) (Server, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil && !strings.Contains(addr, ":") {
		return Server{}, refuse("Failed to parse host port from entry %s for the configuration %s. %s", entry, key, form)
	}
	if err != nil || host == "" {
		return Server{}, refuse("Failed to parse host name from entry %s for the configuration %s. %s", entry, key, form)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return Server{}, refuse("Failed to parse host port from entry %s for the configuration %s. %s", entry, key, form)
	}
	return Server{Host: host, Port: int(number)}, nil
}

func (n *Node) parseListeners(v Values) error {
	for _, name := range v.List("controller.listener.names") {
		n.ControllerNames = append(n.ControllerNames, strings.ToUpper(name))
	}
	if v.IsSet("inter.broker.listener.name") && v.IsSet("security.inter.broker.protocol") {
		return refuse("Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.")
	}
	var err error
	if n.Listeners, err = ParseListeners(v); err != nil {
		return refuse("%v", err)
	}
	return nil
}

func (n *Node) isVoter() bool {
	return slices.ContainsFunc(n.Voters, func(v Voter) bool { return v.ID == n.ID })
}

// voterSet prints the voters' ids as Apache Kafka does.
func (n *Node) voterSet() string {
	var ids []string
	for _, v := range n.Voters {
		ids = append(ids, strconv.Itoa(int(v.ID)))
	}
	return "Set(" + strings.Join(ids, ", ") + ")"
}

// checkController refuses a controller that is none of the voters, since it would wait for one that never comes, and one that
// others could not reach.
func (n *Node) checkController() error {
	if !n.Roles.Broker && len(n.Listeners.Bind) > 0 {
		return refuse("The listeners config must only contain KRaft controller listeners from controller.listener.names when process.roles=controller")
	}
	if len(n.Voters) > 0 && !n.isVoter() {
		return refuse("If process.roles contains the 'controller' role, the node id %d must be included in the set of voters controller.quorum.voters=%s", n.ID, n.voterSet())
	}
	if len(n.Listeners.Controller) == 0 {
		return refuse("controller.listener.names must contain at least one value appearing in the 'listeners' configuration when running the KRaft controller role")
	}
	for _, name := range n.ControllerNames {
		if !slices.ContainsFunc(n.Listeners.Controller, func(l Listener) bool { return l.Name == name }) {
			return refuse("controller.listener.names must only contain values appearing in the 'listeners' configuration when running the KRaft controller role")
		}
	}
	return nil
}

func (n *Node) checkBroker(v Values) error {
	switch {
	case n.isVoter():
		return refuse("If process.roles contains just the 'broker' role, the node id %d must not be included in the set of voters controller.quorum.voters=%s", n.ID, n.voterSet())
	case len(n.ControllerNames) == 0:
		return refuse("controller.listener.names must contain at least one value when running KRaft with just the broker role")
	case len(n.Listeners.Controller) > 0:
		return refuse("controller.listener.names must not contain a value appearing in the 'listeners' configuration when running KRaft with just the broker role")
	}
	if !v.IsSet("listener.security.protocol.map") {
		return nil // a controller's listener is PLAINTEXT then
	}
	for _, name := range n.ControllerNames {
		if _, ok := protocolOf(v, name); !ok {
			return refuse("Controller listener with name %s defined in controller.listener.names not found in listener.security.protocol.map  "+
				"(an explicit security mapping for each controller listener is required if listener.security.protocol.map is non-empty, or if there are security protocols other than PLAINTEXT in use)", name)
		}
	}
	return nil
}

func protocolOf(v Values, name string) (string, bool) {
	for _, entry := range v.List("listener.security.protocol.map") {
		listener, protocol, ok := strings.Cut(entry, ":")
		if ok && strings.ToUpper(listener) == name {
			return strings.ToUpper(protocol), true
		}
	}
	return "", false
}

// String names the roles as process.roles does.
func (r Roles) String() string {
	switch r {
	case Roles{Broker: true}:
		return "broker"
	case Roles{Controller: true}:
		return "controller"
	}
	return "broker,controller"
}
