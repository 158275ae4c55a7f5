package node_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
)

// A node whose disk fails as it notes who registers says that, and doesn't register without a directory and tell of what comes of it.
func TestANodeWhoseDiskFailsAsItRegistersSaysSo(t *testing.T) {
	c := newCluster(t, 4)
	m := c.add(1, "broker,controller", "controller.quorum.voters", "1@h1:9093")
	m.ends = true
	c.start(1)
	m.faults.Add(disk.Fault{Path: ".milena-incarnations", Err: disk.ErrNoSpace})
	c.w.Run(1500 * time.Millisecond) // its own controller leads by now
	if m.ready != nil {
		t.Fatalf("it didn't wait for room: %v", *m.ready)
	}
	m.faults.Heal()
	m.faults.Add(disk.Fault{Op: disk.OpSync, Path: ".milena-incarnations", Err: disk.ErrIO})
	c.await("it gives up", time.Minute, func() bool { return m.ready != nil })
	if said := fmt.Sprint(*m.ready); !strings.Contains(said, "the metadata log dir data has failed") {
		t.Errorf("the start ends with %q", said)
	}
	if m.gaveUp == nil || !strings.Contains(m.gaveUp.Error(), "the metadata log dir data has failed") {
		t.Errorf("it gives up because of %v", m.gaveUp)
	}
}
