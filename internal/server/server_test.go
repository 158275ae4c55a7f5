package server

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// lines is a log that a test can look into while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// address waits for the line that says where clients connect.
func (l *lines) address(t *testing.T, done <-chan error) string {
	t.Helper()
	for {
		if _, rest, ok := strings.Cut(l.String(), "Awaiting socket connections on "); ok {
			return strings.Trim(strings.Fields(rest)[0], `."`)
		}
		select {
		case err := <-done:
			t.Fatalf("the server ended with %v:\n%s", err, l)
		case <-time.After(time.Millisecond):
		}
	}
}

func start(t *testing.T, log *lines, overrides ...string) (context.CancelFunc, <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Options{Overrides: overrides, Log: log, LogFormat: "kafka"})
	}()
	return cancel, done
}

func TestRunServesAndStopsCleanly(t *testing.T) {
	dir := t.TempDir()
	for i := range 2 {
		log := &lines{}
		cancel, done := start(t, log, "log.dirs="+dir, "listeners=PLAINTEXT://127.0.0.1:0", "milena.metrics.listeners=")
		c, err := kgo.NewClient(kgo.SeedBrokers(log.address(t, done)), kgo.AllowAutoTopicCreation())
		if err != nil {
			t.Fatal(err)
		}
		r := c.ProduceSync(context.Background(), &kgo.Record{Topic: "t", Value: []byte("x")})
		if err := r.FirstErr(); err != nil || r[0].Record.Offset != int64(i) {
			t.Fatalf("%v at offset %d", err, r[0].Record.Offset)
		}
		c.Close()
		cancel()
		if err := <-done; err != nil {
			t.Fatalf("%v\n%s", err, log)
		}
		if !strings.Contains(log.String(), "Kafka Server started") {
			t.Errorf("the log doesn't say that it started:\n%s", log)
		}
	}
}

func TestARelativeDirectoryIsMadeAbsolute(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	cancel, done := start(t, log, "log.dirs=./data", "listeners=PLAINTEXT://127.0.0.1:0", "milena.metrics.listeners=")
	c, err := kgo.NewClient(kgo.SeedBrokers(log.address(t, done)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := filepath.ToSlash(here) + "/data"
	answer, err := kmsg.NewPtrDescribeLogDirsRequest().RequestWith(context.Background(), c)
	if err != nil || len(answer.Dirs) != 1 || answer.Dirs[0].Dir != want {
		t.Errorf("%v: %+v, want %s", err, answer, want)
	}
	first, _, _ := strings.Cut(log.String(), "\n")
	for _, part := range []string{"Milena ", "Kafka version: 4.3", want} {
		if !strings.Contains(first, part) {
			t.Errorf("the first line doesn't say %q: %s", part, first)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestNoHostIsAdvertisedAsTheMachine(t *testing.T) {
	log := &lines{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Options{
			Overrides: []string{"log.dirs=" + t.TempDir(), "listeners=PLAINTEXT://:0", "milena.metrics.listeners="},
			Log:       log, LogFormat: "kafka", HostName: "box.example",
		})
	}()
	_, port, err := net.SplitHostPort(log.address(t, done))
	if err != nil {
		t.Fatal(err)
	}
	c, err := kgo.NewClient(kgo.SeedBrokers("127.0.0.1:" + port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answer, err := kmsg.NewPtrMetadataRequest().RequestWith(context.Background(), c)
	if err != nil || len(answer.Brokers) != 1 || answer.Brokers[0].Host != "box.example" {
		t.Errorf("%v: %+v", err, answer)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestRunNamesTheStage(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{ConfigFiles: []string{"/no/such/file"}}, "config: "},
		{Options{Overrides: []string{"num.partitions=many"}}, "config: --override num.partitions=many"},
		{Options{Overrides: []string{"listeners=PLAINTEXT://0.0.0.0:9092"}}, "config: --override listeners=PLAINTEXT://0.0.0.0:9092: advertised.listeners cannot use"},
		{Options{Overrides: []string{"controller.quorum.voters=2@localhost:9093", "listeners=PLAINTEXT://127.0.0.1:0"}}, "start: "},
		{Options{Overrides: []string{"log.dirs=/proc/no", "listeners=PLAINTEXT://127.0.0.1:0"}}, "start: "},
	} {
		c.o.Log = &lines{}
		err := Run(context.Background(), c.o)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v: %v, want it to begin with %q", c.o, err, c.want)
		}
	}
}
