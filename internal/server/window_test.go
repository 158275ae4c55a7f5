package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/world"
)

var metricsURL = regexp.MustCompile(`Metrics on (http://\S+)/metrics`)

// window waits for the line that says where metrics are.
func (l *lines) window(t *testing.T, done <-chan error) string {
	t.Helper()
	for {
		if m := metricsURL.FindStringSubmatch(l.String()); m != nil {
			return m[1]
		}
		select {
		case err := <-done:
			t.Fatalf("the server ended with %v:\n%s", err, l)
		case <-time.After(time.Millisecond):
		}
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func TestMetricsOfARunningServer(t *testing.T) {
	log := &lines{}
	cancel, done := start(t, log, "log.dirs="+t.TempDir(), "listeners=PLAINTEXT://127.0.0.1:0", "milena.metrics.listeners=127.0.0.1:0")
	url := log.window(t, done)
	c, err := kgo.NewClient(kgo.SeedBrokers(log.address(t, done)), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceSync(context.Background(), &kgo.Record{Topic: "t", Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	// The producer may have its answer before the broker has counted it.
	var page string
	for deadline := time.Now().Add(time.Minute); !strings.Contains(page, `kafka_network_requestmetrics_totaltimems_count{request="Produce"} 1`); {
		if time.Now().After(deadline) {
			t.Fatalf("the request is never on the page:\n%s", page)
		}
		_, page = get(t, url+"/metrics")
	}
	for _, want := range []string{
		`kafka_server_brokertopicmetrics_messagesin_total{topic="t"} 1`, `kafka_topic_partition_current_offset{topic="t",partition="0"} 1`,
		`kafka_controller_kafkacontroller_activecontrollercount 1`, `kafka_server_kafkaserver_brokerstate 3`, `milena_ready 1`,
		`kafka_server_socket_server_metrics_connection_count{listener="PLAINTEXT"} `, `go_goroutines `,
	} {
		if !strings.Contains(page, "\n"+want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if strings.Contains(page, "\nmilena_fsync_seconds_count 0\n") {
		t.Error("an acknowledged record, and no sync was counted")
	}
	if code, text := get(t, url+"/readyz"); code != http.StatusOK {
		t.Errorf("/readyz is %d %s", code, text)
	}
	if _, text := get(t, url+"/debug/slowest"); !strings.Contains(text, "Produce v") {
		t.Errorf("the only Produce is not among the slowest:\n%s", text)
	}
	c.Close()
	cancel()
	if err := <-done; err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	if c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://")); err == nil {
		c.Close()
		t.Error("metrics are served by a server that has stopped")
	}
}

func taken(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Logf("%s is taken already, which is what the test needs: %v", addr, err)
		return nil
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestBusyDefaultPortIsAWarning(t *testing.T) {
	taken(t, "127.0.0.1:9404")
	log := &lines{}
	cancel, done := start(t, log, "log.dirs="+t.TempDir(), "listeners=PLAINTEXT://127.0.0.1:0")
	log.address(t, done)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "The port of /metrics is taken"); n != 1 {
		t.Errorf("it is told %d times:\n%s", n, log)
	}
}

func TestBusyConfiguredPortFailsTheStart(t *testing.T) {
	busy := taken(t, "127.0.0.1:0").Addr().String()
	for value, want := range map[string]string{
		busy: "start: milena.metrics.listeners cannot bind " + busy, "nonsense": "start: milena.metrics.listeners=nonsense is not host:port",
	} {
		dir := t.TempDir()
		err := Run(context.Background(), Options{Log: &lines{}, Overrides: []string{
			"log.dirs=" + dir, "listeners=PLAINTEXT://127.0.0.1:0", "milena.metrics.listeners=" + value,
		}})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", value, err, want)
		}
	}
}

func TestEmptyListenersMeanNoMetrics(t *testing.T) {
	log := &lines{}
	cancel, done := start(t, log, "log.dirs="+t.TempDir(), "listeners=PLAINTEXT://127.0.0.1:0", "milena.metrics.listeners=")
	log.address(t, done)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if metricsURL.MatchString(log.String()) || strings.Contains(log.String(), "/metrics") {
		t.Errorf("metrics without an address:\n%s", log)
	}
}

func TestWindowTellsWhyAServerIsNotReady(t *testing.T) {
	w := window{}
	w.serving(errors.New("nobody hears this"))
	w.close()
	log := &lines{}
	// The node starts in milliseconds; what stands still is a server whose window was opened and whose node was not begun.
	opened := openForTest(t, log)
	defer opened.close()
	url := "http://" + opened.server.Addr().String()
	if code, text := get(t, url+"/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(text, "the node is starting") {
		t.Errorf("/readyz is %d %s", code, text)
	}
	if code, _ := get(t, url+"/metrics"); code != http.StatusOK {
		t.Errorf("/metrics of a node that is starting is %d", code)
	}
	opened.serving(nil)
	if code, text := get(t, url+"/readyz"); code != http.StatusOK {
		t.Errorf("/readyz is %d %s", code, text)
	}
}

func openForTest(t *testing.T, log *lines) window {
	t.Helper()
	l, err := load(disk.NewMem(), Options{Overrides: []string{metricsKey + "=127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	w, err := openWindow(l.Values, world.NewReal(), slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return w
}
