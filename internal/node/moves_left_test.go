package node

import (
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
)

// A directory dies that a replica moves from, and its copy stays where it was to go. When the topic is deleted the copy goes, too, at once or
// after a start: the next topic of the name may live there, and what was known of the copy is not said of it, now and after a clean stop.
func TestWhatADeadMoveLeftGoesWithTheTopic(t *testing.T) {
	for name, restarts := range map[string]bool{"at once": false, "after a start without the old directory": true} {
		t.Run(name, func(t *testing.T) {
			r, _ := moving(t)
			at := kafka.TopicPartition{Topic: "t", Partition: 1}
			r.faulty.Add(disk.Fault{Op: disk.OpSync, Path: "d/b/t-1", Err: disk.ErrIO})
			r.write("t", 1, plain("lost"))
			r.w.Run(5 * time.Second)
			if restarts {
				r.sick = []disk.Fault{{Op: disk.OpLock, Path: "d/b", Err: disk.ErrIO}}
				r.restart()
				r.rest()
			}
			if said := r.n.storage.Volumes[2].Dir.Checkpointed(at).RecoveryPoint; len(r.named("d/c", "t-1.")) != 1 || restarts && said == 0 {
				t.Fatalf("d/c has %q, durable up to %d", r.named("d/c", "t-1"), said)
			}
			r.drop("t")
			r.rest()
			if code := r.alterDir("t", 1, "d/c"); code != kafka.ErrUnknownTopicOrPartition {
				t.Fatalf("where the next one is to live: %v", code)
			}
			r.create("t", 3)
			want := r.many("t", 1, 0, 2)
			r.wantAll("t", 1, want)
			r.w.Run(time.Minute)
			for _, n := range r.named("d/c", "t-1.") {
				if !strings.HasSuffix(n, "-delete") {
					t.Errorf("d/c has %s", n)
				}
			}
			r.sick = nil
			r.halt()
			if said := r.file("d/c/recovery-point-offset-checkpoint"); !strings.Contains(said, "\nt 1 2\n") {
				t.Errorf("a clean stop says %q", said)
			}
			r.kill()
			r.rest()
			r.wantAll("t", 1, want)
		})
	}
}
