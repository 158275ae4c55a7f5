package node

import (
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

// Who waits until the controller knows what is in a directory doesn't wait for a replica whose topic was deleted meanwhile: a directory
// that failed would never be reported, and the node would end itself for that.
func TestNobodyWaitsForAReplicaThatIsGone(t *testing.T) {
	gone, other := kafka.TopicIDPartition{TopicID: kafka.TopicID{1}}, kafka.TopicIDPartition{TopicID: kafka.TopicID{2}}
	failed := kafka.DirectoryID{7}
	a := assignments{pending: map[kafka.TopicIDPartition]whereabouts{gone: {in: failed, not: failed}, other: {in: failed, not: failed}}}
	told := 0
	a.told(failed, func() { told++ })
	a.drop(other)
	if told != 0 {
		t.Fatal("it is reported before the controller knows what is in it")
	}
	if a.drop(gone); told != 1 {
		t.Fatalf("told %d times, when nothing is left to be told of it", told)
	}
	a.drop(gone)
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}
