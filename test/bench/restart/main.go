// Restart measures what many partitions cost a node that stops, is killed, and is written for the first time, of several
// builds of milena in turns, so that a noisy minute of the machine hits all of them.
//
//	cd test/bench && go run ./restart -partitions 10000 -rounds 3 BINARY...
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/test/compat/broker"
)

const perTopic = 1000

// figures are what is measured, in the order of their happening.
var figures = []string{"first write", "second write", "clean stop", "clean start", "killed start", "killed all"}

func main() {
	log.SetFlags(log.Ltime)
	partitions := flag.Int("partitions", 10_000, "partitions that are written, in topics of a thousand")
	rounds := flag.Int("rounds", 3, "measurements of each build")
	keep := flag.String("dir", os.TempDir(), "where the data goes")
	profile := flag.String("profile", "", "folder for the logs of the nodes")
	flag.Parse()
	// What a node left stays until the end: ext4 makes files many times slower for minutes after as many were removed.
	root, err := os.MkdirTemp(*keep, "milena-restart-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(root)
	all := map[string]map[string][]time.Duration{}
	for range *rounds {
		for _, binary := range flag.Args() {
			got, err := measure(context.Background(), binary, *partitions, root, *profile)
			if err != nil {
				_ = os.RemoveAll(root)
				log.Fatalf("%s: %v", binary, err)
			}
			if all[binary] == nil {
				all[binary] = map[string][]time.Duration{}
			}
			for name, took := range got {
				all[binary][name] = append(all[binary][name], took)
			}
			log.Print(binary, " ", got)
		}
	}
	fmt.Printf("| median of %d |", *rounds)
	for _, binary := range flag.Args() {
		fmt.Printf(" %s |", filepath.Base(binary))
	}
	fmt.Println()
	for _, name := range figures {
		fmt.Printf("| %s |", name)
		for _, binary := range flag.Args() {
			took := slices.Sorted(slices.Values(all[binary][name]))
			fmt.Printf(" %v |", took[len(took)/2].Round(time.Millisecond))
		}
		fmt.Println()
	}
}

// measure takes a node of one build through everything.
func measure(ctx context.Context, binary string, partitions int, root, profile string) (map[string]time.Duration, error) {
	dir, err := os.MkdirTemp(root, "node-")
	if err != nil {
		return nil, err
	}
	port, err := broker.FreePort()
	if err != nil {
		return nil, err
	}
	n, err := broker.New("milena", broker.Options{Dir: dir, Binary: binary, Overrides: map[string]string{
		"milena.metrics.listeners": fmt.Sprintf("127.0.0.1:%d", port), "broker.session.timeout.ms": "9000", "broker.heartbeat.interval.ms": "2000",
	}})
	if err != nil {
		return nil, err
	}
	defer n.Kill9()
	if err := n.Start(ctx); err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(n.Bootstrap()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	m := &many{node: n, client: client, out: map[string]time.Duration{}}
	for i := range partitions / perTopic {
		m.topics = append(m.topics, fmt.Sprintf("many-%d", i))
	}
	err = m.run(ctx)
	if profile != "" {
		if data, err := os.ReadFile(n.Logs()); err == nil {
			_ = os.WriteFile(filepath.Join(profile, filepath.Base(dir)+".log"), data, 0o644)
		}
	}
	return m.out, err
}

type many struct {
	node   broker.Broker
	client *kgo.Client
	topics []string
	out    map[string]time.Duration
}

func (m *many) run(ctx context.Context) error {
	for _, t := range m.topics {
		if _, err := kadm.NewClient(m.client).CreateTopic(ctx, perTopic, 1, nil, t); err != nil {
			return err
		}
	}
	write := func() error { return m.write(ctx) }
	for _, step := range []struct {
		name string
		f    func() error
	}{
		{"first write", write}, {"second write", write}, {"clean stop", m.node.Stop}, {"clean start", func() error { return m.start(ctx) }},
		{"", write}, {"", func() error { time.Sleep(1500 * time.Millisecond); return write() }}, {"", m.node.Kill9},
		{"killed start", func() error { return m.node.Start(ctx) }}, {"killed all", func() error { return m.ends(ctx) }},
	} {
		began := time.Now()
		if err := step.f(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		m.out[step.name] = time.Since(began)
	}
	m.out["killed all"] += m.out["killed start"]
	delete(m.out, "")
	return m.node.Kill9()
}

// start starts the node and asks every partition for its end.
func (m *many) start(ctx context.Context) error {
	if err := m.node.Start(ctx); err != nil {
		return err
	}
	return m.ends(ctx)
}

func (m *many) ends(ctx context.Context) error {
	listed, err := kadm.NewClient(m.client).ListEndOffsets(ctx, m.topics...)
	if err != nil {
		return err
	}
	return listed.Error()
}

func (m *many) write(ctx context.Context) error {
	var records []*kgo.Record
	for _, t := range m.topics {
		for p := range perTopic {
			records = append(records, &kgo.Record{Topic: t, Partition: int32(p), Value: make([]byte, 100)})
		}
	}
	return m.client.ProduceSync(ctx, records...).FirstErr()
}
