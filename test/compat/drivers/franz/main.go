// Franz drives franz-go for package driver, which describes the protocol.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/test/compat/driver"
)

func main() {
	if len(os.Args) != 5 {
		fail(fmt.Errorf("franz produce|consume BOOTSTRAP TOPIC CODEC|GROUP"))
	}
	run := produce
	if os.Args[1] == "consume" {
		run = consume
	}
	if err := run(os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "franz:", err)
	os.Exit(1)
}

func codec(name string) kgo.CompressionCodec {
	return map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}[name]
}

func produce(bootstrap, topic, compression string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(bootstrap, ",")...), kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchCompression(codec(compression)), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		return err
	}
	defer client.Close()
	out := json.NewEncoder(os.Stdout)
	answers := make(chan chan driver.Ack, 1<<16) // one per record, so that acks leave in the order of the input
	var writer sync.WaitGroup
	writer.Go(func() {
		for answer := range answers {
			_ = out.Encode(<-answer)
		}
	})
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	for in.More() {
		var r driver.Record
		if err := in.Decode(&r); err != nil {
			return err
		}
		rec := &kgo.Record{Partition: r.Partition, Key: r.Key, Value: r.Value, Timestamp: time.UnixMilli(r.Timestamp)}
		for _, h := range r.Headers {
			rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		answer := make(chan driver.Ack, 1)
		answers <- answer
		client.Produce(context.Background(), rec, func(rec *kgo.Record, err error) {
			if err != nil {
				answer <- driver.Ack{Error: err.Error()}
				return
			}
			answer <- driver.Ack{Partition: rec.Partition, Offset: rec.Offset}
		})
	}
	close(answers)
	writer.Wait()
	return nil
}

// listener says what is assigned after every change. Assignments are cumulative: the default balancer is cooperative.
type listener struct {
	mu    sync.Mutex
	out   *json.Encoder
	owned map[int32]bool
}

func (l *listener) say(e any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.out.Encode(e)
}

func (l *listener) change(partitions []int32, own bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range partitions {
		if own {
			l.owned[p] = true
		} else {
			delete(l.owned, p)
		}
	}
	all := make([]int32, 0, len(l.owned))
	for p := range l.owned {
		all = append(all, p)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	_ = l.out.Encode(driver.Event{Event: "assigned", Partitions: all})
}

func consume(bootstrap, topic, group string) error {
	l := &listener{out: json.NewEncoder(os.Stdout), owned: map[int32]bool{}}
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(bootstrap, ",")...), kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group),
		kgo.DisableAutoCommit(), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200*time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { l.change(m[topic], true) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { l.change(m[topic], false) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { l.change(m[topic], false) }))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		for scan := bufio.NewScanner(os.Stdin); scan.Scan(); {
			if scan.Text() == "stop" {
				break
			}
			if err := client.CommitUncommittedOffsets(ctx); err != nil {
				l.say(driver.Event{Event: "error", Error: "commit: " + err.Error()})
			} else {
				l.say(driver.Event{Event: "committed"})
			}
		}
		stop()
	}()
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		fetches.EachError(func(_ string, _ int32, err error) { fmt.Fprintln(os.Stderr, "franz: fetch:", err) })
		fetches.EachRecord(func(r *kgo.Record) {
			e := driver.Event{Event: "record", Record: driver.Record{Partition: r.Partition, Offset: r.Offset,
				Timestamp: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value}}
			for _, h := range r.Headers {
				e.Headers = append(e.Headers, driver.Header{Key: h.Key, Value: h.Value})
			}
			l.say(e)
		})
	}
}
