package config

import (
	"strings"
	"testing"
)

func TestRoles(t *testing.T) {
	const both, broker, controller = "broker,controller", "broker", "controller"
	const noControllers = "If using process.roles, either controller.quorum.bootstrap.servers must contain"
	type set map[string]string
	for _, c := range []struct {
		roles, listeners string
		more             set
		want             string // part of the refusal; empty where it is taken
	}{
		{both, "P://a:1", nil, ""},
		{both, "P://a:1", set{"controller.quorum.voters": "1@localhost:9093"}, ""},
		{both, "P://a:1,C://a:2", set{"controller.quorum.voters": "1@a:2,2@b:2,3@c:2"}, ""},
		{both, "P://a:1,C://a:2", set{"controller.quorum.bootstrap.servers": "a:2,b:2"}, ""},
		{both, "P://a:1", set{"controller.quorum.voters": "1@a:2,2@b:2,3@c:2"}, "controller.listener.names must contain at least one value appearing in the 'listeners'"},
		{both, "P://a:1,C://a:2", set{"controller.quorum.voters": "1@a:2,2@b:2", "controller.listener.names": "C,D"},
			"controller.listener.names must only contain values appearing in the 'listeners' configuration"},
		{both, "P://a:1,C://a:2", set{"controller.quorum.voters": "3@a:2,2@b:2"},
			"the node id 1 must be included in the set of voters controller.quorum.voters=Set(2, 3)"},
		{both, "C://a:2", nil, "There must be at least one broker advertised listener. Perhaps all listeners appear in controller.listener.names?"},

		{controller, "C://a:2", set{"controller.quorum.voters": "1@a:2"}, ""},
		{controller, "C://a:2", set{"controller.quorum.bootstrap.servers": "a:2"}, ""},
		{controller, "C://a:2", nil, noControllers},
		{controller, "C://a:2,P://a:1", set{"controller.quorum.voters": "1@a:2"}, "The listeners config must only contain KRaft controller listeners"},
		{controller, "C://a:2", set{"controller.quorum.voters": "2@a:2"}, "must be included in the set of voters controller.quorum.voters=Set(2)"},

		{broker, "P://a:1", set{"controller.quorum.voters": "2@a:2"}, ""},
		{broker, "P://a:1", set{"controller.quorum.bootstrap.servers": "[::1]:2"}, ""},
		{broker, "P://a:1", nil, noControllers},
		{broker, "P://a:1", set{"controller.quorum.voters": "1@a:2"}, "the node id 1 must not be included in the set of voters controller.quorum.voters=Set(1)"},
		{broker, "P://a:1", set{"controller.quorum.voters": "2@a:2", "controller.listener.names": ""}, "at least one value when running KRaft with just the broker role"},
		{broker, "P://a:1,C://a:2", set{"controller.quorum.voters": "2@a:2"}, "must not contain a value appearing in the 'listeners' configuration"},
		{broker, "P://a:1", set{"controller.quorum.voters": "2@a:2", "listener.security.protocol.map": "P:PLAINTEXT"},
			"Controller listener with name C defined in controller.listener.names not found in listener.security.protocol.map"},

		{"", "P://a:1", nil, "Missing required configuration `process.roles`"},
		{"broker,broker", "P://a:1", nil, "Duplicate role names found in `process.roles`"},
		{"zookeeper", "P://a:1", nil, "Unknown process role 'zookeeper'"},
		{both, "P://a:1", set{"broker.id": "2"}, "You must set `node.id` to the same value as `broker.id`."},
		{both, "P://a:1", set{"broker.id": "1"}, ""},
		{both, "P://a:1", set{"inter.broker.listener.name": "P", "security.inter.broker.protocol": "PLAINTEXT"}, "Only one of inter.broker.listener.name and"},
		{both, "P://a:1,C://a:2", set{"inter.broker.listener.name": "C"}, "inter.broker.listener.name must be a listener name defined in advertised.listeners"},

		{both, "P://a:1", set{"controller.quorum.voters": "localhost:9093"}, "Each entry should be in the form `{id}@{host}:{port}`."},
		{both, "P://a:1", set{"controller.quorum.voters": "1@2@localhost:9093"}, "Each entry should be in the form `{id}@{host}:{port}`."},
		{both, "P://a:1", set{"controller.quorum.voters": "x@localhost:9093"}, "Failed to parse voter ID as an integer from x"},
		{both, "P://a:1", set{"controller.quorum.voters": "1@localhost"}, "Failed to parse host port from entry 1@localhost"},
		{both, "P://a:1", set{"controller.quorum.voters": "1@localhost:x"}, "Failed to parse host port from entry 1@localhost:x"},
		{both, "P://a:1", set{"controller.quorum.voters": "1@:9093"}, "Failed to parse host name from entry 1@:9093"},
		{both, "P://a:1", set{"controller.quorum.voters": "1@0.0.0.0:9093"}, "Host string (0.0.0.0) is not routeable"},
		{both, "P://a:1", set{"controller.quorum.voters": "1@a:1,1@b:1"}, "names the node id 1 twice"},
		{both, "P://a:1", set{"controller.quorum.bootstrap.servers": "a"}, "Each entry should be in the form `{host}:{port}`."},
	} {
		v := Values{Scope: Broker, Set: map[string]string{
			"node.id": "1", "process.roles": c.roles, "listeners": c.listeners, "controller.listener.names": "C",
			"listener.security.protocol.map": "P:PLAINTEXT,C:PLAINTEXT",
		}}
		for key, value := range c.more {
			v.Set[key] = value
		}
		n, err := ParseNode(v)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s, %s, %v: %v", c.roles, c.listeners, c.more, err)
		case c.want == "" && n.Roles.String() != c.roles:
			t.Errorf("%s is taken for %s", c.roles, n.Roles)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s, %s, %v: %v, want %q", c.roles, c.listeners, c.more, err, c.want)
		}
	}
}

func TestWhereControllersAre(t *testing.T) {
	v := Values{Scope: Broker, HostName: "box", Set: map[string]string{
		"node.id": "2", "process.roles": "broker,controller", "listeners": "P://:1,C://:2,D://10.0.0.1:3", "controller.listener.names": "C,D",
		"listener.security.protocol.map": "P:PLAINTEXT,C:PLAINTEXT,D:PLAINTEXT", "advertised.listeners": "P://a:1,C://outside:2222",
		"controller.quorum.voters": "3@c:2,2@b:2,1@[::1]:2", "controller.quorum.bootstrap.servers": "a:2,[::1]:2",
	}}
	n, err := ParseNode(v)
	if err != nil {
		t.Fatal(err)
	}
	if len(n.Voters) != 3 || n.Voters[0] != (Voter{1, "::1", 2}) || n.Voters[2] != (Voter{3, "c", 2}) {
		t.Errorf("voters %+v", n.Voters)
	}
	if len(n.BootstrapServers) != 2 || n.BootstrapServers[1] != (Server{"::1", 2}) {
		t.Errorf("bootstrap servers %+v", n.BootstrapServers)
	}
	for name, want := range map[string]string{"P": "P://a:1", "C": "C://outside:2222", "D": "D://10.0.0.1:3"} {
		if got := n.Listeners.Advertised[name].String(); got != want {
			t.Errorf("%s is advertised as %s, want %s", name, got, want)
		}
	}
	if n.Lone() {
		t.Error("one of three is alone")
	}
}
