package milena

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestMetricsAreOffUnlessAskedFor(t *testing.T) {
	b, err := Start(context.Background(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if at := b.MetricsAddr(); at != "" {
		t.Errorf("nobody asked for metrics at %s", at)
	}
}

func TestMetricsOfAnEmbeddedBroker(t *testing.T) {
	settings := map[string]string{"milena.metrics.listeners": "127.0.0.1:0"}
	b, err := Start(context.Background(), Config{Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.ProduceSync(context.Background(), &kgo.Record{Topic: "t", Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	read := func(path string) (int, string) {
		r, err := client.Get("http://" + b.MetricsAddr() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(text)
	}
	if code, text := read("/readyz"); code != http.StatusOK {
		t.Errorf("/readyz is %d %s", code, text)
	}
	if _, page := read("/metrics"); !strings.Contains(page, "\nkafka_server_brokertopicmetrics_messagesin_total{topic=\"t\"} 1\n") {
		t.Errorf("the record is not on the page:\n%s", page)
	}
	other := Config{Settings: map[string]string{"milena.metrics.listeners": b.MetricsAddr()}}
	if second, err := Start(context.Background(), other); err == nil || !strings.Contains(err.Error(), "milena.metrics.listeners") {
		t.Errorf("two brokers have their metrics at one address: %v", err)
		_ = second.Close()
	}
	at := b.MetricsAddr()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", at); err == nil {
		c.Close()
		t.Error("metrics outlive their broker")
	}
}
