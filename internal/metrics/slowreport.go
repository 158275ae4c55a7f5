package metrics

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// slowJSON is a slow request as /debug/slowest shows it.
type slowJSON struct {
	API           string      `json:"api"`
	Version       int16       `json:"version"`
	Arrived       time.Time   `json:"arrived"`
	TotalMs       float64     `json:"total_ms"`
	QueueMs       float64     `json:"queue_ms"`
	LocalMs       float64     `json:"local_ms"`
	RemoteMs      float64     `json:"remote_ms"`
	RespondMs     float64     `json:"respond_ms"`
	Timeline      []slowStage `json:"timeline"` // in order
	Client        string      `json:"client"`
	Peer          string      `json:"peer"`
	Listener      string      `json:"listener"`
	CorrelationID int32       `json:"correlation_id"`
	RequestBytes  int64       `json:"request_bytes"`
	ResponseBytes int64       `json:"response_bytes"`
}

type slowStage struct {
	Stage string  `json:"stage"`
	AtMs  float64 `json:"at_ms"` // since the request arrived
}

// slow lists the slowest requests of one API, or of all, the slowest first.
func (m *Metrics) slow(api string) []slowJSON {
	out := []slowJSON{}
	now := m.o.Now().Mono
	for key := range m.apis {
		a := m.apis[key].Load()
		if a == nil || api != "" && !strings.EqualFold(api, a.key.String()) {
			continue
		}
		for _, r := range a.slowest.list(now) {
			out = append(out, r.shown(a.key.String()))
		}
	}
	slices.SortStableFunc(out, func(a, b slowJSON) int { return cmp.Compare(b.TotalMs, a.TotalMs) })
	return out
}

func (r *slowRequest) shown(api string) slowJSON {
	s := slowJSON{
		API: api, Version: r.version, Arrived: time.UnixMilli(r.wallMs).UTC(), TotalMs: millis(r.stages.total),
		QueueMs: millis(r.stages.queue), LocalMs: millis(r.stages.local), RemoteMs: millis(r.stages.remote),
		RespondMs: millis(r.stages.respond), Client: r.clientID, Peer: r.peer.Addr.String(), Listener: r.peer.Listener,
		CorrelationID: r.correlationID, RequestBytes: r.requestBytes, ResponseBytes: r.responseBytes,
	}
	t := &r.timeline
	for _, at := range [...]struct {
		stage string
		at    time.Duration
	}{{"decoded", t.Decoded}, {"admitted", t.Queued}, {"worked", t.Appended}, {"flushed", t.Flushed}, {"replicated", t.Replicated}, {"answered", t.Answered}, {"sent", t.Sent}} {
		if at.at != 0 {
			s.Timeline = append(s.Timeline, slowStage{at.stage, millis(at.at - r.began)})
		}
	}
	return s
}

// slowText is the list for people: a line each. What a client calls itself is quoted.
func slowText(list []slowJSON) string {
	var b strings.Builder
	if len(list) == 0 {
		return "No request in the last ten minutes.\n"
	}
	fmt.Fprintf(&b, "%-12s %10s %9s %9s %9s %9s  %-22s %s\n", "arrived", "total ms", "queue", "local", "remote", "respond", "request", "from")
	for _, r := range list {
		fmt.Fprintf(&b, "%-12s %10.3f %9.3f %9.3f %9.3f %9.3f  %-22s %s %q, %d B in, %d B out\n",
			r.Arrived.Format("15:04:05.000"), r.TotalMs, r.QueueMs, r.LocalMs, r.RemoteMs, r.RespondMs,
			fmt.Sprintf("%s v%d", r.API, r.Version), r.Peer, r.Client, r.RequestBytes, r.ResponseBytes)
	}
	return b.String()
}
