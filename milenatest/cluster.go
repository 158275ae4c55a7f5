package milenatest

import (
	"context"
	"testing"

	"github.com/milena-io/milena"
)

// StartCluster starts a cluster of 1, 3 or 5 nodes in memory, on free ports, and ends it with the test. Settings of every node may be
// given by Kafka's names: StartCluster(t, 3, "num.partitions", "6"). Nodes may be killed, stopped and started again.
func StartCluster(t testing.TB, nodes int, settings ...string) *milena.Cluster {
	t.Helper()
	c, err := milena.StartCluster(context.Background(), milena.ClusterConfig{Nodes: nodes, Settings: pairs(t, settings)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("the cluster did not end well: %v", err)
		}
	})
	return c
}

// pairs reads settings that are given as names and values in turn.
func pairs(t testing.TB, settings []string) map[string]string {
	t.Helper()
	if len(settings)%2 != 0 {
		t.Fatalf("settings come in pairs of name and value, got %d strings", len(settings))
	}
	out := map[string]string{}
	for i := 0; i < len(settings); i += 2 {
		out[settings[i]] = settings[i+1]
	}
	return out
}
