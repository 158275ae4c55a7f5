package metrics

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestReadiness(t *testing.T) {
	m, _ := newMetrics(10)
	for _, c := range []struct {
		tell func()
		code int
		text string
	}{
		{func() {}, http.StatusServiceUnavailable, "the node is starting"},
		{func() { m.Serving(errors.New("the disk is full")) }, http.StatusServiceUnavailable, "the disk is full"},
		{func() { m.Serving(nil) }, http.StatusOK, "ready"},
		{func() { m.Serving(errors.New("the node is stopping")) }, http.StatusServiceUnavailable, "the node is stopping"},
	} {
		c.tell()
		if w := get(m, "/readyz"); w.Code != c.code || strings.TrimSpace(w.Body.String()) != c.text {
			t.Errorf("/readyz is %d %q, want %d %q", w.Code, w.Body, c.code, c.text)
		}
		if w := get(m, "/healthz"); w.Code != http.StatusOK {
			t.Errorf("/healthz is %d", w.Code)
		}
	}
}

func TestDebugIsForThisMachine(t *testing.T) {
	m, _ := newMetrics(10)
	for _, path := range []string{"/debug/slowest", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=1", "/debug/pprof/symbol"} {
		for _, from := range []string{"127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"} {
			if w := getFrom(m, from, path); w.Code != http.StatusOK {
				t.Errorf("%s from %s is %d", path, from, w.Code)
			}
		}
		for _, from := range []string{"10.0.0.1:1", "[2001:db8::1]:1", "@", ""} {
			if w := getFrom(m, from, path); w.Code != http.StatusForbidden {
				t.Errorf("%s from %q is %d", path, from, w.Code)
			}
		}
	}
	for _, path := range []string{"/", "/metrics", "/healthz"} {
		if w := getFrom(m, "10.0.0.1:1", path); w.Code != http.StatusOK {
			t.Errorf("%s from elsewhere is %d", path, w.Code)
		}
	}
}

func TestWhatIsNotServed(t *testing.T) {
	m, _ := newMetrics(10)
	for path, code := range map[string]int{"/nothing": http.StatusNotFound, "/metrics?dialect=klingon": http.StatusBadRequest} {
		if w := get(m, path); w.Code != code {
			t.Errorf("%s is %d, want %d", path, w.Code, code)
		}
	}
}

func TestServeAndClose(t *testing.T) {
	m, _ := newMetrics(10)
	s, err := m.Serve("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := s.Addr().String()
	r, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	readPage(t, string(b))
	if _, err := m.Serve(addr); err == nil {
		t.Error("two listen at one address")
	}
	s.Close()
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("it listens after it was closed")
	}
	http.DefaultClient.CloseIdleConnections()
}
