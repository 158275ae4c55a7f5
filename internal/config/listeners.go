package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Listener is one named endpoint: PLAINTEXT://host:port.
type Listener struct {
	Name     string // upper case
	Protocol string // PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL
	Host     string // empty means every interface
	Port     int
}

// String prints the listener as it stands in a config.
func (l Listener) String() string {
	return l.Name + "://" + net.JoinHostPort(l.Host, strconv.Itoa(l.Port))
}

// Listeners are the endpoints of a node.
type Listeners struct {
	Bind        []Listener          // in the order given, without controller listeners
	Controller  []Listener          // those named by controller.listener.names
	Advertised  map[string]Listener // by name, controllers' among them, each with a host that others can ask for
	InterBroker string              // name
}

// nonroutable is Kafka's sentence, for the wildcard of either family.
const nonroutable = "advertised.listeners cannot use the nonroutable meta-address %s. Use a routable IP address."

// ParseListeners reads and checks listeners, advertised.listeners, listener.security.protocol.map,
// controller.listener.names and inter.broker.listener.name. Errors are Kafka's sentences.
func ParseListeners(v Values) (Listeners, error) {
	var out Listeners
	protocols := map[string]string{}
	for _, entry := range v.List("listener.security.protocol.map") {
		name, protocol, ok := strings.Cut(entry, ":")
		if !ok {
			return out, fmt.Errorf("listener.security.protocol.map: %q is not NAME:PROTOCOL", entry)
		}
		protocols[strings.ToUpper(name)] = strings.ToUpper(protocol)
	}
	controllers := map[string]bool{}
	for _, n := range v.List("controller.listener.names") {
		controllers[strings.ToUpper(n)] = true
	}
	bind, err := parseList("listeners", v.List("listeners"), protocols, controllers)
	if err != nil {
		return out, err
	}
	if err := distinct(bind); err != nil {
		return out, err
	}
	for _, l := range bind {
		if controllers[l.Name] {
			out.Controller = append(out.Controller, l)
		} else {
			out.Bind = append(out.Bind, l)
		}
	}
	if err := out.advertise(v, protocols, controllers); err != nil {
		return out, err
	}
	return out, out.interBroker(v)
}

func parseList(key string, list []string, protocols map[string]string, controllers map[string]bool) ([]Listener, error) {
	var out []Listener
	for _, s := range list {
		name, addr, ok := strings.Cut(s, "://")
		i := strings.LastIndexByte(addr, ':')
		if !ok || i < 0 || name == "" {
			return nil, fmt.Errorf("%s: Unable to parse %s to a broker endpoint", key, s)
		}
		port, err := strconv.Atoi(addr[i+1:])
		if err != nil || port < 0 || port > 65535 {
			return nil, fmt.Errorf("%s: Unable to parse %s to a broker endpoint: the port must be 0 to 65535", key, s)
		}
		l := Listener{Name: strings.ToUpper(name), Host: strings.Trim(addr[:i], "[]"), Port: port}
		l.Protocol, ok = protocols[l.Name]
		if !ok && controllers[l.Name] {
			l.Protocol, ok = "PLAINTEXT", true
		}
		if !ok {
			return nil, fmt.Errorf("%s: No security protocol defined for listener %s", key, l.Name)
		}
		if l.Protocol != "PLAINTEXT" {
			return nil, fmt.Errorf("%s: listener %s wants %s, which is not built; only PLAINTEXT is", key, l.Name, l.Protocol)
		}
		out = append(out, l)
	}
	return out, nil
}

func distinct(list []Listener) error {
	names, ports := map[string]bool{}, map[string]bool{}
	for _, l := range list {
		if names[l.Name] {
			return fmt.Errorf("listeners: Each listener must have a different name, listeners: %s", joined(list))
		}
		names[l.Name] = true
		addr := net.JoinHostPort(l.Host, strconv.Itoa(l.Port))
		if l.Port != 0 && ports[addr] {
			return fmt.Errorf("listeners: Each listener must have a different port, listeners: %s", joined(list))
		}
		ports[addr] = true
	}
	return nil
}

func joined(list []Listener) string {
	var s []string
	for _, l := range list {
		s = append(s, l.String())
	}
	return strings.Join(s, ",")
}

// advertise takes what clients are told: advertised.listeners, or without it the listeners themselves. A listener that
// names no host is advertised as this machine; the wildcard address is bound by many and reached by nobody, so that it is
// refused.
func (out *Listeners) advertise(v Values, protocols map[string]string, controllers map[string]bool) error {
	list, err := parseList("advertised.listeners", v.List("advertised.listeners"), protocols, controllers)
	if err != nil {
		return err
	}
	hint := ""
	if len(list) == 0 {
		list, hint = out.Bind, " It is the address of %s: set advertised.listeners, or leave the host away to advertise this machine's name."
	}
	out.Advertised = map[string]Listener{}
	for _, l := range list {
		if wildcard(l.Host) {
			why := fmt.Sprintf(nonroutable, l.Host)
			if hint != "" {
				why += fmt.Sprintf(hint, l)
			}
			return fault.New("config.listeners", kafka.ErrInvalidConfig, "%s", why)
		}
		if controllers[l.Name] {
			continue
		}
		if !slices.ContainsFunc(out.Bind, func(b Listener) bool { return b.Name == l.Name }) {
			return fmt.Errorf("advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. Found %s. The valid options based on the current configuration are %s", l.Name, joined(out.Bind))
		}
		l.Host = v.Reachable(l.Host)
		out.Advertised[l.Name] = l
	}
	// Those of controllers may stand there since 3.9 (KIP-853). Voters are told of one, whatever it is bound to.
	for _, l := range out.Controller {
		if i := slices.IndexFunc(list, func(a Listener) bool { return a.Name == l.Name }); i >= 0 {
			l.Host, l.Port = list[i].Host, list[i].Port
		}
		l.Host = v.Reachable(l.Host)
		out.Advertised[l.Name] = l
	}
	return nil
}

// answers reports whether an address is that of a controllers' listener here, as it is advertised, or bound, or by the name for this
// machine that only works on it.
func (out *Listeners) answers(s Server) bool {
	for _, l := range out.Controller {
		a := out.Advertised[l.Name]
		here := l.Host == "" || wildcard(l.Host) || local(l.Host)
		if s.Port == a.Port && strings.EqualFold(s.Host, a.Host) || s.Port == l.Port && (strings.EqualFold(s.Host, l.Host) || here && local(s.Host)) {
			return true
		}
	}
	return false
}

// local reports whether a host is a name of this machine for itself.
func local(host string) bool {
	a, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && a.IsLoopback()
}

// wildcard reports whether a host is the address of every interface, in any of its spellings.
func wildcard(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsUnspecified()
}

// Reachable turns the host that a listener is bound to into one that a peer can ask for: this machine's name for none and
// for the wildcard.
func (v Values) Reachable(host string) string {
	if host == "" || wildcard(host) {
		return cmp.Or(v.HostName, "localhost")
	}
	return host
}

func (out *Listeners) interBroker(v Values) error {
	if len(out.Bind) == 0 {
		return nil // a controller alone
	}
	name := strings.ToUpper(v.Text("inter.broker.listener.name"))
	if name == "" {
		protocol := strings.ToUpper(v.Text("security.inter.broker.protocol"))
		for _, l := range out.Bind {
			if l.Protocol == protocol {
				name = l.Name
				break
			}
		}
	}
	if _, ok := out.Advertised[name]; !ok || !slices.ContainsFunc(out.Bind, func(l Listener) bool { return l.Name == name }) {
		return fmt.Errorf("inter.broker.listener.name must be a listener name defined in advertised.listeners, not %q. The valid options are %s", name, joined(out.Bind))
	}
	out.InterBroker = name
	return nil
}
