package metrics

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strconv"
	"strings"

	"github.com/milena-io/milena/internal/kafka"
)

// Handler serves the endpoints:
//
//	/metrics          Prometheus's text format; ?dialect=confluent or reporter for other names
//	/healthz          200 while the process answers
//	/readyz           200 when clients are served, otherwise 503 and why not
//	/debug/slowest    the slowest requests of the last ten minutes; ?format=json, ?api=Produce; for this machine only
//	/debug/pprof/     profiles of the process; for this machine only
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", index)
	mux.HandleFunc("GET /metrics", m.page)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", m.ready)
	mux.HandleFunc("GET /debug/slowest", local(m.slowestRequests))
	mux.HandleFunc("GET /debug/pprof/", local(pprof.Index))
	mux.HandleFunc("GET /debug/pprof/cmdline", local(pprof.Cmdline))
	mux.HandleFunc("GET /debug/pprof/profile", local(pprof.Profile))
	mux.HandleFunc("GET /debug/pprof/symbol", local(pprof.Symbol))
	mux.HandleFunc("GET /debug/pprof/trace", local(pprof.Trace))
	return mux
}

// local serves only who asks from this machine: profiles cost time, and slow requests name clients.
func local(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !from.Addr().Unmap().IsLoopback() {
			answer(w, http.StatusForbidden, "/debug is for this machine only: ask from it\n")
			return
		}
		h(w, r)
	}
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

func index(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, "Milena\n\n/metrics\n/healthz\n/readyz\n/debug/slowest\n/debug/pprof/\n")
}

func (m *Metrics) page(w http.ResponseWriter, r *http.Request) {
	d := dialect(r.URL.Query().Get("dialect"))
	switch d {
	case "":
		d = strimzi
	case strimzi, confluent, reporter:
	default:
		answer(w, http.StatusBadRequest, "dialect is strimzi, confluent or reporter\n")
		return
	}
	b := m.render(d)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b)
}

func (m *Metrics) ready(w http.ResponseWriter, _ *http.Request) {
	if err := *m.serving.Load(); err != nil {
		answer(w, http.StatusServiceUnavailable, err.Error()+"\n")
		return
	}
	answer(w, http.StatusOK, "ready\n")
}

// knows reports whether the name is of a request type; empty stands for all of them.
func (m *Metrics) knows(api string) bool {
	for key := range m.apis {
		if strings.EqualFold(api, kafka.APIKey(key).String()) || strings.EqualFold(api, kafka.KeyNodeMessages.String()) {
			return true
		}
	}
	return api == ""
}

func (m *Metrics) slowestRequests(w http.ResponseWriter, r *http.Request) {
	api := r.URL.Query().Get("api")
	if !m.knows(api) {
		answer(w, http.StatusBadRequest, fmt.Sprintf("%q is no request of Kafka's; api is one such as Produce or Fetch\n", api))
		return
	}
	list := m.slow(api)
	if r.URL.Query().Get("format") != "json" {
		answer(w, http.StatusOK, slowText(list))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list)
}
