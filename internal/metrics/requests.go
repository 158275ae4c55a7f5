package metrics

import (
	"strconv"
	"sync/atomic"
	"time"
)

// quantiles are those that Kafka's histograms have, written as the exporter's rules write them.
var quantiles = [...]struct {
	label string
	q     float64
}{{"0.50", 0.5}, {"0.75", 0.75}, {"0.95", 0.95}, {"0.98", 0.98}, {"0.99", 0.99}, {"0.999", 0.999}}

// apiView is one API as a page shows it.
type apiView struct {
	api    *api
	label  string
	stages [5]stageView
}

type stageView struct{ ever, lately *counts }

const (
	stageTotal = iota
	stageQueue
	stageLocal
	stageRemote
	stageRespond
)

// views reads all APIs that were ever called, by key.
func (m *Metrics) views(now time.Duration) []apiView {
	var out []apiView
	for key := range m.apis {
		a := m.apis[key].Load()
		if a == nil {
			continue
		}
		r := m.seen.apis[a.name]
		if r == nil {
			r = &recentAPI{}
			m.seen.apis[a.name] = r
		}
		v := apiView{api: a, label: label("request", a.name)}
		for i, h := range [...]struct {
			h *histogram
			r *recent
		}{{&a.total, &r.total}, {&a.queue, &r.queue}, {&a.local, &r.local}, {&a.remote, &r.remote}, {&a.respond, &r.respond}} {
			c := h.h.read()
			v.stages[i] = stageView{ever: c, lately: h.r.since(now, c)}
		}
		out = append(out, v)
	}
	return out
}

// requests writes what was counted of requests.
func (m *Metrics) requests(p *page, now time.Duration) {
	views := m.views(now)
	const prefix = "kafka_network_requestmetrics_"
	p.family(prefix+"requestspersec", counter, "Requests answered, by API and version.")
	for _, v := range views {
		for i := range v.api.versions {
			if n := v.api.versions[i].Load(); n > 0 {
				p.uint(and(v.label, label("version", strconv.Itoa(i))), n)
			}
		}
	}
	p.family("milena_request_bytes_total", counter, "Bytes of requests, by API.")
	for _, v := range views {
		p.uint(v.label, v.api.bytesIn.Load())
	}
	p.family("milena_response_bytes_total", counter, "Bytes of answers, by API.")
	for _, v := range views {
		p.uint(v.label, v.api.bytesOut.Load())
	}
	times := func(name string, stage int, help string) {
		p.family(prefix+name, gauge, help)
		for _, v := range views {
			for _, q := range quantiles {
				p.float(and(v.label, `quantile="`+q.label+`"`), millis(v.stages[stage].lately.quantile(q.q)))
			}
		}
		p.family(prefix+name+"_count", counter, "How many requests went into "+prefix+name+".")
		for _, v := range views {
			p.uint(v.label, v.stages[stage].ever.total)
		}
	}
	times("totaltimems", stageTotal, "Time of a request from its arrival until its answer was written, in ms, over the last minutes.")
	times("requestqueuetimems", stageQueue, "Time until a request was admitted: behind those before it, a throttle or the limits, in ms.")
	times("localtimems", stageLocal, "Time that the handler itself took, in ms.")
	times("remotetimems", stageRemote, "Time that a request waited for the disk, for replicas or for records to come, in ms.")
	times("responsesendtimems", stageRespond, "Time from the answer until it was written: behind those before it and in the socket, in ms.")
	p.family("milena_request_seconds", histo, "Time of a request from its arrival until its answer was written.")
	for _, v := range views {
		p.histogram(v.label, v.stages[stageTotal].ever)
	}
}

// histogram writes the buckets, sum and count of a histogram.
func (p *page) histogram(labels string, c *counts) {
	for _, bound := range bounds() {
		le := strconv.FormatFloat(bound.Seconds(), 'g', -1, 64)
		p.part("_bucket", and(labels, `le="`+le+`"`), float64(c.below(bound)))
	}
	p.part("_bucket", and(labels, `le="+Inf"`), float64(c.total))
	p.part("_sum", labels, c.sum.Seconds())
	p.part("_count", labels, float64(c.total))
}

// connections writes what was counted of connections.
func (m *Metrics) connections(p *page) {
	type row struct {
		labels string
		l      *listener
	}
	var rows []row
	m.listeners.each(func(name string, l *listener) {
		rows = append(rows, row{label("listener", name), l})
	})
	const prefix = "kafka_server_socket_server_metrics_"
	p.family(prefix+"connection_count", gauge, "Open connections, by listener.")
	for _, r := range rows {
		closed := r.l.closed.Load() // first, so that what closes in between is not below zero
		p.uint(r.labels, r.l.opened.Load()-closed)
	}
	each := func(name, help string, of func(*listener) uint64) {
		p.family(prefix+name, counter, help)
		for _, r := range rows {
			p.uint(r.labels, of(r.l))
		}
	}
	each("connection_creation_total", "Connections accepted.", func(l *listener) uint64 { return l.opened.Load() })
	each("connection_close_total", "Connections closed.", func(l *listener) uint64 { return l.closed.Load() })
	each("incoming_byte_total", "Bytes read from clients.", func(l *listener) uint64 { return l.bytesIn.Load() })
	each("outgoing_byte_total", "Bytes written to clients.", func(l *listener) uint64 { return l.bytesOut.Load() })
	each("request_total", "Requests that were completed.", func(l *listener) uint64 { return l.requests.Load() })
	each("response_total", "Answers that were written.", func(l *listener) uint64 { return l.answered.Load() })
	p.family("milena_connections_closed_total", counter, "Connections closed, by the reason.")
	m.closed.each(func(reason string, n *atomic.Uint64) { p.uint(label("reason", reason), n.Load()) })
	p.family("milena_connections_refused_total", counter, "Input that closed its connection, by what was wrong with it.")
	m.refused.each(func(what string, n *atomic.Uint64) { p.uint(label("what", what), n.Load()) })
}
