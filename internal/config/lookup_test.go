package config

import "testing"

// Lookup searches by halves: a key that stands out of order is not found.
func TestEveryKeyIsFound(t *testing.T) {
	for _, s := range []Scope{Broker, Topic, Group} {
		for _, k := range Keys(s) {
			if got, ok := Lookup(s, k.Name); !ok || got != k {
				t.Errorf("scope %d: key %s is not found", s, k.Name)
			}
		}
	}
}
