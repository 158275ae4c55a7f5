package replica

import (
	"slices"

	"github.com/milena-io/milena/internal/kafka"
)

// Begins takes note of where the leader's log begins by request (DeleteRecords): nobody joins the ISR from now on whose log begins
// earlier, since what was deleted would be back once it leads (C5).
func (l Leading) Begins(at kafka.Offset) {
	if l.r.Leads() {
		l.r.began = max(l.r.began, at)
	}
}

// Low returns the least offset at which the log of anybody begins who may lead next, own being this leader's: the low watermark of
// KIP-107, over the maximal ISR. While the ISR is too small for acks=all it is NoOffset, for then who has left it may lead, too
// (KIP-966).
func (l Leading) Low(own kafka.Offset) kafka.Offset {
	r := l.r
	if !r.Leads() || !r.EnoughInSync() {
		return kafka.NoOffset
	}
	for i := range r.followers {
		if f := &r.followers[i]; slices.Contains(r.reg.ISR, f.node) || r.wish.names(f.node) {
			own = min(own, f.start)
		}
	}
	return own
}

// names reports whether a node may be in the ISR by a wish.
func (w *wishing) names(n kafka.NodeID) bool {
	is := func(m Member) bool { return m.Node == n }
	return w.under && (slices.ContainsFunc(w.now.ISR, is) || slices.ContainsFunc(w.doubted, is))
}
