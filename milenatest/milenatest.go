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
	b, err := milena.Start(context.Background(), milena.Config{Settings: pairs(t, settings)})
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
