package node

import (
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/config"
)

func TestAControllerMustBeAVoter(t *testing.T) {
	for voters, want := range map[string]string{
		"1@localhost:9093": "", "": "",
		"2@localhost:9093":                  "the node id 1 must be included in the set of voters controller.quorum.voters=Set(2)",
		"localhost:9093":                    "Each entry should be in the form `{id}@{host}:{port}`.",
		"x@localhost:9093":                  "Failed to parse voter ID as an integer from x",
		"1@localhost:9093,2@localhost:9094": "controller.listener.names must contain at least one value appearing in the 'listeners'",
	} {
		s := settings{static: config.Values{Scope: config.Broker, Set: map[string]string{
			"node.id": "1", "listeners": "PLAINTEXT://one:9092", "process.roles": "broker,controller", "controller.quorum.voters": voters,
		}}}
		err := s.check()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", voters, err, want)
		}
	}
}
