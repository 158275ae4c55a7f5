package config

import (
	"strings"
	"testing"
)

func TestAdvertisedListeners(t *testing.T) {
	const refused = "advertised.listeners cannot use the nonroutable meta-address "
	for _, c := range []struct {
		listeners, advertised, want string // host:port, or how the refusal begins
	}{
		{"PLAINTEXT://:9092", "", "PLAINTEXT://box.example:9092"},
		{"PLAINTEXT://10.0.0.1:9092", "", "PLAINTEXT://10.0.0.1:9092"},
		{"PLAINTEXT://0.0.0.0:9092", "PLAINTEXT://:9093", "PLAINTEXT://box.example:9093"},
		{"PLAINTEXT://[::]:9092", "PLAINTEXT://[::1]:9093", "PLAINTEXT://[::1]:9093"},
		{"PLAINTEXT://0.0.0.0:9092", "", refused + "0.0.0.0. Use a routable IP address. It is the address of PLAINTEXT://0.0.0.0:9092"},
		{"PLAINTEXT://[::]:9092", "", refused + "::. "},
		{"PLAINTEXT://[0:0:0:0:0:0:0:0]:9092", "", refused},
		{"PLAINTEXT://:9092", "PLAINTEXT://0.0.0.0:9092", refused + "0.0.0.0. Use a routable IP address."},
		{"PLAINTEXT://:9092", "PLAINTEXT://[::]:9092", refused},
	} {
		set := map[string]string{"listeners": c.listeners, "advertised.listeners": c.advertised}
		l, err := ParseListeners(Values{Scope: Broker, Set: set, HostName: "box.example"})
		got := l.Advertised["PLAINTEXT"].String()
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) || err == nil && got != c.want {
			t.Errorf("%s advertised as %q: %s, want %s", c.listeners, c.advertised, got, c.want)
		}
	}
}

func TestNoHostNameIsLocalhost(t *testing.T) {
	l, err := ParseListeners(Values{Scope: Broker, Set: map[string]string{"listeners": "PLAINTEXT://:9092"}})
	if err != nil || l.Advertised["PLAINTEXT"].Host != "localhost" || l.Bind[0].Host != "" {
		t.Errorf("%v: %+v", err, l)
	}
}

func TestEveryAdvertisedListenerHasAHost(t *testing.T) {
	l := load(t, Input{HostName: "box", Overrides: []string{
		"listeners=PLAINTEXT://:1,B://:2", "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,B:PLAINTEXT",
	}})
	got, err := ParseListeners(l.Values)
	if err != nil || len(got.Advertised) != 2 || got.Advertised["B"].String() != "B://box:2" {
		t.Errorf("%v: %+v", err, got)
	}
}
