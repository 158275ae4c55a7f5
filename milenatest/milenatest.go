// Package milenatest starts Milena in tests: one line gives a test a Kafka of its own that is gone when the test ends.
package milenatest

import (
	"context"
	"testing"

	"github.com/milena-io/milena"
)

// Start starts a broker in memory, on a free port, and stops it when the test ends. Its settings may be given by Kafka's
// names: Start(t, "num.partitions", "3").
func Start(t testing.TB, settings ...string) *milena.Broker {
	t.Helper()
	if len(settings)%2 != 0 {
		t.Fatalf("milenatest.Start: settings come in pairs of name and value, got %d strings", len(settings))
	}
	c := milena.Config{Settings: map[string]string{}}
	for i := 0; i < len(settings); i += 2 {
		c.Settings[settings[i]] = settings[i+1]
	}
	b, err := milena.Start(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("the broker did not stop cleanly: %v", err)
		}
	})
	return b
}
