package storage

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/must"
)

// A replica is recovered with its mutex held, however long that takes. Its move waits, and nobody waits for the move: neither who begins
// or calls it back, nor the heartbeat and the metadata, which ask where replicas live.
func TestNobodyWaitsForAMoveThatWaitsForARecovery(t *testing.T) {
	m := newMover(t, nil)
	m.told = true
	a, b, c := m.s.Volumes[0], m.s.Volumes[1], m.s.Volumes[2]
	opens, release, recovered, asked := make(chan struct{}), make(chan struct{}), make(chan error), make(chan error)
	m.opening = func() { close(opens); <-release; m.opening = nil }
	go func() { recovered <- m.p.Open() }()
	<-opens
	go func() {
		err := m.s.moving.wish(m.p, m.name(), m.id, b)
		for _, v := range []*Volume{a, b, c} {
			v.Bound(m.p)
			m.s.moving.lost(v)
		}
		if err == nil {
			err = m.s.moving.wish(m.p, m.name(), m.id, c)
		}
		asked <- err
	}()
	select {
	case err := <-asked:
		must.OK(err)
	case <-time.After(time.Minute):
		t.Fatal("somebody waits for the recovery")
	}
	close(release)
	must.OK(<-recovered)
	m.w.Run(2 * time.Minute)
	if at := m.s.Of(m.p); at != c {
		t.Errorf("it lives in %s in the end", at.Path)
	}
	m.wantIn(a, "")
	m.wantIn(b, "")
}
